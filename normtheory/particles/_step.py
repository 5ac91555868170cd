"""One step: evaluate the force, rescale, hand to the optimizer, shrink, project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from normtheory import _spread
from normtheory._arrays import check_kind
from normtheory._types import Array, Clouds, Count, Embeddings, Key, Scalar
from normtheory.particles import _options
from normtheory.particles._forces import Gradients
from normtheory.particles._given import THREEFRY
from normtheory.particles._rules import kept
from normtheory.particles._state import (
    State,
    check_positions,
    handed_out,
    norm_of,
    precision,
    rescale,
)
from normtheory.particles._system import System
from normtheory.particles.optimizers import Rule
from normtheory.particles.sampling import Bernoulli, Minibatch
from normtheory.sphere import dot, scaled


@dataclass(frozen=True)
class Evaluation:
    """What the force says about a state before it is updated.

    Attributes:
        clouds: the positions, with fresh clouds drawn.
        value: the loss, with the reduction of the system.
        gradients: of every cloud, zero where there is none.
        updated: for every cloud which rows may move, bool (n,), or None for all.
        slopes: derivatives of the value by the trained options, by name.
    """

    clouds: Clouds
    value: Scalar
    gradients: Clouds
    updated: tuple[Array | None, ...]
    slopes: dict[str, Scalar]


def drawn_clouds(system: System, positions: Clouds) -> tuple[int, ...]:
    """Places of the clouds whose rows the sampling draws."""
    if system.sampling is None:
        return ()
    if system.sampling.clouds is not None:
        return system.sampling.clouds
    return tuple(k for k, z in enumerate(positions) if len(z) == len(positions[0]))


def _redrawn(key: Key, z: Embeddings) -> Embeddings:
    """Rows with the norms of z in fresh uniform directions."""
    near, power = scaled(jnp, z)
    norm = jnp.sqrt(dot(jnp, near, near)) * power
    return rescale(_spread.by_rows(jax.random.normal(key, z.shape, z.dtype)), norm)


def _fresh(system: System, key: Key, clouds: Clouds) -> Clouds:
    return tuple(
        _redrawn(jax.random.fold_in(key, k), z) if k in system.fresh else z
        for k, z in enumerate(clouds)
    )


def keys(key: Key, step: Count) -> Key:
    """The two keys of a step: of fresh clouds, and of the rows drawn."""
    key = jax.random.wrap_key_data(key, impl=THREEFRY)
    return jax.random.split(jax.random.fold_in(key, step))


def evaluate(system: System, state: State) -> Evaluation:
    """Value and gradients at a state, with the draws that belong to its step."""
    for_fresh, for_rows = keys(state.key, state.step)
    # Arrays of JAX, so that traced numbers can index them where nothing is compiled.
    clouds, sampling = tuple(jnp.asarray(z) for z in state.positions), system.sampling
    chosen = drawn_clouds(system, clouds)
    nothing: tuple[Any, ...] = (None,) * len(clouds)
    if not isinstance(sampling, Minibatch):
        clouds = _fresh(system, for_fresh, clouds)
        value, gradients, slopes = _forced(system, state, clouds)
        updated = nothing
        if isinstance(sampling, Bernoulli):
            hit = sampling.draw(for_rows, len(clouds[chosen[0]]), clouds[0].dtype)
            updated = tuple(hit if k in chosen else None for k in range(len(clouds)))
        rows = len(clouds[0])
    else:
        n = len(clouds[chosen[0]])
        taken = sampling.draw(for_rows, n, clouds[0].dtype)
        if system.coherent:
            clouds = _fresh(system, for_fresh, clouds)
        batch = tuple(_spread.by_rows(z[taken]) if k in chosen else z for k, z in enumerate(clouds))
        if not system.coherent:
            batch = _fresh(system, for_fresh, batch)
        value, of_batch, slopes = _forced(system, state, batch, taken)
        gradients = tuple(
            jnp.zeros_like(clouds[k]).at[taken].add(g) if g is not None and k in chosen else g
            for k, g in enumerate(of_batch)
        )
        hit = jnp.zeros(n, bool).at[taken].set(True) if sampling.lazy else None
        updated = tuple(hit if k in chosen else None for k in range(len(clouds)))
        rows = len(batch[0])
    full = tuple(
        _spread.by_rows(jnp.zeros_like(z) if g is None else g)
        for z, g in zip(clouds, gradients, strict=True)
    )
    if system.reduction == "sum":
        many = jnp.asarray(rows, clouds[0].dtype)
        value, full = many * value, tuple(many * g for g in full)
        slopes = {name: many * x for name, x in slopes.items()}
    return Evaluation(clouds, value, full, updated, slopes)


def _forced(
    system: System, state: State, clouds: Clouds, rows: Array | None = None
) -> tuple[Scalar, Gradients, dict[str, Scalar]]:
    """Value and gradients of the force, with the trained options as they are, and by these."""
    if not system.trained:
        return *system.force(clouds, rows), {}
    paths, values = _options.paths(system), _options.values(system, state)
    given = {paths[name]: x for name, x in values.items()}
    value, gradients, slopes = system.force.differentiate(clouds, rows, given)
    return value, gradients, {name: slopes[path] for name, path in paths.items()}


def norm_power(z: Array, power: Array) -> Array:
    """ρ^p of rows (n, d) as a column, so that doubling a row multiplies it by 2^p exactly.

    The norm is split into a mantissa and a power of two: a plain power would round differently at
    another scale, and the scale theorem would hold to rounding only.
    """
    near, scale = scaled(jnp, z)
    mantissa, exponent = jnp.frexp(jnp.sqrt(dot(jnp, near, near)) * scale)
    shift = exponent.astype(z.dtype) * power
    whole = jnp.floor(shift)
    return jnp.ldexp(mantissa**power * jnp.exp2(shift - whole), whole.astype(jnp.int32))


def advance(system: System, state: State, found: Evaluation) -> State:
    """The state after one update, given the evaluation at it."""
    positions = state.positions
    dtype = positions[0].dtype
    moving = system.moving(len(positions))
    before = tuple(positions[k] for k in moving)
    gradients = tuple(found.gradients[k] for k in moving)
    rate = system.rate(state.step, dtype)
    if system.gradscale is not None:
        power = jnp.asarray(system.gradscale, dtype)
        gradients = tuple(g * norm_power(z, power) for g, z in zip(gradients, before, strict=True))
    decay = None if system.weight_decay is None else jnp.asarray(system.weight_decay, dtype)
    if decay is not None and system.coupled_decay:
        gradients = tuple(g + decay * z for g, z in zip(gradients, before, strict=True))
    transformation, memory = system.transformation(), state.optimizer
    if transformation is None:
        updates = gradients
    else:
        # optax raises floats to integer counts, which strict promotion forbids.
        with jax.numpy_dtype_promotion("standard"):
            updates, memory = transformation.update(gradients, memory, before)
        updates = tuple(u.astype(dtype) for u in jax.tree.leaves(updates))
    # An optax transformation with its own rate returns the step itself.
    sign = -rate if not system.own_rate else rate
    shrunk = before
    if decay is not None and not system.coupled_decay:
        shrunk = tuple((1 - rate * decay) * z for z in before)
    after = []
    for place, z, update in zip(moving, shrunk, updates, strict=True):
        moved = z + sign * update
        if system.norm is not None:
            moved = rescale(moved, norm_of(system, place, moved))
        after.append(moved)
    # To a fixed norm a row that only decays comes back at once.
    stay = shrunk if system.decay_all and system.norm is None else before
    after, memory = _keep(system, state, found, stay, tuple(after), memory)
    new = dict(zip(moving, after, strict=True))
    positions, memory = _spread.held(tuple(new.get(k, z) for k, z in enumerate(positions)), memory)
    options = _spread.whole(_options.advanced(system, state, found.slopes))
    return State(positions, memory, state.step + jnp.int32(1), state.key, options)


def _keep(
    system: System, state: State, found: Evaluation, stay: Clouds, after: Clouds, memory: Any
) -> tuple[Clouds, Any]:
    """Undo the update of rows that were not drawn: positions are as they stay, memory as it was."""
    moving = system.moving(len(state.positions))
    masks = tuple(found.updated[k] for k in moving)
    if all(mask is None for mask in masks):
        return after, memory
    masks = tuple(
        jnp.ones((len(z), 1), bool) if mask is None else mask[:, None]
        for mask, z in zip(masks, stay, strict=True)
    )
    after = tuple(
        jnp.where(mask, new, old) for mask, new, old in zip(masks, after, stay, strict=True)
    )
    transformation = system.transformation()
    if transformation is not None:
        lazy = isinstance(system.optimizer, Rule) and system.optimizer.lazy
        memory = kept(transformation, lazy, masks, memory, state.optimizer)
    return after, memory


@jax.jit
def _step(system: System, state: State) -> State:
    return advance(system, state, evaluate(system, state))


def step(system: System, state: State) -> State:
    """One update of all particles.

    Args:
        system: see :class:`System`.
        state: see :class:`State`.

    Returns:
        The state after it. Numbers of the system and state may change without compiling anew.
        Inside ``jax.jit`` nothing can be checked: a zero or non-finite row gives NaN, as the loss
        says.

    Raises:
        TypeError, ValueError: not a system and a state that fit each other; a zero or non-finite
            row, which is named.

    Example:
        >>> import numpy as np
        >>> from normtheory.particles import System, forces, init, step
        >>> z, y = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
        >>> system = System(forces.attraction(), 1.0)
        >>> step(system, init(system, z, y)).positions[0]  # the step for x = 1: parallel at once
        array([[1., 1.]])
    """
    check_door(system, state)
    with precision(state.dtype), _spread.on_devices_of(state):
        return handed_out(_step(system.cast(state.dtype), state))


def check_door(system: Any, state: Any) -> None:
    """Raise unless a system and a state come in, the state without a zero or non-finite row."""
    check_kind("system", system, System, "a System")
    check_kind("state", state, State, "a State from init")
    system.check()
    check_positions(state.positions)
    if state.trained.keys() != system.trained.keys():
        raise ValueError(
            f"state: expected the trained options {', '.join(system.trained) or 'none'}, got "
            f"{', '.join(state.trained) or 'none'}"
        )
