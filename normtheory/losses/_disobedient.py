"""Losses that are no functions of directions: negative controls for all that is said of LOSSES.

Plain JAX, differentiated by autodiff, with no checks and no closed forms: they are here to fail.
The gradient of a loss of directions goes as 1/‖z‖ whether one row's norm is changed or all of them.
Barlow Twins and W-MSE pass the weaker test, since their normalisation over the batch swallows a
*common* norm, and fail for a single row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory.losses._definition import cloud_of as cloud

Array = Any

product = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


@dataclass(frozen=True)
class Disobedient:
    """A loss whose gradient does not go as 1/‖z‖.

    Attributes:
        name: its name.
        value: ``value(*clouds)``, a scalar.
        source: author, year, equation.
        reason: why the law does not hold.
        behaviour: what the gradient does instead.
        norms: range of embedding norms in which ``exponent`` and ``own_exponent`` are meant.
        exponent: of the gradient norm against a norm common to all rows; -1 obeys.
        own_exponent: of a row's gradient against the norm of that row alone, others at norms near
            1 and its own far below; -1 obeys.
        example: ``example(rng, n, dimension)`` gives clouds to try it on, n > dimension.
    """

    name: str
    value: Callable[..., Array]
    source: str
    reason: str
    behaviour: str
    norms: tuple[float, float]
    exponent: float
    own_exponent: float
    example: Callable[[np.random.Generator, int, int], tuple[np.ndarray, ...]]


def _off_diagonal(matrix: Array) -> Array:
    return matrix * (1 - jnp.eye(matrix.shape[0], dtype=matrix.dtype))


def barlow_twins(z_1: Array, z_2: Array, *, off_diagonal_weight: float = 5e-3) -> Array:
    """Σ_i (1 - C_ii)² + λ Σ_{i≠j} C_ij², C the correlations of components over the batch."""
    a, b = ((z - z.mean(axis=0, keepdims=True)) for z in (z_1, z_2))
    a, b = (z / jnp.sqrt(jnp.mean(z**2, axis=0, keepdims=True)) for z in (a, b))
    correlation = product(a.T, b) / z_1.shape[0]
    off = jnp.sum(_off_diagonal(correlation) ** 2)
    return jnp.sum((1 - jnp.diagonal(correlation)) ** 2) + off_diagonal_weight * off


def vicreg(z_1: Array, z_2: Array) -> Array:
    """25 · mean ‖z_1 - z_2‖² + 25 · hinge of standard deviations below 1 + squared covariances."""

    def spread(z: Array) -> Array:
        n, d = z.shape
        z = z - z.mean(axis=0, keepdims=True)
        deviation = jnp.sqrt(jnp.sum(z**2, axis=0) / (n - 1) + 1e-4)
        covariance = product(z.T, z) / (n - 1)
        hinge = jnp.mean(jax.nn.relu(1 - deviation))
        return 25 * hinge + jnp.sum(_off_diagonal(covariance) ** 2) / d

    invariance = jnp.mean(jnp.sum((z_1 - z_2) ** 2, axis=-1))
    return 25 * invariance + spread(z_1) + spread(z_2)


def w_mse(z_1: Array, z_2: Array) -> Array:
    """Mean of 2 - 2 cos of the pairs after whitening both views together (Cholesky)."""
    n = z_1.shape[0]
    both = jnp.concatenate([z_1, z_2])
    both = both - both.mean(axis=0, keepdims=True)
    factor = jnp.linalg.cholesky(product(both.T, both) / (2 * n - 1))
    white = jax.scipy.linalg.solve_triangular(factor, both.T, lower=True).T
    white = white / jnp.linalg.norm(white, axis=-1, keepdims=True)
    return 2 - 2 * jnp.mean(jnp.sum(white[:n] * white[n:], axis=-1))


def dot_product_info_nce(z_1: Array, z_2: Array, *, temperature: float = 1.0) -> Array:
    """InfoNCE on dot products: the norms of anchor and key are part of the temperature."""
    logits = product(z_1, z_2.T) / temperature
    return -jnp.mean(jnp.diagonal(jax.nn.log_softmax(logits, axis=-1)))


def euclidean_triplet(anchor: Array, positive: Array, negative: Array) -> Array:
    """Mean of max(0, ‖a - p‖² - ‖a - n‖² + 0.2), embeddings not normalised."""
    near = jnp.sum((anchor - positive) ** 2, axis=-1)
    far = jnp.sum((anchor - negative) ** 2, axis=-1)
    return jnp.mean(jax.nn.relu(near - far + 0.2))


def guarded_attraction(z_1: Array, z_2: Array, *, epsilon: float = 1e-8) -> Array:
    """Minus the mean of z_1·z_2/(max(‖z_1‖, ε) max(‖z_2‖, ε)): the cosine as libraries guard it."""

    def guarded_norm(z: Array) -> Array:
        return jnp.maximum(jnp.linalg.norm(z, axis=-1), epsilon)

    return -jnp.mean(jnp.sum(z_1 * z_2, axis=-1) / (guarded_norm(z_1) * guarded_norm(z_2)))


def _views(rng: np.random.Generator, n: int, dimension: int) -> tuple[np.ndarray, ...]:
    """Two noisy views of the same points."""
    z = cloud(rng, n, dimension)
    return tuple(z + 0.3 * rng.standard_normal(z.shape) for _ in range(2))


def _three(rng: np.random.Generator, n: int, dimension: int) -> tuple[np.ndarray, ...]:
    return (*_views(rng, n, dimension), cloud(rng, n, dimension))


DISOBEDIENT: Mapping[str, Disobedient] = MappingProxyType(
    {
        record.name: record
        for record in (
            Disobedient(
                "barlow_twins",
                barlow_twins,
                "Zbontar et al. 2021, eqs. 1-2",
                "it normalises the components over the batch, not the embeddings",
                "a common norm cancels, but a row near the mean of the batch gets a gradient that "
                "does not depend on its norm, and not an orthogonal one",
                (1e-4, 1e-2),
                -1.0,
                0.0,
                _views,
            ),
            Disobedient(
                "vicreg",
                vicreg,
                "Bardes et al. 2022, eqs. 1-6",
                "it holds the spread of every component at 1 and compares the views by distance",
                "far above norm 1 the covariances rule and the gradient goes as the cube of a "
                "common norm; far below, it tends to a constant set by the hinge",
                (1e2, 1e4),
                3.0,
                0.0,
                _views,
            ),
            Disobedient(
                "w_mse",
                w_mse,
                "Ermolov et al. 2021, section 3",
                "it normalises after centring and whitening, so to directions from the mean of the "
                "batch and in its own metric",
                "a common norm cancels, but a row near the mean of the batch gets a gradient that "
                "does not depend on its norm, and not an orthogonal one",
                (1e-4, 1e-2),
                -1.0,
                0.0,
                _views,
            ),
            Disobedient(
                "dot_product_info_nce",
                dot_product_info_nce,
                "van den Oord et al. 2018, eq. 4, with dot products",
                "the logits are products of norms too",
                "while the probabilities are near 1/n the gradient is a mix of the keys: "
                "proportional to their norm, and independent of the anchor's own",
                (1e-4, 1e-2),
                1.0,
                0.0,
                _views,
            ),
            Disobedient(
                "euclidean_triplet",
                euclidean_triplet,
                "Schroff et al. 2015, eq. 1, without the unit norm",
                "squared distances grow with the norms",
                "the gradient of an active triplet is 2(n - p) for the anchor: proportional to a "
                "common norm, and independent of the anchor's own",
                (1e-4, 1e-2),
                1.0,
                0.0,
                _three,
            ),
            Disobedient(
                "guarded_attraction",
                guarded_attraction,
                "torch.nn.functional.cosine_similarity, eps = 1e-8",
                "below ε the norm is replaced by ε, so that the cosine becomes a dot product",
                "-1 above norm ε; below it the gradient is y/ε², proportional to a common norm, "
                "independent of the own one, and not orthogonal",
                (1e-12, 1e-10),
                1.0,
                0.0,
                _views,
            ),
        )
    }
)
"""Negative controls by name."""
