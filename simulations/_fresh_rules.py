"""Any of optax's rules on free embeddings against partners drawn anew at every step.

As in :mod:`simulations._fresh` nothing of the library's formulas is used, only the definition of
the loss; all rules meet the same partners.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P


class Plan(NamedTuple):
    """What is done with embeddings.

    Attributes:
        rule: of optax, for one embedding, its rate and decay inside.
        norm: of embeddings at the start, one a group.
        lazy: whether an embedding without a gradient, and what the rule remembers of it, rests.
        rest: what such an embedding is multiplied by, where it rests.
    """

    rule: optax.GradientTransformation
    norm: np.ndarray
    lazy: bool = False
    rest: float = 1.0


class Course(NamedTuple):
    """What came of it, for every plan; all but ``point_square`` is empty where points are apart.

    Attributes:
        square: mean ρ² over the points of a group before every step, shape (plan, group, step).
        point_square: mean ρ² over the steps of a block, shape (plan, group, point, block).
        moved: mean squared distance from where the block began, after 1, 2, … steps of it, shape
            (plan, group, block, step of the block).
    """

    square: np.ndarray
    point_square: np.ndarray
    moved: np.ndarray


def _cosine(z: Any, y: Any) -> Any:
    return jnp.vdot(z, y) / jnp.sqrt(jnp.vdot(z, z) * jnp.vdot(y, y))


_slope = jax.vmap(jax.vmap(jax.grad(lambda z, y: -_cosine(z, y))))


def _each(function: Any) -> Any:
    """Of every point of every group."""
    return jax.vmap(jax.vmap(function))


def _over_devices(points: int) -> NamedSharding:
    """Points of every group on as many devices as they come out even on."""
    devices = jax.local_devices()[: math.gcd(points, jax.local_device_count())]
    mesh = jax.make_mesh((len(devices),), ("points",), axis_types=(AxisType.Auto,), devices=devices)
    return NamedSharding(mesh, P(None, "points"))


def run_rules(
    plans: Mapping[str, Plan],
    points: int,
    dimension: int,
    *,
    blocks: int,
    lag: int,
    seed: int,
    frequency: np.ndarray | float = 1.0,
    apart: bool = False,
) -> Course:
    """Attract embeddings to new uniform random directions, by every plan.

    Args:
        plans: by name; all have the same number of groups.
        points: in a group.
        dimension: of the embeddings.
        blocks: of steps.
        lag: steps of a block.
        seed: of all draws.
        frequency: probability that an embedding has a gradient in a step, a number or one a group.
        apart: find ``point_square`` alone. Then no point asks for another, and they are spread over
            the devices: a third of the work less, and the same numbers.

    Returns:
        :class:`Course`, float64, plans in their order.
    """
    groups = len(next(iter(plans.values())).norm)
    shape = (groups, points)
    chance = np.broadcast_to(np.asarray(frequency, dtype=float), (groups,))[:, None]
    over_devices = _over_devices(points)

    def spread(drawn: Any) -> Any:
        return jax.lax.with_sharding_constraint(drawn, over_devices) if apart else drawn

    def advance(plan: Plan, z: Any, memory: Any, y: Any, seen: Any) -> Any:
        slope = jnp.where(seen[..., None], _slope(z, y), 0.0)
        update, new = _each(plan.rule.update)(slope, memory, z)
        if not plan.lazy:
            return z + update, new

        def chosen(there: Any, here: Any) -> Any:
            return jnp.where(seen.reshape(shape + (1,) * (there.ndim - 2)), there, here)

        memory = jax.tree.map(chosen, new, memory)
        return chosen(z + update, plan.rest * z), memory

    def step(carry: Any, key: Any) -> Any:
        states, origins = carry
        for_partner, for_luck = jax.random.split(key)
        # Only the direction of a partner counts, so it needs no normalising.
        y = spread(jax.random.normal(for_partner, (*shape, dimension)))
        seen = spread(jax.random.uniform(for_luck, shape)) < chance
        before = [jnp.sum(z * z, axis=-1) for z, _ in states]
        states = [advance(p, *s, y, seen) for p, s in zip(plans.values(), states, strict=True)]
        if apart:
            return (states, origins), (jnp.stack(before), None)
        moved = [jnp.sum((z - o) ** 2, -1) for (z, _), o in zip(states, origins, strict=True)]
        found = jnp.stack(before), jnp.mean(jnp.stack(moved), axis=-1)
        return (states, origins), found

    def block(states: Any, key: Any) -> Any:
        origins = [z for z, _ in states]
        (states, _), (square, moved) = jax.lax.scan(
            step, (states, origins), jax.random.split(key, lag)
        )
        of_points = jnp.mean(square, axis=0)
        return states, of_points if apart else (jnp.mean(square, axis=-1), of_points, moved)

    @jax.jit
    def follow(key: Any) -> Any:
        for_start, for_steps = jax.random.split(key)
        start = spread(jax.random.normal(for_start, (*shape, dimension)))
        start = start / jnp.sqrt(jnp.sum(start**2, axis=-1, keepdims=True))
        states = []
        for plan in plans.values():
            z = np.asarray(plan.norm)[:, None, None] * start
            states.append((z, _each(plan.rule.init)(z)))
        return jax.lax.scan(block, states, jax.random.split(for_steps, blocks))[1]

    # Optax joins its numbers to arrays as the standard promotion does.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        found = follow(jax.random.key(seed))
    if apart:  # (block, plan, group, point)
        return Course(np.empty(0), np.asarray(found).transpose(1, 2, 3, 0), np.empty(0))
    square, of_points, moved = (np.asarray(a) for a in found)
    # (block, step, plan, group), (block, plan, group, point), (block, step, plan, group).
    return Course(
        square.transpose(2, 3, 0, 1).reshape(len(plans), groups, blocks * lag),
        of_points.transpose(1, 2, 3, 0),
        moved.transpose(2, 3, 0, 1),
    )
