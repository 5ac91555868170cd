"""What the updates to come do to the particles: turns, pulls along and across, torque."""

from __future__ import annotations

import jax.numpy as jnp

from normtheory._types import Array, Clouds, Count, Embeddings
from normtheory.invariants import torque as torque_of
from normtheory.particles._view import View, norm, unit


def length(x: Array) -> Array:
    """Norms of rows of size about 1, which may be 0."""
    return jnp.sqrt(jnp.sum(x * x, axis=-1))


def turned(before: Clouds, after: Clouds) -> tuple[Array, ...]:
    """Angles between the rows of clouds now and later, radians, each (n,)."""

    def one(x: Embeddings, y: Embeddings) -> Array:
        u, v = unit(x), unit(y)
        return 2 * jnp.atan2(length(u - v), length(u + v))

    return tuple(one(x, y) for x, y in zip(before, after, strict=True))


def rotation(view: View, steps: Count) -> tuple[Array, ...]:
    """Angles by which the rows turn in the next ``steps`` updates, radians, each (n,)."""
    return turned(view.positions, view.later(steps))


def radial_drift(view: View) -> Array:
    """D and s of z' = αz + γρ^(p-1)(Dẑ + ξ), ξ orthogonal to z, of every cloud: shape (clouds, 2).

    D is a mean over the rows that take part in the step, s the root of a mean of squares; both 0
    for clouds that the force doesn't move.
    """
    system, rate = view.system, view.learning_rate
    moving = system.moving(len(view.positions))
    shrinks = system.weight_decay is not None and not (
        system.coupled_decay and system.optimizer is not None
    )
    decay = jnp.asarray(system.weight_decay if shrinks else 0.0, rate.dtype)
    power = jnp.asarray(1.0 if system.gradscale is None else 1 - system.gradscale, rate.dtype)

    def one(place: int, before: Embeddings, after: Embeddings) -> Array:
        if place not in moving:
            return jnp.zeros(2, rate.dtype)
        step = after - before + rate * decay * before
        rows = norm(before)[:, None]
        step = step * (rows if system.gradscale is None else rows**power) / rate
        direction = unit(before)
        along = jnp.sum(step * direction, axis=-1)
        across = jnp.sum((step - along[:, None] * direction) ** 2, axis=-1)
        hit = view.found.updated[place]
        mean = jnp.mean(jnp.stack([along, across]), axis=-1, where=hit)
        return mean.at[1].set(jnp.sqrt(mean[1]))

    places = range(len(view.positions))
    return jnp.stack([one(*x) for x in zip(places, view.positions, view.after, strict=True)])


def torque(view: View) -> Array:
    """Frobenius norm of ZᵀV - VᵀZ over the clouds that move, V the updates to come less decay."""
    system = view.system
    moving = system.moving(len(view.positions))
    clouds = [view.positions[k] for k in moving]
    # What decay takes is along Z, and drops out.
    found = torque_of(clouds, [view.after[k] - view.positions[k] for k in moving])
    return jnp.sqrt(jnp.sum(found * found))
