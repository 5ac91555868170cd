"""Losses of JAX arrays: ``jax.grad``, ``jax.jvp`` and ``jax.hessian`` take the closed form.

The value carries the closed-form gradient as its tangent (``jax.custom_jvp``), so everything that
JAX does to functions works on it, and the derivative of that gradient is JAX's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from normtheory import _spread
from normtheory._arrays import concrete
from normtheory._range import quiet
from normtheory._subnormals import lifted
from normtheory.losses._definition import Definition
from normtheory.losses._evaluate import Evaluated, evaluate
from normtheory.losses._namespace import Namespace, Softmax, Step

Array = jax.Array


@dataclass(frozen=True)
class JaxNamespace(Namespace):
    """jax.numpy, with a loop that is compiled once and spread over the devices of the arrays."""

    api: Any = jnp

    @property
    def fills(self) -> bool:
        """A scan wants blocks of one size."""
        return self.block is not None

    def product(self, x: Array, y: Array) -> Array:
        """Matrix product at the full precision of the dtype, on a GPU too."""
        return jnp.matmul(x, y, precision=jax.lax.Precision.HIGHEST)

    def indices(self, count: int, like: Array) -> Array:
        """0 … count - 1, in 32 bits."""
        return jnp.arange(count, dtype=jnp.int32)

    def sigmoid(self, x: Array) -> Array:
        """1/(1 + exp(-x))."""
        return jax.nn.sigmoid(x)

    def softplus(self, x: Array) -> Array:
        """log(1 + exp x)."""
        return jnp.logaddexp(x, 0)

    def filled(self, x: Array, value: float, *columns: Array) -> Array:
        """``x`` with a value in one column of every row."""
        number = jnp.arange(x.shape[-1], dtype=jnp.int32)[None, :]
        there = jnp.zeros(x.shape, bool)
        for column in columns:
            there |= column.astype(jnp.int32)[:, None] == number
        return jnp.where(there, jnp.asarray(value, x.dtype), x)

    def softmax(self, x: Array) -> Softmax:
        """The softmax of every row."""
        top = jax.lax.stop_gradient(jnp.max(x, axis=-1))
        powers = self.powers(x, top[:, None])
        total = jnp.sum(powers, axis=-1)
        return Softmax(top, total, powers, total[:, None])

    def over_rows(
        self,
        step: Step,
        rows: Sequence[Array],
        carried: Any,
        combine: Callable[[Any], Any] | None = None,
    ) -> tuple[Any, tuple[Array, ...]]:
        """Go through the rows by ``lax.scan``; on several devices each goes through its own.

        What ``step`` needs of all rows (the columns) is then gathered on every device once, n·d
        numbers. Rows that don't divide by the devices are gone through by each of them. The blocks
        are as equal as can be.
        """
        n, devices = rows[0].shape[0], _spread.device_count()
        if self.block is None:
            return step(carried, self.indices(n, rows[0]), *rows)
        if not devices or n % devices:
            return _over_some(step, rows, carried, self.block, 0, n)
        return _over_devices(step, rows, carried, self.block, combine, devices)

    def greatest_over(self, x: Array) -> Array:
        """The largest that devices hold, inside ``combine``."""
        return jax.lax.pmax(x, _spread.AXIS)

    def sum_over(self, x: Array) -> Array:
        """The sum of what devices hold, inside ``combine``."""
        return jax.lax.psum(x, _spread.AXIS)


def _over_devices(
    step: Step,
    rows: Sequence[Array],
    carried: Any,
    block: int,
    combine: Callable[[Any], Any] | None,
    devices: int,
) -> tuple[Any, tuple[Array, ...]]:
    n = rows[0].shape[0]
    leaves, structure = jax.tree.flatten(carried)
    scattered = [combine is None and x.ndim > 0 and not x.shape[-1] % devices for x in leaves]

    def own(*rows: Array) -> tuple[Any, tuple[Array, ...]]:
        first = jax.lax.axis_index(_spread.AXIS) * (n // devices)
        last, found = _over_some(step, rows, carried, block, first, n)
        if combine is not None:
            return combine(last), found
        added = map(_added, jax.tree.leaves(last), scattered)
        return jax.tree.unflatten(structure, added), found

    specs = [
        PartitionSpec(*[None] * (x.ndim - 1), _spread.AXIS) if parts else _spread.WHOLE
        for x, parts in zip(leaves, scattered, strict=True)
    ]
    # What is closed over comes whole to every device. The types of check_vma would want every
    # zero that a step starts from to be marked as differing between devices.
    return jax.shard_map(
        own,
        in_specs=_spread.ROWS,
        out_specs=(jax.tree.unflatten(structure, specs), _spread.ROWS),
        check_vma=False,
    )(*(jnp.asarray(x) for x in rows))


def _added(x: Array, scattered: bool) -> Array:
    """The sum over devices, of which each keeps its part of the last axis."""
    if not scattered:
        return jax.lax.psum(x, _spread.AXIS)
    return jax.lax.psum_scatter(x, _spread.AXIS, scatter_dimension=x.ndim - 1, tiled=True)


def _over_some(
    step: Step, rows: Sequence[Array], carried: Any, block: int, first: Any, n: int
) -> tuple[Any, tuple[Array, ...]]:
    """The loop on one device: its rows are those of ``n`` from number ``first`` on."""
    here = rows[0].shape[0]
    count = -(-here // block)
    size = -(-here // count)

    def split(x: Array) -> Array:
        filled = jnp.pad(x, [(0, count * size - here)] + [(0, 0)] * (x.ndim - 1))
        return filled.reshape(count, size, *x.shape[1:])

    index = jnp.arange(count * size, dtype=jnp.int32)
    numbers: Any = jnp.where(index < here, first + index, n)  # its stub allows for a tuple
    index = jnp.reshape(numbers, (count, size))
    carried, found = jax.lax.scan(
        lambda c, x: step(c, *x), carried, (index, *(split(x) for x in rows))
    )
    return carried, tuple(x.reshape(count * size, *x.shape[2:])[:here] for x in found)


# What is compiled depends on the loss, its truth values, the block and what is asked for.
Plan = tuple[Definition, tuple[tuple[str, bool], ...], int | None, frozenset[str]]


@partial(jax.jit, static_argnums=0)
def _evaluate(plan: Plan, clouds: tuple[Array, ...], options: dict[str, Array]) -> Evaluated:
    loss, flags, block, wanted = plan
    xp = JaxNamespace(block=block, wanted=wanted)
    return evaluate(loss, xp, clouds, {**options, **dict(flags)})


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _value(plan: Plan, clouds: tuple[Array, ...], options: dict[str, Array]) -> Array:
    loss, flags, block, _ = plan
    return _evaluate((loss, flags, block, frozenset()), clouds, options).value


@_value.defjvp
def _value_jvp(plan: Plan, primals: Any, tangents: Any) -> tuple[Array, Array]:
    loss, _, _, wanted = plan
    found = _evaluate(plan, *primals)
    cloud_tangents, option_tangents = tangents
    trained = [t for c, t in zip(loss.clouds, cloud_tangents, strict=True) if c.name in wanted]
    change = sum(jnp.sum(g * t) for g, t in zip(found.clouds, trained, strict=True))
    names = [option.name for option in loss.options if option.name in wanted]
    for name, derivative in zip(names, found.options, strict=True):
        change = change + derivative * option_tangents[name]
    return found.value, jnp.asarray(change, found.value.dtype)


def _prepared(
    clouds: tuple[Any, ...], options: Mapping[str, Any]
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """Clouds and real options in the dtype of the computation: float32 for half precision."""
    dtype = jnp.float64 if clouds[0].dtype == jnp.float64 else jnp.float32

    def one(x: Any) -> Array:
        x = jnp.asarray(x, dtype) if isinstance(x, float | int) else jnp.asarray(x)
        return x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

    return tuple(z.astype(dtype) for z in clouds), {name: one(x) for name, x in options.items()}


def _lifted(clouds: tuple[Array, ...]) -> tuple[tuple[Array, ...], list[Any]]:
    """Clouds whose directions JAX can compute, and what to multiply them by to have them back.

    Inside ``jit``, as in the simulator, nobody looks: subnormal entries are zeros there.
    """
    found = [lifted(z) if _has_subnormals(z) else (z, 1.0) for z in clouds]
    return tuple(z for z, _ in found), [factor for _, factor in found]


def _has_subnormals(z: Array) -> bool:
    values = concrete(jax.lax.stop_gradient(z))
    if values is None:
        return False
    return bool(((values != 0) & (np.abs(values) < np.finfo(values.dtype).tiny)).any())


@quiet
def value(
    loss: Definition,
    clouds: tuple[Array, ...],
    options: Mapping[str, Any],
    flags: Mapping[str, bool],
    block: int | None,
) -> Array:
    """The loss, as a function that JAX differentiates by the closed form."""
    wide, numbers = _prepared(clouds, options)
    wide, _ = _lifted(wide)  # the value is one of directions
    with _spread.on_devices_of(clouds):
        return _value((loss, tuple(flags.items()), block, loss.derivatives), wide, numbers)


@quiet
def differentiate(
    loss: Definition,
    clouds: tuple[Array, ...],
    options: Mapping[str, Any],
    flags: Mapping[str, bool],
    block: int | None,
    wanted: frozenset[str],
) -> Evaluated:
    """Value and derivatives; gradients come back in the dtype of the clouds."""
    wide, numbers = _prepared(clouds, options)
    wide, factors = _lifted(wide)
    with _spread.on_devices_of(clouds):
        found = _evaluate((loss, tuple(flags.items()), block, wanted), wide, numbers)
    back = [f for cloud, f in zip(loss.clouds, factors, strict=True) if cloud.name in wanted]
    return found._replace(
        clouds=tuple(
            (g if isinstance(f, float) else g / f).astype(clouds[0].dtype)
            for g, f in zip(found.clouds, back, strict=True)
        )
    )
