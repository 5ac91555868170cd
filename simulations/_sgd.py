"""Plain SGD on free embeddings in d dimensions, by automatic differentiation.

The yardstick of the pair theory: nothing of the library's formulas is used here, only the
definition of the loss.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from normtheory import grad_scale


def mean_cosine(z: jax.Array, y: jax.Array) -> jax.Array:
    """Mean over n pairs (n, d) of the cosine similarity, from its definition."""
    norms = jnp.sqrt(jnp.sum(z * z, axis=-1)) * jnp.sqrt(jnp.sum(y * y, axis=-1))
    return jnp.mean(jnp.sum(z * y, axis=-1) / norms)


@partial(jax.jit, static_argnames=("power",))
def _run(
    z: jax.Array,
    y: jax.Array,
    rate: jax.Array,
    tolerance: jax.Array,
    max_steps: jax.Array,
    *,
    power: float,
) -> tuple[jax.Array, ...]:
    def loss(points: tuple[jax.Array, jax.Array]) -> jax.Array:
        z, y = points
        if power:
            z, y = grad_scale(z, power), grad_scale(y, power)
        return -mean_cosine(z, y)

    def one(arguments: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        z, y, rate = arguments

        def running(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
            k, z, y = carry
            return (k < max_steps) & (mean_cosine(z, y) < 1 - tolerance)

        def step(
            carry: tuple[jax.Array, jax.Array, jax.Array],
        ) -> tuple[jax.Array, jax.Array, jax.Array]:
            k, z, y = carry
            gradient_z, gradient_y = jax.grad(loss)((z, y))
            return k + 1, z - rate * gradient_z, y - rate * gradient_y

        return lax.while_loop(running, step, (jnp.zeros((), jnp.int64), z, y))

    return lax.map(one, (z, y, rate))


def steps_of_sgd(
    z: np.ndarray,
    y: np.ndarray,
    learning_rate: float,
    *,
    tolerance: float,
    max_steps: int = 1_000_000,
    gradscale: float = 0.0,
) -> np.ndarray:
    """Steps of SGD on minus the mean cosine until it is at least 1 - tolerance.

    Args:
        z: first embeddings, shape (runs, n, d).
        y: second embeddings, same shape.
        learning_rate: the optimizer's rate on the mean loss.
        tolerance: on the mean cosine, which is measured before an update.
        max_steps: give up after so many.
        gradscale: power of GradScale.

    Returns:
        int64, shape (runs,).
    """
    with jax.enable_x64(True):
        rate = np.full(len(z), learning_rate, dtype=np.float64)
        k, _, _ = _run(z, y, rate, tolerance, max_steps, power=float(gradscale))
        return np.asarray(k)
