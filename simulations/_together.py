"""Several optimizers on the same start and the same batches, in one program.

What is trained is a *learner* of :mod:`simulations._learners`: a table of free embeddings or
networks. Only the definition of the loss is used here, and optax's rules; nothing of the closed
forms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from normtheory._program import by_length
from normtheory._progress import bar


class Course(NamedTuple):
    """What is seen of a training, for every optimizer and run.

    Rows are what turns: the embeddings, or the weights of a layer as one vector a tower.

    Attributes:
        square: mean ρ² over the rows of a subject, shape (optimizer, run, subject, step).
        moved: mean squared length of what a step adds to them, likewise.
        lagged: mean squared distance of rows from a block ago, shape (..., subject, block).
        slope: mean square of ‖z‖‖∇L‖ over rows, of the loss of the batch, likewise by step.
        loss: of the batch, mean over its groups, shape (optimizer, run, step).
        alignment: mean cosine of partners in the batch, likewise.
        looks: embeddings before the first step of a block and after it, shape
            (block, 2, optimizer, run, row, d), after the burn-in.
    """

    square: np.ndarray
    moved: np.ndarray
    lagged: np.ndarray
    slope: np.ndarray
    loss: np.ndarray
    alignment: np.ndarray
    looks: np.ndarray


def _of(tree: Any, k: int) -> Any:
    """The part of one optimizer."""
    return jax.tree.map(lambda a: a[k], tree)


def _cosines(z: Any) -> Any:
    """Of partners (2, ..., d), from the definition."""
    size = jnp.sqrt(jnp.sum(z * z, axis=-1))
    return jnp.sum(z[0] * z[1], axis=-1) / (size[0] * size[1])


def _some(draw: Callable[..., Any], lag: int, key: Any, runs: int, data: Any) -> Any:
    """The batches of every run in the steps of a block, shape (runs, lag, ...)."""

    def one(key: Any) -> Any:
        return jax.vmap(lambda k: draw(k, data))(jax.random.split(key, lag))

    return jax.vmap(one)(jax.random.split(key, runs))


# Of its own, so that trainings on the same batches compile it once; and that takes seven times as
# long with XLA's own options. Of all runs together, 50 are fewer than in any training told of.
_batches = by_length(_some, few=50, static_argnums=(0, 1, 3))


class Programs(NamedTuple):
    """A training, to be compiled when it first runs.

    Attributes:
        begin: of starts of runs the parameters and memories of every rule.
        block: of these, and of batches of a block, what they are after it, and what is seen.
    """

    begin: Callable[..., Any]
    block: Callable[..., Any]


def programs(
    learner: Any,
    loss: Callable[[Any, Any], Any],
    rules: Sequence[optax.GradientTransformation],
    scales: np.ndarray,
    lag: int,
) -> Programs:
    """How to train by every rule, whatever the batches are.

    Args:
        learner: see :mod:`simulations._learners`; what it draws from is of no account here.
        loss: of two views (n, d); that of a step is the sum over the groups of its batch.
        rules: of optax, their rate and decay inside.
        scales: what the parameters at the start are multiplied by, one number a rule.
        lag: steps of a block.
    """

    def total(z: Any) -> Any:
        return jnp.sum(jax.vmap(loss)(z[0], z[1]))

    def look(parameters: Any, batch: Any) -> tuple[Any, ...]:
        z, back = jax.vjp(lambda p: learner.views(p, batch), parameters)
        value, slope = jax.value_and_grad(total)(z)
        (gradient,) = back(slope)
        sizes = jnp.sum(z * z, axis=-1) * jnp.sum(slope * slope, axis=-1)
        found = [jnp.mean(sizes)]
        for w, g in zip(learner.weights(parameters), learner.weights(gradient), strict=True):
            found.append(jnp.mean(jnp.sum(w * w, axis=-1) * jnp.sum(g * g, axis=-1)))
        return gradient, (jnp.stack(found), value / z.shape[1], jnp.mean(_cosines(z)))

    def seen(parameters: Any) -> list[Any]:
        return [learner.embeddings(parameters), *learner.weights(parameters)]

    def each(rows: Any) -> Any:
        """Mean squared lengths of every optimizer and subject."""
        return jnp.stack([jnp.mean(jnp.sum(a * a, axis=-1), axis=-1) for a in rows], axis=-1)

    def step(carry: Any, given: Any) -> tuple[Any, Any]:
        parameters, memories, rows, second = carry
        number, batch = given
        gradient, found = jax.vmap(lambda p: look(p, batch))(parameters)
        after, remembered = [], []
        for k, rule in enumerate(rules):
            own, slope = (_of(t, k) for t in (parameters, gradient))
            update, memory = rule.update(slope, memories[k], own)
            after.append(optax.apply_updates(own, update))
            remembered.append(memory)
        parameters = jax.tree.map(lambda *a: jnp.stack(a), *after)
        now = jax.vmap(seen)(parameters)
        change = [a - b for a, b in zip(now, rows, strict=True)]
        second = jnp.where(number == 0, now[0], second)
        return (parameters, remembered, now, second), (each(rows), each(change), *found)

    @jax.jit
    @jax.vmap
    def begin(start: Any) -> tuple[Any, Any]:
        """Parameters and memories of a run."""
        scaled = [jax.tree.map(lambda a, s=s: jnp.asarray(s, a.dtype) * a, start) for s in scales]
        memories = [rule.init(p) for rule, p in zip(rules, scaled, strict=True)]
        return jax.tree.map(lambda *a: jnp.stack(a), *scaled), memories

    @jax.jit
    @jax.vmap
    def block(state: Any, batches: Any) -> tuple[Any, Any]:
        rows = jax.vmap(seen)(state[0])
        steps = jnp.arange(lag, dtype=jnp.int32), batches
        (*state, now, second), found = jax.lax.scan(step, (*state, rows, rows[0]), steps)
        away = each([a - b for a, b in zip(now, rows, strict=True)])
        return tuple(state), (found, away, jnp.stack([rows[0], second]))

    return Programs(begin, block)


def follow(
    learner: Any,
    training: Programs,
    *,
    blocks: int,
    burn_in: int,
    lag: int,
    runs: int,
    seed: int,
    name: str,
) -> Course:
    """Train by every rule.

    Args:
        learner: see :mod:`simulations._learners`.
        training: from :func:`programs`, for this learner or one that differs in its batches alone.
        blocks: of steps.
        burn_in: blocks before embeddings are looked at.
        lag: steps of a block.
        runs: from independent starts, on independent batches.
        seed: of all draws.
        name: for the progress bar.
    """
    starts = [learner.new(np.random.default_rng((seed, r))) for r in range(runs)]
    # Optax joins its numbers to arrays as the standard promotion does.
    with jax.numpy_dtype_promotion("standard"):
        states = training.begin(jax.tree.map(lambda *a: jnp.stack(a), *starts))
        found, lagged, looks = [], [], []
        draw, data = learner.draws
        keys = jax.random.split(jax.random.key(seed), blocks)
        for number in bar(blocks, "block", iterable=range(blocks), desc=name, leave=False):
            batches = _batches(runs * lag, draw, lag, keys[number], runs, data)
            states, (numbers, away, both) = training.block(states, batches)
            found.append([np.asarray(a, float) for a in numbers])
            lagged.append(np.asarray(away, float))
            if number >= burn_in:
                looks.append(np.asarray(both))
    # (run, step, optimizer[, subject]) -> (optimizer, run[, subject], step).
    square, moved, slope, value, aligned = (
        np.moveaxis(np.concatenate(a, axis=1), (2, 0, 1), (0, 1, -1))
        for a in zip(*found, strict=True)
    )
    return Course(
        square,
        moved,
        np.moveaxis(np.array(lagged), (2, 1, 3), (0, 1, 2)),
        slope,
        value,
        aligned,
        np.moveaxis(np.array(looks), 1, 3),
    )
