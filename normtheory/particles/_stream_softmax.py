"""Softmaxes over n columns, by rows in one pass, or by rows and columns in two.

A block of rows holds its whole softmax, so a one-sided loss needs three matrix products and forms
nothing twice: S = U Vᵀ, W V and Wᵀ U. Where the columns are normalised too, their sums must be
known before the first W: one more pass, with one more product.

Every exponential is taken relative to the largest of its row or column, and what is compared with
the positive stays a logarithm, so that no temperature overflows and a solved batch keeps the digits
of its tiny loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from normtheory._spread import AXIS
from normtheory.particles._stream_blocks import is_column, over_rows

Array = jax.Array
Weigh = Callable[[Array], Array]
"""log Σ exp of the negatives over the positive -> minus ∂loss/∂(logit of the positive)."""
Product = Callable[[Array, Array], Array]


class Rows(NamedTuple):
    """What one pass leaves of the softmax of every row.

    Attributes:
        total: log Σ_b exp(logit b - positive) over the negatives, shape (n,).
        mean: Σ_b p_ab v̂_b over the softmax of the negatives, shape (n, d).
        columns: Σ_a w_a p_ab û_a, w the weights of the rows, shape (m, d); no rows if
            not asked for.
    """

    total: Array
    mean: Array
    columns: Array


def rowwise(
    u: Array,
    v: Array,
    positive: Array,
    excluded: Callable[[Array], Array] | None,
    weigh: Weigh | None,
    *,
    scale: Array,
    product: Product,
    block: int,
) -> Rows:
    """Softmax of every row of scale · U Vᵀ over its negatives, a block of rows at a time.

    Args:
        u: directions of the rows, shape (n, d).
        v: directions of the columns, shape (m, d).
        positive: logits of the positives, shape (n,).
        excluded: gives, for the numbers of some rows, booleans (rows, m): True where a column is
            no negative of the row; None if all are.
        weigh: weight of a row among the columns, from its total; None to leave the columns out.
        scale: the inverse of the temperature.
        product: matrix product.
        block: most rows in a block.
    """

    def step(carried: Any, index: Array, u: Array, positive: Array) -> tuple[Any, Any]:
        logits = product(scale * u, v.T)
        if excluded is not None:
            logits = jnp.where(excluded(index), -jnp.inf, logits)
        top = jnp.max(logits, axis=-1, keepdims=True)
        powers = jnp.exp(logits - top)
        sum_of_powers = jnp.sum(powers, axis=-1, keepdims=True)
        total = top[:, 0] - positive + jnp.log(sum_of_powers)[:, 0]
        if weigh is not None:
            # Rows that fill the last block are zero and add nothing.
            share = u * (weigh(total)[:, None] / sum_of_powers)
            carried = carried + product(share.T, powers)
        return carried, (total, product(powers, v) / sum_of_powers)

    start = None if weigh is None else jnp.zeros_like(v.T)
    columns, (total, mean) = over_rows(step, (u, positive), start, block)
    return Rows(total, mean, u[:0] if columns is None else columns.T)


def _together(carried: tuple[Array, Array]) -> tuple[Array, Array]:
    """Largest logit and sum of powers of a column, from those on every device."""
    top, total = carried
    largest = jax.lax.pmax(top, AXIS)
    return largest, jax.lax.psum(total * jnp.exp(top - largest), AXIS)


class Sides(NamedTuple):
    """What two passes leave of the softmaxes of rows and columns of a square matrix.

    Attributes:
        row_total, column_total: as ``Rows.total``, shape (n,).
        rows: Σ_b w_ab v̂_b with w = weigh(row a) p_ab + weigh(column b) q_ab, shape (n, d).
        columns: Σ_a w_ab û_a, shape (n, d).
    """

    row_total: Array
    column_total: Array
    rows: Array
    columns: Array


def both_ways(
    u: Array,
    v: Array,
    positive: Array,
    weigh: Weigh,
    *,
    scale: Array,
    product: Product,
    block: int,
) -> Sides:
    """Softmaxes of all rows and all columns of scale · U Vᵀ, without the diagonal.

    Args:
        u: directions of the rows, shape (n, d).
        v: directions of the columns, shape (n, d); the a-th is the positive of the a-th row.
        positive: logits of the positives, shape (n,).
        weigh: weight of a row or a column, from its total.
        scale: the inverse of the temperature.
        product: matrix product.
        block: most rows in a block.
    """
    n = u.shape[0]

    def negatives(index: Array, u: Array) -> Array:
        out = is_column(index, n) | (index >= n)[:, None]
        return jnp.where(out, -jnp.inf, product(scale * u, v.T))

    def sums(carried: Any, index: Array, u: Array) -> tuple[Any, Any]:
        top, total = carried
        logits = negatives(index, u)
        new = jnp.maximum(top, jnp.max(logits, axis=0))
        total = total * jnp.exp(top - new) + jnp.sum(jnp.exp(logits - new[None, :]), axis=0)
        largest = jnp.max(logits, axis=-1, keepdims=True)
        return (new, total), (largest[:, 0], jnp.sum(jnp.exp(logits - largest), axis=-1))

    # The lowest float, not minus infinity: a column whose first block is only its diagonal would
    # subtract infinity from infinity.
    lowest = jnp.full(n, jnp.finfo(u.dtype).min, u.dtype)
    start = (lowest, jnp.zeros_like(lowest))
    (column_top, column_sum), (row_top, row_sum) = over_rows(sums, (u,), start, block, _together)
    # Largest logit and sum stay apart: their logarithm together would be rounded at 1/τ.
    row_total = row_top - positive + jnp.log(row_sum)
    column_total = column_top - positive + jnp.log(column_sum)
    row_weight, column_weight = weigh(row_total) / row_sum, weigh(column_total) / column_sum

    def step(carried: Array, index: Array, u: Array, top: Array, weight: Array) -> Any:
        logits = negatives(index, u)
        by_row = jnp.exp(logits - top[:, None]) * weight[:, None]
        weights = by_row + jnp.exp(logits - column_top[None, :]) * column_weight[None, :]
        return carried + product(u.T, weights), (product(weights, v),)

    columns, (rows,) = over_rows(step, (u, row_top, row_weight), jnp.zeros_like(v.T), block)
    return Sides(row_total, column_total, rows, columns.T)
