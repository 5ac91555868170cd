"""Many runs in one program: vectorised, and spread over the devices there are.

Every device takes equally many runs. Where they don't come out even, all devices hold everything
and the last one also repeats some runs of the one before it. Until a program ends, devices exchange
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

_AXIS = "runs"


class _Plan(NamedTuple):
    """Who computes what.

    Attributes:
        mesh: the devices that are needed.
        each: runs of a device.
        repeated: runs that two devices compute.
        rows: how arrays of all runs lie on the devices.
    """

    mesh: Mesh
    each: int
    repeated: int
    rows: P


def _plan(runs: Any) -> _Plan:
    many = len(jax.tree.leaves(runs)[0])
    each = math.ceil(many / jax.local_device_count())
    count = math.ceil(many / each)
    devices = jax.local_devices()[:count]
    mesh = jax.make_mesh((count,), (_AXIS,), axis_types=(AxisType.Auto,), devices=devices)
    repeated = each * count - many
    return _Plan(mesh, each, repeated, P() if repeated else P(_AXIS))


def over_runs(function: Callable[[Any, Any], Any], runs: Any, data: Any, shared: Any) -> Any:
    """Apply a function of one run, and of what it sees, to all runs.

    Args:
        function: of one run and its data, arrays alone.
        runs: a tree of arrays with a leading axis of runs.
        data: a tree of arrays, which have that axis too unless shared.
        shared: whether all runs see the same data; for each part, where data is a tuple.

    Returns:
        What the function returns, along a leading axis of runs.
    """
    plan = _plan(runs)
    all_at_once = jax.vmap(function, in_axes=(0, _where(shared, None, 0)))
    if plan.mesh.size == 1:
        return all_at_once(runs, data)

    def own(same: bool, tree: Any) -> Any:
        if same or not plan.repeated:
            return tree
        first = plan.each * jax.lax.axis_index(_AXIS)
        # At the end the slice is moved back to where it still fits.
        return jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, first, plan.each), tree)

    def whole(part: jax.Array) -> jax.Array:
        if not plan.repeated:
            return part
        if jnp.issubdtype(part.dtype, jax.dtypes.prng_key):  # of keys JAX gathers the words alone
            words = whole(jax.random.key_data(part))
            return jax.random.wrap_key_data(words, impl=jax.random.key_impl(part))
        parts = jax.lax.all_gather(part, _AXIS)
        return jnp.concatenate([*parts[:-1], parts[-1, plan.repeated :]])

    def on_one_device(runs: Any, data: Any) -> Any:
        found = all_at_once(own(False, runs), jax.tree.map(own, shared, data))
        return jax.tree.map(whole, found)

    return jax.shard_map(
        on_one_device,
        mesh=plan.mesh,
        in_specs=(plan.rows, _where(shared, P(), plan.rows)),
        out_specs=plan.rows,
        check_vma=False,
    )(runs, data)


def place(runs: Any, data: Any, shared: Any) -> tuple[Any, Any]:
    """Lay runs and data where :func:`over_runs` wants them, once and not in every call.

    Args:
        runs: as there.
        data: as there.
        shared: as there.
    """
    plan = _plan(runs)
    if plan.mesh.size == 1:
        return runs, data
    rows = NamedSharding(plan.mesh, plan.rows)
    return jax.device_put((runs, data), (rows, _where(shared, NamedSharding(plan.mesh, P()), rows)))


def _where(shared: Any, same: Any, different: Any) -> Any:
    return jax.tree.map(lambda yes: same if yes else different, shared)
