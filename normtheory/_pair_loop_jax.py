"""The recursion of many pairs, compiled by JAX."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from normtheory._pair_loop import Pairs, converged, step
from normtheory._types import Array

_BATCH = (
    512  # pairs that share one loop; enough to fill vector registers, few enough to stay in cache
)


def advance(*arguments: Any, **options: Any) -> tuple[Pairs, np.ndarray, np.ndarray]:
    """Take every ensemble from step ``begin`` to ``end``, or until it stops.

    Args:
        *arguments: ``pair``, arrays (rows, n); ``done``, which rows have stopped, (rows,);
            ``rate``, γ/(1-γλ), (rows, n); ``keep``, (1-γλ)², (rows, n); ``tolerance`` on the mean
            cosine, below 0 never to stop; the step numbers ``begin`` and ``end``.
        **options: ``power`` of GradScale; ``repel``, push apart; ``stop``, the second embedding
            stays.

    Returns:
        State, which rows have stopped, and the step number each is at; numpy float64.
    """
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, compiled(*arguments, **options))


@partial(jax.jit, static_argnames=("power", "repel", "stop"))
def compiled(
    pair: Pairs,
    done: Array,
    rate: Array,
    keep: Array,
    tolerance: Array,
    begin: Array,
    end: Array,
    *,
    power: float,
    repel: bool,
    stop: bool,
) -> tuple[Pairs, Array, Array]:
    """The loop of :func:`advance`, several rows at a time."""

    def row(arguments: tuple[Pairs, Array, Array, Array]) -> tuple[Pairs, Array, Array]:
        pair, done, rate, keep = arguments

        def running(carry: tuple[Array, Pairs]) -> Array:
            k, pair = carry
            return (k < end) & ~converged(pair, tolerance, jnp)

        def body(carry: tuple[Array, Pairs]) -> tuple[Array, Pairs]:
            k, pair = carry
            return k + 1, step(pair, rate, keep, jnp, power=power, repel=repel, stop=stop)

        k, pair = lax.while_loop(running, body, (jnp.where(done, end, begin), pair))
        return pair, converged(pair, tolerance, jnp), k

    batch = max(1, _BATCH // pair.cosine.shape[-1])
    batch = None if batch == 1 else min(batch, pair.cosine.shape[0])
    return lax.map(row, (pair, done, rate, keep), batch_size=batch)
