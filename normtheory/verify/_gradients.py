"""First and second derivatives, by jax.grad, jax.hessian and linearised jax.grad."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.sphere import uniform
from normtheory.verify import _clouds as clouds
from normtheory.verify import _definitions as definitions
from normtheory.verify._sample import Sample, column

KEYS = 3
#: Full Hessians up to this dimension, Hessian-vector products above.
FULL_HESSIAN = 64


def _along(function: Any, z: jax.Array, v: jax.Array) -> jax.Array:
    """Derivative of ``function`` along v."""
    return jax.jvp(function, (z,), (v,))[1]


def _hessian(loss: Any, z: jax.Array) -> Any:
    """The Hessian at z as a linear function."""
    if z.shape[0] <= FULL_HESSIAN:
        return functools.partial(jnp.matmul, jax.hessian(loss)(z))
    return jax.linearize(jax.grad(loss), z)[1]


@brief
@functools.partial(jax.vmap, in_axes=0)
def _direction_loss(z: Any, v: Any, alpha: Any, keys: Any, weights: Any) -> dict[str, Any]:
    loss = functools.partial(definitions.smooth_direction_loss, keys=keys, weights=weights)
    inner = functools.partial(definitions.smooth, keys=keys, weights=weights)
    direction = z / definitions.norm(z)
    gradient = jax.grad(loss)(z)
    hessian = _hessian(loss, z)
    curvature = jax.linearize(jax.grad(inner), direction)[1]
    return {
        "slope": jax.grad(inner)(direction),
        "curved_v": curvature(v),
        "curved_direction": curvature(direction),
        "gradient": gradient,
        "radial_part": jnp.sum(z * gradient, keepdims=True),
        "gradient_at_alpha_z": jax.grad(loss)(alpha * z),
        "hessian_vector": hessian(v),
        "hessian_point": hessian(z),
        "hessian_vector_at_alpha_z": _along(jax.grad(loss), alpha * z, v),
    }


@brief
@functools.partial(jax.vmap, in_axes=0)
def _two_directions(z: Any, y: Any, keys: Any, weights: Any) -> dict[str, Any]:
    loss = functools.partial(definitions.two_direction_loss, keys=keys, weights=weights)
    return {
        "cross_gradient": jax.grad(loss, 0)(z, y),
        "cross_gradient_y": jax.grad(loss, 1)(z, y),
        # H_zy y: the gradient in z moved along y; z^T H_zy: the gradient in y moved along z.
        "cross_y": _along(lambda w: jax.grad(loss, 0)(z, w), y, y),
        "z_cross": _along(lambda w: jax.grad(loss, 1)(w, y), z, z),
    }


@brief
@functools.partial(jax.vmap, in_axes=0)
def _cosine_pair(z: Any, y: Any) -> dict[str, Any]:
    gradient = jax.grad(definitions.cosine)(z, y)
    return {
        "gradient": gradient,
        "gradient_norm": definitions.norm(gradient)[None],
        "cosine": definitions.cosine(z, y)[None],
        "angle": definitions.angle(z, y)[None],
    }


@brief
@functools.partial(jax.vmap, in_axes=0)
def _flow(z: Any, y: Any) -> dict[str, Any]:
    velocity = jax.grad(definitions.cosine, (0, 1))(z, y)
    return {
        "angle_velocity": jax.jvp(definitions.angle, (z, y), velocity)[1][None],
        "norm_velocity": _along(definitions.norm, z, velocity[0])[None],
        "one_sided_angle_velocity": _along(lambda w: definitions.angle(w, y), z, velocity[0])[None],
    }


def _random_loss(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    keys = uniform(rng, n * KEYS, d).reshape(n, KEYS, d)
    # Every fourth row is purely linear, quadratic, log-sum-exp; the others mix the three.
    weights = rng.uniform(-1, 1, (n, 3))
    for kind in range(3):
        weights[kind::4] = np.eye(3)[kind]
    return keys, weights


def _numpy(values: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in values.items()}


def direction_loss(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Gradient and Hessian-vector products of random smooth losses of one direction."""
    cloud = clouds.pairs(rng, d, points)
    n = len(cloud.labels)
    keys, weights = _random_loss(rng, n, d)
    # A key near the point (or its antipode) makes the loss's own gradient small there.
    keys[:, 0] = cloud.y / clouds.norms(cloud.y)
    v = uniform(rng, n, d)
    alpha = clouds.log_uniform(rng, 1e-3, 1e3, n)
    values = _numpy(_direction_loss(cloud.z, v, alpha, keys, weights))
    inputs = {"z": cloud.z, "norm": clouds.norms(cloud.z), "v": v, "alpha": alpha} | values
    return Sample(inputs, values, cloud.labels)


