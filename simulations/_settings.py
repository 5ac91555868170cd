"""What the settings of every experiment must obey, and what they say of themselves."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any


def check_positive(settings: Any, zero: tuple[str, ...] = ()) -> None:
    """Raise unless every number among the settings is positive and finite; the seed may be 0.

    Words are not looked at.

    Args:
        settings: a dataclass of numbers and tuples of numbers; called from its ``__post_init__``.
        zero: names of other settings that may be 0.

    Raises:
        ValueError: naming the setting, what was expected, and what came.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        values = value if isinstance(value, tuple) else (value,)
        if values and all(isinstance(v, str) for v in values):
            continue
        may_be_zero = field.name in ("seed", *zero)
        wanted = f"finite numbers {'>=' if may_be_zero else '>'} 0"
        wanted = "an integer >= 0" if field.name == "seed" else wanted
        if not values or not all(_usable(v, may_be_zero) for v in values):
            shown = ",".join(map(str, values))
            raise ValueError(f"{field.name}: expected {wanted}, got {shown or 'nothing'}")


def _usable(value: float, may_be_zero: bool) -> bool:
    return math.isfinite(value) and (value > 0 or (may_be_zero and value == 0))


def meanings_of(settings: Any) -> dict[str, str]:
    """What the docstrings of settings and of what they inherit from say of every one of them."""
    found: dict[str, str] = {}
    for kind in reversed(type(settings).__mro__):
        listed = (kind.__doc__ or "").partition("Attributes:\n")[2]
        for name, text in re.findall(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", listed, re.MULTILINE):
            found[name] = " ".join(text.split())
    return found
