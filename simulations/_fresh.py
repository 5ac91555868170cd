"""SGD of free embeddings against partners drawn anew at every step, by automatic differentiation.

The yardstick of the laws for norms in a steady state. As in :mod:`simulations._sgd` nothing of the
library's formulas is used, only the definition of the loss.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from simulations._sgd import mean_cosine


class FreshRun(NamedTuple):
    """Norms and turns of n embeddings at recorded steps.

    Attributes:
        norm: before the step, shape (t, n).
        turn: by which that step turned the embedding, radians, shape (t, n).
    """

    norm: np.ndarray
    turn: np.ndarray


@partial(jax.jit, static_argnames=("dimension",))
def _start(key: jax.Array, norm: jax.Array, dimension: int) -> jax.Array:
    z = jax.random.normal(key, (len(norm), dimension), dtype=jnp.float64)
    return norm[:, None] * z / jnp.linalg.norm(z, axis=-1, keepdims=True)


@jax.jit
def _advance(
    z: jax.Array,
    key: jax.Array,
    begin: jax.Array,
    end: jax.Array,
    rate: jax.Array,
    decay: jax.Array,
    probability: jax.Array,
) -> jax.Array:
    def step(k: jax.Array, z: jax.Array) -> jax.Array:
        # Keyed by the step number, so that recording more often changes no number.
        for_partner, for_luck = jax.random.split(jax.random.fold_in(key, k))
        # Only the direction of a partner counts, so it needs no normalising.
        partner = jax.random.normal(for_partner, z.shape, dtype=z.dtype)

        def loss(z: jax.Array) -> jax.Array:
            return -len(z) * mean_cosine(z, partner)

        luck = jax.random.uniform(for_luck, (len(z), 1), dtype=z.dtype)
        moved = (1 - rate * decay) * z - rate * jax.grad(loss)(z)
        updated = jnp.broadcast_to(luck < probability[:, None], z.shape)
        return lax.select(updated, moved, z)

    return lax.fori_loop(begin, end, step, z)


def run_fresh(
    norm: np.ndarray,
    learning_rate: float,
    record: np.ndarray,
    *,
    dimension: int,
    seed: int,
    weight_decay: float = 0.0,
    probability: np.ndarray | float = 1.0,
) -> FreshRun:
    """Attract each of n embeddings to a new uniform random direction at every step.

    Args:
        norm: starting norms, shape (n,); the starting directions are uniform.
        learning_rate: γ, the rate one embedding sees.
        record: increasing step numbers at which to record, shape (t,).
        dimension: of the embeddings.
        seed: of all draws.
        weight_decay: λ; it acts when the embedding is updated.
        probability: that an embedding is updated in a step, a number or shape (n,).

    Returns:
        :class:`FreshRun`, float64.
    """
    norms, turns = [], []
    with jax.enable_x64(True):
        key = jax.random.key(seed)
        z = _start(key, np.asarray(norm, dtype=np.float64), dimension)
        chance = np.broadcast_to(np.asarray(probability, dtype=np.float64), np.shape(norm))
        at = 0
        for k in record:
            z = _advance(z, key, at, int(k), learning_rate, weight_decay, chance)
            at = int(k) + 1
            after = _advance(z, key, int(k), at, learning_rate, weight_decay, chance)
            norms.append(np.linalg.norm(z, axis=-1))
            turns.append(_angle(np.asarray(z), np.asarray(after)))
            z = after
    return FreshRun(np.array(norms), np.array(turns))


def _angle(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    return 2 * np.arctan2(np.linalg.norm(z - y, axis=-1), np.linalg.norm(z + y, axis=-1))
