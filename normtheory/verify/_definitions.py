"""Plain definitions in JAX that are differentiated, for one point or pair at a time.

They are written from the textbook definition and share nothing with the library or the claims.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

TEMPERATURE = 0.5


def norm(z: jax.Array) -> jax.Array:
    """Euclidean norm of a vector (d,)."""
    return jnp.sqrt(jnp.sum(z * z))


def units(z: jax.Array) -> jax.Array:
    """Rows (n, d) over their norms."""
    return z / jnp.sqrt(jnp.sum(z * z, axis=1, keepdims=True))


def cosine(z: jax.Array, y: jax.Array) -> jax.Array:
    """Cosine similarity of two vectors (d,)."""
    return jnp.sum(z * y) / norm(z) / norm(y)


def angle(z: jax.Array, y: jax.Array) -> jax.Array:
    """Angle of two vectors in radians, accurate to eps in all of [0, pi]."""
    z, y = z / norm(z), y / norm(y)
    return 2 * jnp.arctan2(norm(z - y), norm(z + y))


def smooth(u: jax.Array, keys: jax.Array, weights: jax.Array) -> jax.Array:
    """A smooth function of a unit vector: a mixture of three kinds.

    Args:
        u: Vector (d,).
        keys: Random unit vectors (m, d).
        weights: Weights (3,) of a linear form, a quadratic form and a log-sum-exp over the keys.
    """
    scores = keys @ u
    signs = jnp.where(jnp.arange(keys.shape[0]) % 2 == 0, 1.0, -1.0).astype(u.dtype)
    parts = (
        scores[0],
        jnp.sum(signs * scores**2) / 2,
        TEMPERATURE * jax.nn.logsumexp(scores / TEMPERATURE),
    )
    return sum(w * part for w, part in zip(weights, parts, strict=True))  # pyright: ignore


def smooth_direction_loss(z: jax.Array, keys: jax.Array, weights: jax.Array) -> jax.Array:
    """:func:`smooth` of the direction of ``z``."""
    return smooth(z / norm(z), keys, weights)


def two_direction_loss(z: jax.Array, y: jax.Array, keys: jax.Array, weights: jax.Array) -> Any:
    """A smooth function of two directions that isn't a function of their cosine alone."""
    z, y = z / norm(z), y / norm(y)
    coupled = jnp.sum(z * y) + (keys[0] @ z) * (keys[1] @ y)
    return coupled + smooth(z + y, keys, weights)


def many_point_loss(points: jax.Array, targets: jax.Array) -> jax.Array:
    """A loss of the directions of m interacting points (m, d): InfoNCE of all against targets.

    The points also repel each other, so that every gradient depends on every point.
    """
    u, v = units(points), units(targets)
    scores = u @ v.T / TEMPERATURE
    contrast = jnp.sum(jax.nn.logsumexp(scores, axis=1) - jnp.diagonal(scores))
    return contrast + jnp.sum((u @ u.T) ** 2) / 4
