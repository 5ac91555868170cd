"""HDF5 files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from normtheory.diagnosis._readers._entries import Ask, Contents, Entry, described, need


@contextlib.contextmanager
def hdf5(path: Path, ask: Ask) -> Iterator[Contents]:
    """The datasets of a file, by the path of groups that leads to them."""
    h5py = need("h5py", "formats")
    entries: dict[str, Entry] = {}

    def see(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            entries[name] = _dataset(h5py, item)

    with h5py.File(path) as file:
        file.visititems(see)
        yield Contents(entries)


def _dataset(h5py: Any, item: Any) -> Entry:
    if item.shape is None:
        return Entry("empty")
    text = h5py.check_string_dtype(item.dtype) is not None
    kind = described("text" if text else item.dtype, item.shape)
    if item.dtype.kind not in "biufS" and not text:
        return Entry(kind)
    single = len(item.shape) == 1 and item.dtype.kind == "f"
    return Entry(kind, partial(_whole, item), length=item.shape[0] if single else None)


def _whole(item: Any) -> Any:
    """All of a dataset; numbers that are not packed must be as many bytes as they say."""
    plain = item.chunks is None and item.dtype.kind != "O"
    if plain and item.id.get_storage_size() not in (0, item.nbytes):
        raise ValueError(
            f"damaged: dataset {item.name!r} has {item.id.get_storage_size()} bytes, expected "
            f"{item.nbytes}"
        )
    return item[()]
