"""Where weight decay and growth by gradient steps balance."""

from __future__ import annotations

from normtheory._arrays import Array, check_option, check_values, scalars
from normtheory._range import in_range
from normtheory.equilibrium._recursion import check_rate_and_decay
from normtheory.pair import check_decay

__all__ = ["equilibrium_angular_step", "equilibrium_norm"]


@in_range
def equilibrium_norm(
    learning_rate: Array, weight_decay: Array, mean_square_sine: Array, *, gradscale: float = 0.0
) -> Array:
    """Norm at which growth by gradient steps and weight decay balance, for ever fresh partners.

    ρ*^(4-2p) = γ E[sin²φ] / (λ(2-γλ)). Claim :mod:`normtheory.claims.weight_decay`.

    Args:
        learning_rate: γ > 0, the rate one pair sees.
        weight_decay: λ > 0 with γλ < 1, of one pair; :func:`normtheory.pair_decay` finds it from
            an optimizer's.
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
    check_rate_and_decay(rate, decay)
    check_values("mean_square_sine", square, above=0.0, most=1.0)
    power = check_option("gradscale", gradscale)
    if power >= 2:
        raise ValueError(
            f"gradscale: expected a power < 2, got {power:g}: no norm is in equilibrium there"
        )
    # The quotient itself may leave the range of floats where its root doesn't.
    root = rate**0.25 / decay**0.25 * (square / (2 - rate * decay)) ** 0.25
    return root ** (2 / (2 - power))


@in_range
def equilibrium_angular_step(learning_rate: Array, weight_decay: Array) -> Array:
    """Angle an embedding turns by in a step once its norm is in equilibrium.

    arccos(1 - γλ) ≈ √(2γλ). It does not depend on the loss, the start or the power of GradScale.
    Claim :mod:`normtheory.claims.weight_decay`.

    Args:
        learning_rate: γ > 0, the rate one pair sees.
        weight_decay: λ >= 0 with γλ < 1, of one pair (:func:`normtheory.pair_decay`). An
            optimizer's own rate and decay have the same product, and give the same.

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
    return 2 * xp.asin(xp.sqrt(rate / 2) * xp.sqrt(decay))
