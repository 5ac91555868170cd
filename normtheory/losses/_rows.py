"""Any loss of all pairs that is a sum over rows: its derivative a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from normtheory._types import Array, Embeddings, OtherEmbeddings
from normtheory.losses._namespace import Namespace


class Rows(NamedTuple):
    """What a loss says of a block of b rows.

    Attributes:
        loss: the term of every row, shape (b,).
        weights: its derivative with respect to the logits of the row, shape (b, m).
        others: more numbers of every row, each (b,), which are handed back.
    """

    loss: Array
    weights: Array
    others: tuple[Array, ...] = ()


class Found(NamedTuple):
    """What all rows gave.

    Attributes:
        loss: the terms, shape (n,).
        rows: W V, the derivative of their sum with respect to scale · û, shape (n, d).
        columns: Wᵀ U, that with respect to scale · v̂, shape (m, d).
        others: the other numbers, each (n,).
    """

    loss: Array
    rows: Array
    columns: Array
    others: tuple[Array, ...]


def by_rows(
    xp: Namespace,
    of_block: Callable[..., Rows],
    u: Embeddings,
    v: OtherEmbeddings,
    *others: Array,
    scale: Array | float = 1.0,
    slopes: Sequence[bool] = (True, True),
) -> Found:
    """Sum of a loss over rows of logits scale · U Vᵀ, of which a block at a time is formed.

    Args:
        xp: the library.
        of_block: ``of_block(logits, index, *others)`` gives :class:`Rows`, for logits (b, m), the
            numbers (b,) of the rows and their parts of ``others``. It may overwrite the logits.
        u: directions of the rows.
        v: directions of the columns.
        *others: more arrays with a row for every row of u.
        scale: what the similarities are multiplied by.
        slopes: whether ``rows`` and ``columns`` are needed; zeros otherwise.
    """
    n = u.shape[0]

    def step(carried: Array, index: Array, u: Array, *others: Array) -> tuple[Any, Any]:
        loss, weights, more = of_block(xp.product(scale * u, v.T), index, *others)
        if slopes[1]:
            # Rows that fill the last block count for nothing, whatever a loss makes of zeros.
            own = xp.where(index[:, None] < n, weights, 0.0) if xp.fills else weights
            carried = xp.added(carried, u.T, own)
        rows = xp.product(weights, v) if slopes[0] else xp.zeros_like(u)
        return carried, (loss, rows, *more)

    columns, (loss, rows, *more) = xp.over_rows(step, (u, *others), xp.zeros_like(v.T))
    return Found(loss, rows, columns.T, tuple(more))
