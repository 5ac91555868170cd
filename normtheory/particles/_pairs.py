"""Attraction or repulsion of n pairs and its step of SGD, at the speed of memory.

A step must read both clouds and write both. What it computes between is little, so it goes
through the pairs in blocks that stay in the cache, in place. On a CPU XLA turns each sum over a row
and each result into a loop of its own; over whole clouds these would be a dozen passes over memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_count
from normtheory._spread import device_count
from normtheory.losses import LOSSES, _door
from normtheory.losses.definitions._mean_cosine import mean_cosine
from normtheory.particles._forces import LossForce
from normtheory.particles._state import State
from normtheory.particles._system import System

Array = jax.Array

_CPU_BYTES = 2 * 2**20


def default_pairs(n: int, dimension: int, dtype: Any) -> int:
    """Pairs in a block: on a CPU 2 MiB of each cloud, on an accelerator all of them."""
    if jax.default_backend() != "cpu":
        return n
    return int(np.clip(_CPU_BYTES // (dimension * np.dtype(dtype).itemsize), 1, n))


def by_blocks(system: System, state: State) -> bool:
    """Whether a system takes a step of plain SGD on pairs whose clouds fill more than a block.

    Nothing else is in the system then: no momentum, decay, GradScale, fixed norms, frozen, fresh or
    drawn rows; and the clouds lie on one device. Positions are those of the general step to
    rounding.
    """
    force, positions = system.force, state.positions
    plain = (
        _sign(force) is not None and len(positions) == 2 and force.clouds in (None, (0, 1), (1, 0))
    )
    options = (system.optimizer, system.weight_decay, system.gradscale, system.norm)
    extras = (*options, system.sampling, *system.frozen, *system.fresh)
    if not plain or any(extra is not None for extra in extras) or device_count():
        return False
    n, d = positions[0].shape
    return n > default_pairs(n, d, positions[0].dtype)


def _sign(force: Any) -> float | None:
    """Of the mean cosine, where a force is nothing but that: -1 attracts, 1 repels."""
    slope = force.loss.slope if isinstance(force, LossForce) else None
    if not isinstance(slope, partial) or slope.func is not mean_cosine:
        return None
    sign = slope.keywords["sign"]
    return sign if abs(sign) == 1 else None


def advance(system: System, state: State, steps: Array) -> State:
    """The state after some updates of such a system."""
    repel = _sign(system.force) == 1
    n = len(state.positions[0])

    def step(k: Any, clouds: tuple[Array, ...]) -> tuple[Array, ...]:
        rate = system.rate(state.step + k, clouds[0].dtype)
        rate = rate / n if system.reduction == "mean" else rate
        z, y = clouds
        return attraction_step(z, y, rate, repel=repel)[:2]

    clouds = jax.lax.fori_loop(0, steps, step, state.positions)
    return State(clouds, state.optimizer, state.step + steps, state.key, state.trained)


def attraction_step(
    z_1: Array, z_2: Array, learning_rate: Any, *, repel: bool = False, block: int | None = None
) -> tuple[Array, Array, Array]:
    """One step of SGD on the attraction of n pairs, both partners at once.

    z_i' = z_i + γ(ẑ_j - cos φ ẑ_i)/‖z_i‖, with γ the rate that one pair sees: an optimizer's rate
    on a mean over n pairs, divided by n (``normtheory.pair_rate``).

    Where the squared norms of a block are far from the ends of the floating-point range, as nearly
    always, they are taken as they are. Other blocks go the scaled way of ``attraction_gradient``.
    There is no epsilon in either.

    Args:
        z_1: embeddings, shape (n, d), nonzero rows.
        z_2: their partners, shape (n, d), same dtype.
        learning_rate: γ > 0.
        repel: repulsion instead.
        block: pairs in a block; None for :func:`default_pairs`'s rule.

    Returns:
        The new clouds, and the loss before the step, minus (repulsion: plus) the mean cosine. In
        ``jax.jit(..., donate_argnums=(0, 1))`` it works in place. The error of a position is a few
        eps of ‖z‖ + γ/‖z‖.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named), block < 1.
            Under ``jax.jit`` such a row gives NaN for its pair and the loss.
    """
    a, b = map(jnp.asarray, _door.read(LOSSES["attraction"], (z_1, z_2), {}).clouds)
    n, d = a.shape
    if block is not None:
        check_count("block", block, 1)
    rows = min(block or default_pairs(n, d, a.dtype), n)
    rate = jnp.asarray(learning_rate, a.dtype) * (-1 if repel else 1)
    whole = n // rows

    def step(i: Any, carried: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        return _advance(i * rows, rows, carried, rate)

    carried = jax.lax.fori_loop(0, whole, step, (a, b, jnp.zeros((), a.dtype)))
    if n % rows:
        carried = _advance(whole * rows, n % rows, carried, rate)
    a, b, cosines = carried
    return a, b, (cosines if repel else -cosines) / n


def _advance(
    start: Any, rows: int, carried: tuple[Array, Array, Array], rate: Array
) -> tuple[Array, Array, Array]:
    """Move the pairs of one block, and add their cosines."""
    a, b, cosines = carried
    x, y = (jax.lax.dynamic_slice_in_dim(z, start, rows) for z in (a, b))
    sums = _row_sum(x * x), _row_sum(y * y), _row_sum(x * y)
    # The branch is also what makes this work in place: XLA can't merge it with the update of a, and
    # so needs no copy of a for the partner's turn.
    x, y, found = jax.lax.cond(_ordinary(*sums[:2]), _plain, _scaled, x, y, sums, rate)
    a = jax.lax.dynamic_update_slice_in_dim(a, x, start, 0)
    b = jax.lax.dynamic_update_slice_in_dim(b, y, start, 0)
    return a, b, cosines + found


def _row_sum(x: Array) -> Array:
    """Sum over the last axis as a product with ones: XLA on a CPU uses vectors there only."""
    ones = jnp.ones((x.shape[-1], 1), x.dtype)
    return jnp.matmul(x, ones, precision=jax.lax.Precision.HIGHEST)


def _ordinary(square_1: Array, square_2: Array) -> Array:
    """Whether no squared norm, product of norms or their inverse is near the ends of the range."""
    info = jnp.finfo(square_1.dtype)
    # A fourth root leaves room for γ as large as that, and for entries that underflow when squared.
    least, most = float(info.tiny) ** 0.25, float(info.max) ** 0.25
    smallest = jnp.minimum(jnp.min(square_1), jnp.min(square_2))
    largest = jnp.maximum(jnp.max(square_1), jnp.max(square_2))
    return (smallest > least) & (largest < most)  # False for NaN


def _plain(
    x: Array, y: Array, sums: tuple[Array, Array, Array], rate: Array
) -> tuple[Array, Array, Array]:
    inverse_1, inverse_2 = (1 / jnp.sqrt(s) for s in sums[:2])
    cosine = sums[2] * inverse_1 * inverse_2
    turn = rate * inverse_1 * inverse_2
    keep_1 = 1 - rate * inverse_1 * inverse_1 * cosine
    keep_2 = 1 - rate * inverse_2 * inverse_2 * cosine
    return keep_1 * x + turn * y, keep_2 * y + turn * x, jnp.sum(cosine)


def _scaled(
    x: Array, y: Array, sums: tuple[Array, Array, Array], rate: Array
) -> tuple[Array, Array, Array]:
    del sums  # they may have over- or underflowed
    mean, (g_1, g_2) = LOSSES["repulsion"].value_and_gradient(x, y)
    rows = jnp.asarray(x.shape[0], x.dtype)
    return x + rate * (rows * g_1), y + rate * (rows * g_2), rows * mean
