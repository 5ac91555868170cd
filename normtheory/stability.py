"""Which learning rates bring a pair together: the largest, the fastest, and the best for one step.

``learning_rate`` is γ, the rate that one pair sees (:func:`normtheory.pair_rate`). All but
:func:`best_rate` is about pairs that are nearly aligned, where a step multiplies the angle.
"""

from __future__ import annotations

from typing import Any

from normtheory._arrays import (
    Array,
    check_flag,
    check_option,
    check_share,
    check_values,
    scalars,
)
from normtheory._range import in_range
from normtheory.pair import check_pair

__all__ = [
    "best_rate",
    "contraction",
    "fastest_rate",
    "largest_rate",
    "oscillation_angle",
    "settled_rate",
]


def _unit_rate(xp: Any, norm_i: Array, norm_j: Array, gradscale: float, alone: bool) -> Array:
    """The rate at which the effective rates of the two points add up to 1."""
    check_values("norm_i", norm_i, above=0.0)
    check_values("norm_j", norm_j, above=0.0)
    power = 2 - check_option("gradscale", gradscale)
    if check_flag("stop_gradient", alone):
        return norm_i**power + 0 * norm_j
    # 1/(a⁻¹ + b⁻¹), from the smaller of the two, which the sum can't overflow.
    first, second = norm_i**power, norm_j**power
    small, large = xp.minimum(first, second), xp.maximum(first, second)
    return small / (1 + small / large)


@in_range
def contraction(
    norm_i: Array,
    norm_j: Array,
    learning_rate: Array,
    *,
    momentum: Array = 0.0,
    gradscale: float = 0.0,
    stop_gradient: bool = False,
) -> Array:
    """What a step multiplies the small angle of an attracted pair by, in the long run.

    ``|1 - x_i - x_j|`` for SGD; with momentum α the larger root, in size, of
    μ² - (1 + α - x_i - x_j)μ + α. Below 1 the pair closes. Claims
    :mod:`normtheory.claims.stability` and :mod:`normtheory.claims.optimizers`.

    Args:
        norm_i: ρ_i > 0.
        norm_j: ρ_j > 0, broadcasting.
        learning_rate: γ > 0, broadcasting.
        momentum: α of heavy ball, in [0, 1).
        gradscale: power p of GradScale, x = γρ^(p-2).
        stop_gradient: only the first embedding moves.

    Returns:
        A factor >= 0, broadcast shape, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(contraction(1.0, 1.0, 0.1)), 12)
        0.8
        >>> round(float(contraction(1.0, 1.0, 0.1, momentum=0.5)), 4)
        0.7071
    """
    xp, (norm_i, norm_j, rate, momentum) = scalars(
        norm_i=norm_i, norm_j=norm_j, learning_rate=learning_rate, momentum=momentum
    )
    check_values("learning_rate", rate, above=0.0)
    check_share("momentum", momentum)
    x = rate / _unit_rate(xp, norm_i, norm_j, gradscale, stop_gradient)
    middle = (1 + momentum - x) / 2
    apart = middle**2 - momentum
    real = xp.where(apart > 0, apart, xp.ones_like(apart))
    turning = xp.sqrt(momentum) + 0 * x
    return xp.where(apart > 0, xp.abs(middle) + xp.sqrt(real), turning)


@in_range
def largest_rate(
    norm_i: Array,
    norm_j: Array,
    *,
    momentum: Array = 0.0,
    gradscale: float = 0.0,
    stop_gradient: bool = False,
) -> Array:
    """The rate below which a nearly aligned pair closes: x_i + x_j = 2(1 + α).

    Above it the angle grows; with it the norms, until the effective rates are below the limit
    (:func:`settled_rate`). At half of it, without momentum, the pair overshoots from there on.
    Claims :mod:`normtheory.claims.stability` and :mod:`normtheory.claims.optimizers`.

    Args:
        norm_i: ρ_i > 0.
        norm_j: ρ_j > 0, broadcasting.
        momentum: α of heavy ball, in [0, 1).
        gradscale: power p of GradScale.
        stop_gradient: only the first embedding moves.

    Returns:
        γ, broadcast shape, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> float(largest_rate(2.0, 2.0))
        4.0
    """
    xp, (norm_i, norm_j, momentum) = scalars(norm_i=norm_i, norm_j=norm_j, momentum=momentum)
    check_share("momentum", momentum)
    return 2 * (1 + momentum) * _unit_rate(xp, norm_i, norm_j, gradscale, stop_gradient)


