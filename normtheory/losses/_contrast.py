"""Softmaxes over n columns, by rows in one pass, or by rows and columns in two.

A block of rows holds its whole softmax, so a one-sided loss needs three matrix products and forms
nothing twice: S = U Vᵀ, W V and Wᵀ U. Where the columns are normalised too, their sums must be
known before the first W: one more pass, with one more product.

Every exponential is taken relative to the largest of its row or column, and what is compared with
the positive stays a logarithm: with x_b = (negative logit b) - (positive logit) a row's loss is
log(1 + Σ exp x_b). So no temperature overflows and a solved batch keeps the digits of its loss:
the probability of the positive is never subtracted from 1. Wᵀ U is added up as Uᵀ W, shape (d, n):
with the short side first the same product takes half of the time on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from normtheory._types import Array, Embeddings, OtherEmbeddings, PerRow
from normtheory.losses._namespace import Namespace
from normtheory.losses._slope import Slope

Weigh = Callable[[Array], Array]
"""log Σ exp of the negatives over the positive -> minus ∂loss/∂(logit of the positive)."""

Side = Callable[[Namespace], tuple[Weigh, Weigh]]
"""The loss of a row from its total, and its derivative."""


class OneWay(NamedTuple):
    """What one pass leaves of the softmax of every row.

    Attributes:
        total: log Σ_b exp(logit b - positive) over the negatives, shape (n,).
        mean: Σ_b p_ab v̂_b over the softmax of the negatives, shape (n, d).
        columns: Σ_a w_a p_ab û_a, w the weights of the rows, shape (m, d).
    """

    total: Array
    mean: Array
    columns: Array


def rowwise(
    xp: Namespace,
    u: Embeddings,
    v: OtherEmbeddings,
    positive: PerRow,
    excluded: Callable[[Array], tuple[Array, ...]],
    weigh: Weigh | None,
    *,
    scale: Array,
    slopes: bool = True,
) -> OneWay:
    """Softmax of every row of scale · U Vᵀ over its negatives, a block of rows at a time.

    Args:
        xp: the library.
        u: directions of the rows.
        v: directions of the columns.
        positive: logits of the positives.
        excluded: gives, for the numbers of some rows, the columns that are no negatives of a row.
        weigh: weight of a row among the columns, from its total; None to leave the columns out.
        scale: the inverse of the temperature.
        slopes: whether the means are needed; zeros otherwise.
    """

    def step(carried: Any, index: Array, u: Array, positive: Array) -> tuple[Any, Any]:
        logits = xp.filled(xp.product(scale * u, v.T), -float("inf"), *excluded(index))
        part = xp.softmax(logits)
        total = part.top - positive + xp.log(part.total)
        if weigh is not None:
            share = u * (weigh(total)[:, None] / part.unit)
            carried = xp.added(carried, share.T, part.powers)
        mean = xp.product(part.powers, v) / part.unit if slopes else xp.zeros_like(u)
        return carried, (total, mean)

    columns, (total, mean) = xp.over_rows(step, (u, positive), xp.zeros_like(v.T))
    return OneWay(total, mean, columns.T)


class BothWays(NamedTuple):
    """What two passes leave of the softmaxes of rows and columns of a square matrix.

    Attributes:
        row_total, column_total: as ``OneWay.total``, shape (n,).
        rows: Σ_b w_ab v̂_b with w = weigh(row a) p_ab + weigh(column b) q_ab, shape (n, d).
        columns: Σ_a w_ab û_a, shape (n, d).
    """

    row_total: Array
    column_total: Array
    rows: Array
    columns: Array


def both_ways(
    xp: Namespace,
    u: Embeddings,
    v: Embeddings,
    positive: PerRow,
    weigh: Weigh,
    *,
    scale: Array,
    slopes: bool = True,
) -> BothWays:
    """Softmaxes of all rows and all columns of scale · U Vᵀ, without the diagonal.

    Args:
        xp: the library.
        u: directions of the rows.
        v: directions of the columns; the a-th is the positive of the a-th row.
        positive: logits of the positives.
        weigh: weight of a row or a column, from its total.
        scale: the inverse of the temperature.
        slopes: whether the slopes are needed; zeros otherwise.
    """
    n = u.shape[0]

    def negatives(index: Array, u: Array) -> Array:
        return xp.filled(xp.product(scale * u, v.T), -float("inf"), index)

    def sums(carried: Any, index: Array, u: Array) -> tuple[Any, Any]:
        top, total = carried
        logits = negatives(index, u)
        # Rows that fill the last block are nobody's negatives.
        counted = xp.where(index[:, None] < n, logits, -float("inf")) if xp.fills else logits
        new = xp.maximum(top, xp.max(counted, axis=0))
        powers = xp.powers(counted, new[None, :])
        total = total * xp.exp(top - new) + xp.sum(powers, axis=0)
        part = xp.softmax(logits)
        return (new, total), (part.top, part.total)

    def together(carried: tuple[Array, Array]) -> tuple[Array, Array]:
        top, total = carried
        largest = xp.greatest_over(top)
        return largest, xp.sum_over(total * xp.exp(top - largest))

    # The lowest float, not minus infinity: a column whose first block is only its diagonal would
    # subtract infinity from infinity.
    start = (xp.full_like(v[:, 0], float(xp.finfo(u.dtype).min)), xp.zeros_like(v[:, 0]))
    (column_top, column_sum), (row_top, row_sum) = xp.over_rows(sums, (u,), start, together)
    # Largest logit and sum stay apart: their logarithm together would be rounded at 1/τ.
    row_total = row_top - positive + xp.log(row_sum)
    column_total = column_top - positive + xp.log(column_sum)
    if not slopes:
        return BothWays(row_total, column_total, xp.zeros_like(u), xp.zeros_like(v))
    row_weight, column_weight = weigh(row_total) / row_sum, weigh(column_total) / column_sum

    def step(carried: Array, index: Array, u: Array, top: Array, weight: Array) -> Any:
        logits = negatives(index, u)
        weights = xp.powers(logits, top[:, None])
        weights *= weight[:, None]
        by_column = xp.powers(logits, column_top[None, :], spoil=True)
        by_column *= column_weight[None, :]
        weights += by_column
        return xp.added(carried, u.T, weights), (xp.product(weights, v),)

    columns, (rows,) = xp.over_rows(step, (u, row_top, row_weight), xp.zeros_like(v.T))
    return BothWays(row_total, column_total, rows, columns.T)


def cross_entropy(xp: Namespace) -> tuple[Weigh, Weigh]:
    """Loss of a row from its total, log(1 + Σ exp), and its derivative."""
    return xp.softplus, xp.sigmoid


def decoupled(xp: Namespace) -> tuple[Weigh, Weigh]:
    """The total itself: the positive stands outside of the denominator."""
    return lambda total: total, xp.ones_like


def contrast(
    xp: Namespace,
    u: Embeddings,
    v: Embeddings,
    *,
    side: Side,
    temperature: Array,
    symmetric: bool,
    factor: float = 1.0,
) -> Slope:
    """``factor`` times the loss of u against v, and if symmetric that of v against u as well.

    The clouds are called z_1 and z_2.
    """
    loss, weigh = side(xp)
    n, scale = u.shape[0], 1 / temperature
    slopes = xp.wants("z_1", "z_2", "temperature")
    cosine = xp.sum(u * v, axis=-1)
    if symmetric:
        sides = both_ways(xp, u, v, scale * cosine, weigh, scale=scale, slopes=slopes)
        value = xp.mean(loss(sides.row_total)) + xp.mean(loss(sides.column_total))
        weight = weigh(sides.row_total) + weigh(sides.column_total)
        pushed, of_keys = sides.rows, sides.columns
    else:
        found = rowwise(
            xp,
            u,
            v,
            scale * cosine,
            lambda index: (index,),
            weigh if xp.wants("z_2") else None,
            scale=scale,
            slopes=slopes,
        )
        value = xp.mean(loss(found.total))
        weight = weigh(found.total)
        pushed, of_keys = weight[:, None] * found.mean, found.columns
    by_logit = factor / n * scale
    by_u, by_v = pushed - weight[:, None] * v, of_keys - weight[:, None] * u
    # Σ W∘S = Σ_a û_a·(W V)_a, so that the similarities are not needed again.
    by_scale = xp.sum(xp.sum(u * pushed, axis=-1) - weight * cosine)
    return Slope(
        factor * value,
        {"z_1": by_logit * by_u, "z_2": by_logit * by_v},
        {"temperature": -by_logit * scale * by_scale},
    )
