"""The recursion of many pairs: one step, when an ensemble stops, and the loop in numpy.

Inside the loop a pair is (cos φ, sin φ, ρ_i², ρ_j²), so that a step needs no trigonometry: e^{iφ'}
= e^{iφ}(1 - iq_i)(1 - iq_j)/|…| with q = γρ^(p-2) sin φ/(1-γλ) and ρ'² = (1-γλ)²ρ²(1 + q²). Derived
here; the same step as :func:`normtheory.pair_step`, against which it is tested.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from normtheory._types import Array


class Pairs(NamedTuple):
    """Pairs in the loop, arrays (rows, n)."""

    cosine: Any
    sine: Any
    square_i: Any
    square_j: Any  # None where it stays, or stays equal to square_i


def step(
    pair: Pairs, rate: Array, keep: Array, xp: Any, *, power: float, repel: bool, stop: bool
) -> Pairs:
    """One step; ``rate`` is γ/(1-γλ), ``keep`` is (1-γλ)², ``xp`` the namespace of the arrays."""
    pull = rate * pair.sine

    def turn(square: Array) -> tuple[Array, Array]:
        q = pull / square if power == 0 else pull * square ** (power / 2 - 1)
        return q, 1 + q * q

    q_i, stretch_i = turn(pair.square_i)
    square_j = pair.square_j
    if stop:
        along, across, length = 1.0, q_i, xp.sqrt(stretch_i)
    elif square_j is None:
        along, across, length = 1 - q_i * q_i, 2 * q_i, stretch_i
    else:
        q_j, stretch_j = turn(square_j)
        along, across, length = 1 - q_i * q_j, q_i + q_j, xp.sqrt(stretch_i * stretch_j)
        square_j = keep * square_j * stretch_j
    shrink = 1 / length
    along, across = along * shrink, (-across if repel else across) * shrink
    return Pairs(
        pair.cosine * along + pair.sine * across,
        xp.abs(pair.sine * along - pair.cosine * across),  # folds the angle into [0, pi]
        keep * pair.square_i * stretch_i,
        square_j,
    )


def converged(pair: Pairs, tolerance: Array, xp: Any) -> Array:
    """Whether the mean cosine over the last axis is at least 1 - tolerance."""
    # 1 - cos as (sin² + (1-cos)²)/2: exact to the last digits near alignment
    return xp.mean(pair.sine**2 + (1 - pair.cosine) ** 2, axis=-1) / 2 <= tolerance


def advance(
    pair: Pairs,
    done: np.ndarray,
    rate: np.ndarray,
    keep: np.ndarray,
    tolerance: float,
    begin: int,
    end: int,
    **options: Any,
) -> tuple[Pairs, np.ndarray, np.ndarray]:
    """Take every ensemble from step ``begin`` to ``end``, or until it stops, in numpy.

    For where there is no JAX: tens of microseconds a step, and the same numbers up to rounding.
    Arguments and results are those of :func:`normtheory._pair_loop_jax.advance`.
    """
    pair = Pairs(*(None if x is None else np.array(x) for x in pair))
    reached = np.where(done, end, begin)
    for _ in range(begin, end):
        running = ~(converged(pair, tolerance, np) | done)
        if not running.any():
            break
        now = Pairs(*(None if x is None else x[running] for x in pair))
        for before, after in zip(
            pair, step(now, rate[running], keep[running], np, **options), strict=True
        ):
            if before is not None:
                before[running] = after
        reached[running] += 1
    return pair, converged(pair, tolerance, np), reached
