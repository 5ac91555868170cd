"""Batches made once and shared: many networks on the same views cost the views of one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from simulations.encoders.training import Sampler


@partial(jax.jit, static_argnames=("sample", "steps"))
def prepare(sample: Sampler, data: Any, seed: tuple[int, int], steps: int) -> Any:
    """The batches of the first steps of a run, along a leading axis.

    They are those that the sampler gives a run with that seed in :func:`.training.advance`.

    Args:
        sample: draws a batch.
        data: what batches are drawn from.
        seed: of the run.
        steps: how many.
    """
    key = jax.random.wrap_key_data(jnp.asarray(seed, jnp.uint32), impl="threefry2x32")

    def one(step: jax.Array) -> Any:
        return sample.batch(sample.draw(key, step, data), data)

    return jax.lax.map(one, jnp.arange(steps, dtype=jnp.int32))


@dataclass(frozen=True)
class Prepared:
    """Takes the batches of :func:`prepare` in their order."""

    def draw(self, key: jax.Array, step: int | jax.Array, data: Any) -> jax.Array:
        """The number of the step."""
        return jnp.asarray(step, jnp.int32)

    def batch(self, drawn: jax.Array, data: Any) -> Any:
        """The batch of that step."""
        return jax.tree.map(lambda a: a[drawn], data)
