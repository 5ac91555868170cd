"""The bytes of a file, packed with gzip or not; nothing of them is left unread."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np

CHUNK = 2**20


def unpacked(path: Path) -> BinaryIO:
    """A file opened to be read, through gzip if its name ends in .gz."""
    return cast(BinaryIO, gzip.open(path) if path.suffix == ".gz" else path.open("rb"))


def fill(
    file: Any, shape: tuple[int, ...], dtype: np.dtype, order: Literal["C", "F"] = "C"
) -> np.ndarray:
    """The numbers that come next, and nothing may come after them.

    Read to the end, since that is where archives have their checksums checked.

    Raises:
        ValueError: too few or too many bytes.
    """
    values = np.empty(int(np.prod(shape, dtype=object)), dtype)
    free: Any = values.view(np.uint8)
    while len(free):
        got = file.readinto(memoryview(free)[:CHUNK])
        if not got:
            raise ValueError(f"cut off: {len(free)} bytes of {values.nbytes} are missing")
        free = free[got:]
    if file.read(1):
        raise ValueError(f"damaged: more follows than the {values.nbytes} bytes of its numbers")
    return values.reshape(shape, order=order)
