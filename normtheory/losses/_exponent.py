"""The exponent of the gradient norm against the embedding norm: the slope of a log-log line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from normtheory._arrays import check_count, check_values
from normtheory._read import real_numbers

Array = Any


def gradient_norms(
    value: Callable[..., Any],
    clouds: Sequence[np.ndarray],
    norms: np.ndarray,
    *,
    row: int | None = None,
    position: int = 0,
    **options: Any,
) -> np.ndarray:
    """Length of the gradient of a loss, by autodiff in float64, over a range of embedding norms.

    Args:
        value: ``value(*clouds, **options)``, a scalar; JAX.
        clouds: arrays (n, d) with nonzero rows.
        norms: embedding norms > 0, shape (k,).
        row: None gives *every* row of every cloud the norm in turn, and measures the gradient of a
            whole cloud. A number gives it to that one row of one cloud while the others keep
            theirs, and measures that row's gradient: the stricter question, since a loss that
            normalises over the batch can't tell a common norm from another.
        position: which of the clouds is measured.
        **options: passed on to ``value``.

    Returns:
        float64, shape (k,).

    Raises:
        TypeError: norms or clouds that are no real numbers, or tensors that require grad.
        ValueError: norms that are not finite and positive; no such cloud or row.
    """
    norms, given = _norms(norms), [real_numbers("clouds", z) for z in clouds]
    check_count("position", position, 0, most=len(given) - 1)
    if row is not None:
        check_count("row", row, 0, most=len(given[position]) - 1)
    with jax.enable_x64(True):
        differentiate = jax.jit(jax.grad(lambda z: value(*z, **options)))
        found = []
        for norm in norms:
            moved = [z.copy() for z in given]
            if row is None:
                moved = [norm * z / np.linalg.norm(z, axis=1, keepdims=True) for z in moved]
            else:
                moved[position][row] *= norm / np.linalg.norm(moved[position][row])
            gradient = np.asarray(differentiate(tuple(moved))[position])
            found.append(np.linalg.norm(gradient if row is None else gradient[row]))
    return np.array(found)


def norm_exponent(
    value: Callable[..., Any],
    clouds: Sequence[np.ndarray],
    norms: np.ndarray,
    *,
    row: int | None = None,
    position: int = 0,
    **options: Any,
) -> float:
    """Least-squares slope of log ‖gradient‖ against log(embedding norm).

    It is -1 for every loss of directions, whichever rows are scaled (normtheory claim
    ``inverse_norm_gradient``). Arguments are those of :func:`gradient_norms`, with two norms at
    least.

    Returns:
        The slope; NaN where a gradient is zero or not finite, since there is no exponent then.

    Raises:
        ValueError: fewer than two different norms, or norms that are not finite and positive.

    Example:
        >>> import numpy as np
        >>> from normtheory.losses import attraction, norm_exponent
        >>> z_1, z_2 = np.random.default_rng(0).standard_normal((2, 5, 3))
        >>> round(norm_exponent(attraction, (z_1, z_2), np.array([0.1, 1.0, 10.0])), 6)
        -1.0
    """
    norms = _norms(norms)
    if np.unique(norms).size < 2:
        raise ValueError("norms: expected at least two different norms")
    lengths = gradient_norms(value, clouds, norms, row=row, position=position, **options)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        return float("nan")
    return float(np.polyfit(np.log(norms), np.log(lengths), 1)[0])


def _norms(norms: Any) -> np.ndarray:
    norms = real_numbers("norms", norms)
    if norms.ndim != 1:
        raise ValueError(f"norms: expected shape (k,), got shape {norms.shape}")
    check_values("norms", norms, above=0.0)
    return norms
