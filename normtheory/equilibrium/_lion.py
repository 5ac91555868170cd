"""Lion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from normtheory._arrays import Array, beside, check_count, check_values, scalars
from normtheory._range import in_range
from normtheory.equilibrium._recursion import check_rate_and_decay, powers, share


def first_correlation(beta_1: float, beta_2: float) -> float:
    """Correlation of the numbers whose signs Lion takes in two steps on end; times β₂ᵏ⁻¹ later."""
    old = beta_1**2 * (1 - beta_2) / (1 + beta_2)
    mixed = beta_1 * (1 - beta_1) * (1 - beta_2) + beta_2 * old
    return mixed / ((1 - beta_1) ** 2 + old)


def _modes(beta_1: float, beta_2: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights w and factors b such that the signs' correlation k steps on is Σ w bᵏ⁻¹; and 1 − b.

    The terms of the series of (2/π) arcsin, each of which decays at its own pace.
    """
    r = first_correlation(beta_1, beta_2)
    if r == 0:
        return np.zeros(1), np.zeros(1), np.ones(1)
    # Terms beyond are below 1e-17 of the first.
    odd = 2.0 * np.arange(math.ceil(40 / -math.log(r * r)) + 1) + 1
    ratios = (odd[1:] - 2) / (odd[1:] - 1)  # (2m−1)/2m
    coefficients = np.concatenate([[1.0], np.cumprod(ratios)]) / odd
    factors = beta_2**odd
    fall = -np.expm1(odd * math.log(beta_2)) if beta_2 > 0 else np.ones_like(odd)
    return 2 / np.pi * coefficients * r**odd, factors, fall


def _as_last_axis(xp: Any, like: Array, values: np.ndarray) -> Any:
    """Numbers along one more axis, in the library, dtype and place of an array."""
    return beside(xp, like, values.reshape((1,) * like.ndim + (-1,)), like.dtype)


@in_range
def lion_norm(
    learning_rate: Array,
    weight_decay: Array,
    dimension: Array,
    *,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
) -> Array:
    """Norm at which Lion's steps and its weight decay balance.

    ρ² = η²d(1+2T)/(1-α²), α = 1 - ηλ, where T sums how much the signs of later steps repeat that of
    one. It knows nothing of the loss. Claim :mod:`normtheory.claims.lion_equilibrium`.

    It is a limit of many dimensions: 1 % off at d = 64, a third at d = 4.

    Args:
        learning_rate: η > 0.
        weight_decay: λ > 0, decoupled, with ηλ < 1.
        dimension: d >= 2, the number of components of an embedding.
        beta_1: share of the momentum in the step, in [0, 1).
        beta_2: decay of the momentum, in [0, 1).

    Returns:
        The norm, broadcast shape.

    Raises:
        TypeError: not numbers or float arrays.
        ValueError: values out of range.

    Reference:
        Derived here; with the sign made linear and for small ηλ: Kosson et al. 2023.

    Example:
        >>> round(float(lion_norm(1e-4, 1.0, 128)), 3)
        0.54
    """
    xp, (rate, decay, d) = scalars(
        learning_rate=learning_rate, weight_decay=weight_decay, dimension=dimension
    )
    check_rate_and_decay(rate, decay)
    check_values("dimension", d, least=2.0)
    lost = rate * decay
    repeat = _repeats(xp, lost, share("beta_1", beta_1), share("beta_2", beta_2))
    return xp.sqrt(rate) / xp.sqrt(decay) * xp.sqrt(d * (1 + 2 * (1 - lost) * repeat) / (2 - lost))


def _repeats(xp: Any, lost: Array, beta_1: float, beta_2: float) -> Array:
    """Σ αᵏ⁻¹ρ_k, k >= 1, of the signs' correlations ρ_k; α = 1 − ``lost``."""
    weight, factor, fall = (_as_last_axis(xp, lost, x) for x in _modes(beta_1, beta_2))
    return (weight / (fall + lost[..., None] * factor)).sum(-1)


@in_range
def lion_cosine(
    learning_rate: Array,
    weight_decay: Array,
    *,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
    steps: int = 1,
) -> Array:
    """Cosine between an embedding and itself some steps later, once Lion balances.

    (α²+T(1+α²))/(α(1+2T)) after one step. Claim :mod:`normtheory.claims.lion_equilibrium`, with the
    same condition as the norm's.

    Args:
        learning_rate: η > 0.
        weight_decay: λ > 0, decoupled, with ηλ < 1.
        beta_1: share of the momentum in the step, in [0, 1).
        beta_2: decay of the momentum, in [0, 1).
        steps: number of steps, an integer >= 1.

    Returns:
        The cosine, broadcast shape.

    Raises:
        TypeError: not numbers or float arrays.
        ValueError: values out of range.

    Reference:
        Derived here; with the sign made linear and for small ηλ: Kosson et al. 2023.

    Example:
        >>> round(float(lion_cosine(1e-4, 1.0)), 7)
        0.9999978
    """
    xp, (rate, decay) = scalars(learning_rate=learning_rate, weight_decay=weight_decay)
    check_rate_and_decay(rate, decay)
    check_count("steps", steps, 1)
    first, second = share("beta_1", beta_1), share("beta_2", beta_2)
    lost = rate * decay
    keep = 1 - lost
    weight, factor, fall = (_as_last_axis(xp, lost, x) for x in _modes(first, second))
    wide = keep[..., None]
    # Each later step brings Σ_j α^j ρ_(j+i) of what is already there.
    gained = powers(wide + factor, wide * factor, int(steps))[1]
    found = (weight * gained / (fall + lost[..., None] * factor)).sum(-1)
    whole = 1 + 2 * keep * _repeats(xp, lost, first, second)
    return keep ** int(steps) + lost * (2 - lost) * found / whole
