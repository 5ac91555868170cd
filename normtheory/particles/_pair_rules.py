"""What a step does with the cosines of pairs: SGD, with or without momentum and decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from normtheory._types import Array, Clouds, Embeddings, Scalar
from normtheory.particles._system import System
from normtheory.particles.optimizers import Rule
from normtheory.particles.sampling import Minibatch

Turn = Callable[[Scalar, Scalar], tuple[Clouds, Scalar]]
"""``turn(keep, rate)`` is keep·z + rate·∇cos φ of both partners, and the sum of the cosines."""

Update = Callable[[Turn, Clouds, Clouds], tuple[tuple[Clouds, Clouds], Scalar]]
"""Of ``turn``, pairs and memory: what comes in their places, and the sum of the cosines."""


class Descent(NamedTuple):
    """The rule of a step.

    Attributes:
        rate: γ.
        count: pairs that the loss is the mean of, 1 for a sum; below 0 where partners repel.
        decay: λ; None for none.
        alpha: α of the momentum; None for none, and no memory.
        coupled: whether λz is a part of the gradient.
        nesterov: whether the momentum looks ahead.
    """

    rate: Scalar
    count: Scalar
    decay: Scalar | None = None
    alpha: Scalar | None = None
    coupled: bool = False
    nesterov: bool = False

    @property
    def shrink(self) -> Scalar:
        """Of a row that decays apart from its gradient."""
        plain = self.decay is None or (self.coupled and self.alpha is not None)
        return jnp.ones_like(self.rate) if plain else 1 - self.rate * self.decay

    def pairs(
        self, turn: Turn, pairs: Clouds, memory: Clouds
    ) -> tuple[tuple[Clouds, Clouds], Scalar]:
        """Pairs and their memory after a step of all, and the sum of their cosines."""
        if self.alpha is None:
            moved, cosines = turn(self.shrink, self.rate / self.count)
            return (moved, memory), cosines
        alpha = self.alpha
        gradients, cosines = turn(self._added, -1 / self.count)
        memory = tuple(alpha * v + g for v, g in zip(memory, gradients, strict=True))
        steps = memory
        if self.nesterov:
            steps = tuple(g + alpha * v for g, v in zip(gradients, memory, strict=True))
        moved = tuple(
            self.shrink * z - self.rate * step for z, step in zip(pairs, steps, strict=True)
        )
        return (moved, memory), cosines

    def gradients(
        self, turn: Turn, pairs: Clouds, memory: Clouds
    ) -> tuple[tuple[Clouds, Clouds], Scalar]:
        """Gradients of pairs without decay, in their places, and the sum of their cosines."""
        del pairs
        found, cosines = turn(jnp.zeros_like(self.rate), -1 / self.count)
        return (found, memory), cosines

    def batch(
        self,
        z: Embeddings,
        memory: Any,
        g: Embeddings,
        drawn: Array,
        sampling: Minibatch,
        decay_all: bool,
    ) -> tuple[Embeddings, Any]:
        """A cloud and its memory after a step of a batch.

        Args:
            z: the cloud.
            memory: of its rows; None without momentum.
            g: gradients of the batch.
            drawn: its rows, where one may come twice.
            sampling: whether the other rows take part, without a gradient.
            decay_all: whether they shrink even if they don't.
        """
        moving: Any = drawn if sampling.lazy else slice(None)
        old: Any = z[moving]
        z = self.shrink * z if decay_all else z
        if self.alpha is None:
            z = z if self.decay is None else z.at[moving].set(self.shrink * old)
            return z.at[drawn].add(-self.rate * g), memory
        coasting = self.alpha * memory[moving]
        memory = memory.at[moving].set(coasting + self._added * old).at[drawn].add(g)
        step = memory[moving]
        if self.nesterov:
            step = (step - coasting) + self.alpha * step
        return z.at[moving].set(self.shrink * old - self.rate * step), memory

    @property
    def _added(self) -> Scalar:
        """Of a row to its gradient."""
        plain = self.decay is None or not self.coupled
        return jnp.zeros_like(self.rate) if plain else self.decay


def known(optimizer: Any) -> bool:
    """Whether it is plain SGD or optax's momentum, whose memory is one vector a row."""
    return optimizer is None or (
        isinstance(optimizer, Rule)
        and optimizer.factory is optax.trace
        and [*optimizer.numbers] == ["decay"]
        and {name for name, _ in optimizer.flags} <= {"nesterov"}
    )


def descent(system: System, step: Array, pairs: int, sign: float, dtype: Any) -> Descent:
    """The rule of such a system at a step of so many pairs: sign 1 attracts, -1 repels."""
    rate = system.rate(step, dtype)
    count = jnp.asarray(sign * pairs if system.reduction == "mean" else sign, dtype)
    if not isinstance(system.optimizer, Rule):
        return Descent(rate, count, system.weight_decay)
    alpha, flags = system.optimizer.numbers["decay"], dict(system.optimizer.flags)
    nesterov = flags.get("nesterov", False)
    return Descent(rate, count, system.weight_decay, alpha, system.coupled_decay, nesterov)
