"""The torque of clouds, and of the last layer of a network, over optimizer steps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.sphere import uniform
from normtheory.verify import _clouds as clouds
from normtheory.verify import _definitions as definitions
from normtheory.verify._sample import Sample, column

#: Points of the first cloud and of both.
SPLIT, POINTS = 3, 6
_STEPS = 8
_WIDTH, _BATCH = 7, 5
#: How the points move, by number; all but the first break the law.
OPTIMIZERS = ("heavy ball", "GradScale", "Adam", "Nesterov", "stop-gradient")


def _loss(z: Any, size: Any) -> Any:
    """A loss of two clouds stacked, which a common rotation leaves alone: of their Gram matrix."""
    first, second = z[:SPLIT], z[SPLIT:]
    plain = jnp.sum(jnp.tanh(first @ second.T / size**2)) + jnp.sum((z @ z.T / size**2) ** 2) / 20
    return definitions.many_point_loss(first, second) + plain


def _norm(a: Any) -> Any:
    return jnp.sqrt(jnp.sum(a * a))


def _torque(z: Any, v: Any) -> Any:
    """Σ z_a v_b − v_a z_b over points, flattened."""
    parts = jax.vmap(lambda z, v: jnp.outer(z, v) - jnp.outer(v, z))(z, v)
    return jnp.sum(parts, axis=0).ravel()


def _moves(z: Any, v: Any, squares: Any, slope: Any, setting: dict[str, Any]) -> Any:
    """Displacements of all points under the optimizers, in their order, and Adam's memory."""
    rate, momentum = setting["learning_rate"], setting["momentum"]
    norms = jnp.sqrt(jnp.sum(z * z, axis=1, keepdims=True)) / setting["size"]
    plain = momentum * v - rate * slope
    squares = 0.9 * squares + 0.1 * slope**2
    adam = momentum * v - (1 - momentum) * setting["size"] * 0.1 * slope / jnp.sqrt(squares)
    stopped = momentum * v - rate * slope.at[SPLIT:].set(0)
    scaled = momentum * v - rate * norms * slope
    nesterov = momentum * plain - rate * slope
    return jnp.stack([plain, scaled, adam, nesterov, stopped]), squares


@brief
@jax.vmap
def _run(z: Any, v: Any, kind: Any, setting: dict[str, Any]) -> Any:
    # All of the decay is either in the gradient or apart from it.
    inside = setting["coupled"] * (1 - setting["keep"]) / setting["learning_rate"]
    keep = jnp.where(setting["coupled"] == 1, 1, setting["keep"])

    def step(state: Any, _: Any) -> Any:
        z, v, squares = state
        slope = jax.grad(_loss)(z, setting["size"]) + inside * z
        moves, squares = _moves(z, v, squares, slope, setting)
        move = moves[kind]
        # Of Nesterov's step the velocity is the plain one.
        speed = jnp.where(kind == 3, moves[0], move)
        new = keep * z + move
        size = _norm(z) * (_norm(v) + _norm(speed)) + _norm(new) * _norm(speed)
        return (new, speed, squares), (_torque(new, speed), size)

    start = (z, v, jnp.zeros_like(z))
    torques, sizes = jax.lax.scan(step, start, None, length=_STEPS)[1]
    return torques[0], torques[-1], jnp.max(sizes)


