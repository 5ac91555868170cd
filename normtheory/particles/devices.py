"""Several devices: the rows of the clouds are split over them, and nothing else changes.

``run(system, shard(init(system, z, y)), ...)`` computes on all devices that JAX sees, in one
process or in several, what ``run`` computes on one, to rounding: draws follow from the key and the
step, not from where a row lies. XLA puts in the communication: a force on pairs needs none but for
the loss, a contrastive force one gathering of the n·d directions; no device ever holds n²
similarities.

The rule. A mesh has one axis. A cloud is split by rows, evenly, in the order of the devices, and so
is what the optimizer remembers of it. The first cloud must divide; a shorter one that doesn't
divide (class centres, say) stays whole on every device. A sharded state stays sharded: its leaves
are JAX arrays, in float64 too.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding

from normtheory import _spread
from normtheory._arrays import check_kind
from normtheory.particles._given import several
from normtheory.particles._processes import Share
from normtheory.particles._state import State, precision

__all__ = ["gathered", "mesh", "rows", "shard"]


def mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh with one axis.

    Args:
        devices: which of ``jax.devices()``; None for all, those of other processes included.

    Raises:
        TypeError: something else than devices.
        ValueError: no devices.

    Example:
        >>> import jax
        >>> mesh(jax.devices()[:1]).size
        1
    """
    devices = (
        jax.devices()
        if devices is None
        else several("devices", devices, jax.Device, "devices of jax.devices()")
    )
    if not devices:
        raise ValueError("devices: expected at least one")
    return jax.make_mesh(
        (len(devices),), (_spread.AXIS,), axis_types=(AxisType.Auto,), devices=devices
    )


def rows(over: Mesh | None = None) -> NamedSharding:
    """How the rows of an array lie on a mesh, for clouds that no single device or host can hold.

    ``jax.make_array_from_callback((n, d), rows(), part)`` asks ``part`` for the rows of each device
    alone; :func:`normtheory.particles.init` takes such arrays.

    Args:
        over: with one axis or more, whose devices count in order; None for all devices.
    """
    return NamedSharding(_flat(over), _spread.ROWS)


def _flat(given: Mesh | None) -> Mesh:
    """A mesh with the one axis that we know, over the same devices."""
    if given is None:
        return mesh()
    check_kind("mesh", given, Mesh, "a jax.sharding.Mesh")
    return Mesh(given.devices.reshape(-1), (_spread.AXIS,), axis_types=(AxisType.Auto,))


def shard(state: State, mesh: Mesh | None = None) -> State:
    """Split a state by rows over the devices of a mesh; ``run`` and ``step`` then keep it there.

    Args:
        state: from :func:`normtheory.particles.init`, a run or a checkpoint, on one device, in
            numpy or sharded. Several processes must all come with the same one.
        mesh: whose devices, in order; None for all.

    Returns:
        The same state in shards.

    Raises:
        TypeError: not a state or a mesh.
        ValueError: a cloud, not shorter than the first, whose rows don't divide; processes that
            come with different states.

    Example:
        >>> import numpy as np
        >>> from normtheory.particles import System, forces, init, run
        >>> z, y = np.random.default_rng(0).standard_normal((2, 48, 8))
        >>> system = System(forces.attraction(), 5.0)
        >>> done = run(system, shard(init(system, z, y)), 10)
        >>> gathered(done.state).positions[0].shape
        (48, 8)
    """
    check_kind("state", state, State, "a State from init")
    to = _flat(mesh)
    lengths = [len(z) for z in state.positions]
    for k, n in enumerate(lengths):
        if n >= lengths[0] and n % to.size:
            raise ValueError(
                f"clouds[{k}]: expected rows that divide by the {to.size} devices, got {n}; "
                f"leave out {n % to.size} of them or add {-n % to.size}"
            )
    clouds, memory = _spread.layout(state.positions, state.optimizer, to.size)
    options = jax.tree.map(lambda _: _spread.WHOLE, state.trained)
    specs = State(clouds, memory, _spread.WHOLE, _spread.WHOLE, options)
    _check_same(state, to)
    with precision(state.dtype):
        return jax.tree.map(lambda x, spec: _placed(x, NamedSharding(to, spec)), state, specs)


def _placed(x: Any, where: NamedSharding) -> jax.Array:
    if isinstance(x, jax.Array):
        if x.sharding == where:
            return x
        if not x.is_fully_addressable:
            return jax.jit(lambda x: x, out_shardings=where)(x)
        if where.is_fully_addressable:
            return jax.device_put(x, where)
    # Each process cuts its own rows out of what all of them hold.
    values = np.asarray(x)
    return jax.make_array_from_callback(values.shape, where, lambda index: values[index])


def _check_same(state: State, mesh: Mesh) -> None:
    """Raise unless all processes of a mesh come with the same state.

    Processes that drew their clouds with seeds of their own are the usual mistake, and would run.
    """
    owners = {device.process_index for device in mesh.devices.flat}
    if len(owners) == 1:
        return
    share = Share(jax.process_index(), len(owners))
    share.check_same(digest(state), "state", "draw its clouds with one seed")


def digest(state: State) -> int:
    """32 bits that tell states apart by what lies in this process."""
    total = 0
    for x in jax.tree.leaves(state):
        if getattr(x, "is_fully_addressable", True):
            total = zlib.crc32(np.asarray(x).tobytes(), total)
    return total


def gathered(state: State) -> State:
    """A sharded state with all its rows, as numpy arrays, on every process.

    Nothing else gathers: what a sharded run hands out stays in shards, and
    ``z.addressable_shards`` are those that this process has. Several processes call it together.

    Args:
        state: sharded or not.

    Returns:
        The same state in numpy.

    Raises:
        TypeError: not a state.
    """
    check_kind("state", state, State, "a State from init")

    def one(x: Any) -> np.ndarray:
        if not getattr(x, "is_fully_addressable", True) and not x.is_fully_replicated:
            from jax.experimental import multihost_utils

            return np.asarray(multihost_utils.process_allgather(x, tiled=True))
        return np.asarray(x)

    with precision(state.dtype):
        return jax.tree.map(one, state)
