"""One number of a prediction, and where it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from normtheory._range import check_in_range


@dataclass(frozen=True)
class Row:
    """One number of the answer, or one for every norm.

    Attributes:
        name: what is predicted, as a key.
        value: the number; a tuple where several norms were asked for and it depends on them; None
            where there is no such number, for the reason in ``validity``.
        unit: "steps", "radians", … or "" for a pure number.
        formula: how it was found, in words and symbols; empty without a value.
        claim: the claim that states it; empty where there is no theory.
        validity: where the number is exact, or to which order and under which conditions it holds.
        warning: why it does not apply to the numbers at hand; empty where it does.
        word: the number in a word, such as "stable", or one for every norm; empty for most.
    """

    name: str
    value: Any
    unit: str
    formula: str
    claim: str
    validity: str
    warning: str = ""
    word: str | tuple[str, ...] = ""

    def to_dict(self) -> dict[str, Any]:
        """Everything but the name, for JSON; infinities, which it doesn't know, as None."""
        found: dict[str, Any] = {
            "value": _known(self.value),
            "unit": self.unit,
            "formula": self.formula,
            "claim": self.claim,
            "validity": self.validity,
            "warning": self.warning,
        }
        if self.word:
            found["word"] = self.word if isinstance(self.word, str) else list(self.word)
        return found


def _known(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_known(x) for x in value]
    return value if value is not None and math.isfinite(value) else None


def row(
    name: str,
    value: Any,
    unit: str,
    formula: str,
    claim: str,
    validity: str,
    *,
    warning: str = "",
    word: Any = "",
    finite: bool = True,
) -> Row:
    """A row of numpy's numbers: shape () or one for every norm.

    Unless they have to be finite, infinity is meant, and NaN is none.

    Raises:
        ValueError: a number out of the range of floats.
    """
    numbers, words = np.asarray(value, dtype=np.float64), np.asarray(word)
    if finite:
        check_in_range(name, numbers)
    return Row(
        name,
        tuple(map(_found, numbers.tolist())) if numbers.ndim else _found(float(numbers)),
        unit,
        formula,
        claim,
        validity,
        warning,
        tuple(words.tolist()) if words.ndim else str(words),
    )


def _found(number: float) -> float | None:
    return None if math.isnan(number) else number


def unknown(name: str, why: str, *, unit: str = "", claim: str = "") -> Row:
    """A row that says why there is no number."""
    return Row(name, None, unit, "", claim, why)


def warned(bad: Any, text: str) -> str:
    """The warning, if any of the norms calls for it."""
    return text if np.any(bad) else ""


def joined(*warnings: str) -> str:
    """Those of the warnings that there are, as one."""
    return "; ".join(text for text in warnings if text)
