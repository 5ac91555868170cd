"""One pair in time: the exact step of SGD, the gradient flow, the steps to converge.

A pair under a loss of its cosine moves in the plane it spans, whatever the dimension, so it is
three numbers: the angle and the two norms. ``learning_rate`` is γ, the rate that one pair sees, and
``weight_decay`` the λ that goes with it; :func:`pair_rate` and :func:`pair_decay` find them from an
optimizer's. Everything here takes Python numbers and numpy,
JAX or PyTorch arrays that broadcast. The recursion over many steps is in
:mod:`normtheory.pair_simulation`.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq

from normtheory._arrays import (
    Array,
    check_count,
    check_option,
    check_values,
    concrete,
    numbers,
    scalars,
)


class PairState(NamedTuple):
    """A pair of embeddings up to rotation.

    Attributes:
        angle: radians in [0, pi], a number or array.
        norm_i: norm of the first embedding, > 0, broadcasting with ``angle``.
        norm_j: norm of the second.
    """

    angle: Array
    norm_i: Array
    norm_j: Array


class FlowApproximationWarning(UserWarning):
    """The effective learning rate is so large that steps of SGD leave the gradient flow visibly."""


FLOW_LIMIT = 0.1
"""Effective learning rate γρ^(p-2) up to which the flow predicts steps of random pairs to 2 %."""


def check_pair(angle: Array, norm_i: Array, norm_j: Array) -> None:
    """Raise ValueError unless angles lie in [0, pi] and norms are finite and positive."""
    # The float nearest to pi in the dtype at hand: in float32 it lies above the one in float64.
    check_values("angle", angle, least=0.0, most=float(np.float32(np.pi)))
    check_values("norm_i", norm_i, above=0.0)
    check_values("norm_j", norm_j, above=0.0)


def check_decay(learning_rate: Array, weight_decay: Array) -> None:
    """Raise ValueError unless weight decay is >= 0 and learning_rate * weight_decay < 1."""
    check_values("weight_decay", weight_decay, least=0.0)
    rate, decay = concrete(learning_rate), concrete(weight_decay)
    if rate is not None and decay is not None and (rate * decay >= 1).any():
        raise ValueError(
            f"learning_rate * weight_decay: expected < 1, got {np.max(rate * decay):g}: "
            "one step would turn an embedding round"
        )


def pair_rate(learning_rate: float, n: int, reduction: str) -> float:
    """The rate one pair sees when an optimizer works on a loss over n pairs.

    Args:
        learning_rate: the optimizer's rate, > 0.
        n: number of pairs the loss runs over.
        reduction: "mean" or "sum".

    Returns:
        learning_rate / n for a mean, learning_rate for a sum. Weight decay is not divided by n:
        what goes with this rate is :func:`pair_decay`.

    Raises:
        ValueError: an unknown reduction, a rate that is not positive, n below 1.

    Example:
        >>> pair_rate(10.0, 500, "mean")
        0.02
    """
    learning_rate = check_option("learning_rate", learning_rate)
    check_values("learning_rate", np.asarray(learning_rate), above=0.0)
    return learning_rate / _share(n, reduction)


def pair_decay(weight_decay: float, n: int, reduction: str) -> float:
    """The weight decay that goes with :func:`pair_rate`, from an optimizer's.

    A step shrinks every embedding by 1 - ηλ, with the optimizer's own rate η, whatever the loss is
    a mean over. In the terms of one pair the step is 1 - γλ', so that γ = η/n asks for λ' = nλ.

    Args:
        weight_decay: the optimizer's λ >= 0, decoupled or, for SGD, in the gradient.
        n: number of pairs the loss runs over.
        reduction: "mean" or "sum".

    Returns:
        n * weight_decay for a mean, weight_decay for a sum.

    Raises:
        TypeError, ValueError: an unknown reduction, a decay that is not a number >= 0, n below 1.

    Reference:
        Derived here.

    Example:
        >>> rate, decay = pair_rate(1.0, 64, "mean"), pair_decay(0.05, 64, "mean")
        >>> round(equilibrium_norm(rate, decay, 15 / 16).item(), 3)
        0.22
    """
    weight_decay = check_option("weight_decay", weight_decay)
    check_values("weight_decay", np.asarray(weight_decay), least=0.0)
    return weight_decay * _share(n, reduction)


def _share(n: int, reduction: str) -> int:
    """How many pairs share what the optimizer's rate gives."""
    check_count("n", n, 1)
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction: expected 'mean' or 'sum', got {reduction!r}")
    return int(n) if reduction == "mean" else 1


