"""The loop behind streamed losses: similarities a block of rows at a time, never n × n.

Two facts about XLA on a CPU decided its shape (measured on two cores with AVX-512, float32). While
a block of logits stays in the cache all products run at the speed of the fastest of them; the dense
n × n ones wait for memory. And Wᵀ U is added up as Uᵀ W, shape (d, n): with the short side first
the same product takes half of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from normtheory import _spread

Array = jax.Array

_CPU_BYTES = 128 * 2**20
_CPU_ROWS = (64, 256)
_ACCELERATOR_BYTES = 2**30
_ACCELERATOR_ROWS = (256, 8192)


def default_block(columns: int, dtype: Any) -> int:
    """Rows in a block: as many as fit a budget for their logits, within bounds.

    On a CPU 256 rows while their logits fit 128 MiB, and never less than 64: with fewer the
    products are too thin to run at speed, with more nothing is gained (measured for n = 4096 to
    32,768). On an accelerator 1 GiB and 256 to 8192 rows (a choice, not yet measured). The
    dimension does not enter: next to the logits a block of embeddings is small.

    Args:
        columns: logits in a row.
        dtype: of the embeddings.

    Returns:
        Rows in a block.
    """
    on_cpu = jax.default_backend() == "cpu"
    budget = _CPU_BYTES if on_cpu else _ACCELERATOR_BYTES
    least, most = _CPU_ROWS if on_cpu else _ACCELERATOR_ROWS
    return int(np.clip(budget // (columns * np.dtype(dtype).itemsize), least, most))


def over_rows(
    step: Callable[..., tuple[Any, tuple[Array, ...]]],
    rows: Sequence[Array],
    carried: Any,
    block: int,
    combine: Callable[[Any], Any] | None = None,
) -> tuple[Any, tuple[Array, ...]]:
    """Go through arrays of n rows a block at a time; on several devices each its own rows.

    What ``step`` needs of all rows (the columns) is then gathered on every device once, n·d
    numbers. Rows that don't divide by the devices are gone through by each of them.

    The blocks are as equal as can be, and the last is filled up with zero rows, fewer than there
    are blocks.

    Args:
        step: ``step(carried, index, *blocks)`` gives the new ``carried`` and arrays with a row for
            every row of the block; ``index`` are the numbers of the rows, n where they are
            filling.
        rows: arrays of shape (n, ...).
        carried: what goes from block to block.
        block: most rows in a block.
        combine: makes one ``carried`` of those of the devices, by collectives over
            ``_spread.AXIS``; None to add them up, for what starts at zero.

    Returns:
        The last ``carried``, and the arrays of all rows, shape (n, ...).
    """
    n, devices = rows[0].shape[0], _spread.device_count()
    if not devices or n % devices:
        return _over_some(step, rows, carried, block, 0, n)
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
    step: Callable[..., tuple[Any, tuple[Array, ...]]],
    rows: Sequence[Array],
    carried: Any,
    block: int,
    first: Any,
    n: int,
) -> tuple[Any, tuple[Array, ...]]:
    """:func:`over_rows` of one device: its rows are those of ``n`` from number ``first`` on."""
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


def is_column(index: Array, columns: int) -> Array:
    """Booleans (rows, columns): True where the column has the number of the row."""
    return index[:, None] == jnp.arange(columns, dtype=index.dtype)[None, :]
