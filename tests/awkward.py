"""Awkward pairs of vectors: extreme norms, parallel and nearly so, sparse, up to 1024 dimensions.

All entries are zero or normal floats and the gradient is representable: what the library promises
is promised for exactly these. Used by the accuracy tests and by the accuracy benchmark.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tests.exact import ExactPairs, exact_pairs

ROWS = {2: 250, 3: 250, 16: 200, 100: 200, 257: 60, 1024: 40}
"""Pairs drawn for each dimension."""


class Batch(NamedTuple):
    """Pairs of one dimension with their exact references."""

    z: np.ndarray
    y: np.ndarray
    exact: ExactPairs


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def draw(rng: np.random.Generator, n: int, d: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Draw up to ``n`` awkward pairs in ``d`` dimensions; rows that came out zero are left out."""
    info = np.finfo(dtype)
    decades = 300 if dtype == np.float64 else 37
    z = _unit(rng.standard_normal((n, d)))
    tangent = rng.standard_normal((n, d))
    tangent = _unit(tangent - (tangent * z).sum(-1, keepdims=True) * z)
    kind = rng.integers(5, size=n)
    angle = np.select(
        [kind == 0, kind == 1, kind == 2],
        [rng.uniform(0, np.pi, n), 10 ** rng.uniform(-17, -1, n), np.full(n, np.pi / 2)],
        0.0,
    )[:, None]
    y = np.cos(angle) * z + np.sin(angle) * tangent
    z, y = (x * 10 ** rng.uniform(-decades, decades, (n, 1)) for x in (z, y))
    with np.errstate(over="ignore", under="ignore"):
        z, y = z.astype(dtype), y.astype(dtype)
        # Exact multiples by a power of two, and rounded multiples with one entry moved by an ulp.
        power = np.exp2(rng.integers(-20, 20, n)).astype(dtype)[:, None]
        y = np.where((kind == 3)[:, None], z * power, y)
        near = (z * rng.uniform(1, 8, (n, 1)).astype(dtype)).astype(dtype)
        moved = rng.integers(d, size=n)
        row = np.arange(n)
        near[row, moved] = np.nextafter(near[row, moved], dtype(0))
        y = np.where((kind == 4)[:, None], near, y)
    y = np.where(rng.random((n, 1)) < 0.5, -y, y)
    z[(rng.random((n, 1)) < 0.2) & (rng.random((n, d)) < 0.5)] = 0
    y[(rng.random((n, 1)) < 0.1) & (rng.random((n, d)) < 0.5)] = 0
    z[np.abs(z) < info.tiny] = 0
    y[np.abs(y) < info.tiny] = 0
    usable = z.any(-1) & y.any(-1) & np.isfinite(z).all(-1) & np.isfinite(y).all(-1)
    return z[usable], y[usable]


@cache
def batches(dtype: Any, seed: int = 0) -> tuple[Batch, ...]:
    """Awkward pairs whose gradient is representable in ``dtype``, one batch a dimension."""
    rng = np.random.default_rng(seed)
    info = np.finfo(dtype)
    out = []
    for d, n in ROWS.items():
        z, y = draw(rng, n, d, dtype)
        exact = exact_pairs(z, y)
        zero = exact.size == 0
        keep = zero | ((exact.largest >= info.tiny) & (exact.largest <= info.max))
        out.append(Batch(z[keep], y[keep], ExactPairs(*(x[keep] for x in exact))))
    return tuple(out)
