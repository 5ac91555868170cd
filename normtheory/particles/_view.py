"""What stop rules and observables see of a state: positions, loss, gradients, the step to come."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp

from normtheory._arrays import check_kind
from normtheory._types import Array, Clouds, Count, Embeddings, PerRow, PerRows, Scalar
from normtheory.particles._options import values
from normtheory.particles._state import State
from normtheory.particles._step import Evaluation, advance, evaluate
from normtheory.particles._system import System
from normtheory.particles.sampling import Minibatch
from normtheory.sphere import dot, scaled


@dataclass(frozen=True)
class View:
    """A state before its update. What isn't asked for is not computed (it is compiled away).

    Attributes:
        system: the settings.
        state: positions, optimizer state, step, key.
        found: evaluation of the force there.
    """

    system: System
    state: State
    found: Evaluation

    @property
    def positions(self) -> Clouds:
        """The clouds, each (n, d), fresh ones as drawn for this step."""
        return self.found.clouds

    @property
    def loss(self) -> Scalar:
        """The loss with its reduction, of the minibatch if there is one; a scalar."""
        return self.found.value

    @property
    def gradients(self) -> Clouds:
        """Gradients of the loss, each (n, d), before GradScale; 0 where there is none."""
        return self.found.gradients

    @property
    def options(self) -> dict[str, Scalar]:
        """The trained options of the loss by name, as they are."""
        return values(self.system, self.state)

    @property
    def learning_rate(self) -> Scalar:
        """γ of the optimizer at this step.

        Raises:
            ValueError: the optimizer has its own, which can't be seen.
        """
        if self.system.own_rate:
            raise ValueError(
                "learning_rate: the optax transformation has its own; pass a rule and a rate"
            )
        return self.system.rate(self.state.step, self.state.positions[0].dtype)

    @property
    def pair_rate(self) -> Array:
        """The rate that one pair sees; see :func:`normtheory.pair_rate`."""
        rate = self.learning_rate
        if self.system.reduction == "sum":
            return rate
        sampling = self.system.sampling
        rows = sampling.size if isinstance(sampling, Minibatch) else len(self.positions[0])
        return rate / jnp.asarray(rows, rate.dtype)

    @cached_property
    def directions(self) -> Clouds:
        """Unit rows, each (n, d)."""
        return tuple(unit(z) for z in self.positions)

    @cached_property
    def norms(self) -> PerRows:
        """Norms of the rows, each (n,)."""
        return tuple(norm(z) for z in self.positions)

    @cached_property
    def _next(self) -> State:
        return advance(self.system, self.state, self.found)

    @cached_property
    def after(self) -> Clouds:
        """The positions after the update to come; those of fresh clouds as they are now."""
        return self._without_fresh(self._next)

    def later(self, steps: Count) -> Clouds:
        """The positions after several updates, >= 1, as the run will make them.

        A stop rule may end it before. Those of fresh clouds are as they are now.
        """

        def one(_: Count, state: State) -> State:
            return advance(self.system, state, evaluate(self.system, state))

        return self._without_fresh(jax.lax.fori_loop(1, steps, one, self._next))

    def _without_fresh(self, moved: State) -> Clouds:
        fresh = self.system.fresh
        return tuple(self.positions[k] if k in fresh else z for k, z in enumerate(moved.positions))


def view(system: System, state: State) -> View:
    """Look at a state."""
    check_kind("system", system, System, "a System")
    check_kind("state", state, State, "a State from init")
    return View(system, state, evaluate(system, state))


def norm(z: Embeddings) -> PerRow:
    """Norms of the rows of z, shape (n,); squares neither over- nor underflow."""
    near, power = scaled(jnp, z)
    return (jnp.sqrt(dot(jnp, near, near)) * power)[:, 0]


def unit(z: Embeddings) -> Embeddings:
    """Directions of the rows of z, shape (n, d)."""
    near, _ = scaled(jnp, z)
    return near / jnp.sqrt(dot(jnp, near, near))


def mean_distance(x: Embeddings, y: Embeddings) -> Scalar:
    """1 - mean cosine of unit rows, as a mean of ‖x - y‖²/2: exact to the last digits near 0."""
    return jnp.mean(jnp.sum((x - y) ** 2, axis=-1)) / 2
