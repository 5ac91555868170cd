"""Embeddings and labels out of a file: .npy, .npz, .parquet, .safetensors, .pt.

Nothing in a file is run: pickles are refused, and a .pt file is read as weights only. A .npy file
is mapped into memory, not loaded.
"""

from __future__ import annotations

import contextlib
import importlib
import pickle
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = (".npy", ".npz", ".parquet", ".pt", ".safetensors")

_NPY, _ZIP, _PICKLE = b"\x93NUMPY", b"PK", b"\x80"
"""What these begin with; a pickle since its protocol 2."""

_KINDS = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
_TENSORS = ("float16", "bfloat16", "float32", "float64", *_KINDS)
"""Kinds of tensors that there is a use for: embeddings, and labels."""


class UsageError(ValueError):
    """The file was named wrongly: it isn't there, or there is no such entry in it."""


def read(path: str | Path, key: str | None = None, default: str = "embeddings") -> Any:
    """Read one array.

    Args:
        path: the file; its suffix says the format.
        key: which entry of an .npz, .safetensors or .pt file, or which column of a .parquet file.
            Without it the only one, or the one called as ``default`` says; of a table with neither
            that nor a column of vectors, all columns of floats side by side.
        default: what the entry is called if it isn't named.

    Returns:
        A numpy array, or a PyTorch tensor from a .pt file.

    Raises:
        UsageError: no such file, a folder, an unknown suffix, no such entry (the message lists
            them).
        ValueError: a file that is empty, damaged, or of another format than its suffix says; that
            holds pickled objects, or a tensor that is no plain array (sparse, quantised, of 8-bit
            floats).
        ModuleNotFoundError: a package is missing; the message names the extra that brings it.
    """
    path = Path(path)
    if path.suffix not in _READERS:
        raise UsageError(f"{path}: expected a file ending in {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise UsageError(f"{path}: a folder, expected a file")
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    try:
        return _READERS[path.suffix](path, key, default)
    except (UsageError, ModuleNotFoundError):
        raise
    except MemoryError:
        raise ValueError(f"{path}: too large for the memory of this machine") from None
    except Exception as error:
        if _is_pickle(error):
            raise ValueError(f"{path}: {_REFUSED}") from None
        if isinstance(error, _DAMAGED) or type(error).__module__.startswith(_FORMATS):
            raise ValueError(f"{path}: cannot be read: {_first_line(error)}") from None
        raise


_DAMAGED = (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile)
_CHECKED: dict[str, Any] = {"page_checksum_verification": True}  # where a file has checksums
_FORMATS = ("pyarrow", "safetensors", "zlib", "torch")
_REFUSED = (
    "holds pickled objects, which can run code when loaded: refused; save plain arrays instead"
)


def entries(path: str | Path) -> tuple[str, ...]:
    """Names of the entries or columns of a file that :func:`read` has read; none in an .npy."""
    path = Path(path)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return tuple(archive.files)
    if path.suffix == ".safetensors":
        with importlib.import_module("safetensors").safe_open(path, framework="numpy") as file:
            return tuple(file.keys())
    if path.suffix == ".parquet":
        return tuple(importlib.import_module("pyarrow.parquet").read_schema(path).names)
    if path.suffix == ".pt":
        content = _load_pt(importlib.import_module("torch"), path)
        if isinstance(content, Mapping):
            return tuple(key for key in content if isinstance(key, str))
    return ()


def _is_pickle(error: Exception) -> bool:
    # numpy has no class of its own for it.
    said = ("allow_pickle" in str(error), "Python objects" in str(error))
    return isinstance(error, pickle.UnpicklingError) or any(said)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]


def _need(module: str, extra: str, path: Path) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{path}: reading it needs {module.partition('.')[0]}: "
            f"pip install 'normtheory[{extra}]'"
        ) from None


def _choose(
    path: Path, keys: Iterable[str], key: str | None, default: str, what: str = "entry"
) -> str:
    """The key that is meant, or an error that lists what there is."""
    found = list(keys)
    if key is None and len(found) == 1:
        return found[0]
    wanted = default if key is None else key
    if wanted in found:
        return wanted
    listed = ", ".join(found) or "nothing"
    if key is None:
        raise UsageError(f"{path}: say which {what} to read; there are: {listed}")
    raise UsageError(f"{path}: no {what} {key!r}; there are: {listed}")


def _refuse_key(path: Path, key: str | None) -> None:
    if key is not None:
        raise UsageError(f"{path}: holds one array without a name, so no entry {key!r}")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def _expect_head(path: Path, expected: bytes, other: bytes, said: str) -> None:
    """Refuse what numpy would take for a pickle, or read as another format than the suffix says."""
    head = _head(path)
    if head.startswith(other):
        raise ValueError(said)
    if head.startswith(_PICKLE):
        raise pickle.UnpicklingError
    if not head.startswith(expected):
        raise ValueError(f"damaged, or no {path.suffix} file")


def _read_npy(path: Path, key: str | None, default: str) -> np.ndarray:
    _expect_head(path, _NPY, _ZIP, "it is an .npz archive, so call it .npz")
    _refuse_key(path, key)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _read_npz(path: Path, key: str | None, default: str) -> np.ndarray:
    _expect_head(path, _ZIP, _NPY, "it is a single array, so call it .npy")
    with np.load(path, allow_pickle=False) as archive:
        name = _choose(path, archive.files, key, default)
        found = archive[name]
    if not isinstance(found, np.ndarray):
        raise ValueError(f"entry {name!r} is no array")
    return found


