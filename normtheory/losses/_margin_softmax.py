"""Classification by directions: NormFace, CosFace and ArcFace.

All three are a softmax over cosines with class weights; they differ in what is done to the cosine
of the right class.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_values
from normtheory.losses import _core
from normtheory.losses._core import Array, Slope, of_similarities, product
from normtheory.losses._registry import Loss, labelled
from normtheory.losses._softmax import cross_entropy

# (u, w of the right class, cosine, margin) -> what the cosine becomes, and its derivatives with
# respect to the cosine and to the margin
Margin = Callable[[Array, Array, Array, Array], tuple[Array, Array, Array]]


def _additive_cosine(
    u: Array, w: Array, cosine: Array, margin: Array
) -> tuple[Array, Array, Array]:
    return cosine - margin, jnp.ones_like(cosine), -jnp.ones_like(cosine)


def _additive_angle(u: Array, w: Array, cosine: Array, margin: Array) -> tuple[Array, Array, Array]:
    """Turn c into cos(φ + m) = c cos m - s sin m; its derivative is cos m + c sin m/s."""
    # sin φ from the chords: 1 - c² would lose half of the digits near φ = 0
    square = jnp.sum((u - w) ** 2, axis=-1) * jnp.sum((u + w) ** 2, axis=-1) / 4
    regular = square > 0
    sine = jnp.sqrt(jnp.where(regular, square, 1))
    by_cosine = jnp.cos(margin) + jnp.where(regular, cosine * jnp.sin(margin) / sine, 0)
    sine = jnp.where(regular, sine, 0)
    turned = cosine * jnp.cos(margin) - sine * jnp.sin(margin)
    return turned, by_cosine, -(sine * jnp.cos(margin) + cosine * jnp.sin(margin))


def _slope(
    u: Array, w: Array, *, labels: Array, scale: Array, margin: Array, form: Margin
) -> Slope:
    n, classes = u.shape[0], w.shape[0]
    labels = labels.astype(jnp.int32)
    right = labels[:, None] == jnp.arange(classes, dtype=jnp.int32)[None, :]
    cosine = product(u, w.T)
    # A label outside the classes is refused at the door; under jit it gives NaN, not a wrong class.
    cosine_of_own = jnp.sum(jnp.where(right, cosine, 0), axis=-1)
    cosine_of_own = jnp.where(jnp.any(right, axis=-1), cosine_of_own, jnp.nan)
    own, by_own, own_by_margin = form(u, w[labels], cosine_of_own, margin)
    loss, off, missing = cross_entropy(scale * cosine, scale * own, ~right)
    weights = (off - jnp.where(right, (missing * by_own)[:, None], 0)) * scale / n
    by_scale = (jnp.sum(off * cosine) - jnp.sum(missing * own)) / n
    by_margin = -scale * jnp.sum(missing * own_by_margin) / n
    return of_similarities(jnp.mean(loss), weights, u, w, scale=by_scale, margin=by_margin)


_COSINE = partial(_slope, form=_additive_cosine)
_ANGLE = partial(_slope, form=_additive_angle)


def _arguments(
    z: Array, weights: Array, labels: Any, scale: Any, margin: Any, most: float
) -> dict[str, Array]:
    clouds = {"z": z, "weights": weights}
    _core.check_labels(labels, z, classes=np.shape(weights)[0])
    if np.shape(weights)[0] < 2:
        raise ValueError(f"weights: expected at least 2 classes, got {np.shape(weights)[0]}")
    check_values("scale", jnp.asarray(scale), above=0.0)
    check_values("margin", jnp.asarray(margin), least=0.0, most=most)
    return clouds


def normface(z: Array, weights: Array, labels: Array, *, scale: Any = 16.0) -> Array:
    """NormFace: softmax cross-entropy on scaled cosines with class weights.

    Args:
        z: embeddings, shape (n, d), nonzero rows.
        weights: class weights, shape (classes, d), nonzero rows; trained too.
        labels: integers (n,) in 0 … classes - 1.
        scale: s > 0, an inverse temperature; differentiable.

    Returns:
        The loss, a scalar.

    Raises:
        TypeError, ValueError: clouds or labels that don't fit, zero or non-finite rows (named), s
            <= 0.

    Reference:
        Wang et al. 2017, equation 6.
    """
    clouds = _arguments(z, weights, labels, scale, 0.0, 0.0)
    return _core.value(_COSINE, clouds, labels=labels, scale=scale, margin=0.0)


def normface_gradient(
    z: Array, weights: Array, labels: Array, *, scale: Any = 16.0
) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`normface` with respect to embeddings and class weights."""
    clouds = _arguments(z, weights, labels, scale, 0.0, 0.0)
    g_z, g_w = _core.gradient(_COSINE, clouds, labels=labels, scale=scale, margin=0.0)
    return g_z, g_w


def cosface(
    z: Array, weights: Array, labels: Array, *, scale: Any = 16.0, margin: Any = 0.35
) -> Array:
    """CosFace: NormFace with the cosine of the right class lowered by a margin m in [0, 2].

    Arguments, result and errors are those of :func:`normface`; the margin is differentiable too.

    Reference:
        Wang et al. 2018, equation 4.
    """
    clouds = _arguments(z, weights, labels, scale, margin, 2.0)
    return _core.value(_COSINE, clouds, labels=labels, scale=scale, margin=margin)


def cosface_gradient(
    z: Array, weights: Array, labels: Array, *, scale: Any = 16.0, margin: Any = 0.35
) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`cosface` with respect to embeddings and class weights."""
    clouds = _arguments(z, weights, labels, scale, margin, 2.0)
    g_z, g_w = _core.gradient(_COSINE, clouds, labels=labels, scale=scale, margin=margin)
    return g_z, g_w


def arcface(
    z: Array, weights: Array, labels: Array, *, scale: Any = 16.0, margin: Any = 0.5
) -> Array:
    """ArcFace: NormFace with the angle φ to the right class widened by a margin m in [0, π].

    Arguments, result and errors are those of :func:`normface`; the margin is differentiable too.
    The right class counts with cos(φ + m) throughout, without the source's switch beyond φ = π - m.
    At φ = 0 and π it has a kink; the subgradient taken there is 0, since the tangent part of the
    slope vanishes.

    Reference:
        Deng et al. 2019, equation 3.
    """
    clouds = _arguments(z, weights, labels, scale, margin, 3.1415927)
    return _core.value(_ANGLE, clouds, labels=labels, scale=scale, margin=margin)


def arcface_gradient(
    z: Array, weights: Array, labels: Array, *, scale: Any = 16.0, margin: Any = 0.5
) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`arcface` with respect to embeddings and class weights."""
    clouds = _arguments(z, weights, labels, scale, margin, 3.1415927)
    g_z, g_w = _core.gradient(_ANGLE, clouds, labels=labels, scale=scale, margin=margin)
    return g_z, g_w


LOSSES = (
    Loss(
        "normface",
        normface,
        normface_gradient,
        "Wang et al. 2017, eq. 6",
        (0, 1),
        labelled(3, prototypes=True, scale=4.0),
    ),
    Loss(
        "cosface",
        cosface,
        cosface_gradient,
        "Wang et al. 2018, eq. 4",
        (0, 1),
        labelled(3, prototypes=True, scale=4.0, margin=0.35),
    ),
    Loss(
        "arcface",
        arcface,
        arcface_gradient,
        "Deng et al. 2019, eq. 3",
        (0, 1),
        labelled(3, prototypes=True, scale=4.0, margin=0.5),
    ),
)
