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
from normtheory._types import Clouds
from normtheory.losses import LOSSES, _door
from normtheory.losses.definitions._mean_cosine import mean_cosine
from normtheory.particles._forces import LossForce
from normtheory.particles._pair_rules import Descent, Update, descent, known
from normtheory.particles._state import State
from normtheory.particles._step import keys
from normtheory.particles._system import System
from normtheory.particles.sampling import Minibatch

Array = jax.Array

_CPU_BYTES = 2 * 2**20


def default_pairs(n: int, dimension: int, dtype: Any) -> int:
    """Pairs in a block: on a CPU 2 MiB of each cloud, on an accelerator all of them."""
    if jax.default_backend() != "cpu":
        return n
    return int(np.clip(_CPU_BYTES // (dimension * np.dtype(dtype).itemsize), 1, n))


def by_blocks(system: System, state: State) -> bool:
    """Whether a system takes a step of SGD on pairs whose clouds fill more than a block.

    There may be weight decay, momentum and minibatches of pairs. Nothing else is in the system
    then: no other optimizer, no GradScale, fixed norms, frozen or fresh rows; and the clouds lie on
    one device. Positions are those of the general step to rounding.
    """
    force, positions = system.force, state.positions
    both = (None, (0, 1), (1, 0))
    plain = _sign(force) is not None and len(positions) == 2 and force.clouds in both
    sampling, options = system.sampling, (system.gradscale, system.norm)
    extras = (*options, *system.frozen, *system.fresh)
    if not plain or any(extra is not None for extra in extras) or device_count():
        return False
    drawn = sampling is None or (isinstance(sampling, Minibatch) and sampling.clouds in both)
    n, d = positions[0].shape
    return drawn and known(system.optimizer) and n > default_pairs(n, d, positions[0].dtype)


def _sign(force: Any) -> float | None:
    """Of the mean cosine, where a force is nothing but that: -1 attracts, 1 repels."""
    slope = force.loss.slope if isinstance(force, LossForce) else None
    if not isinstance(slope, partial) or slope.func is not mean_cosine:
        return None
    sign = slope.keywords["sign"]
    return sign if abs(sign) == 1 else None


def advance(system: System, state: State, steps: Array) -> State:
    """The state after some updates of such a system."""
    order = system.moving(2)  # the memory's; partners are alike
    start = tuple(jnp.asarray(state.positions[k]) for k in order)
    vectors, structure = jax.tree.flatten(state.optimizer)
    sampling = system.sampling
    count = len(start[0]) if sampling is None else sampling.size
    sign = -(_sign(system.force) or 0)

    def step(k: Any, carried: tuple[Clouds, Clouds]) -> tuple[Clouds, Clouds]:
        rule = descent(system, state.step + k, count, sign, state.dtype)
        if sampling is None:
            return _through(*carried, rule.pairs)[0]
        clouds, memory = carried
        _, for_rows = keys(state.key, state.step + k)
        drawn = sampling.draw(for_rows, len(clouds[0]), state.dtype)
        (gradients, _), _ = _through(tuple(z[drawn] for z in clouds), (), rule.gradients)
        new = [
            rule.batch(*cloud, drawn, sampling, system.decay_all)
            for cloud in zip(clouds, memory or (None, None), gradients, strict=True)
        ]
        return tuple(z for z, _ in new), tuple(v for _, v in new if v is not None)

    clouds, memory = jax.lax.fori_loop(0, steps, step, (start, tuple(vectors)))
    clouds, memory = tuple(clouds[k] for k in order), jax.tree.unflatten(structure, memory)
    return State(clouds, memory, state.step + steps, state.key, state.trained)


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
    if block is not None:
        check_count("block", block, 1)
    rule = Descent(jnp.asarray(learning_rate, a.dtype), jnp.asarray(-1 if repel else 1, a.dtype))
    ((a, b), _), cosines = _through((a, b), (), rule.pairs, block)
    return a, b, (cosines if repel else -cosines) / len(a)


def _through(
    clouds: Clouds, memory: Clouds, update: Update, block: int | None = None
) -> tuple[tuple[Clouds, Clouds], Array]:
    """Update all pairs block by block: clouds and memory, and the sum of the cosines."""
    n, d = clouds[0].shape
    rows = min(block or default_pairs(n, d, clouds[0].dtype), n)
    whole = n // rows

    def step(i: Any, carried: tuple[Any, Array]) -> tuple[Any, Array]:
        return _advance(i * rows, rows, carried, update)

    start = (clouds, memory), jnp.zeros((), clouds[0].dtype)
    carried = jax.lax.fori_loop(0, whole, step, start)
    if n % rows:
        carried = _advance(whole * rows, n % rows, carried, update)
    return carried


def _advance(
    start: Any, rows: int, carried: tuple[tuple[Clouds, Clouds], Array], update: Update
) -> tuple[tuple[Clouds, Clouds], Array]:
    """Update the pairs of one block, and add their cosines."""
    whole, cosines = carried
    pairs, memory = jax.tree.map(lambda z: jax.lax.dynamic_slice_in_dim(z, start, rows), whole)
    x, y = pairs
    sums = _row_sum(x * x), _row_sum(y * y), _row_sum(x * y)

    def way(turned: Any) -> Any:
        return lambda pairs, memory: update(partial(turned, *pairs, sums), pairs, memory)

    # The branch is also what makes this work in place: XLA can't merge it with the update of a, and
    # so needs no copy of a for the partner's turn.
    ordinary = _ordinary(*sums[:2])
    new, found = jax.lax.cond(ordinary, way(_plain), way(_scaled), pairs, memory)
    whole = jax.tree.map(
        lambda z, block: jax.lax.dynamic_update_slice_in_dim(z, block, start, 0), whole, new
    )
    return whole, cosines + found


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
    x: Array, y: Array, sums: tuple[Array, Array, Array], keep: Array, rate: Array
) -> tuple[tuple[Array, Array], Array]:
    inverse_1, inverse_2 = (1 / jnp.sqrt(s) for s in sums[:2])
    cosine = sums[2] * inverse_1 * inverse_2
    turn = rate * inverse_1 * inverse_2
    keep_1 = keep - rate * inverse_1 * inverse_1 * cosine
    keep_2 = keep - rate * inverse_2 * inverse_2 * cosine
    return (keep_1 * x + turn * y, keep_2 * y + turn * x), jnp.sum(cosine)


def _scaled(
    x: Array, y: Array, sums: tuple[Array, Array, Array], keep: Array, rate: Array
) -> tuple[tuple[Array, Array], Array]:
    del sums  # they may have over- or underflowed
    mean, (g_1, g_2) = LOSSES["repulsion"].value_and_gradient(x, y)
    rows = jnp.asarray(x.shape[0], x.dtype)
    return (keep * x + rate * (rows * g_1), keep * y + rate * (rows * g_2)), rows * mean
