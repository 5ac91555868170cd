"""The gradient flow of a pair, and the steps to converge that it predicts."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from scipy.optimize import brentq

from normtheory._arrays import (
    Array,
    check_count,
    check_flag,
    check_option,
    check_values,
    numbers,
    scalars,
)
from normtheory._range import check_in_range, in_range, quiet
from normtheory.pair import check_pair, check_tolerance, effective_learning_rate, over_square

__all__ = [
    "FLOW_LIMIT",
    "FlowApproximationWarning",
    "flow_angle",
    "random_pair_steps",
    "steps_to_converge",
]


class FlowApproximationWarning(UserWarning):
    """The effective learning rate is so large that steps of SGD leave the gradient flow visibly."""


FLOW_LIMIT = 0.1
"""Effective learning rate γρ^(p-2) up to which the flow predicts random pairs' steps to 4 %."""


@in_range
def flow_angle(
    angle: Array,
    norm_i: Array,
    norm_j: Array,
    time: Array,
    *,
    gradscale: float = 0.0,
    repel: bool = False,
    stop_gradient: bool = False,
) -> Array:
    """Angle of a pair after following the gradient flow; the norms stay as they are.

    tan(φ(t)/2) = tan(φ₀/2) exp(-κt), κ = ρ_i^(p-2) + ρ_j^(p-2). Claim
    :mod:`normtheory.claims.norm_effect`.

    Args:
        angle: φ₀ in [0, π].
        norm_i: first norm, > 0.
        norm_j: second norm, > 0.
        time: t = learning rate times steps, >= 0.
        gradscale: power p of GradScale, a number.
        repel: follow the flow of the loss +cos φ.
        stop_gradient: only the first embedding moves: κ = ρ_i^(p-2).

    Returns:
        Radians in [0, π], broadcast shape.

    Raises:
        TypeError, ValueError: as :func:`normtheory.pair_step`.

    Reference:
        Derived here.

    Example:
        >>> round(float(flow_angle(3.0, 1.0, 1.0, 2.0)), 4)
        0.5055
    """
    xp, (angle, norm_i, norm_j, time) = scalars(
        angle=angle, norm_i=norm_i, norm_j=norm_j, time=time
    )
    check_pair(angle, norm_i, norm_j)
    check_values("time", time, least=0.0)
    power = check_option("gradscale", gradscale)
    repel, stop_gradient = (
        check_flag("repel", repel),
        check_flag("stop_gradient", stop_gradient),
    )
    exponent = over_square(time, norm_i, power)
    if not stop_gradient:
        exponent = exponent + over_square(time, norm_j, power)
    decay = xp.exp(-exponent)
    sine, cosine = xp.sin(angle / 2), xp.cos(angle / 2)
    flowed = xp.atan2(sine, cosine * decay) if repel else xp.atan2(sine * decay, cosine)
    # At pi exactly the gradient is zero; cos(pi/2) of floats is not.
    return xp.where(angle >= np.pi, angle, 2 * flowed)


def _ensemble_time(tangent: np.ndarray, rates: np.ndarray, tolerance: float) -> float:
    """Time T with mean cos(2 arctan(tangent exp(-rates T))) = 1 - tolerance, for one ensemble.

    0 if it is already there, inf if enough pairs sit at pi.
    """

    def excess(time: float) -> float:
        square = (tangent * np.exp(-rates * time)) ** 2
        return float((2 * square / (1 + square)).mean()) - tolerance

    rates = np.broadcast_to(rates, tangent.shape)
    if not np.isfinite(tangent).all():
        stuck = ~np.isfinite(tangent)
        if 2 * stuck.mean() >= tolerance:
            return np.inf
        tolerance = (tolerance - 2 * stuck.mean()) / (1 - stuck.mean())
        tangent, rates = tangent[~stuck], rates[~stuck]
    if excess(0.0) <= 0:
        return 0.0
    # From here on all pairs are within the tolerance.
    goal = np.sqrt(tolerance / (2 - tolerance))
    late = float((np.log(np.maximum(tangent, goal) / goal) / rates).max())
    # The upper end solves exactly where all pairs are alike: step past it so that the signs differ.
    late = min(max(late, 1e-300), 1e300) * (1 + 1e-9)
    if excess(late) > 0:  # later than floats can say
        return np.inf
    # Rates far apart take many bisections: hence so many iterations.
    root: Any = brentq(excess, 0.0, late, xtol=1e-300, rtol=1e-13, maxiter=5000)  # pyright: ignore
    return float(root)