def torque_run(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    coupled: bool = False,
    optimizers: bool = False,
) -> Sample:
    """Two clouds that turn together, with any velocities, moved by one loss of both.

    Args:
        d: Dimension.
        points: Number of systems.
        rng: Source of randomness.
        coupled: Decay in the gradient instead of apart from it.
        optimizers: The systems take turns among :data:`OPTIMIZERS`, beginning with GradScale.
    """
    n = 2 * points
    base = clouds.log_uniform(rng, 1e-3, 1e3, n)[..., None]
    spread = clouds.log_uniform(rng, 1 / 3, 3, n * POINTS).reshape(n, POINTS, 1)
    z = base * spread * uniform(rng, n * POINTS, d).reshape(n, POINTS, d)
    v = 0.1 * base * rng.standard_normal(z.shape)
    other = np.arange(1, n + 1) % len(OPTIMIZERS) if optimizers else np.zeros(n, int)
    setting = {
        "size": base[:, 0, 0],
        "learning_rate": 0.05 * base[:, 0, 0] ** 2,
        "momentum": rng.uniform(0.3, 0.95, n),
        "keep": rng.uniform(0.7, 0.99, n),
        "coupled": np.full(n, float(coupled)),
    }
    first, later, size = (np.asarray(a) for a in _run(z, v, other, setting))
    scaled = np.asarray(_run(z, v, np.ones(n, int), setting)[1])
    inputs = {
        "points": z,
        "velocities": v,
        "torque": _plain_torque(z, v),
        "keep": column(setting["keep"]),
        "momentum": column(setting["momentum"]),
        "other": column(other > 0),
        "with_gradscale": scaled,
    }
    values = {
        "torque": inputs["torque"],
        "next_torque": first,
        "later_torque": later,
        "size": column(size),
    }
    labels = tuple(f"two clouds, {OPTIMIZERS[k]}, d={d}" for k in other)
    return Sample(inputs, values, labels)


def _plain_torque(z: np.ndarray, v: np.ndarray) -> np.ndarray:
    product = np.einsum("npi,npj->nij", z, v)
    return (product - product.swapaxes(1, 2)).reshape(len(z), -1)


@brief
@jax.vmap
def _layer_step(parameters: Any, speeds: Any, x: Any, targets: Any, setting: Any) -> Any:
    """A step of both layers of a ReLU network; torques of the last with and without its bias."""

    def loss(parameters: Any) -> Any:
        first, bias, last = parameters
        hidden = jax.nn.relu(x @ first + bias)
        output = hidden @ last[:-1] + last[-1]
        # The targets are what another cloud of the same network is: they turn along.
        other = jax.nn.relu(targets @ first + bias) @ last[:-1] + last[-1]
        return definitions.many_point_loss(output, other) + jnp.sum(jnp.tanh(output @ other.T))

    slopes = jax.grad(loss)(parameters)
    rate, momentum, keep = (setting[k] for k in ("learning_rate", "momentum", "keep"))
    speeds = [momentum * v - rate * g for v, g in zip(speeds, slopes, strict=True)]
    new = [keep * w + v for w, v in zip(parameters, speeds, strict=True)]
    size = _norm(parameters[2]) * _norm(speeds[2]) + _norm(new[2]) * _norm(speeds[2])
    return _torque(new[2], speeds[2]), size, rate * _norm(slopes[2])


def layer_torque(d: int, points: int, rng: np.random.Generator) -> Sample:
    """The last layer, weights and bias, of networks with two layers whose both layers train."""
    n = points
    shapes = ((4, _WIDTH), (1, _WIDTH), (_WIDTH + 1, d))
    parameters = [rng.standard_normal((n, *shape)) for shape in shapes]
    speeds = [0.1 * rng.standard_normal((n, *shape)) for shape in shapes]
    x, targets = rng.standard_normal((2, n, _BATCH, 4))
    setting = {
        "learning_rate": np.full(n, 0.05),
        "momentum": rng.uniform(0.3, 0.95, n),
        "keep": rng.uniform(0.7, 0.99, n),
    }
    found, size, moved = _layer_step(parameters, speeds, x, targets, setting)
    last, speed = parameters[2], speeds[2]
    inputs = {
        "torque": _plain_torque(last, speed),
        "weights_alone": _plain_torque(last[:, :-1], speed[:, :-1]),
        "keep": column(setting["keep"]),
        "momentum": column(setting["momentum"]),
    }
    length = column(np.linalg.norm(last, axis=(1, 2)))
    values = {"next_torque": np.asarray(found), "size": column(size) + length * column(moved)}
    return Sample(inputs, values, (f"last layer of width {_WIDTH}, d={d}",) * n)
