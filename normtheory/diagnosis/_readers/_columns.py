"""Which columns of a table are the components of an embedding, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from normtheory.diagnosis._readers._entries import Entry, shown, some

_NUMBERED = re.compile(r"(.*?)(\d+)\]?", re.DOTALL)
_INDEX = re.compile(r"__index_level_\d+__")  # of pandas

Load = Callable[[Sequence[str]], Any]
"""Reads some columns, side by side."""


def matrices(kinds: Mapping[str, str], floats: Sequence[str], load: Load) -> dict[str, Entry]:
    """What in a table is spread over columns: each series of numbered ones, or all of floats.

    Args:
        kinds: columns of numbers, and their kinds.
        floats: those of them that hold floats.
        load: reads some of them.

    Returns:
        Entries by what stands before the numbers. If most columns of floats are no series, there is
        one entry of all of them, with a warning.
    """
    floats = [name for name in floats if not _INDEX.fullmatch(name)]
    series = {stem: names for stem, names in _series(kinds).items() if len(names) > 1}
    most = [stem for stem, names in series.items() if 2 * len(names) > len(floats)]
    found = {}
    for stem, names in series.items():
        beside = [name for name in floats if name not in names]
        found[stem] = Entry(
            f"{len(names)} columns of {_kinds(kinds, names)}",
            partial(load, names),
            alone=stem in most or len(series) > 1,
            note=f"the components are the {len(names)} columns {_ends(names)}",
            warning=f"columns of floats beside the components were left out: {some(beside)}"
            if beside
            else _gap(names),
        )
    if len(floats) > 1 and not any(entry.alone for entry in found.values()):
        found["all columns of floats"] = Entry(
            f"{len(floats)} columns of {_kinds(kinds, floats)}",
            partial(load, floats),
            note=f"the components are the {len(floats)} columns of floats: {some(floats)}",
            warning="no series of numbered columns tells which are the components of an embedding, "
            f"so all {len(floats)} columns of floats were taken: {some(floats)}",
        )
    return found


def _series(kinds: Mapping[str, str]) -> dict[str, list[str]]:
    """Numbered columns in the order of their numbers, by what stands before these."""
    found: dict[str, dict[int, str]] = {}
    for name in kinds:
        match = _NUMBERED.fullmatch(name)
        if match is not None:
            found.setdefault(match[1].rstrip("_-.[ ") or "columns", {})[int(match[2])] = name
    return {stem: [names[k] for k in sorted(names)] for stem, names in found.items()}


def _gap(names: Sequence[str]) -> str:
    numbers = [int(match[2]) for name in names if (match := _NUMBERED.fullmatch(name))]
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    return f"{missing} numbers are missing among the columns {_ends(names)}" if missing else ""


def _kinds(kinds: Mapping[str, str], names: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(kinds[name] for name in names))


def _ends(names: Sequence[str]) -> str:
    return f"{shown(names[0])} to {shown(names[-1])}"
