"""A linear recursion in fresh noise: how much of it is left after some steps; checks of numbers."""

from __future__ import annotations

from typing import Any

from normtheory._arrays import Array, check_option, check_values
from normtheory.pair import check_decay


def share(name: str, x: Any) -> float:
    """A plain number in [0, 1), or an error."""
    number = check_option(name, x)
    if not 0 <= number < 1:
        raise ValueError(f"{name}: expected a number >= 0 and < 1, got {number:g}")
    return number


def check_rate_and_decay(rate: Array, decay: Array) -> None:
    """Raise ValueError unless both are positive and their product is below 1."""
    check_values("learning_rate", rate, above=0.0)
    check_values("weight_decay", decay, above=0.0)
    check_decay(rate, decay)


def powers(total: Array, product: Array, steps: int) -> tuple[Array, Array]:
    """(aᵏ − bᵏ)/(a − b) for k = ``steps`` − 1 and ``steps`` >= 1, by doubling.

    Args:
        total: a + b.
        product: ab; the roots may be equal or complex.
        steps: k.
    """
    before, here = 0 * total, 1 + 0 * total  # k = 0 and 1
    for bit in bin(steps)[3:]:
        # From k − 1, k to 2k − 1, 2k, or on to 2k, 2k + 1.
        ahead = total * here - product * before
        odd, even = here * here - product * before * before, here * (ahead - product * before)
        before, here = (odd, even) if bit == "0" else (even, total * even - product * odd)
    return before, here


def autocorrelation(total: Array, product: Array, steps: int) -> Array:
    """E x·x⁽ᵏ⁾/E x² of the stationary x'' = total x' − product x + fresh noise, k >= 1."""
    before, here = powers(total, product, steps)
    return here * (total / (1 + product)) - product * before
