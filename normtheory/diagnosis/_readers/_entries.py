"""What a file holds: named entries, listed with what they are, of which one is chosen and read."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

NAMELESS = ""
"""The name of the entry in a file that holds one array and no names."""

_SHOWN = 10


class UsageError(ValueError):
    """The file was named wrongly: it isn't there, or there is no such entry in it."""


class Ask(NamedTuple):
    """What is wanted of a file.

    Attributes:
        key: the name of the entry, or None.
        default: what it is called if it isn't named.
        drop: a row that can't be one of a matrix becomes NaN, to be left out later, instead of an
            error.
    """

    key: str | None
    default: str
    drop: bool

    def bad_row(self, said: str) -> None:
        """Raise ValueError for a row that can't be one of a matrix, unless such are left out."""
        if not self.drop:
            raise ValueError(f"{said} (drop_bad_rows leaves such rows out)")


class Entry(NamedTuple):
    """One entry of a file, before it is read.

    Attributes:
        kind: what it is, for a list.
        load: reads it; None for what is no array.
        alone: whether it may be taken without being named, if it is the only one of that sort.
        length: number of components, if it is one vector of floats.
        note: how it was put together, for the report.
        warning: why that may be wrong.
    """

    kind: str
    load: Callable[[], Any] | None = None
    alone: bool = True
    length: int | None = None
    note: str = ""
    warning: str = ""


class Contents(NamedTuple):
    """The entries of a file by name, and what they are called in its format."""

    entries: Mapping[str, Entry]
    what: str = "entry"


class Found(NamedTuple):
    """What was read.

    Attributes:
        values: a numpy array, or a PyTorch tensor.
        names: of all entries of the file.
        notes: which parts of the file the rows are, where that was not said by a name.
        warnings: what is doubtful about that.
    """

    values: Any
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


Reader = Callable[[Path, Ask], AbstractContextManager[Contents]]


def take(contents: Contents, ask: Ask) -> Found:
    """Choose and read.

    Raises:
        UsageError: no such entry, or none that is meant more than others; what there is, is listed.
        ValueError: nothing that can be read.
    """
    entries, what = contents
    name = _chosen(entries, what, ask)
    if name is None:
        rows, note = _stacked(entries, ask)
        return Found(rows, tuple(entries), (note,))
    entry = entries[name]
    if entry.load is None:
        raise ValueError(f"{what} {shown(name)!r} is no array that can be read: {entry.kind}")
    found = "" if name in (NAMELESS, ask.key, ask.default) else f"the {what} {shown(name)}"
    said = [(text,) if text else () for text in (entry.note or found, entry.warning)]
    return Found(entry.load(), tuple(entries), *said)


def _chosen(entries: Mapping[str, Entry], what: str, ask: Ask) -> str | None:
    """The name of the entry that is meant, or None if each of them is a row."""
    if tuple(entries) == (NAMELESS,):
        if ask.key is not None:
            raise UsageError(f"holds one array without a name, so no {what} {ask.key!r}")
        return NAMELESS
    name = _called(entries, ask.default if ask.key is None else ask.key)
    if name is not None:
        return name
    if ask.key is not None:
        raise UsageError(f"no {what} {ask.key!r}; there are: {listed(entries)}")
    usable = [name for name, entry in entries.items() if entry.load is not None]
    if not usable:
        raise ValueError(f"nothing in it can be read; there are: {listed(entries)}")
    for some in ([name for name in usable if entries[name].alone], usable):
        if len(some) == 1:
            return some[0]
    if _common_length(entries) is not None:
        return None
    raise UsageError(f"say which {what} to read; there are: {listed(entries)}")


def _called(entries: Mapping[str, Entry], wanted: str) -> str | None:
    """The entry of that name or, if it is the only one, whose path ends with it."""
    if wanted in entries:
        return wanted
    end = "/" + wanted.replace(".", "/")
    within = [name for name in entries if ("/" + name.replace(".", "/")).endswith(end)]
    return within[0] if len(within) == 1 else None


def _common_length(entries: Mapping[str, Entry]) -> int | None:
    """The length of the vectors of a file of one vector an entry; None if it is no such file."""
    lengths = [entry.length for entry in entries.values() if entry.load is not None]
    if len(lengths) < 2 or None in lengths:
        return None
    length, count = Counter(lengths).most_common(1)[0]
    return length if 2 * count > len(lengths) else None


def _stacked(entries: Mapping[str, Entry], ask: Ask) -> tuple[Any, str]:
    """The vectors of all entries as rows, in the order of the file."""
    length = _common_length(entries)
    named = {name: entry for name, entry in entries.items() if entry.load is not None}
    for row, (name, entry) in enumerate(named.items()):
        if entry.length != length:
            ask.bad_row(
                f"entry {shown(name)!r}, row {row}, has {entry.length} values, expected {length} "
                "as most have"
            )
    found = [e.load() if e.load and e.length == length else None for e in named.values()]
    first = next(x for x in found if x is not None)
    if isinstance(first, np.ndarray):
        library, missing = np, np.full_like(first, np.nan)
    else:
        library = importlib.import_module("torch")
        missing = library.full_like(first, np.nan)
    rows = library.stack([missing if x is None else x for x in found])
    return rows, f"the rows are the {len(named)} entries of the file, in its order: {some(named)}"


def shown(name: str) -> str:
    """A name of somebody else's on one line, of bearable length."""
    plain = repr(name)[1:-1]
    return plain if len(plain) <= 60 else plain[:59] + "…"


def some(names: Iterable[str]) -> str:
    """The first of some names."""
    names = list(names)
    return ", ".join(map(shown, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")


def listed(entries: Mapping[str, Entry]) -> str:
    """Names of entries and what they are, for an error."""
    first = [f"{shown(name)} ({entry.kind})" for name, entry in list(entries.items())[:_SHOWN]]
    rest = len(entries) - len(first)
    return ", ".join(first) + (f" and {rest} more" if rest else "") or "nothing"


def described(dtype: Any, shape: Iterable[int]) -> str:
    """An array in a list: its dtype and shape."""
    size = " x ".join(map(str, shape))
    return f"{dtype}, {size}" if size else f"{dtype}"


def refusing(message: str) -> Callable[[], Any]:
    """The ``load`` of what there is no use for, which says so."""

    def load() -> Any:
        raise ValueError(message)

    return load


def need(module: str, extra: str) -> Any:
    """A module of an optional package, or ModuleNotFoundError that names the extra."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"reading it needs {module.partition('.')[0]}: pip install 'normtheory[{extra}]'"
        ) from None
