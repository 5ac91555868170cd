"""One pair: its state, the rate and decay it sees, and the exact step of SGD.

A pair under a loss of its cosine moves in the plane it spans, whatever the dimension, so it is
three numbers: the angle and the two norms. ``learning_rate`` is γ, the rate that one pair sees, and
``weight_decay`` the λ that goes with it; :func:`pair_rate` and :func:`pair_decay` find them from an
optimizer's. Everything here, in :mod:`normtheory.flow` and in :mod:`normtheory.equilibrium` takes
Python numbers and numpy, JAX or PyTorch arrays that broadcast. The recursion over many steps is in
:mod:`normtheory.pair_simulation`.

One rule for arrays: what is a formula gives back the kind, dtype and device that came, and can be
differentiated. What counts or solves, ``steps_to_converge`` and ``simulate_pairs``, gives numpy in
float64 and has no derivative: it raises TypeError for traced arrays and tensors that require grad.
"""

from __future__ import annotations

from typing import NamedTuple

import array_api_compat as compat
import numpy as np

from normtheory._arrays import (
    Array,
    check_count,
    check_flag,
    check_option,
    check_values,
    concrete,
    scalars,
)
from normtheory._range import in_range, quiet

__all__ = ["PairState", "effective_learning_rate", "pair_decay", "pair_rate", "pair_step"]


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


def check_tolerance(tolerance: float) -> None:
    """Raise unless the tolerance on the mean cosine is a number in (0, 2)."""
    if not 0 < check_option("tolerance", tolerance) < 2:
        raise ValueError(f"tolerance: expected a number in (0, 2), got {tolerance!r}")


@quiet
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


@quiet
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
        >>> from normtheory import equilibrium_norm
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


def over_square(x: Array, norm: Array, gradscale: float) -> Array:
    """Return x ρ^(p-2), without squaring the norm where p = 0."""
    return x / norm / norm if gradscale == 0 else times_power(x, norm, gradscale - 2)


def times_power(x: Array, norm: Array, power: float) -> Array:
    """Return x ρ^power, in two halves: out of range only where the product is; 0 for x = 0."""
    xp = compat.array_namespace(x, norm)
    half = norm ** (power / 2)
    none = (x == 0) & xp.isinf(half)
    return xp.where(none, 0 * x, x * half * xp.where(none, xp.ones_like(half), half))


@in_range
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
    return over_square(learning_rate, norm, check_option("gradscale", gradscale))


@in_range
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
    repel, stop_gradient = (
        check_flag("repel", repel),
        check_flag("stop_gradient", stop_gradient),
    )
    # At pi exactly the gradient is zero; sin of the nearest float is not.
    pull = rate * xp.where(angle >= np.pi, xp.zeros_like(angle), xp.sin(angle))

    def turn(norm: Array) -> tuple[Array, Array]:
        across = pull / norm if power == 0 else times_power(pull, norm, power - 1)
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