@in_range
def fastest_rate(
    norm_i: Array,
    norm_j: Array,
    *,
    momentum: Array = 0.0,
    gradscale: float = 0.0,
    stop_gradient: bool = False,
) -> Array:
    """The least rate at which a nearly aligned pair closes as fast as momentum lets it.

    x_i + x_j = (1 - √α)²: from here on the angle falls by √α a step, whatever the rate and the
    norms, up to (1 + √α)². Without momentum it is the one rate that aligns at once. Claim
    :mod:`normtheory.claims.optimizers`.

    Args:
        norm_i: ρ_i > 0.
        norm_j: ρ_j > 0, broadcasting.
        momentum: α of heavy ball, in [0, 1).
        gradscale: power p of GradScale.
        stop_gradient: only the first embedding moves.

    Returns:
        γ, broadcast shape, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(fastest_rate(1.0, 1.0, momentum=0.81)), 12)
        0.005
    """
    xp, (norm_i, norm_j, momentum) = scalars(norm_i=norm_i, norm_j=norm_j, momentum=momentum)
    check_share("momentum", momentum)
    share = (1 - momentum) / (1 + xp.sqrt(momentum))
    return share**2 * _unit_rate(xp, norm_i, norm_j, gradscale, stop_gradient)


@in_range
def best_rate(
    angle: Array, norm: Array, *, gradscale: float = 0.0, stop_gradient: bool = False
) -> Array:
    """The rate at which one step of SGD aligns an attracted pair exactly.

    x = 1/(1 + c) for equal norms, x = 1/c with stop-gradient. Claim
    :mod:`normtheory.claims.step_change`.

    Args:
        angle: φ in [0, π), radians; below π/2 with ``stop_gradient``, where no step aligns others.
        norm: ρ > 0 of both points; of the one that moves with ``stop_gradient``.
        gradscale: power p of GradScale, x = γρ^(p-2).
        stop_gradient: only the first embedding moves.

    Returns:
        γ, broadcast shape, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range; opposite points, or obtuse
            ones with ``stop_gradient``.

    Reference:
        Derived here.

    Example:
        >>> from normtheory import PairState, pair_step
        >>> float(pair_step(PairState(1.0, 2.0, 2.0), best_rate(1.0, 2.0)).angle) < 1e-15
        True
    """
    xp, (angle, norm) = scalars(angle=angle, norm=norm)
    check_pair(angle, norm, norm)
    power = 2 - check_option("gradscale", gradscale)
    if check_flag("stop_gradient", stop_gradient):
        needed = xp.cos(angle)
        check_values("cos(angle) with stop_gradient", needed, above=0.0)
    else:
        half = xp.cos(angle / 2)
        needed = 2 * half**2
        # Half of pi rounds to where the cosine is 6e-17.
        check_values("1 + cos(angle)", needed, above=1e-30)
    return norm**power / needed


@in_range
def settled_rate(effective_rate: Array) -> Array:
    """Effective rate at which a pair of equal norms that started just too fast ends.

    ``x_∞ ≈ 2 - x₀``, off by terms of order (x₀ - 1)²: norms grow until the pair closes. GradScale
    of power 2 knows no such thing (:func:`oscillation_angle`). Claim
    :mod:`normtheory.claims.stability`.

    Args:
        effective_rate: x₀ = γ/ρ² in [1, 2), just above 1.

    Returns:
        x_∞, the same array kind.

    Raises:
        TypeError, ValueError: not a number or float array; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(settled_rate(1.04)), 12)
        0.96
    """
    _, (x,) = scalars(effective_rate=effective_rate)
    check_values("effective_rate", x, least=1.0, most=2.0)
    return 2 - x


@in_range
def oscillation_angle(learning_rate: Array) -> Array:
    """Angle at which a pair of equal norms with GradScale of power 2 goes on for ever.

    arccos(1/γ) for γ > 1: each step mirrors the pair and multiplies its norms by γ. Claim
    :mod:`normtheory.claims.stability`.

    Args:
        learning_rate: γ >= 1.

    Returns:
        Radians, the same array kind.

    Raises:
        TypeError, ValueError: not a number or float array; below 1, where the pair closes.

    Reference:
        Derived here.

    Example:
        >>> round(float(oscillation_angle(2.0)), 6)
        1.047198
    """
    xp, (rate,) = scalars(learning_rate=learning_rate)
    check_values("learning_rate", rate, least=1.0)
    return xp.acos(1 / rate)
