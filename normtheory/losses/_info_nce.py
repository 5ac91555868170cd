"""InfoNCE and its two-sided form, CLIP: every anchor picks its key among all keys of the batch.

A row of W = ∂ℓ/∂S is (p - onehot)/(nτ): the probabilities of the wrong keys, and minus their sum at
the right one. The anchor's gradient is (1 - p_aa) times the decoupled one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp

from normtheory.losses import _core
from normtheory.losses._contrast import slope_of_sides, two_views
from normtheory.losses._core import Array
from normtheory.losses._registry import Loss, clouds
from normtheory.losses._softmax import cross_entropy


def _diagonal_cross_entropy(logits: Array) -> tuple[Array, Array]:
    """Mean cross-entropy of the diagonal of a square matrix, and its derivative."""
    n = logits.shape[0]
    diagonal = jnp.eye(n, dtype=bool)
    loss, off, missing = cross_entropy(logits, jnp.diagonal(logits), ~diagonal)
    return jnp.mean(loss), (off - jnp.diag(missing)) / n


_ONE_SIDED = partial(slope_of_sides, _diagonal_cross_entropy, rows=1.0, columns=0.0)
_SUM = partial(slope_of_sides, _diagonal_cross_entropy, rows=1.0, columns=1.0)
_MEAN = partial(slope_of_sides, _diagonal_cross_entropy, rows=0.5, columns=0.5)


def info_nce(z_1: Array, z_2: Array, *, temperature: Any = 0.1, symmetric: bool = False) -> Array:
    """InfoNCE: mean over anchors of -log softmax_b(ẑ_1a·ẑ_2b/τ) at b = a.

    Args:
        z_1: anchors, shape (n, d), n >= 2, nonzero rows.
        z_2: keys, shape (n, d); the a-th is the positive of the a-th anchor.
        temperature: τ > 0; differentiable.
        symmetric: add the same loss with the roles exchanged.

    Returns:
        The loss, a scalar of the dtype of the clouds.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named), temperature
            <= 0.

    Reference:
        van den Oord et al. 2018, equation 4, with cosine similarities.
    """
    slope = _SUM if symmetric else _ONE_SIDED
    return _core.value(slope, two_views(z_1, z_2, temperature), temperature=temperature)


def info_nce_gradient(
    z_1: Array, z_2: Array, *, temperature: Any = 0.1, symmetric: bool = False
) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`info_nce` with respect to anchors and keys, each (n, d)."""
    slope = _SUM if symmetric else _ONE_SIDED
    g_1, g_2 = _core.gradient(slope, two_views(z_1, z_2, temperature), temperature=temperature)
    return g_1, g_2


def clip(z_1: Array, z_2: Array, *, temperature: Any = 0.07) -> Array:
    """CLIP's loss: the mean of InfoNCE in both roles.

    Args:
        z_1: embeddings of one modality, shape (n, d), n >= 2, nonzero rows.
        z_2: their partners in the other, shape (n, d).
        temperature: τ > 0; differentiable, as CLIP trains it.

    Returns:
        The loss, a scalar.

    Raises:
        TypeError, ValueError: as :func:`info_nce`.

    Reference:
        Radford et al. 2021, figure 3.
    """
    return _core.value(_MEAN, two_views(z_1, z_2, temperature), temperature=temperature)


def clip_gradient(z_1: Array, z_2: Array, *, temperature: Any = 0.07) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`clip` with respect to both clouds, each (n, d)."""
    g_1, g_2 = _core.gradient(_MEAN, two_views(z_1, z_2, temperature), temperature=temperature)
    return g_1, g_2


def clip_temperature_gradient(z_1: Array, z_2: Array, *, temperature: Any = 0.07) -> Array:
    """Closed-form derivative of :func:`clip` with respect to the temperature: -Σ W∘S/τ."""
    return _core.parameter_gradient(
        _MEAN, two_views(z_1, z_2, temperature), "temperature", temperature=temperature
    )


LOSSES = (
    Loss(
        "info_nce",
        info_nce,
        info_nce_gradient,
        "van den Oord et al. 2018, eq. 4",
        (0, 1),
        clouds(2, temperature=0.2),
    ),
    Loss(
        "clip",
        clip,
        clip_gradient,
        "Radford et al. 2021, fig. 3",
        (0, 1),
        clouds(2, temperature=0.2),
    ),
)
