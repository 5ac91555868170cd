"""Triplet loss with a cosine margin."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from normtheory._arrays import check_values
from normtheory.losses import _core
from normtheory.losses._core import Array, Slope
from normtheory.losses._registry import Loss, clouds


def _slope(a: Array, p: Array, q: Array, *, margin: Array) -> Slope:
    n = a.shape[0]
    excess = margin + jnp.sum(a * q, axis=-1) - jnp.sum(a * p, axis=-1)
    # 0 at the hinge itself; a NaN stays one, so that no row of a spoilt triplet seems satisfied.
    active = jnp.where(jnp.isnan(excess), excess, (excess > 0).astype(a.dtype))[:, None] / n
    value = jnp.sum(jnp.maximum(excess, 0)) / n
    return Slope(value, (active * (q - p), -active * a, active * a), {"margin": jnp.sum(active)})


def _arguments(anchor: Array, positive: Array, negative: Array, margin: Any) -> dict[str, Array]:
    arguments = {"anchor": anchor, "positive": positive, "negative": negative}
    _core.check_paired(1, **arguments)
    check_values("margin", jnp.asarray(margin))
    return arguments


def triplet(anchor: Array, positive: Array, negative: Array, *, margin: Any = 0.2) -> Array:
    """Triplet loss on cosines: mean of max(0, m + cos(a, n) - cos(a, p)).

    Args:
        anchor: shape (n, d), nonzero rows.
        positive: shape (n, d).
        negative: shape (n, d).
        margin: m.

    Returns:
        The loss, a scalar. At the hinge, where the bracket is exactly 0, the subgradient is 0.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named).

    Reference:
        Schroff et al. 2015, equation 1, with cosine similarities.
    """
    return _core.value(_slope, _arguments(anchor, positive, negative, margin), margin=margin)


def triplet_gradient(
    anchor: Array, positive: Array, negative: Array, *, margin: Any = 0.2
) -> tuple[Array, Array, Array]:
    """Closed-form gradient of :func:`triplet` with respect to all three clouds, each (n, d)."""
    g_a, g_p, g_n = _core.gradient(
        _slope, _arguments(anchor, positive, negative, margin), margin=margin
    )
    return g_a, g_p, g_n


LOSSES = (
    Loss(
        "triplet",
        triplet,
        triplet_gradient,
        "Schroff et al. 2015, eq. 1",
        (0, 1, 2),
        clouds(3, margin=0.2),
    ),
)
