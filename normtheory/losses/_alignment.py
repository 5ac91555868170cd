"""Losses without a softmax: attraction, repulsion, alignment, uniformity."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from normtheory._arrays import check_values
from normtheory.losses import _core
from normtheory.losses._core import Array, Slope, of_own_similarities, product
from normtheory.losses._registry import Loss, clouds
from normtheory.losses._softmax import log_mean_exp


def _mean_cosine(u: Array, v: Array, *, sign: Array) -> Slope:
    n = u.shape[0]
    value = sign * jnp.sum(u * v) / n
    return Slope(value, (sign * v / n, sign * u / n), {})


def _paired(z_1: Array, z_2: Array) -> dict[str, Array]:
    _core.check_paired(z_1=z_1, z_2=z_2)
    return {"z_1": z_1, "z_2": z_2}


def attraction(z_1: Array, z_2: Array) -> Array:
    """Attraction: minus the mean cosine similarity of n pairs.

    Args:
        z_1: shape (n, d), nonzero rows.
        z_2: their partners, shape (n, d).

    Returns:
        The loss in [-1, 1], a scalar.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named).

    Reference:
        Draganov et al. 2025, Proposition 3.1.
    """
    return _core.value(_mean_cosine, _paired(z_1, z_2), sign=-1.0)


def attraction_gradient(z_1: Array, z_2: Array) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`attraction` with respect to both clouds, each (n, d)."""
    g_1, g_2 = _core.gradient(_mean_cosine, _paired(z_1, z_2), sign=-1.0)
    return g_1, g_2


def repulsion(z_1: Array, z_2: Array) -> Array:
    """Repulsion: the mean cosine similarity of n pairs; otherwise as :func:`attraction`."""
    return _core.value(_mean_cosine, _paired(z_1, z_2), sign=1.0)


def repulsion_gradient(z_1: Array, z_2: Array) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`repulsion` with respect to both clouds, each (n, d)."""
    g_1, g_2 = _core.gradient(_mean_cosine, _paired(z_1, z_2), sign=1.0)
    return g_1, g_2


def _alignment(u: Array, v: Array, *, power: Array) -> Slope:
    n = u.shape[0]
    chord = u - v
    square = jnp.sum(chord * chord, axis=-1)
    # Where the two coincide the subgradient is 0; for powers above 1 it is the gradient. Directions
    # are known to eps: a chord below that is rounding (XLA may subtract before it rounds û).
    apart = ~(square <= jnp.finfo(u.dtype).eps ** 2)  # a NaN counts as apart, and stays NaN
    safe = jnp.where(apart, square, 1)
    powers = jnp.where(apart, safe ** (power / 2), 0)
    # At α = 2 the factor stays 2 there, so that the Hessian is right too.
    meeting = jnp.where(power == 2, jnp.asarray(2, u.dtype), 0)
    slope = jnp.where(apart, power * safe ** (power / 2 - 1), meeting)[:, None] * chord / n
    by_power = jnp.sum(powers * jnp.log(safe)) / (2 * n)
    return Slope(jnp.sum(powers) / n, (slope, -slope), {"power": by_power})


def _alignment_arguments(z_1: Array, z_2: Array, power: Any) -> dict[str, Array]:
    check_values("power", jnp.asarray(power), above=0.0)
    return _paired(z_1, z_2)


def alignment(z_1: Array, z_2: Array, *, power: Any = 2.0) -> Array:
    """Alignment: mean of ‖ẑ_1 - ẑ_2‖^α over n positive pairs.

    Args:
        z_1: shape (n, d), nonzero rows.
        z_2: their positives, shape (n, d).
        power: α > 0; differentiable. At α = 2 this is 2 + 2·attraction. Where the two coincide the
            subgradient 0 is taken, which matters for α <= 1 only.

    Returns:
        The loss, a scalar.

    Raises:
        TypeError, ValueError: as :func:`attraction`; a power <= 0.

    Reference:
        Wang and Isola 2020, equation 1 of section 4.1.
    """
    return _core.value(_alignment, _alignment_arguments(z_1, z_2, power), power=power)


def alignment_gradient(z_1: Array, z_2: Array, *, power: Any = 2.0) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`alignment` with respect to both clouds, each (n, d)."""
    g_1, g_2 = _core.gradient(_alignment, _alignment_arguments(z_1, z_2, power), power=power)
    return g_1, g_2


def _uniformity(u: Array, *, sharpness: Array) -> Slope:
    n = u.shape[0]
    # Distances do not change when the mean is taken off, and those of a collapsed cloud keep their
    # digits then: 2 - 2 û_i·û_j would leave eps.
    shifted = u - jnp.mean(u, axis=0, keepdims=True)
    square = jnp.sum(shifted * shifted, axis=-1)
    below = 2 * product(shifted, shifted.T) - square[:, None] - square[None, :]
    off = ~jnp.eye(n, dtype=bool)
    value, share = log_mean_exp((sharpness * below).reshape(1, -1), off.reshape(1, -1))
    share = share.reshape(n, n)
    by_sharpness = jnp.sum(share * below)
    return of_own_similarities(value[0], 2 * sharpness * share, u, sharpness=by_sharpness)


def _uniformity_arguments(z: Array, sharpness: Any) -> dict[str, Array]:
    _core.check_paired(2, z=z)
    check_values("sharpness", jnp.asarray(sharpness), above=0.0)
    return {"z": z}


def uniformity(z: Array, *, sharpness: Any = 2.0) -> Array:
    """Uniformity: log of the mean of exp(-t‖ẑ_i - ẑ_j‖²) over the pairs of different points.

    Args:
        z: shape (n, d), n >= 2, nonzero rows.
        sharpness: t > 0; differentiable.

    Returns:
        The loss, a scalar <= 0. Of a cloud that has collapsed to a width w it is about -t w², and
        known to eps/w relative to itself.

    Raises:
        TypeError, ValueError: a cloud that doesn't fit, zero or non-finite rows (named), t <= 0.

    Reference:
        Wang and Isola 2020, section 4.1.
    """
    return _core.value(_uniformity, _uniformity_arguments(z, sharpness), sharpness=sharpness)


def uniformity_gradient(z: Array, *, sharpness: Any = 2.0) -> tuple[Array]:
    """Closed-form gradient of :func:`uniformity`, a tuple of one array (n, d)."""
    (g,) = _core.gradient(_uniformity, _uniformity_arguments(z, sharpness), sharpness=sharpness)
    return (g,)


LOSSES = (
    Loss(
        "attraction",
        attraction,
        attraction_gradient,
        "Draganov et al. 2025, Prop. 3.1",
        (0, 1),
        clouds(2),
    ),
    Loss(
        "repulsion",
        repulsion,
        repulsion_gradient,
        "Draganov et al. 2025, Prop. 3.1",
        (0, 1),
        clouds(2),
    ),
    Loss(
        "alignment",
        alignment,
        alignment_gradient,
        "Wang and Isola 2020, sec. 4.1",
        (0, 1),
        clouds(2, power=2.0),
    ),
    Loss(
        "uniformity",
        uniformity,
        uniformity_gradient,
        "Wang and Isola 2020, sec. 4.1",
        (0,),
        clouds(1, sharpness=2.0),
    ),
)