def _over_square(x: Array, norm: Array, gradscale: float) -> Array:
    """Return x ρ^(p-2), without squaring the norm where p = 0."""
    return x / norm / norm if gradscale == 0 else x * norm ** (gradscale - 2)


def effective_learning_rate(learning_rate: Array, norm: Array, *, gradscale: float = 0.0) -> Array:
    """Effective learning rate γρ^(p-2): the small angular step of a pair per unit of sin φ.

    Args:
        learning_rate: γ > 0.
        norm: ρ > 0, broadcasting.
        gradscale: power p of GradScale, 0 for none.

    Returns:
        Dimensionless, broadcast shape.

    Raises:
        TypeError, ValueError: not a number or float array; not positive.

    Reference:
        x in the notation of the theory pages; GradScale: Draganov et al. 2025.

    Example:
        >>> float(effective_learning_rate(0.02, 2.0))
        0.005
    """
    _, (learning_rate, norm) = scalars(learning_rate=learning_rate, norm=norm)
    check_values("learning_rate", learning_rate, above=0.0)
    check_values("norm", norm, above=0.0)
    return _over_square(learning_rate, norm, check_option("gradscale", gradscale))


def pair_step(
    state: PairState,
    learning_rate: Array,
    *,
    gradscale: float = 0.0,
    weight_decay: Array = 0.0,
    repel: bool = False,
    stop_gradient: bool = False,
) -> PairState:
    """One exact step of SGD on the loss -cos φ of a pair (+cos φ with ``repel``).

    ``φ' = |φ - θ_i - θ_j|`` folded into [0, π], θ = atan2(γρ^(p-1) sin φ, (1-γλ)ρ),
    ρ' = hypot((1-γλ)ρ, γρ^(p-1) sin φ). Not an approximation: it is the step in d dimensions.
    Claim :mod:`normtheory.claims.step_map`.

    Args:
        state: angle in [0, π] and norms > 0; numbers or arrays that broadcast.
        learning_rate: γ > 0, the rate one pair sees.
        gradscale: power p of GradScale: the gradient is multiplied by each embedding's norm to the
            p. A number.
        weight_decay: λ >= 0 with γλ < 1, of one pair; :func:`pair_decay` finds it from an
            optimizer's.
        repel: push the pair apart instead.
        stop_gradient: only the first embedding moves; the second is left untouched by decay too.

    Returns:
        The state after the step, of the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of the ranges above; the place is
            named.

    Reference:
        Derived here; the norm part without decay is Draganov et al. 2025, Corollary 3.3.

    Example:
        >>> step = pair_step(PairState(1.5707963267948966, 1.0, 1.0), 1.0)
        >>> [round(float(x), 6) for x in step]
        [0.0, 1.414214, 1.414214]
    """
    if not isinstance(state, tuple) or len(state) != 3:
        raise TypeError(f"state: expected a PairState, got {type(state).__name__}")
    xp, (angle, norm_i, norm_j, rate, decay) = scalars(
        angle=state[0],
        norm_i=state[1],
        norm_j=state[2],
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    check_pair(angle, norm_i, norm_j)
    check_values("learning_rate", rate, above=0.0)
    check_decay(rate, decay)
    power = check_option("gradscale", gradscale)
    # At pi exactly the gradient is zero; sin of the nearest float is not.
    pull = rate * xp.where(angle >= np.pi, xp.zeros_like(angle), xp.sin(angle))

    def turn(norm: Array) -> tuple[Array, Array]:
        across = pull / norm if power == 0 else pull * norm ** (power - 1)
        along = (1 - rate * decay) * norm
        return xp.atan2(across, along), xp.hypot(along, across)

    theta_i, norm_i = turn(norm_i)
    total = theta_i
    if not stop_gradient:
        theta_j, norm_j = turn(norm_j)
        total = theta_i + theta_j
    angle = xp.abs(angle + total if repel else angle - total)
    angle = xp.where(angle > np.pi, 2 * np.pi - angle, angle)
    angle, norm_i, norm_j = xp.broadcast_arrays(angle, norm_i, norm_j)
    return PairState(angle, norm_i, norm_j)


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
        TypeError, ValueError: as :func:`pair_step`.

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
    exponent = _over_square(time, norm_i, power)
    if not stop_gradient:
        exponent = exponent + _over_square(time, norm_j, power)
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
    with np.errstate(divide="ignore", over="ignore"):
        late = float((np.log(np.maximum(tangent, goal) / goal) / rates).max())
    # The upper end solves exactly where all pairs are alike: step past it so that the signs differ.
    late = min(max(late, 1e-300), 1e300) * (1 + 1e-9)
    if excess(late) > 0:  # later than floats can say
        return np.inf
    # Rates far apart take many bisections: hence so many iterations.
    root: Any = brentq(excess, 0.0, late, xtol=1e-300, rtol=1e-13, maxiter=5000)  # pyright: ignore
    return float(root)


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
    Leading order in the effective rate x = γρ^(p-2): for an ensemble of random pairs within 0.02 %,
    2 % and 6 % of the exact recursion at x = 0.001, 0.1 and 0.3; a single pair may be 10 % off at
    0.1. Claims :mod:`normtheory.claims.norm_effect` and :mod:`normtheory.claims.opposite_halves`.

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
        is given. 0 where already converged, inf where the pair starts exactly at π.

    Raises:
        TypeError, ValueError: as :func:`pair_step`; a tolerance outside (0, 2); an axis that isn't
            there.

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
    check_tolerance(tolerance)
    kappa = _over_square(rate, first, power)
    largest = kappa
    if not stop_gradient:
        other = _over_square(rate, second, power)
        largest = np.maximum(kappa, other)
        kappa = kappa + other
    if (largest > FLOW_LIMIT).any():
        warnings.warn(
            f"the effective learning rate reaches {largest.max():.3g}: above {FLOW_LIMIT} "
            "the flow is a rough prediction; simulate_pairs is exact",
            FlowApproximationWarning,
            stacklevel=2,
        )
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        tangent = np.where(start >= np.pi, np.inf, np.tan(np.minimum(start, np.pi) / 2))
        if ensemble_axis is None:
            goal = np.sqrt(tolerance / (2 - tolerance))
            log_ratio = np.log(np.maximum(tangent, goal)) - np.log(goal)
            return np.where(log_ratio > 0, log_ratio / kappa, 0.0)[()]
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


def check_tolerance(tolerance: float) -> None:
    """Raise unless the tolerance on the mean cosine is a number in (0, 2)."""
    if not 0 < check_option("tolerance", tolerance) < 2:
        raise ValueError(f"tolerance: expected a number in (0, 2), got {tolerance!r}")


def random_pair_steps(
    dimension: int,
    norm: Array,
    learning_rate: Array,
    *,
    tolerance: float = 1e-3,
    gradscale: float = 0.0,
) -> np.ndarray:
    """Steps for an ensemble of independent uniform pairs in closed form, without drawing any.

    K ≈ (ρ^(2-p)/4γ) ln[2(d-1)/((d-3)ε)], for small ε. Claim :mod:`normtheory.claims.norm_effect`.

    Args:
        dimension: d > 3.
        norm: ρ > 0 of both embeddings.
        learning_rate: γ > 0, the rate one pair sees.
        tolerance: ε in (0, 2), well below 1.
        gradscale: power p of GradScale, a number.

    Returns:
        Steps, float64 numpy, broadcast shape.

    Raises:
        ValueError: d <= 3, where the mean of tan²(φ/2) is infinite and this closed form does not
            exist; other values out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(random_pair_steps(20, 1.0, 0.02)), 1)
        96.4
    """
    if isinstance(dimension, bool) or not isinstance(dimension, int | np.integer) or dimension <= 3:
        raise ValueError(
            f"dimension: expected an integer > 3, got {dimension!r}: the mean of tan(angle/2)**2 "
            "is infinite there"
        )
    check_tolerance(tolerance)
    rate = np.asarray(effective_learning_rate(learning_rate, norm, gradscale=gradscale))
    ratio = 2 * (dimension - 1) / ((dimension - 3) * tolerance)
    return (np.log(ratio) / (4 * rate))[()]


def equilibrium_norm(
    learning_rate: Array, weight_decay: Array, mean_square_sine: Array, *, gradscale: float = 0.0
) -> Array:
    """Norm at which growth by gradient steps and weight decay balance, for ever fresh partners.

    ρ*^(4-2p) = γ E[sin²φ] / (λ(2-γλ)). Claim :mod:`normtheory.claims.weight_decay`.

    Args:
        learning_rate: γ > 0, the rate one pair sees.
        weight_decay: λ > 0 with γλ < 1, of one pair; :func:`pair_decay` finds it from an
            optimizer's.
        mean_square_sine: E[sin²φ] in (0, 1]; (d-1)/d for partners uniform on the sphere of R^d.
        gradscale: power p < 2 of GradScale.

    Returns:
        ρ*, broadcast shape.

    Raises:
        ValueError: p >= 2, where there is no fixed point; values out of range.

    Reference:
        Derived here; the same balance for the weights of normalised layers is in Wan et al. 2021.

    Example:
        >>> round(float(equilibrium_norm(0.1, 0.01, 0.95)), 3)
        1.476
    """
    _, (rate, decay, square) = scalars(
        learning_rate=learning_rate, weight_decay=weight_decay, mean_square_sine=mean_square_sine
    )
    check_values("learning_rate", rate, above=0.0)
    check_values("weight_decay", decay, above=0.0)
    check_decay(rate, decay)
    check_values("mean_square_sine", square, above=0.0, most=1.0)
    power = check_option("gradscale", gradscale)
    if power >= 2:
        raise ValueError(
            f"gradscale: expected a power < 2, got {power:g}: no norm is in equilibrium there"
        )
    return (rate * square / (decay * (2 - rate * decay))) ** (1 / (4 - 2 * power))


def equilibrium_angular_step(learning_rate: Array, weight_decay: Array) -> Array:
    """Angle an embedding turns by in a step once its norm is in equilibrium.

    arccos(1 - γλ) ≈ √(2γλ). It does not depend on the loss, the start or the power of GradScale.
    Claim :mod:`normtheory.claims.weight_decay`.

    Args:
        learning_rate: γ > 0, the rate one pair sees.
        weight_decay: λ >= 0 with γλ < 1, of one pair (:func:`pair_decay`). An optimizer's own
            rate and decay have the same product, and give the same.

    Returns:
        Radians, broadcast shape.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here; for the weights of normalised layers: Wan et al. 2021.

    Example:
        >>> round(float(equilibrium_angular_step(0.1, 0.01)), 4)
        0.0447
    """
    xp, (rate, decay) = scalars(learning_rate=learning_rate, weight_decay=weight_decay)
    check_values("learning_rate", rate, above=0.0)
    check_decay(rate, decay)
    return 2 * xp.asin(xp.sqrt(rate * decay / 2))
