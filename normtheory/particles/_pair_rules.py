"""What a step does with the cosines of pairs: SGD, and SGD with momentum, each with decay.

A rule is given the pairs of a block and ``turn``: ``turn(keep, rate)`` is keep·z + rate·∇cos φ of
both partners, and the sum of the cosines.
"""

from __future__ import annotations

from collections.abc import Callable

from normtheory._types import Clouds, Scalar

Turn = Callable[[Scalar, Scalar], tuple[Clouds, Scalar]]
Update = Callable[[Turn, Clouds, Clouds], tuple[Clouds, Clouds, Scalar]]
"""Of turn, pairs and their memory: both as they are then, and the sum of cosines."""


def descent(keep: Scalar, rate: Scalar) -> Update:
    """SGD: z' = keep·z + rate·∇cos φ, without memory."""

    def update(turn: Turn, pairs: Clouds, memory: Clouds) -> tuple[Clouds, Clouds, Scalar]:
        del pairs
        moved, cosines = turn(keep, rate)
        return moved, memory, cosines

    return update


def momentum(
    alpha: Scalar, rate: Scalar, share: Scalar, decay: Scalar, *, coupled: bool, nesterov: bool
) -> Update:
    """Heavy ball: v' = αv + g with g = -share·∇cos φ, z' = (1-γλ)z - γv'.

    Args:
        alpha: α.
        rate: γ.
        share: of a pair's cosine in what is maximised, below 0 where they repel.
        decay: λ.
        coupled: g has λz, and z' no decay of its own.
        nesterov: z' has g + αv' in place of v'.
    """
    shrink = 1 - rate * decay

    def update(turn: Turn, pairs: Clouds, memory: Clouds) -> tuple[Clouds, Clouds, Scalar]:
        gradients, cosines = turn(decay if coupled else 0 * decay, -share)
        memory = tuple(alpha * v + g for v, g in zip(memory, gradients, strict=True))
        steps = memory
        if nesterov:
            steps = tuple(g + alpha * v for g, v in zip(gradients, memory, strict=True))
        moved = tuple(
            (z if coupled else shrink * z) - rate * step
            for z, step in zip(pairs, steps, strict=True)
        )
        return moved, memory, cosines

    return update
