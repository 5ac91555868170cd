"""NT-Xent: 2n views, every one picks its partner among all the others."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from normtheory.losses import _core
from normtheory.losses._contrast import two_views
from normtheory.losses._core import Array, Slope, product
from normtheory.losses._registry import Loss, clouds
from normtheory.losses._softmax import cross_entropy


def _slope(u: Array, v: Array, *, temperature: Array) -> Slope:
    n = u.shape[0]
    views, partners = jnp.concatenate([u, v]), jnp.concatenate([v, u])
    logits = product(views, views.T) / temperature
    positive = jnp.sum(views * partners, axis=-1) / temperature
    away = jnp.abs(jnp.arange(2 * n)[:, None] - jnp.arange(2 * n)[None, :])
    negatives = (away != 0) & (away != n)  # neither itself nor its partner
    loss, off, missing = cross_entropy(logits, positive, negatives)
    pull = missing + jnp.roll(missing, n)  # of the two terms in which a pair is the positive
    slope = (product(off + off.T, views) - pull[:, None] * partners) / (2 * n * temperature)
    of_temperature = jnp.sum(off * (positive[:, None] - logits)) / (2 * n * temperature)
    return Slope(jnp.mean(loss), (slope[:n], slope[n:]), {"temperature": of_temperature})


def nt_xent(z_1: Array, z_2: Array, *, temperature: Any = 0.5) -> Array:
    """NT-Xent, the loss of SimCLR, over 2n views.

    Mean over i of -log softmax_{k≠i}(ẑ_i·ẑ_k/τ) at the partner of i.

    Args:
        z_1: first views, shape (n, d), n >= 2, nonzero rows.
        z_2: second views, shape (n, d); the a-th rows are partners.
        temperature: τ > 0; differentiable.

    Returns:
        The loss, a scalar.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named), temperature
            <= 0.

    Reference:
        Chen et al. 2020, equation 1 and algorithm 1.
    """
    return _core.value(_slope, two_views(z_1, z_2, temperature), temperature=temperature)


def nt_xent_gradient(z_1: Array, z_2: Array, *, temperature: Any = 0.5) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`nt_xent` with respect to both views, each (n, d)."""
    g_1, g_2 = _core.gradient(_slope, two_views(z_1, z_2, temperature), temperature=temperature)
    return g_1, g_2


LOSSES = (
    Loss(
        "nt_xent",
        nt_xent,
        nt_xent_gradient,
        "Chen et al. 2020, eq. 1",
        (0, 1),
        clouds(2, temperature=0.2),
    ),
)
