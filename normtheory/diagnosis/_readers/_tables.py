"""Tables of text, .csv and .tsv: columns of numbers beside columns of other things."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import math
from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from normtheory.diagnosis._readers._columns import matrices
from normtheory.diagnosis._readers._entries import Ask, Contents, Entry, shown
from normtheory.diagnosis._readers._streams import unpacked

_MISSING = ("", "na", "n/a", "null", "none")
_LOOKED_AT = 100
"""Rows by which it is judged what a column holds."""


class _Table(NamedTuple):
    path: Path
    delimiter: str
    ask: Ask
    names: tuple[str, ...]
    header: bool

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows in turn, each with its number and a cell for every column."""
        lines = itertools.islice(_lines(self.path, self.delimiter), int(self.header), None)
        for row, cells in enumerate(lines):
            if len(cells) != len(self.names):
                self.ask.bad_row(f"row {row} has {len(cells)} cells, expected {len(self.names)}")
                cells = [""] * len(self.names)
            yield row, cells


@contextlib.contextmanager
def table(path: Path, ask: Ask) -> Iterator[Contents]:
    """The columns of a table by name, and the matrices that several of them make."""
    delimiter = _delimiter(path)
    first = list(itertools.islice(_lines(path, delimiter), _LOOKED_AT))
    if not first:
        raise ValueError("the table has no rows")
    header = _is_header(first, ask)
    names = tuple(first[0]) if header else tuple(map(str, range(len(first[0]))))
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two columns are called {shown(name)!r}")
    found = _Table(path, delimiter, ask, names, header)
    kinds = {
        name: _kind(row[k] for row in first[header:] if k < len(row))
        for k, name in enumerate(names)
    }
    floats = [name for name, kind in kinds.items() if kind == "floats"]
    # Where nothing has a name, whole numbers are as likely a class as a component.
    numbers = {n: k for n, k in kinds.items() if k == "floats" or (k == "integers" and header)}
    columns = {
        name: Entry(kind, partial(_column, found, name, kind), alone=False)
        for name, kind in kinds.items()
    }
    yield Contents({**matrices(numbers, floats, partial(_matrix, found)), **columns}, "column")


def _delimiter(path: Path) -> str:
    if ".tsv" in path.suffixes:
        return "\t"
    with unpacked(path) as file:
        line = file.readline()
    return max(",;", key=lambda sign: line.count(sign.encode()))


def _lines(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The rows of a table with anything in them; bytes that are no UTF-8 are kept as they are."""
    with (
        unpacked(path) as file,
        io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text,
    ):
        yield from (cells for cells in csv.reader(text, delimiter=delimiter) if cells)


def _number(cell: str) -> float:
    """A cell as a number, NaN if it is missing; ValueError if it is something else."""
    try:
        return float(cell)
    except ValueError:
        if cell.strip().lower() in _MISSING:
            return math.nan
        raise


def _is_number(cell: str) -> bool:
    try:
        return not math.isnan(_number(cell))
    except ValueError:
        return False


def _kind(cells: Iterator[str]) -> str:
    """What a column holds, by its first cells; most of them, as one may be a slip."""
    filled = [cell.strip() for cell in cells if cell.strip().lower() not in _MISSING]
    whole = [cell for cell in filled if cell.lstrip("-").isdecimal()]
    if whole == filled:
        return "integers" if filled else "text"
    floats = [cell for cell in filled if cell not in whole and _is_number(cell)]
    every = len(floats) + len(whole) == len(filled)
    return "floats" if every or 2 * len(floats) > len(filled) else "text"


def _is_header(rows: Sequence[Sequence[str]], ask: Ask) -> bool:
    """Whether names stand in the first row: no numbers, unless they only count the columns.

    A lone column of text is told by its name.
    """
    first = [cell.strip() for cell in rows[0]]
    numbers = [cell for cell in first if _kind(iter([cell])) != "text"]
    if numbers:
        start = 1 if numbers[0] == "1" else 0
        return len(numbers) > 1 and numbers == [str(k + start) for k in range(len(numbers))]
    if len(first) > 1 or _kind(row[0] for row in rows[1:]) != "text":
        return True
    return first[0] in (ask.key, ask.default, ask.default.removesuffix("s"))


def _matrix(table: _Table, names: Sequence[str]) -> np.ndarray:
    """Columns of numbers side by side; a missing number is NaN, so that its row is named later."""
    places = [table.names.index(name) for name in names]
    numbers = array("d")
    for row, cells in table.rows():
        for name, place in zip(names, places, strict=True):
            try:
                numbers.append(_number(cells[place]))
            except ValueError:
                table.ask.bad_row(
                    f"column {shown(name)!r}: row {row} is no number: {shown(cells[place])!r}"
                )
                numbers.append(math.nan)
    return np.frombuffer(numbers).reshape(-1, len(names))


def _column(table: _Table, name: str, kind: str) -> np.ndarray:
    """One column: numbers, or text."""
    place = table.names.index(name)
    cells = [cells[place] for _, cells in table.rows()]
    for row, cell in enumerate(cells):
        try:
            cell.encode()
        except UnicodeEncodeError:
            raw = cell.encode(errors="surrogateescape")
            raise ValueError(f"column {shown(name)!r}: row {row} is no UTF-8: {raw!r}") from None
        if cell.strip().lower() in _MISSING:
            raise ValueError(f"column {shown(name)!r}: row {row} has no value")
    if kind == "text":
        return np.array(cells)
    found = np.array([_number(cell) for cell in cells])
    return found.astype(np.int64) if kind == "integers" else found
