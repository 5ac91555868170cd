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

Array = jax.Array

_CPU_BYTES = 4 * 2**20
_CPU_ROWS = (64, 512)
_ACCELERATOR_BYTES = 2**30
_ACCELERATOR_ROWS = (256, 8192)


def default_block(columns: int, dtype: Any) -> int:
    """Rows in a block: as many as fit a budget for their logits, within bounds.

    On a CPU 4 MiB, which the outer cache holds together with their exponentials, and 64 to 512
    rows: below, the products are too thin to run at speed; above, nothing is gained. On an
    accelerator 1 GiB and 256 to 8192 rows (a choice, not yet measured). The dimension does not
    enter: the budget is of the logits, next to which a block of embeddings is small.

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
) -> tuple[Any, tuple[Array, ...]]:
    """Go through arrays of n rows a block at a time.

    The blocks are as equal as can be, and the last is filled up with zero rows, fewer than there
    are blocks.

    Args:
        step: ``step(carried, index, *blocks)`` gives the new ``carried`` and arrays with a row for
            every row of the block; ``index`` are the numbers of the rows, n and above where they
            are filling.
        rows: arrays of shape (n, ...).
        carried: what goes from block to block.
        block: most rows in a block.

    Returns:
        The last ``carried``, and the arrays of all rows, shape (n, ...).
    """
    n = rows[0].shape[0]
    count = -(-n // block)
    size = -(-n // count)

    def split(x: Array) -> Array:
        filled = jnp.pad(x, [(0, count * size - n)] + [(0, 0)] * (x.ndim - 1))
        return filled.reshape(count, size, *x.shape[1:])

    index = jnp.arange(count * size, dtype=jnp.int32).reshape(count, size)
    carried, found = jax.lax.scan(
        lambda c, x: step(c, *x), carried, (index, *(split(x) for x in rows))
    )
    return carried, tuple(x.reshape(count * size, *x.shape[2:])[:n] for x in found)


def is_column(index: Array, columns: int) -> Array:
    """Booleans (rows, columns): True where the column has the number of the row."""
    return index[:, None] == jnp.arange(columns, dtype=index.dtype)[None, :]
