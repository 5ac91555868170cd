"""The door of a diagnosis: a matrix of embeddings, read in blocks, and the labels beside it.

Wider than the rule of :mod:`normtheory._arrays`, since embeddings are kept in half precision by
many and nothing is computed in it: float16, bfloat16, float32 and float64 are taken, and every row
is widened to float64 before anything is computed from it. Integers and lists are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from normtheory._arrays import cast_hint, concrete, dtype_name, library_of, require_array
from normtheory._progress import bar
from normtheory._read import labels_of
from normtheory.sphere import scaled

BLOCK_BYTES = 16 * 2**20
"""Size of a block in float64: a few of them is all that is held beside the array itself."""

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_SHOWN = 10


def as_numpy(name: str, x: Any) -> np.ndarray:
    """Return a numpy, JAX or PyTorch array as numpy, without a copy where that can be had.

    Raises:
        TypeError: not an array, or one whose values can't be seen.
    """
    require_array(name, x, "a numpy, JAX or PyTorch array of shape (n, d)")
    if library_of(x) == "PyTorch" and str(x.dtype) == "torch.bfloat16":
        x = x.float()  # numpy has no bfloat16; this widens exactly
    values = x if isinstance(x, np.ndarray) else concrete(x)
    if values is None:
        raise TypeError(f"{name}: expected values, not an array traced by JAX or PyTorch")
    return values


class Rows:
    """Embeddings (n, d) that have been found usable, in rows that are kept.

    Attributes:
        values: the whole array, (total, d).
        dtype: the name of the dtype that it came in.
        kept: numbers of the rows that are kept, (n,), ascending.
        norms: ‖z‖ of those, (n,) float64.
    """

    def __init__(
        self, name: str, embeddings: Any, *, drop: bool = False, progress: bool = False
    ) -> None:
        """Look at every row once.

        Args:
            name: what the user knows the array by.
            embeddings: (n, d) floats.
            drop: leave out rows that are zero or not finite, instead of refusing them.
            progress: show a bar on standard error, if that is a terminal.

        Raises:
            TypeError: not an array of floats.
            ValueError: not of shape (n, d) with n >= 2 and d >= 2; rows that are zero or not finite
                (how many, and which).
        """
        self.name = name
        self.values = as_numpy(name, embeddings)
        self.dtype = checked_dtype(name, embeddings)
        if self.values.ndim != 2 or self.values.shape[1] < 2:
            raise ValueError(
                f"{name}: expected shape (n, d) with d >= 2, got shape {self.values.shape}"
            )
        total = self.values.shape[0]
        _check_enough(name, total)
        self.kept = np.arange(total)
        norms = np.empty(total)
        with bar(total, "row", desc=name, show=None if progress else False) as shown:
            for start, block in self.blocks():
                norms[start : start + len(block)] = row_norms(block)
                shown.update(len(block))
        self.norms = norms
        unusable = {
            "not finite": np.flatnonzero(~np.isfinite(norms)),
            "zero": np.flatnonzero(norms == 0),
        }
        self.bad = {word: found for word, found in unusable.items() if len(found)}
        if not drop and self.bad:
            said = " and ".join(say_rows(word, found, total) for word, found in self.bad.items())
            hint = "a zero vector has no direction; " if "zero" in self.bad else ""
            raise ValueError(f"{name}: {said} ({hint}drop_bad_rows leaves such rows out)")

    def keep(self, good: np.ndarray) -> None:
        """Go on with these rows of the original array alone; (total,) of bool."""
        _check_enough(f"{self.name} without bad rows", int(good.sum()))
        self.norms = self.norms[good[self.kept]]
        self.kept = self.kept[good[self.kept]]

    @property
    def good(self) -> np.ndarray:
        """Which rows of the original array are usable, (total,) of bool."""
        good = np.ones(self.values.shape[0], dtype=bool)
        for found in self.bad.values():
            good[found] = False
        return good

    def __len__(self) -> int:
        """Number of rows kept."""
        return len(self.kept)

    @property
    def dimension(self) -> int:
        """Number of components of an embedding."""
        return self.values.shape[1]

    def take(self, places: np.ndarray) -> np.ndarray:
        """The rows at some places among the kept ones, (len(places), d) float64."""
        return np.asarray(self.values[self.kept[places]], dtype=np.float64)

    def directions(self, places: np.ndarray) -> np.ndarray:
        """The unit vectors of :meth:`take`."""
        z, _ = scaled(np, self.take(places))
        return z / np.linalg.norm(z, axis=1, keepdims=True)

    @property
    def block(self) -> int:
        """Rows in a block."""
        return max(1, BLOCK_BYTES // (8 * self.dimension))

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """All kept rows in turn: where a block starts, and the block in float64."""
        step = self.block
        whole = len(self.kept) == self.values.shape[0]
        for start in range(0, len(self.kept), step):
            part: Any = slice(start, start + step)
            part = part if whole else self.kept[part]
            yield start, np.asarray(self.values[part], dtype=np.float64)


def row_norms(block: np.ndarray) -> np.ndarray:
    """‖z‖ of each row, NaN where it isn't finite; no over- or underflow on the way."""
    finite = np.asarray(np.isfinite(block).all(axis=1))
    z, scale = scaled(np, np.where(finite[:, None], block, 0.0))
    with np.errstate(over="ignore"):  # a norm beyond the largest float isn't finite either
        return np.where(finite, np.linalg.norm(z, axis=1) * scale[:, 0], np.nan)


def _check_enough(name: str, n: int) -> None:
    if n < 2:
        raise ValueError(f"{name}: expected at least 2 embeddings, got {n}")


def checked_dtype(name: str, embeddings: Any) -> str:
    """The name of the dtype of an array, or TypeError if it holds no floats."""
    dtype = dtype_name(embeddings)
    if dtype not in _FLOATS:
        raise TypeError(
            f"{name}: expected floats of 16, 32 or 64 bits, got {dtype}; {cast_hint(embeddings)}"
        )
    return dtype


def say_rows(word: str, found: np.ndarray, total: int) -> str:
    """How many rows are what, and the first of them."""
    shown = ", ".join(map(str, found[:_SHOWN])) + (", ..." if len(found) > _SHOWN else "")
    one = len(found) == 1
    return f"{len(found)} of {total} rows {'is' if one else 'are'} {word}: row{'s'[one:]} {shown}"


def read_labels(labels: Any, n: int) -> np.ndarray:
    """Check labels against n embeddings.

    Args:
        labels: n integers, booleans or strings, as a sequence or array.
        n: number of embeddings, before any is dropped.

    Returns:
        The labels, shape (n,); text as Python's strings.

    Raises:
        TypeError, ValueError: as :func:`normtheory._read.labels_of`; not of shape (n,).
    """
    values = labels_of("labels", labels)
    values = values if isinstance(values, np.ndarray) else as_numpy("labels", values)
    if values.shape != (n,):
        raise ValueError(
            f"labels: expected one label for each of {n} embeddings, got shape {values.shape}"
        )
    return values
