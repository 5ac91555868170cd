"""What captions are made of: numbers of a run as it was made, and words for them.

A caption is made from the result that its figure is drawn from, so that it can't say another number
of points, dimension or seed than the picture has.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import xarray as xr

from normtheory import __version__


def settings(result: xr.Dataset) -> Any:
    """The settings that a result was made with, by name."""
    return SimpleNamespace(**json.loads(result.attrs["settings"]))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number of things: 1 run, 20 runs."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(values: Iterable[Any]) -> str:
    """Values in a row: 1, 3 and 9."""
    shown = [f"{v:g}" if isinstance(v, int | float) else str(v) for v in values]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def intervals(number: int, noun: str) -> str:
    """What bands and bars are that :func:`simulations.encoders.measures.interval` gives."""
    if number < 2:
        return f"95 % intervals of means, which one {noun} has not"
    return f"95 % intervals of means over {number} {noun}s (Student's t)"


def command(name: str, result: xr.Dataset | None) -> str:
    """What draws a figure again with the settings that it was drawn with."""
    said = {} if result is None else json.loads(result.attrs["settings"])
    parts = ["python", "-m", "figures", name]
    for field, value in said.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        parts += [f"--{field.replace('_', '-')}", text]
    return shlex.join(parts)


def metadata(title: str, caption: str, rerun: str, suffix: str) -> dict[str, Any]:
    """What a file of a picture says of it: all that it needs to be drawn again, and no date.

    Args:
        title: name of the figure.
        caption: its caption.
        rerun: what draws it.
        suffix: of the file, ``.png`` or ``.pdf``.
    """
    keys = {
        ".png": ("Title", "Description", "Comment", "Software"),
        ".pdf": ("Title", "Subject", "Keywords", "Creator"),
    }[suffix]
    said = dict(zip(keys, (title, caption, rerun, f"normtheory {__version__}"), strict=True))
    # The same picture is the same file: no date.
    return {key: text for key, text in said.items() if text} | (
        {"CreationDate": None} if suffix == ".pdf" else {}
    )
