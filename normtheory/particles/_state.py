"""The state of a simulation, and what every use of one needs: precision, norms, checks."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from normtheory import _spread
from normtheory._arrays import check_rows, dtype_name, require_array
from normtheory._range import transfers
from normtheory._types import Array, Clouds, Count, Embeddings, Key
from normtheory.particles._system import System
from normtheory.particles._tree import tree
from normtheory.particles.trained import Parameter
from normtheory.sphere import dot, scaled


@tree
class State:
    """All that a run goes on from: the same state and system give the same bits ever after.

    A frozen JAX tree of plain arrays. Those in float64 are numpy, so that no later operation turns
    them into float32, unless they are sharded (:mod:`normtheory.particles.devices`).

    Attributes:
        positions: the clouds, each (n, d).
        optimizer: what the optimizer remembers.
        step: updates done so far, int32.
        key: the random key, as uint32 (2,); it does not change. Draws follow from it and the step.
        trained: options of the loss that are trained, by name.
    """

    positions: Clouds
    optimizer: Any
    step: Count
    key: Key
    trained: dict[str, Parameter] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        """Sizes, not the numbers of every embedding."""
        shapes = ", ".join(str(tuple(z.shape)) for z in self.positions)
        return f"State(step {self.step}, clouds {shapes}, {self.dtype})"

    @property
    def dtype(self) -> Any:
        """Of the positions."""
        return np.dtype(self.positions[0].dtype)


@contextlib.contextmanager
def precision(dtype: Any) -> Iterator[None]:
    """JAX with 64-bit arrays where ``dtype`` asks for it; the user's own setting else."""
    wide = jax.enable_x64(True) if np.dtype(dtype) == np.float64 else contextlib.nullcontext()
    with wide, transfers():
        yield


def handed_out(x: Any) -> Any:
    """float64 leaves as numpy, unless traced or sharded; the others as they are."""

    def one(leaf: Any) -> Any:
        if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer):
            if _spread.mesh_of(leaf) is not None:
                return leaf
            return np.asarray(leaf) if leaf.dtype in (jnp.float64, jnp.int64) else leaf
        return leaf

    return jax.tree.map(one, x)


def rescale(z: Embeddings, norm: Array) -> Embeddings:
    """Rows of z with another norm, by way of a power of two so that none over- or underflows."""
    near, _ = scaled(jnp, z)
    return near / jnp.sqrt(dot(jnp, near, near)) * norm


def norm_of(system: System, place: int, z: Embeddings) -> Array:
    """The fixed norm of a cloud as a column that broadcasts against it."""
    norm = system.norm[place] if isinstance(system.norm, tuple) else system.norm
    norm = jnp.asarray(norm, z.dtype)
    return jnp.broadcast_to(norm[:, None] if norm.ndim == 1 else norm.reshape(1, 1), (len(z), 1))


def check_positions(clouds: tuple[Any, ...]) -> None:
    """Raise unless clouds are arrays (n, d) of one float dtype and one d without a zero row.

    Raises:
        TypeError, ValueError: which cloud and row it is, is said.
    """
    if not clouds:
        raise ValueError("clouds: expected at least one")
    for k, z in enumerate(clouds):
        name = f"clouds[{k}]"
        require_array(name, z, "a numpy or JAX array", ("numpy", "JAX"))
        if z.dtype not in (np.float32, np.float64):
            raise TypeError(
                f"{name}: expected float32 or float64, got {dtype_name(z)}; cast it first"
            )
        if z.ndim != 2 or 0 in z.shape:
            raise ValueError(f"{name}: expected shape (n, d), got shape {tuple(z.shape)}")
        _check_rows(name, z)
        if z.dtype != clouds[0].dtype:
            raise TypeError(f"clouds[0] is {clouds[0].dtype} and {name} is {z.dtype}")
        if z.shape[1] != clouds[0].shape[1]:
            raise ValueError(
                f"clouds[0] has shape {clouds[0].shape} and {name} has shape {z.shape}: "
                "expected the same d"
            )


def _check_rows(name: str, z: Any) -> None:
    """Raise ValueError naming the first row that is not finite or zero, wherever it lies."""
    if _spread.is_elsewhere(z):
        raise ValueError(
            f"{name}: lies on several devices in its own way: normtheory.particles.devices.shard "
            "splits a state, and devices.rows says how a cloud is split"
        )
    if _spread.mesh_of(z) is None:
        return check_rows(name, z)
    with precision(z.dtype):
        infinite, zero = _spread.first_rows(z)
    if infinite is not None:
        raise ValueError(f"{name} row {infinite} is not finite")
    if zero is not None:
        raise ValueError(f"{name} row {zero} is zero: a zero vector has no direction")
    return None
