"""What is read into numpy: real numbers and labels, from arrays, lists and columns of a table.

Wider than the rule of :mod:`normtheory._arrays`, for arguments that are looked at once and not
differentiated. What numpy would make of them without a word is refused: text and truth values as
numbers, the values under a mask, labels of several kinds as text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from normtheory._arrays import (
    check_no_grad,
    concrete,
    dtype_name,
    library_of,
    refuse_more,
)
from normtheory._types import Array

_KINDS = {
    "a truth value": bool | np.bool_,
    "an integer": int | np.integer,
    "text": str,
    "bytes": bytes,
}
_MISSING = ("NoneType", "NAType", "NaTType")
_INTEGERS = ("int", "uint")
_OTHERS = ("bool", "text")


def real_numbers(name: str, x: Any) -> np.ndarray:
    """Read real numbers that are computed with in numpy.

    Args:
        name: what the user knows them by.
        x: a number, an array of the three libraries, a list of either, or a column of a table.

    Returns:
        float64, of the shape that came.

    Raises:
        TypeError: complex numbers, text, truth values, masked and traced arrays, tensors that
            require grad.
        ValueError: lists of unequal lengths, an integer beyond the range of floats.
    """
    check_no_grad(name, x, "it is read")
    values = _as_numpy(name, x)
    if any(isinstance(part, bool | np.bool_) for part in _parts(x)):
        raise TypeError(f"{name}: expected real numbers, got a truth value")
    if values.dtype == object and all(type(value) is int for value in values.flat):
        try:
            return values.astype(np.float64)
        except OverflowError:
            raise ValueError(
                f"{name}: expected numbers within the range of floats, got an integer beyond it"
            ) from None
    if values.dtype.kind not in "iuf" and values.dtype.name != "bfloat16":
        raise TypeError(f"{name}: expected real numbers, got {_named(x, values)}")
    return np.asarray(values, dtype=np.float64)


def labels_of(name: str, x: Any, *, integers: bool = False) -> Array:
    """Read labels of one kind; arrays of JAX and PyTorch stay what they are.

    Args:
        name: what the user knows them by.
        x: an array, a list, or a column of a table.
        integers: whether nothing else will do.

    Returns:
        Integers, truth values or text, which comes as Python's strings in an array of objects.

    Raises:
        TypeError: labels of several kinds, such as 1 and "1", or missing ones, which numpy would
            make text or one number of; another kind; a masked array.
        ValueError: an integer beyond 64 bits; bytes that aren't UTF-8.
    """
    wanted = "integers" if integers else "integers, booleans or strings"
    if isinstance(x, list | tuple):
        _check_plain(name, x)
        x = _of_one_kind(name, list(x), wanted)
    elif library_of(x) in (None, "numpy"):
        x = _as_numpy(name, x)
        if x.ndim == 1 and x.dtype.kind in "OSTU":
            x = _of_one_kind(name, x.tolist(), wanted)
    kind = "text" if dtype_name(x) == "object" and _is_text(x) else dtype_name(x)
    if not kind.startswith(_INTEGERS if integers else (*_INTEGERS, *_OTHERS)):
        raise TypeError(f"{name}: expected {wanted}, got {kind}")
    return x


def _is_text(x: np.ndarray) -> bool:
    return x.size > 0 and all(isinstance(item, str) for item in x.flat)


def _of_one_kind(name: str, items: list[Any], wanted: str) -> np.ndarray:
    """Labels as an array, in which none becomes another's equal."""
    first: dict[type, int] = {}
    for index, kind in enumerate(map(type, items)):
        first.setdefault(kind, index)
    if any(library_of(items[index]) in ("JAX", "PyTorch") for index in first.values()):
        plain = [x.item() if hasattr(x, "item") else x for x in items]
        return _of_one_kind(name, plain, wanted)
    kinds = {index: _kind(items[index]) for index in first.values()}
    for index, kind in kinds.items():
        if kind != kinds[0]:
            raise TypeError(
                f"{name}: expected labels of one kind, got {kinds[0]} at index 0 and {kind} at "
                f"index {index}"
            )
    kind = kinds.get(0)
    if kind not in _KINDS and kind is not None:
        raise TypeError(f"{name}: expected {wanted}, got {kind} at index 0")
    if kind == "bytes":
        items = [_decoded(name, index, item) for index, item in enumerate(items)]
    if kind in ("bytes", "text"):
        # In numpy's own text each takes the room of the longest, and null characters end it.
        return np.array(items, dtype=object)
    found = np.asarray(items)
    if kind == "an integer" and found.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected integers of 64 bits")
    return found


def _kind(item: Any) -> str:
    for word, kinds in _KINDS.items():
        if isinstance(item, kinds):
            return word
    if type(item).__name__ in _MISSING or (isinstance(item, float) and item != item):
        return f"a missing one ({item})"
    return type(item).__name__


def _decoded(name: str, index: int, item: bytes) -> str:
    try:
        return item.decode()
    except UnicodeDecodeError:
        raise ValueError(
            f"{name}: expected text in UTF-8, got {item!r} at index {index}; decode it first"
        ) from None


def _as_numpy(name: str, x: Any) -> np.ndarray:
    if library_of(x) is not None:
        values = concrete(x)
        if values is None:
            raise TypeError(f"{name}: expected values, not an array traced by JAX or PyTorch")
        return values
    _check_plain(name, x)
    try:
        return np.asarray(x)
    except (ValueError, TypeError, RuntimeError):
        raise ValueError(f"{name}: expected an array, or lists of equal lengths") from None


def _check_plain(name: str, x: Any) -> None:
    for part in _parts(x):
        refuse_more(name, part)


def _parts(x: Any) -> Iterator[Any]:
    """What a list holds, however deep, and anything else itself."""
    if not isinstance(x, list | tuple):
        yield x
        return
    for part in x:
        if isinstance(part, list | tuple):
            yield from _parts(part)
        else:
            yield part


def _named(x: Any, values: Array) -> str:
    return type(x).__name__ if not hasattr(x, "dtype") and np.ndim(x) == 0 else dtype_name(values)
