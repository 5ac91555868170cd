"""AdamW."""

from __future__ import annotations

from typing import Any

from normtheory._arrays import Array, check_count, check_option, check_values, scalars
from normtheory._range import in_range
from normtheory.equilibrium._recursion import autocorrelation, check_rate_and_decay, share

#: Terms of the series of :func:`_seen`, of which the last is below 1e-17 of the sum.
_TERMS = 64


@in_range
def adamw_norm(
    learning_rate: Array,
    weight_decay: Array,
    dimension: Array,
    *,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 0.0,
    slope: Array | None = None,
    frequency: Array = 1.0,
) -> Array:
    """Norm at which AdamW's steps and its weight decay balance.

    About √(ηd/2λ), whatever the loss, its temperature and the difficulty of a sample. Claim
    :mod:`normtheory.claims.adamw_equilibrium`.

    It is a limit: many dimensions (1 % at d = 64), ηλ far below 1-β₂ and the frequency, and β₂ near
    1 (the square of the norm is low by about (1-β₂)/2 at frequency 1).

    Args:
        learning_rate: η > 0.
        weight_decay: λ > 0, decoupled, with ηλ < 1.
        dimension: d >= 2, the number of components of an embedding.
        beta_1: decay of the mean of gradients, in [0, 1).
        beta_2: decay of the mean of their squares, in [0, 1).
        epsilon: ε >= 0, added to the root.
        slope: root mean square of ‖z‖‖∇L‖, the gradient with respect to the direction, > 0; needed
            where ε > 0, and of no influence elsewhere.
        frequency: share of the steps in which an embedding has a gradient, in (0, 1]; in the others
            it is 0 and Adam, dense, goes on moving the embedding. Far above 1-β₂ the norm does not
            tell it, far below it goes with its square root.

    Returns:
        The norm, broadcast shape.

    Raises:
        TypeError: not numbers or float arrays.
        ValueError: values out of range; ε > 0 without a slope, or with a frequency below 1, for
            which there is no closed form.

    Reference:
        Derived here.

    Example:
        >>> round(float(adamw_norm(1e-3, 0.1, 128)), 2)
        0.8
        >>> round(float(adamw_norm(1e-3, 0.1, 128, frequency=1e-4)), 2)
        0.24
    """
    named = {"learning_rate": learning_rate, "weight_decay": weight_decay, "dimension": dimension}
    rest = {"frequency": frequency} | ({} if slope is None else {"slope": slope})
    xp, (rate, decay, d, seen, *given) = scalars(**named, **rest)
    check_rate_and_decay(rate, decay)
    check_values("dimension", d, least=2.0)
    check_values("frequency", seen, above=0.0, most=1.0)
    for size in given:
        check_values("slope", size, above=0.0)
    first, second = share("beta_1", beta_1), share("beta_2", beta_2)
    lost = rate * decay
    push = (1 - first) * (1 + (1 - lost) * first) / ((1 + first) * (1 - first + lost * first))
    size = xp.sqrt(d * push * _seen(seen / (1 - second)) / (2 - lost))
    norm = xp.sqrt(rate) / xp.sqrt(decay) * size
    small = check_option("epsilon", epsilon)
    if small < 0:
        raise ValueError(f"epsilon: expected a number >= 0, got {small:g}")
    if small == 0:
        return norm
    if not given:
        raise ValueError("slope: needed where epsilon > 0, which is compared with the gradient")
    if not (isinstance(frequency, float | int) and frequency == 1):
        raise ValueError("frequency: expected 1 where epsilon > 0: no closed form is known")
    # ρ(1 + ε√d ρ/s) = the norm without ε.
    share_of_epsilon = small**0.5 * d**0.25 * xp.sqrt(norm) / xp.sqrt(given[0])
    return 2 * norm / (1 + xp.hypot(xp.ones_like(share_of_epsilon), 2 * share_of_epsilon))


def _seen(visits: Any) -> Any:
    """Mean of the squared step of a rare embedding over that of one always seen.

    ½a Σ (k+1) 2⁻ᵏ/(2a+1+k), the integral a ∫ r⁻²((1+r)/2)⁻²ᵃ dr over r > 1 term by term; a is the
    number of visits in the memory of the second moments.
    """
    total = 0 * visits
    for k in range(_TERMS):
        total = total + (k + 1) * 0.5**k / (2 * visits + 1 + k)
    return visits / 2 * total


@in_range
def adamw_cosine(
    learning_rate: Array, weight_decay: Array, *, beta_1: float = 0.9, steps: int = 1
) -> Array:
    """Cosine between an embedding and itself some steps later, once AdamW balances.

    (α+β₁)/(1+αβ₁) after one step, α = 1 - ηλ: that of SGD with decoupled decay and momentum β₁.
    Claim :mod:`normtheory.claims.adamw_equilibrium`, with the same conditions as the norm's.

    Args:
        learning_rate: η > 0.
        weight_decay: λ > 0, decoupled, with ηλ < 1.
        beta_1: decay of the mean of gradients, in [0, 1).
        steps: number of steps, an integer >= 1.

    Returns:
        The cosine, broadcast shape.

    Raises:
        TypeError: not numbers or float arrays.
        ValueError: values out of range.

    Reference:
        Derived here; to leading order in ηλ: Kosson et al. 2023.

    Example:
        >>> round(float(adamw_cosine(1e-3, 0.1)), 7)
        0.9999947
    """
    _, (rate, decay) = scalars(learning_rate=learning_rate, weight_decay=weight_decay)
    check_rate_and_decay(rate, decay)
    check_count("steps", steps, 1)
    beta, keep = share("beta_1", beta_1), 1 - rate * decay
    return autocorrelation(keep + beta, keep * beta, int(steps))
