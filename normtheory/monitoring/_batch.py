"""A batch as training has it: any float, perhaps with rows that are of no use.

What is wrong with the call is an error. What is wrong with the data isn't, since a training should
not end because somebody looks at it: rows that are zero or not finite are left out and counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normtheory._arrays import cast_hint, concrete, dtype_name, require_array
from normtheory.sphere import scaled

_FLOATS = ("float16", "bfloat16", "float32", "float64")


class Batch:
    """Embeddings of one step, in float64.

    Attributes:
        values: (n, d), rows that are of no use too.
        norms: (n,); 0 or NaN where a row is of no use.
        good: (n,) of bool, the rows that are of use.
    """

    def __init__(self, name: str, x: Any) -> None:
        """Read a numpy, JAX or PyTorch array (n, d) of floats; its graph is not kept.

        Raises:
            TypeError: not an array of floats, or a traced one.
            ValueError: another shape.
        """
        require_array(name, x, "a numpy, JAX or PyTorch array of shape (n, d)")
        if dtype_name(x) not in _FLOATS:
            raise TypeError(
                f"{name}: expected floats of 16, 32 or 64 bits, got {dtype_name(x)}; {cast_hint(x)}"
            )
        if x.ndim != 2 or x.shape[0] < 1 or x.shape[1] < 2:
            raise ValueError(
                f"{name}: expected shape (n, d) with n >= 1 and d >= 2, got shape {tuple(x.shape)}"
            )
        found = concrete(x)
        if found is None:
            raise TypeError(
                f"{name}: expected values, not an array traced by JAX or PyTorch: call the monitor "
                "outside of what is compiled"
            )
        self.values = np.asarray(found, dtype=np.float64)
        finite = np.asarray(np.isfinite(self.values).all(axis=1))
        z, scale = scaled(np, np.where(finite[:, None], self.values, 0.0))
        lengths = np.linalg.norm(z, axis=1)
        with np.errstate(over="ignore"):  # a norm beyond the largest float isn't finite either
            self.norms = np.where(finite, lengths * scale[:, 0], np.nan)
        self.good = np.asarray(np.isfinite(self.norms) & (self.norms > 0))
        self._unit = z / np.where(self.good, lengths, 1.0)[:, None]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and components."""
        rows, dimension = self.values.shape
        return rows, dimension

    def directions(self, rows: np.ndarray) -> np.ndarray:
        """Unit vectors of the rows, which are of use; (n,) of bool, or numbers."""
        return self._unit[rows]