@quiet
def steps_to_converge(
    angle: Array,
    norm_i: Array,
    norm_j: Array,
    learning_rate: Array,
    *,
    tolerance: float = 1e-3,
    ensemble_axis: int | None = None,
    gradscale: float = 0.0,
    stop_gradient: bool = False,
) -> np.ndarray:
    """Steps of SGD until cos φ >= 1 - tolerance, from the closed form of the gradient flow.

    K = ln[tan(φ₀/2)/tan(φ_ε/2)] / (γκ), κ = ρ_i^(p-2) + ρ_j^(p-2); for equal norms K = (ρ²/2γ)
    ln[…]: the embedding-norm effect, K ∝ ρ². With an ensemble axis the mean cosine over it counts,
    and one transcendental equation is solved, once where the norms don't vary inside the ensemble.
    Leading order in the effective rate x = γρ^(p-2). For 500 pairs of 20 components, at the
    quantiles of random angles, the answer is off from the exact recursion, which counts whole
    steps, by at most 0.05 % at x = 0.001; at tolerances 1e-2, 1e-3, 1e-4 and 1e-5 by 4, 2, 4 and
    3 % at x = 0.1 and by 11, 8, 5 and 3 % at 0.3; one random draw in twenty is off by a little
    more. A single pair may be 10 % off at 0.1. Claims :mod:`normtheory.claims.norm_effect` and
    :mod:`normtheory.claims.opposite_halves`.

    Args:
        angle: starting angles in [0, π].
        norm_i: first norms, > 0; broadcasting with ``angle``.
        norm_j: second norms, > 0.
        learning_rate: γ > 0, the rate one pair sees.
        tolerance: ε in (0, 2), a number.
        ensemble_axis: None for one answer a pair, or the axis of the broadcast arrays over which
            the mean cosine is taken.
        gradscale: power p of GradScale, a number.
        stop_gradient: only the first embedding moves.

    Returns:
        Steps, float64 numpy, not rounded; the broadcast shape, without the ensemble axis where one
        is given. 0 where already converged, inf where the pair starts exactly at π or takes more
        steps than floats can say.

    Raises:
        TypeError, ValueError: as :func:`normtheory.pair_step`; traced arrays and tensors that
            require grad, since the solution has no derivative here; a tolerance outside
            (0, 2); an axis that isn't there.

    Warns:
        FlowApproximationWarning: an effective rate above 0.1; ask :func:`normtheory.simulate_pairs`
            instead.

    Reference:
        Derived here; the embedding-norm and opposite-halves effects are named by Draganov et al.
        2025.

    Example:
        >>> round(float(steps_to_converge(1.5, 10.0, 10.0, 0.02)), 1)
        9323.4
    """
    start, first, second, rate = numbers(
        "steps_to_converge",
        angle=angle,
        norm_i=norm_i,
        norm_j=norm_j,
        learning_rate=learning_rate,
    )
    check_pair(start, first, second)
    check_values("learning_rate", rate, above=0.0)
    power = check_option("gradscale", gradscale)
    stop_gradient = check_flag("stop_gradient", stop_gradient)
    check_tolerance(tolerance)
    kappa = over_square(rate, first, power)
    largest = kappa
    if not stop_gradient:
        other = over_square(rate, second, power)
        largest = np.maximum(kappa, other)
        kappa = kappa + other
    if (largest > FLOW_LIMIT).any():
        warnings.warn(
            f"the effective learning rate reaches {largest.max():.3g}: above {FLOW_LIMIT} "
            "the flow is a rough prediction; simulate_pairs is exact",
            FlowApproximationWarning,
            stacklevel=3,  # beyond the frame of this function
        )
    tangent = np.where(start >= np.pi, np.inf, np.tan(np.minimum(start, np.pi) / 2))
    if ensemble_axis is None:
        goal = np.sqrt(tolerance / (2 - tolerance))
        log_ratio = np.log(np.maximum(tangent, goal)) - np.log(goal)
        steps = np.where(np.isinf(log_ratio), np.inf, log_ratio / kappa)
        return np.where(log_ratio > 0, steps, 0.0)[()]
    check_in_range("steps_to_converge: the effective learning rate", kappa)
    shape = np.broadcast_shapes(start.shape, kappa.shape)
    axis = _axis(ensemble_axis, len(shape))
    if shape[axis] == 0:
        raise ValueError(f"expected at least one pair in an ensemble, got shape {shape}")
    tangent = tangent.reshape((1,) * (len(shape) - tangent.ndim) + tangent.shape)
    kappa = kappa.reshape((1,) * (len(shape) - kappa.ndim) + kappa.shape)
    tangent, kappa = np.moveaxis(tangent, axis, -1), np.moveaxis(kappa, axis, -1)
    if kappa.shape[-1] == 1:  # one rate an ensemble: time scales with it, so solve in its unit
        rows = tangent.reshape(-1, tangent.shape[-1])
        unit = np.array([_ensemble_time(row, np.ones(()), tolerance) for row in rows])
        return (unit.reshape(tangent.shape[:-1]) / kappa[..., 0])[()]
    tangent, kappa = np.broadcast_arrays(tangent, kappa)
    steps = [
        _ensemble_time(t, k, tolerance)
        for t, k in zip(
            tangent.reshape(-1, shape[axis]), kappa.reshape(-1, shape[axis]), strict=True
        )
    ]
    return np.array(steps).reshape(tangent.shape[:-1])[()]


