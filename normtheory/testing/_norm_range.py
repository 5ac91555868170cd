"""Over which embedding norms a loss obeys gradient ∝ 1/‖z‖."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from normtheory.testing._check import check_norms, check_tolerance, prepare
from normtheory.testing._draw import Example
from normtheory.testing._evaluate import LossFunction
from normtheory.testing._laws import Laws, row_norms

__tracebackhide__ = True  # pytest shows the line of the test, not ours

SEARCH = {"float64": (1e-12, 1e12), "float32": (1e-6, 1e6)}
"""Norms over which a range is looked for: a plain z/‖z‖ and its derivative are safe there."""

_LAW = 0.01


def valid_norm_range(
    loss: LossFunction,
    *,
    n: int = 6,
    dimension: int = 4,
    backend: str | None = None,
    dtype: str = "float64",
    search: tuple[float, float] | None = None,
    tolerance: float = _LAW,
    seed: int = 0,
) -> tuple[float, float]:
    """The range of embedding norms over which a loss obeys gradient ∝ 1/‖z‖.

    A cloud of one norm ρ is scaled. In the range, ρ∇L stays within ``tolerance`` of what it is at
    the norm nearest to 1 where it is steady.

    Args:
        loss: ``loss(z) -> scalar`` of one cloud (n, d), in numpy, JAX or PyTorch.
        n: number of points, which the loss must accept.
        dimension: d >= 2.
        backend: None (infer it), "numpy", "jax" or "torch".
        dtype: "float64", or "float32" for JAX and PyTorch.
        search: lowest and highest norm tried; by default 1e-12 to 1e12 in float64 and 1e-6 to 1e6
            in float32.
        tolerance: allowed change of ρ∇L relative to itself.
        seed: of the clouds.

    Returns:
        (low, high), to about 1 %. ``low`` is 0 and ``high`` is inf where the law holds down or up
        to the end of the search. (nan, nan) where it holds nowhere, which includes losses that mix
        the norms of different rows (by centring, say).

    Raises:
        TypeError, ValueError: as :func:`assert_inverse_norm_gradient`.

    Example:
        >>> import numpy as np
        >>> y = np.random.default_rng(0).standard_normal((6, 4))
        >>> def guarded(z):
        ...     norms = np.maximum(np.linalg.norm(z, axis=1), 1e-3)
        ...     return -np.mean(np.sum(z * y, axis=1) / norms)
        >>> low, high = valid_norm_range(guarded)
        >>> round(low, 4), high
        (0.001, inf)
    """
    ends = SEARCH.get(dtype, SEARCH["float64"]) if search is None else search
    check_norms(ends, dtype, "search")
    check_tolerance(tolerance)
    # An overflow at an extreme norm is a finding, not a warning.
    with np.errstate(all="ignore"):
        laws, base = prepare(loss, n, dimension, ends, backend, dtype, seed, norm=1.0)
        return law_range(laws, base, ends, tolerance)


def law_range(
    laws: Laws, base: np.ndarray, ends: tuple[float, float], tolerance: float = _LAW
) -> tuple[float, float]:
    """The range of norms, as :func:`valid_norm_range`, of a cloud of norm 1, shape (n, d)."""

    def scale_free(norm: float) -> np.ndarray:
        return laws.scale_free(norm * base)[0]

    decades = int(np.ceil(np.log10(ends[1] / ends[0])))
    grid = np.geomspace(*ends, max(2 * decades, 4) + 1)
    # Where the law is good, the norm nearest to 1 will do; else the norm where it is best. Starting
    # at 1 regardless would take an epsilon of 0.01, which is felt there, for the truth.
    seen = [scale_free(float(norm)) for norm in grid]
    drift = {
        float(norm): _change(after, before)
        for norm, before, after in zip(grid[:-1], seen[:-1], seen[1:], strict=True)
    }
    good = [norm for norm, moved in drift.items() if moved <= tolerance / 100]
    steadiest = min(drift, key=drift.__getitem__)
    start = min(good, key=lambda norm: abs(np.log(norm))) if good else steadiest
    if drift[start] > tolerance or not _rows_obey(laws, base, start, tolerance):
        return math.nan, math.nan
    anchor = scale_free(start)

    def holds(norm: float) -> bool:
        return _change(scale_free(norm), anchor) <= tolerance

    above = [float(x) for x in grid if x > start]
    below = [float(x) for x in grid[::-1] if x < start]
    low = _edge(holds, start, below)
    high = _edge(holds, start, above)
    return (0.0 if low is None else low), (math.inf if high is None else high)


def _change(found: np.ndarray, wanted: np.ndarray) -> float:
    """How far ρ g is from what it should be, relative to that."""
    size = float(row_norms(wanted).max())
    off = float(row_norms(found - wanted).max())
    return off / size if size > 0 and np.isfinite(off / size) else math.inf


def _rows_obey(laws: Laws, base: np.ndarray, norm: float, tolerance: float) -> bool:
    """Whether the law holds at a norm for a row on its own, not only for the whole cloud."""
    one = np.ones(len(base))
    one[0] = 2.0
    return laws.inverse_norm(Example(norm * base, one)) <= 2 * tolerance


def _edge(holds: Callable[[float], bool], inside: float, norms: list[float]) -> float | None:
    """Walk outwards to the first norm where the law fails, then halve; None if it never does."""
    for outside in norms:
        if not holds(outside):
            while abs(np.log(outside / inside)) > 0.01:
                middle = float(np.sqrt(inside * outside))
                inside, outside = (middle, outside) if holds(middle) else (inside, middle)
            return inside
        inside = outside
    return None
