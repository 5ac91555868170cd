"""Files of numpy: .npy, which is mapped into memory and not loaded, .npy.gz and .npz.

numpy's own reader takes what it doesn't know for a pickle, and trusts a damaged header.
"""

from __future__ import annotations

import contextlib
import pickle
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import ml_dtypes
import numpy as np

from normtheory.diagnosis._readers._entries import NAMELESS, Ask, Contents, Entry, described
from normtheory.diagnosis._readers._streams import fill, unpacked

_NPY, _ZIP, _PICKLE = b"\x93NUMPY", b"PK", b"\x80"
"""What these begin with; a pickle since its protocol 2."""

_VERSIONS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    order: Literal["C", "F"]

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


def _expect(head: bytes, expected: bytes, suffix: str) -> None:
    others = {_NPY: "a single array, so call it .npy", _ZIP: "an .npz archive, so call it .npz"}
    for start, said in others.items():
        if head.startswith(start) and start != expected:
            raise ValueError(f"it is {said}")
    if head.startswith(_PICKLE):
        raise pickle.UnpicklingError
    if not head.startswith(expected):
        raise ValueError(f"damaged, or no {suffix} file")


def _header(file: Any) -> _Header:
    """What an array is, with the file at its start; then the file is at its numbers."""
    version = np.lib.format.read_magic(file)
    if version not in _VERSIONS:
        raise ValueError(f"version {version[0]}.{version[1]} of .npy, which no plain array has")
    try:
        shape, fortran, dtype = _VERSIONS[version](file)
    except Exception:  # noqa: BLE001 (it is parsed as Python, which may raise anything)
        raise ValueError("damaged: its header says nothing that can be understood") from None
    if dtype.hasobject:
        raise pickle.UnpicklingError
    if min(shape, default=0) < 0 or not dtype.itemsize:
        raise ValueError(f"damaged: its header says {dtype} of shape {shape}")
    return _Header(shape, _named(dtype), "F" if fortran else "C")


def _named(dtype: np.dtype) -> np.dtype:
    """The dtype that was saved: for bfloat16 numpy writes two bytes of no name."""
    unnamed = dtype.kind == "V" and dtype.names is None and dtype.subdtype is None
    return np.dtype(ml_dtypes.bfloat16) if unnamed and dtype.itemsize == 2 else dtype


def _check_size(header: _Header, size: int) -> None:
    if size != header.nbytes:
        raise ValueError(
            f"damaged or cut off: {size} bytes of numbers, its header says {header.nbytes}"
        )


@contextlib.contextmanager
def npy(path: Path, ask: Ask) -> Iterator[Contents]:
    """A .npy file, or a packed one."""
    with unpacked(path) as file:
        _expect(file.read(8), _NPY, ".npy")
        file.seek(0)
        header = _header(file)
        if path.suffix == ".gz":
            load = partial(fill, file, *header)
        else:
            _check_size(header, path.stat().st_size - file.tell())
            load = partial(_mapped, path, file.tell(), header)
        yield Contents({NAMELESS: Entry(described(header.dtype, header.shape), load)})


def _mapped(path: Path, start: int, header: _Header) -> np.ndarray:
    shape, dtype, order = header
    if not header.nbytes:  # which can't be mapped
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", start, shape, order)


@contextlib.contextmanager
def npz(path: Path, ask: Ask) -> Iterator[Contents]:
    """An archive of arrays; each has a checksum, which is looked at when it is read to its end."""
    with path.open("rb") as file:
        _expect(file.read(8), _ZIP, ".npz")
    with zipfile.ZipFile(path) as archive:
        yield Contents(
            {
                info.filename.removesuffix(".npy"): _member(archive, info)
                for info in archive.infolist()
            }
        )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Entry:
    try:
        with archive.open(info) as file:  # which compares the two places where its name stands
            if not info.filename.endswith(".npy"):
                return Entry("no array")
            header = _header(file)
            _check_size(header, info.file_size - file.tell())
    except pickle.UnpicklingError:
        return Entry("pickled objects", partial(_unpacked, archive, info))
    shape, dtype, _ = header
    single = len(shape) == 1 and dtype.name in ("float16", "bfloat16", "float32", "float64")
    return Entry(
        described(dtype, shape),
        partial(_unpacked, archive, info),
        length=shape[0] if single else None,
    )


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as file:
        return fill(file, *_header(file))
