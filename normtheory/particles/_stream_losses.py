"""The losses of all pairs, written for a block of rows: value and derivative, never n × n.

Each is the streamed twin of the function of the same name in :mod:`normtheory.losses` and gives the
same :class:`~normtheory.losses._core.Slope`; formulas and sources stand there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from normtheory.losses._core import Slope
from normtheory.losses._supcon import rows as of_rows
from normtheory.particles._stream_blocks import is_column, over_rows
from normtheory.particles._stream_softmax import Product, both_ways, rowwise

Array = jax.Array


def _log_1p_exp(total: Array) -> Array:
    return jnp.logaddexp(total, 0)


def _total(total: Array) -> Array:
    return total


_CROSS_ENTROPY = (_log_1p_exp, jax.nn.sigmoid)
_DECOUPLED = (_total, jnp.ones_like)


def _contrast(
    side: tuple[Callable[[Array], Array], Callable[[Array], Array]],
    u: Array,
    v: Array,
    *,
    temperature: Array,
    rows: float,
    columns: float,
    **how: Any,
) -> Slope:
    """``rows`` times the loss of u against v, plus ``columns`` times that of v against u."""
    loss, weigh = side
    n = u.shape[0]
    positive = jnp.sum(u * v, axis=-1) / temperature
    scale = 1 / temperature
    if not columns:
        found = rowwise(
            u, v, positive, lambda index: is_column(index, n), weigh, scale=scale, **how
        )
        weight = weigh(found.total)[:, None]
        value = rows * jnp.mean(loss(found.total))
        by_u, by_v = weight * (found.mean - v), found.columns - weight * u
    else:  # both weights are the same in every loss that has two sides
        sides = both_ways(u, v, positive, weigh, scale=scale, **how)
        weight = (weigh(sides.row_total) + weigh(sides.column_total))[:, None]
        value = rows * jnp.mean(loss(sides.row_total)) + columns * jnp.mean(
            loss(sides.column_total)
        )
        by_u, by_v = sides.rows - weight * v, sides.columns - weight * u
    factor = rows / (n * temperature)
    return Slope(value, (factor * by_u, factor * by_v), {})


def info_nce(u: Array, v: Array, *, symmetric: bool, **how: Any) -> Slope:
    """InfoNCE; two-sided, the sum over both roles."""
    return _contrast(_CROSS_ENTROPY, u, v, rows=1.0, columns=float(symmetric), **how)


def clip(u: Array, v: Array, **how: Any) -> Slope:
    """CLIP's loss, the mean over both roles."""
    return _contrast(_CROSS_ENTROPY, u, v, rows=0.5, columns=0.5, **how)


def decoupled(u: Array, v: Array, *, symmetric: bool, **how: Any) -> Slope:
    """The decoupled loss; two-sided, the sum over both roles."""
    return _contrast(_DECOUPLED, u, v, rows=1.0, columns=float(symmetric), **how)


def nt_xent(u: Array, v: Array, *, temperature: Array, **how: Any) -> Slope:
    """NT-Xent over 2n views."""
    n = u.shape[0]
    views, partner = jnp.concatenate([u, v]), jnp.concatenate([v, u])
    positive = jnp.sum(views * partner, axis=-1) / temperature

    def excluded(index: Array) -> Array:
        return is_column(index, 2 * n) | is_column((index + n) % (2 * n), 2 * n)

    found = rowwise(views, views, positive, excluded, jax.nn.sigmoid, scale=1 / temperature, **how)
    weight = jax.nn.sigmoid(found.total)[:, None]
    # A view is pulled as an anchor, and as the positive of its partner.
    pull = weight * partner + jnp.roll(weight * views, n, axis=0)
    slope = (weight * found.mean + found.columns - pull) / (2 * n * temperature)
    return Slope(jnp.mean(_log_1p_exp(found.total)), (slope[:n], slope[n:]), {})


def moco(u: Array, keys: Array, queue: Array, *, temperature: Array, **how: Any) -> Slope:
    """MoCo: queries against a queue that is not trained."""
    positive = jnp.sum(u * keys, axis=-1) / temperature
    found = rowwise(u, queue, positive, None, None, scale=1 / temperature, **how)
    weight = jax.nn.sigmoid(found.total)[:, None]
    slope = weight * (found.mean - keys) / (u.shape[0] * temperature)
    return Slope(jnp.mean(_log_1p_exp(found.total)), (slope, None, None), {})


def uniformity(u: Array, *, sharpness: Array, **how: Any) -> Slope:
    """Uniformity: one softmax over all pairs, put together from those of the rows."""
    n = u.shape[0]
    # -t ‖û_i - û_j‖² = 2t (û_i·û_j - 1).
    base = jnp.full(n, 2 * sharpness, u.dtype)
    found = rowwise(u, u, base, lambda index: is_column(index, n), None, scale=2 * sharpness, **how)
    total = jax.nn.logsumexp(found.total)
    value = total - jnp.log(jnp.asarray(n * (n - 1.0), u.dtype))
    # Share and similarity are symmetric: the columns repeat the rows.
    slope = 4 * sharpness * jnp.exp(found.total - total)[:, None] * found.mean
    return Slope(value, (slope,), {})


def siglip(
    u: Array, v: Array, *, temperature: Array, bias: Array, product: Product, block: int
) -> Slope:
    """SigLIP: every pair by itself."""
    n = u.shape[0]
    scale = 1 / temperature

    def step(carried: Array, index: Array, u: Array) -> tuple[Array, tuple[Array, Array]]:
        logits = product(scale * u, v.T) + bias
        partner = is_column(index, n)
        wrong = jnp.where(partner, -logits, logits)
        share = jax.nn.sigmoid(wrong)
        weights = jnp.where(partner, -share, share)
        loss = jnp.sum(jnp.logaddexp(wrong, 0), axis=-1)
        return carried + product(u.T, weights), (loss, product(weights, v))

    columns, (loss, rows) = over_rows(step, (u,), jnp.zeros_like(v.T), block)
    factor = scale / n
    return Slope(jnp.mean(loss), (factor * rows, factor * columns.T), {})


def supcon(u: Array, *, labels: Array, temperature: Array, product: Product, block: int) -> Slope:
    """SupCon: positives and negatives of a row summed apart, as in the dense form."""
    n = u.shape[0]
    scale = 1 / temperature

    def step(carried: Array, index: Array, u_block: Array, own: Array) -> tuple[Array, Any]:
        other = ~is_column(index, n)
        positive = (own[:, None] == labels[None, :]) & other & (index < n)[:, None]
        anchors, loss, weights = of_rows(product(scale * u_block, u.T), positive, other)
        return carried + product(u_block.T, weights), (anchors, loss, product(weights, u))

    columns, (anchors, loss, rows) = over_rows(step, (u, labels), jnp.zeros_like(u.T), block)
    anchor_count = jnp.maximum(jnp.sum(anchors), 1).astype(u.dtype)
    slope = (rows + columns.T) / (anchor_count * temperature)
    return Slope(jnp.sum(loss) / anchor_count, (slope,), {})


SLOPES: dict[str, Callable[..., Slope]] = {
    "info_nce": info_nce,
    "clip": clip,
    "nt_xent": nt_xent,
    "decoupled": decoupled,
    "supcon": supcon,
    "siglip": siglip,
    "moco": moco,
    "uniformity": uniformity,
}
"""Name of a loss -> its streamed value and derivative with respect to the directions."""
