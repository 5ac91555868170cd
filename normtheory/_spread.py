"""How a state lies on several devices, said to the compiler inside what it compiles.

The rows of a cloud are split over a mesh with one axis; XLA puts in the communication. Which mesh
that is, compiled code learns from JAX's mesh context, entered by :func:`on_devices_of` at the
public doors, so that a program compiled for one device and one for eight are told apart. Outside
such a context everything here leaves its arguments as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from normtheory._types import Array, Clouds

AXIS = "rows"
"""Name of the mesh axis; a mesh with another one is somebody else's, and is left alone."""

ROWS, WHOLE = PartitionSpec(AXIS), PartitionSpec()


def mesh_of(x: Any) -> Mesh | None:
    """The mesh over which arrays of a tree are spread; None where there is none."""
    for leaf in jax.tree.leaves(x):
        if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer):
            where = leaf.sharding
            if isinstance(where, NamedSharding) and _is_ours(where.mesh):
                return cast(Mesh, where.mesh)  # an array that is there has real devices
    return None


def _is_ours(mesh: Any) -> bool:
    # Not of explicit axes: their arrays want a sharding for every product and reshape.
    return mesh.axis_names == (AXIS,) and mesh.axis_types == (AxisType.Auto,)


def is_elsewhere(x: Any) -> bool:
    """Whether an array lies on several devices in a way that is not ours."""
    there = isinstance(x, jax.Array) and not isinstance(x, Tracer)
    return there and len(x.sharding.device_set) > 1 and mesh_of(x) is None


@contextlib.contextmanager
def on_devices_of(x: Any) -> Iterator[Mesh | None]:
    """Compile for the mesh of a tree of arrays, if it is spread over one."""
    mesh = mesh_of(x)
    with contextlib.nullcontext() if mesh is None else jax.set_mesh(mesh):
        yield mesh


def device_count() -> int:
    """Devices of the mesh that is being compiled for; 0 without one."""
    mesh = jax.sharding.get_abstract_mesh()
    return mesh.size if _is_ours(mesh) else 0


def by_rows(x: Array) -> Array:
    """An array (n, ...) split by rows, if they divide; on every device otherwise."""
    count = device_count()
    if not count:
        return x
    spec = WHOLE if x.shape[0] % count else ROWS
    return jax.lax.with_sharding_constraint(x, spec)


def whole(x: Any) -> Any:
    """A tree of arrays, all of them on every device."""
    return jax.lax.with_sharding_constraint(x, WHOLE) if device_count() else x


def layout(positions: Clouds, memory: Any, count: int) -> tuple[tuple[Any, ...], Any]:
    """How clouds and what the optimizer remembers of them lie on ``count`` devices.

    Returns:
        Partition specs, a tree as ``(positions, memory)``: by rows where they divide, and memory
        with one entry for every row of such a cloud likewise; whole otherwise.
    """
    clouds = tuple(WHOLE if len(z) % count else ROWS for z in positions)
    rows = {len(z) for z, spec in zip(positions, clouds, strict=True) if spec == ROWS}

    def one(leaf: Any) -> PartitionSpec:
        shape = np.shape(leaf)
        return ROWS if shape and shape[0] in rows else WHOLE

    return clouds, jax.tree.map(one, memory)


def held(positions: Clouds, memory: Any) -> tuple[Clouds, Any]:
    """Clouds and the memory of the optimizer, kept where :func:`layout` says."""
    count = device_count()
    if not count:
        return positions, memory
    return jax.lax.with_sharding_constraint((positions, memory), layout(positions, memory, count))


@jax.jit
def _first_rows(z: Array) -> tuple[Array, Array]:
    """Numbers of the first row that is not finite and of the first that is zero; n for none."""
    n = z.shape[0]
    index = jnp.arange(n, dtype=jnp.int32)

    def first(bad: Array) -> Array:
        rows: Any = jnp.where(bad, index, n)
        return jnp.min(rows)

    return first(~jnp.isfinite(z).all(axis=-1)), first(~jnp.any(z != 0, axis=-1))


def first_rows(z: Array) -> tuple[int | None, int | None]:
    """The first row that is not finite and the first that is zero, looked for where they are."""
    n = z.shape[0]
    infinite, zero = (int(row) for row in _first_rows(z))
    return infinite if infinite < n else None, zero if zero < n else None


def agreed(number: float, x: Array) -> float:
    """The number of the first process, where ``x`` is spread over several; as it is otherwise.

    What processes measure for themselves, such as seconds, must not decide what they compute: they
    would wait for each other for ever.
    """
    if getattr(x, "is_fully_addressable", True):
        return number
    from jax.experimental import multihost_utils

    return float(multihost_utils.broadcast_one_to_all(np.float32(number)))
