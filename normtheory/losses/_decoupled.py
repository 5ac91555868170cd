"""The decoupled contrastive loss: the positive stands outside the denominator.

Without the factor (1 - p) of InfoNCE the pull does not fade once the positive has won. One-sided it
is also the form that the paper's public code trains with.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp

from normtheory.losses import _core
from normtheory.losses._contrast import slope_of_sides, two_views
from normtheory.losses._core import Array
from normtheory.losses._registry import Loss, clouds
from normtheory.losses._softmax import log_sum_exp


def _one_side(logits: Array) -> tuple[Array, Array]:
    n = logits.shape[0]
    diagonal = jnp.eye(n, dtype=bool)
    total, share = log_sum_exp(logits - jnp.diagonal(logits)[:, None], ~diagonal)
    return jnp.mean(total), (share - diagonal.astype(share.dtype)) / n


_ONE_SIDED = partial(slope_of_sides, _one_side, rows=1.0, columns=0.0)
_TWO_SIDED = partial(slope_of_sides, _one_side, rows=1.0, columns=1.0)


def decoupled(z_1: Array, z_2: Array, *, temperature: Any = 0.1, symmetric: bool = False) -> Array:
    """Decoupled InfoNCE: mean over anchors of log Σ_{b≠a} exp(s_ab/τ) - s_aa/τ, s = ẑ_1·ẑ_2.

    Args:
        z_1: anchors, shape (n, d), n >= 2, nonzero rows.
        z_2: keys, shape (n, d); the a-th is the positive of the a-th anchor.
        temperature: τ > 0; differentiable.
        symmetric: add the same loss with the roles exchanged.

    Returns:
        The loss, a scalar; unlike InfoNCE it may be negative.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named), temperature
            <= 0.

    Reference:
        Yeh et al. 2022, equation 6, over the keys of the other view.
    """
    slope = _TWO_SIDED if symmetric else _ONE_SIDED
    return _core.value(slope, two_views(z_1, z_2, temperature), temperature=temperature)


def decoupled_gradient(
    z_1: Array, z_2: Array, *, temperature: Any = 0.1, symmetric: bool = False
) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`decoupled` with respect to anchors and keys, each (n, d)."""
    slope = _TWO_SIDED if symmetric else _ONE_SIDED
    g_1, g_2 = _core.gradient(slope, two_views(z_1, z_2, temperature), temperature=temperature)
    return g_1, g_2


LOSSES = (
    Loss(
        "decoupled",
        decoupled,
        decoupled_gradient,
        "Yeh et al. 2022, eq. 6",
        (0, 1),
        clouds(2, temperature=0.2),
    ),
)