def _read_safetensors(path: Path, key: str | None, default: str) -> np.ndarray:
    safetensors = _need("safetensors", "formats", path)
    importlib.import_module("ml_dtypes")  # numpy learns of bfloat16 by it
    with safetensors.safe_open(path, framework="numpy") as file:
        name = _choose(path, file.keys(), key, default)
        kind = file.get_slice(name).get_dtype()
        if kind.startswith(("F8_", "F6_", "F4")):
            raise ValueError(f"tensor {name!r} is of {kind}: cast it to float16 or wider first")
        return file.get_tensor(name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """PyTorch warns of what is refused in one line anyway."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _load_pt(torch: Any, path: Path) -> Any:
    with _quiet():
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            # Files of PyTorch before 1.6 can't be mapped.
            return torch.load(path, map_location="cpu", weights_only=True)


def _read_pt(path: Path, key: str | None, default: str) -> Any:
    torch = _need("torch", "torch", path)
    head = _head(path)
    if head.startswith(_ZIP):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise ValueError(
                    "a TorchScript archive, which holds code: refused; save a tensor or a dict of "
                    "tensors instead"
                )
            damaged = archive.testzip()
            if damaged is not None:
                raise ValueError(
                    f"damaged: {damaged} doesn't have the checksum it was written with"
                )
    elif not head.startswith(_PICKLE):
        raise ValueError("damaged, or no file of torch.save")
    content = _load_pt(torch, path)
    if isinstance(content, Mapping):
        tensors = [k for k, v in content.items() if isinstance(k, str) and torch.is_tensor(v)]
        content = content[_choose(path, tensors, key, default)]
    else:
        _refuse_key(path, key)
    if not torch.is_tensor(content):
        raise ValueError(f"expected a tensor or a dict of tensors, got {type(content).__name__}")
    return _plain(torch, content)


def _plain(torch: Any, tensor: Any) -> Any:
    """The tensor without its graph, or ValueError where numpy couldn't take it."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_quantized:
        raise ValueError(f"expected a plain tensor, got a quantised one ({kind}): dequantize it")
    if tensor.is_nested or tensor.layout is not torch.strided:
        layout = "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
        raise ValueError(f"expected a dense tensor, got a {layout} one: make it dense first")
    if tensor.is_meta:
        raise ValueError("expected a tensor with data, got one on the device meta")
    if kind not in _TENSORS:
        raise ValueError(f"expected floats of 16, 32 or 64 bits, got {kind}: cast it first")
    with _quiet():
        return tensor.detach()


def _read_parquet(path: Path, key: str | None, default: str) -> np.ndarray:
    arrow = _need("pyarrow", "formats", path)
    parquet = importlib.import_module("pyarrow.parquet")
    schema = parquet.read_schema(path)
    kinds = {field.name: field.type for field in schema}
    floats = [name for name, kind in kinds.items() if arrow.types.is_floating(kind)]
    if key is None and default not in kinds:
        kinds = {name: kind for name, kind in kinds.items() if _is_vectors(arrow, kind)}
        if not kinds and floats:
            return _wide(parquet.read_table(path, columns=floats, **_CHECKED))
    return _column(arrow, parquet, path, _choose(path, kinds, key, default, "column"))


def _is_vectors(arrow: Any, kind: Any) -> bool:
    nested = (arrow.types.is_list, arrow.types.is_large_list, arrow.types.is_fixed_size_list)
    return any(test(kind) for test in nested) and arrow.types.is_floating(kind.value_type)


def _wide(table: Any) -> np.ndarray:
    """Columns of floats as one matrix; a missing value is NaN, so its row is named later."""
    return np.column_stack([column.to_numpy(zero_copy_only=False) for column in table.columns])


def _column(arrow: Any, parquet: Any, path: Path, name: str) -> np.ndarray:
    kind = parquet.read_schema(path).field(name).type
    if _is_vectors(arrow, kind):
        return _vectors(arrow, parquet.ParquetFile(path, **_CHECKED), name, kind)
    column = parquet.read_table(path, columns=[name], **_CHECKED).column(0)
    if column.null_count:
        row = next(i for i, value in enumerate(column) if not value.is_valid)
        raise ValueError(f"column {name!r}: row {row} has no value")
    if arrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.to_numpy()


def _vectors(arrow: Any, file: Any, name: str, kind: Any) -> np.ndarray:
    """A column of vectors, batch by batch, so that there is never a second copy of it all."""
    found, start = np.empty((0, 0)), 0
    for batch in file.iter_batches(batch_size=8192, columns=[name]):
        column = batch.column(0)
        if column.null_count:
            row = start + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise ValueError(f"column {name!r}: row {row} has no value")
        lengths = (
            np.full(len(column), kind.list_size)
            if arrow.types.is_fixed_size_list(kind)
            else np.diff(column.offsets.to_numpy())
        )
        if start == 0:
            shape = (file.metadata.num_rows, int(lengths[0]))
            found = np.empty(shape, dtype=kind.value_type.to_pandas_dtype())
        if (lengths != found.shape[1]).any():
            row = int(np.flatnonzero(lengths != found.shape[1])[0])
            raise ValueError(
                f"column {name!r}: row {start + row} has {lengths[row]} values, expected "
                f"{found.shape[1]} as in row 0"
            )
        # A missing component is NaN, so that its row is named later.
        values = column.flatten().to_numpy(zero_copy_only=False)
        found[start : start + len(column)] = values.reshape(len(column), -1)
        start += len(column)
    return found


_READERS = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".parquet": _read_parquet,
    ".pt": _read_pt,
    ".safetensors": _read_safetensors,
}
