"""MoCo: queries pick their key among a queue of older keys."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from normtheory.losses import _core
from normtheory.losses._core import Array, Slope, product
from normtheory.losses._registry import Arguments, Loss, cloud
from normtheory.losses._softmax import cross_entropy


def _slope(u: Array, keys: Array, queue: Array, *, temperature: Array) -> Slope:
    n = u.shape[0]
    own = jnp.sum(u * keys, axis=-1)
    similarity = product(u, queue.T)
    logits = similarity / temperature
    loss, off, missing = cross_entropy(logits, own / temperature, jnp.ones_like(logits, bool))
    slope = (product(off, queue) - missing[:, None] * keys) / (n * temperature)
    by_temperature = jnp.sum(missing * own) - jnp.sum(off * similarity)
    return Slope(
        jnp.mean(loss), (slope, None, None), {"temperature": by_temperature / (n * temperature**2)}
    )


def _arguments(queries: Array, keys: Array, queue: Array, temperature: Any) -> dict[str, Array]:
    _core.check_paired(queries=queries, keys=keys)
    _core.check_temperature(temperature)
    return {"queries": queries, "keys": keys, "queue": queue}


def moco(queries: Array, keys: Array, queue: Array, *, temperature: Any = 0.07) -> Array:
    """MoCo: mean over queries of -log softmax of the own key against a queue.

    Args:
        queries: shape (n, d), nonzero rows.
        keys: keys of the momentum encoder, shape (n, d), the positives; constants.
        queue: older keys, shape (m, d), the negatives; constants.
        temperature: τ > 0; differentiable.

    Returns:
        The loss, a scalar. ``jax.grad`` gives 0 for keys and queue.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named), temperature
            <= 0.

    Reference:
        He et al. 2020, equation 1.
    """
    return _core.value(
        _slope, _arguments(queries, keys, queue, temperature), temperature=temperature
    )


def moco_gradient(
    queries: Array, keys: Array, queue: Array, *, temperature: Any = 0.07
) -> tuple[Array]:
    """Closed-form gradient of :func:`moco` with respect to the queries, a tuple of one array."""
    (g,) = _core.gradient(
        _slope, _arguments(queries, keys, queue, temperature), temperature=temperature
    )
    return (g,)


def _example(rng: np.random.Generator, n: int, dimension: int) -> Arguments:
    sizes = (n, n, 2 * n + 1)
    return tuple(cloud(rng, size, dimension) for size in sizes), {"temperature": 0.2}


LOSSES = (
    Loss("moco", moco, moco_gradient, "He et al. 2020, eq. 1", (0,), _example, stop_gradient=True),
)
