"""The door of the kit: are the options usable, and can the loss be evaluated?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from normtheory._arrays import LARGEST_SEED, check_count, check_option
from normtheory.testing._draw import middle, ordinary, source
from normtheory.testing._evaluate import LossFunction, Remembering
from normtheory.testing._infer import evaluator_of
from normtheory.testing._laws import Laws

__tracebackhide__ = True  # pytest shows the line of the test, not ours

_SAFE = {"float32": (1e-18, 1e18), "float64": (1e-150, 1e150)}


def check_norms(norms: Any, dtype: str, name: str = "norms") -> tuple[float, float]:
    """Return a range of norms as two floats; raise ValueError if it is none or too wide."""
    if not isinstance(norms, Sequence) or len(norms) != 2:
        raise ValueError(f"{name}: expected (low, high), got {norms!r}")
    low, high = (check_option(name, norm) for norm in norms)
    if not 0 < low < high:
        raise ValueError(f"{name}: expected 0 < low < high < inf, got {norms!r}")
    least, most = _SAFE.get(dtype, _SAFE["float64"])
    if low < least or high > most:
        raise ValueError(
            f"{name}: expected norms from {least:g} to {most:g}, whose squares are {dtype} "
            f"numbers, got {norms!r}"
        )
    return low, high


def check_tolerance(tolerance: Any) -> None:
    """Raise ValueError unless a tolerance is a number between 0 and 1."""
    if not 0 < check_option("tolerance", tolerance) < 1:
        raise ValueError(f"tolerance: expected a number between 0 and 1, got {tolerance!r}")


def prepare(
    loss: LossFunction,
    n: int,
    dimension: int,
    norms: Any,
    backend: str | None,
    dtype: str,
    seed: int,
    norm: float | None = None,
) -> tuple[Laws, np.ndarray]:
    """Check the options, find out how to evaluate the loss, and draw a reference cloud.

    Args:
        loss: somebody's loss.
        n: number of points.
        dimension: d.
        norms: range of norms.
        backend: None or a name.
        dtype: a name.
        seed: of the clouds.
        norm: of an ordinary cloud; the middle of the range if None.

    Returns:
        The laws, measured on the loss, and a cloud of norm 1 with a large gradient, shape (n, d).

    Raises:
        TypeError, ValueError: an unusable option or loss, or one whose gradient vanishes.
    """
    check_count("n", n, 1)
    one_dimension = "; in one dimension a direction is a sign, and has no gradient"
    check_count("dimension", dimension, 2, one_dimension if dimension == 1 else "")
    check_count("seed", seed, 0, most=LARGEST_SEED)
    low, high = check_norms(norms, dtype)
    norm = middle((low, high)) if norm is None else norm
    first = ordinary(source(seed, 1), n, dimension, norm)
    evaluator = Remembering(evaluator_of(loss, first, backend, dtype))
    laws = Laws(evaluator, norm, seed)
    steepest, _ = laws.sizes((n, dimension))
    if steepest == 0:
        raise ValueError(
            "loss: its gradient is zero on every ordinary cloud; is it constant, or is the "
            "gradient stopped?"
        )
    return laws, laws.steepest((n, dimension))