def two_directions(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Cross blocks of the Hessian of random smooth losses of two directions."""
    cloud = clouds.pairs(rng, d, points)
    keys, weights = _random_loss(rng, len(cloud.labels), d)
    values = _numpy(_two_directions(cloud.z, cloud.y, keys, weights))
    inputs = {"z": cloud.z, "y": cloud.y} | values
    inputs |= {"norm": clouds.norms(cloud.z), "norm_y": clouds.norms(cloud.y)}
    return Sample(inputs, values, cloud.labels)


def _pair_inputs(cloud: clouds.Pairs) -> dict[str, np.ndarray]:
    measured = clouds.measure_angle(cloud.z, cloud.y)
    return {
        "z": cloud.z,
        "y": cloud.y,
        "norm": clouds.norms(cloud.z),
        "norm_y": clouds.norms(cloud.y),
        "angle": measured.angle,
        "c": measured.c,
        "s": measured.s,
    }


def cosine_pair(d: int, points: int, rng: np.random.Generator) -> Sample:
    """The plain cosine, its angle, and its gradient with respect to one point."""
    cloud = clouds.pairs(rng, d, points)
    return Sample(_pair_inputs(cloud), _numpy(_cosine_pair(cloud.z, cloud.y)), cloud.labels)


@brief
@jax.vmap
def _cosine_hessian(z: Any, y: Any) -> Any:
    return jax.hessian(definitions.cosine)(z, y).ravel()


def cosine_hessian(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Second derivatives of the plain cosine with respect to one point, row by row."""
    cloud = clouds.pairs(rng, d, points)
    values = {"hessian": np.asarray(_cosine_hessian(cloud.z, cloud.y))}
    return Sample(_pair_inputs(cloud), values, cloud.labels)


def flow_velocity(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Velocity of the plain angle and norm along the autodiff gradient flow of attraction."""
    cloud = clouds.pairs(rng, d, points, norm_ratio=10.0)
    return Sample(_pair_inputs(cloud), _numpy(_flow(cloud.z, cloud.y)), cloud.labels)


@brief
@jax.vmap
def _fixed_keys(z: Any, keys: Any) -> Any:
    def mean_cosine(z: Any) -> Any:
        return jnp.mean(jax.vmap(definitions.cosine, (None, 0))(z, keys))

    return mean_cosine(z)[None], jax.grad(mean_cosine)(z)


def fixed_keys(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Mean cosine of a point with a set of fixed keys, and its gradient."""
    cloud = clouds.pairs(rng, d, points)
    n = len(cloud.labels)
    extra = uniform(rng, n * 6, d).reshape(n, 6, d)
    keys = np.concatenate([cloud.y[:, None], extra * rng.uniform(0.1, 10, (n, 6, 1))], axis=1)
    value, gradient = _fixed_keys(cloud.z, keys)
    unit = keys / clouds.norms(keys)
    inputs = {"z": cloud.z, "norm": clouds.norms(cloud.z), "mean_key": unit.mean(axis=1)}
    inputs["keys"] = keys
    values = {"mean_cosine": column(value), "gradient": np.asarray(gradient)}
    return Sample(inputs, values, cloud.labels)