def _axis(axis: int, ndim: int) -> int:
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise TypeError(f"ensemble_axis: expected None or an integer, got {type(axis).__name__}")
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"ensemble_axis: expected an axis of an array with {ndim} axes, got {axis}"
        )
    return axis % ndim


@in_range
def random_pair_steps(
    dimension: int,
    norm: Array,
    learning_rate: Array,
    *,
    tolerance: float = 1e-3,
    gradscale: float = 0.0,
) -> Array:
    """Steps for an ensemble of independent uniform pairs in closed form, without drawing any.

    K ≈ (ρ^(2-p)/4γ) ln[2(d-1)/((d-3)ε)], for small ε. Claim :mod:`normtheory.claims.norm_effect`.

    Args:
        dimension: d > 3.
        norm: ρ > 0 of both embeddings.
        learning_rate: γ > 0, the rate one pair sees.
        tolerance: ε in (0, 2), well below 1.
        gradscale: power p of GradScale, a number.

    Returns:
        Steps, of the same array kind, broadcast shape; it can be differentiated.

    Raises:
        ValueError: d <= 3, where the mean of tan²(φ/2) is infinite and this closed form does not
            exist; other values out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(random_pair_steps(20, 1.0, 0.02)), 1)
        96.4
    """
    check_count("dimension", dimension, 4, ": the mean of tan(angle/2)**2 is infinite below")
    check_tolerance(tolerance)
    rate = effective_learning_rate(learning_rate, norm, gradscale=gradscale)
    ratio = 2 * (int(dimension) - 1) / ((int(dimension) - 3) * float(tolerance))
    return math.log(ratio) / (4 * rate)
