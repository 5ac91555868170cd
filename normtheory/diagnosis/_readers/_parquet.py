"""Parquet files: a column of vectors, or columns side by side."""

from __future__ import annotations

import contextlib
import importlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from normtheory.diagnosis._readers._columns import matrices
from normtheory.diagnosis._readers._entries import Ask, Contents, Entry, need, shown

_CHECKED: dict[str, Any] = {"page_checksum_verification": True}  # where a file has checksums


@contextlib.contextmanager
def parquet(path: Path, ask: Ask) -> Iterator[Contents]:
    """The columns of a table by name, and the matrices that several of them make."""
    arrow = need("pyarrow", "formats")
    table = importlib.import_module("pyarrow.parquet")
    schema = table.read_schema(path)
    columns = {field.name: _column(arrow, table, path, field, ask) for field in schema}
    kinds = {f.name: str(f.type) for f in schema if _is_number(arrow, f.type)}
    floats = [f.name for f in schema if arrow.types.is_floating(f.type)]
    entries = matrices(kinds, floats, partial(_side_by_side, table, path))
    if any(entry.alone for entry in columns.values()):  # a column of vectors is meant, then
        entries = {name: entry._replace(alone=False) for name, entry in entries.items()}
    yield Contents({**entries, **columns}, "column")


def _is_number(arrow: Any, kind: Any) -> bool:
    return arrow.types.is_floating(kind) or arrow.types.is_integer(kind)


def _side_by_side(table: Any, path: Path, names: Sequence[str]) -> np.ndarray:
    """Columns of numbers as one matrix; a missing value is NaN, so its row is named later."""
    found = table.read_table(path, columns=list(names), **_CHECKED)
    return np.column_stack([found.column(n).to_numpy(zero_copy_only=False) for n in names])


def _column(arrow: Any, table: Any, path: Path, field: Any, ask: Ask) -> Entry:
    kind, name = _stored(arrow, field.type), field.name
    one = kind == field.type or _is_vector(field.type)
    if one and _is_list(arrow, kind) and arrow.types.is_floating(kind.value_type):
        return Entry(str(field.type), partial(_vectors, table, path, name, kind, ask))
    if arrow.types.is_nested(kind) or kind != field.type:
        return Entry(str(field.type))
    return Entry(str(kind), partial(_plain, arrow, table, path, name), alone=False)


def _stored(arrow: Any, kind: Any) -> Any:
    return kind.storage_type if isinstance(kind, arrow.BaseExtensionType) else kind


def _is_list(arrow: Any, kind: Any) -> bool:
    tests = (arrow.types.is_list, arrow.types.is_large_list, arrow.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _is_vector(kind: Any) -> bool:
    """Whether a tensor in each row has but one axis longer than 1."""
    return sum(length != 1 for length in getattr(kind, "shape", (2, 2))) <= 1


def _plain(arrow: Any, table: Any, path: Path, name: str) -> np.ndarray:
    column = table.read_table(path, columns=[name], **_CHECKED).column(0)
    if column.null_count:
        row = next(i for i, value in enumerate(column) if not value.is_valid)
        raise ValueError(f"column {shown(name)!r}: row {row} has no value")
    if arrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.to_numpy()


def _vectors(table: Any, path: Path, name: str, kind: Any, ask: Ask) -> np.ndarray:
    """A column of vectors, batch by batch, so that there is never a second copy of it all."""
    lengths_of = importlib.import_module("pyarrow.compute").list_value_length
    file = table.ParquetFile(path, **_CHECKED)
    dtype = kind.value_type.to_pandas_dtype()
    found, start = np.empty((file.metadata.num_rows, 0), dtype), 0
    for batch in file.iter_batches(batch_size=8192, columns=[name]):
        column = batch.column(0)
        column = getattr(column, "storage", column)
        lengths = lengths_of(column).fill_null(-1).to_numpy(zero_copy_only=False)
        if not found.shape[1]:
            found = np.full((len(found), _usual(lengths)), np.nan, dtype)
        good = lengths == found.shape[1]
        for row in np.flatnonzero(~good)[:1]:
            usual = f"{lengths[row]} values, expected {found.shape[1]} as most rows have"
            said = "no value" if lengths[row] < 0 else usual
            ask.bad_row(f"column {shown(name)!r}: row {start + row} has {said}")
        # A missing component is NaN, so that its row is named later.
        values = column.filter(good).flatten().to_numpy(zero_copy_only=False)
        found[start + np.flatnonzero(good)] = values.reshape(-1, found.shape[1])
        start += len(column)
    return found


def _usual(lengths: np.ndarray) -> int:
    """The commonest length of vectors, 0 if there are none."""
    counts = Counter(lengths[lengths > 0].tolist())
    return counts.most_common(1)[0][0] if counts else 0
