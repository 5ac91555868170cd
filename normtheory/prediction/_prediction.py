"""The answer: rows, as an object, a table and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from normtheory.prediction._row import Row


@dataclass(frozen=True)
class Prediction:
    """What :func:`normtheory.predict` found; ``str()`` is the table.

    ``prediction["equilibrium_norm"]`` is a :class:`Row`, and ``in`` and ``for`` go over them.

    Attributes:
        norms: that were asked for.
        optimizer: "sgd", "momentum", "adam", "adamw" or "lion".
        rows: the numbers, in the order in which a reader wants them.
    """

    norms: tuple[float, ...]
    optimizer: str
    rows: tuple[Row, ...]

    def __getitem__(self, name: str) -> Row:
        """The row of a name; KeyError says which there are."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"{name}: expected one of {', '.join(row.name for row in self.rows)}")

    def __contains__(self, name: object) -> bool:
        return any(row.name == name for row in self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Where numbers don't apply, one sentence a row that has a warning."""
        return tuple(f"{row.name}: {row.warning}" for row in self.rows if row.warning)

    def to_dict(self) -> dict[str, Any]:
        """The rows by name, for JSON; what isn't finite becomes None."""
        return {row.name: row.to_dict() for row in self.rows}

    def to_json(self) -> str:
        """The rows by name as JSON, in ASCII."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def table(self) -> str:
        """The numbers as aligned text, one column a norm; below each where it holds."""
        several = len(self.norms) > 1
        cells = [_cells(row, len(self.norms)) for row in self.rows]
        if several:
            cells.insert(0, [f"{norm:.6g}" for norm in self.norms])
        widths = [max(len(line[k]) for line in cells) for k in range(len(self.norms))]
        wide = max(len(row.name) for row in self.rows)

        def line(name: str, numbers: list[str]) -> str:
            padded = (f"{x:>{w}}" for x, w in zip(numbers, widths, strict=True))
            return "  ".join([f"{name:<{wide}}", *padded])

        lines = [line("norm", cells.pop(0))] if several else []
        for row, numbers in zip(self.rows, cells, strict=True):
            formula = f"{row.formula} [{row.claim}]" if row.formula else ""
            lines.append(f"{line(row.name, numbers)}  {formula}".rstrip())
            lines.append(f"    {row.validity}")
            if row.warning:
                lines.append(f"    WARNING: {row.warning}")
        return "\n".join(lines)

    def __str__(self) -> str:
        """Return the table."""
        return self.table()


def _cells(row: Row, columns: int) -> list[str]:
    """A row's number for every norm, with its unit and its word."""
    values = row.value if isinstance(row.value, tuple) else (row.value,) * columns
    words = row.word if isinstance(row.word, tuple) else (row.word,) * columns
    return [
        "none"
        if value is None
        else " ".join(part for part in (f"{value:.6g}", row.unit, word) if part)
        for value, word in zip(values, words, strict=True)
    ]
