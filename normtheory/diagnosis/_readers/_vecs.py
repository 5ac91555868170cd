"""The .fvecs and .bvecs of nearest-neighbour benchmarks: before each vector stands its length."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from normtheory.diagnosis._readers._entries import NAMELESS, Ask, Contents, Entry, described

_LENGTH = np.dtype("<i4")


@contextlib.contextmanager
def vecs(path: Path, ask: Ask) -> Iterator[Contents]:
    """Vectors of 32-bit floats, which are mapped, or of bytes, which become floats.

    Raises:
        ValueError: a length that is none, or other than that of the first vector; a part of one.
    """
    component = np.dtype("<f4" if path.suffix.lower() == ".fvecs" else "u1")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_LENGTH.itemsize)
    length = int.from_bytes(head, "little", signed=True) if len(head) == _LENGTH.itemsize else 0
    row = _LENGTH.itemsize + length * component.itemsize
    if length < 1 or row > size:
        raise ValueError(f"damaged, or no {path.suffix} file: its first vector has length {length}")
    rows = np.memmap(
        path,
        np.dtype([("length", _LENGTH), ("vector", component, (length,))]),
        "r",
        shape=(size // row,),
    )
    other = np.flatnonzero(rows["length"] != length)
    if len(other):
        raise ValueError(
            f"damaged: vector {other[0]} has length {rows['length'][other[0]]}, expected {length} "
            "as vector 0"
        )
    if size % row:
        raise ValueError(f"cut off: {size % row} bytes after {len(rows)} vectors of {row} bytes")
    kind = described("float32" if component.kind == "f" else "uint8", rows["vector"].shape)
    note = "" if component.kind == "f" else "the components are bytes, numbers from 0 to 255"
    yield Contents({NAMELESS: Entry(kind, partial(_vectors, rows), note=note)})


def _vectors(rows: np.ndarray) -> np.ndarray:
    vectors = rows["vector"]
    return vectors if vectors.dtype.kind == "f" else vectors.astype(np.float32)
