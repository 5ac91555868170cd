"""Single optimizer steps in d dimensions, every gradient by autodiff."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from normtheory._program import brief
from normtheory.sphere import uniform
from normtheory.verify import _clouds as clouds
from normtheory.verify import _definitions as definitions
from normtheory.verify._sample import Sample, column

#: Points of one interacting system in the many-point measurements.
SYSTEM = 5


def sgd_pair(z: Any, y: Any, setting: dict[str, Any]) -> tuple[Any, Any]:
    """One autodiff SGD step of a pair.

    Args:
        z: Point i, shape (d,).
        y: Point j, shape (d,).
        setting: ``learning_rate``, ``gradscale`` (the gradient of each point times its norm to this
            power), ``weight_decay``, ``repel`` and ``one_sided`` (both 0 or 1), scalars.
    """
    sign = 1 - 2 * setting["repel"]
    loss = lambda a, b: -sign * definitions.cosine(a, b)  # noqa: E731
    grad_z, grad_y = jax.grad(loss, (0, 1))(z, y)

    def move(point: Any, gradient: Any) -> Any:
        rate = setting["learning_rate"] * definitions.norm(point) ** setting["gradscale"]
        keep = 1 - setting["learning_rate"] * setting["weight_decay"]
        return keep * point - rate * gradient

    return move(z, grad_z), jnp.where(setting["one_sided"] == 1, y, move(y, grad_y))


def _crossing(z: Any, y: Any, z_new: Any, y_new: Any) -> Any:
    """Positive if the new pair keeps the orientation of the old one in their plane."""
    a, b = z / definitions.norm(z), y / definitions.norm(y)
    across = b - jnp.sum(a * b) * a
    across = across / definitions.norm(across)
    turned = jnp.sum(z_new * a) * jnp.sum(y_new * across)
    turned = turned - jnp.sum(z_new * across) * jnp.sum(y_new * a)
    return turned / definitions.norm(z_new) / definitions.norm(y_new)


@brief
@functools.partial(jax.vmap, in_axes=0)
def _pair_step(z: Any, y: Any, setting: dict[str, Any]) -> dict[str, Any]:
    z_new, y_new = sgd_pair(z, y, setting)
    # cos' - cos as half the difference of squared chords: no digits lost near alignment.
    old = z / definitions.norm(z) - y / definitions.norm(y)
    new = z_new / definitions.norm(z_new) - y_new / definitions.norm(y_new)
    return {
        "next_angle": definitions.angle(z_new, y_new),
        "next_norm_i": definitions.norm(z_new),
        "next_norm_j": definitions.norm(y_new),
        "cosine_change": (jnp.sum(old * old) - jnp.sum(new * new)) / 2,
        "next_cosine": definitions.cosine(z_new, y_new),
        "square_gap": jnp.sum(z_new * z_new) - jnp.sum(y_new * y_new),
        "fourth_gap": jnp.sum(z_new * z_new) ** 2 - jnp.sum(y_new * y_new) ** 2,
        "fourth_power": jnp.sum(z_new * z_new) ** 2,
        "crossing": _crossing(z, y, z_new, y_new),
        "turn": definitions.angle(z, z_new),
    }


def _sample(z: np.ndarray, y: np.ndarray, setting: dict[str, Any], labels: Any) -> Sample:
    n = len(labels)
    # One dtype for all, so that no choice of settings compiles again.
    flat = {
        key: np.broadcast_to(value, (n, 1))[:, 0].astype(np.float64)
        for key, value in setting.items()
    }
    values = {k: column(v) for k, v in _pair_step(z, y, flat).items()}
    measured = clouds.measure_angle(z, y)
    norm_i, norm_j = clouds.norms(z), clouds.norms(y)
    inputs = {
        "angle": measured.angle,
        "c": measured.c,
        "s": measured.s,
        "norm_i": norm_i,
        "norm_j": norm_j,
        "x_i": flat["learning_rate"][:, None] * norm_i ** (setting["gradscale"] - 2),
        "x_j": flat["learning_rate"][:, None] * norm_j ** (setting["gradscale"] - 2),
    }
    inputs |= {key: value[:, None] for key, value in flat.items()}
    # The two that bounds are stated about.
    inputs |= {key: values[key] for key in ("next_cosine", "cosine_change")}
    inputs["x_j"] = np.where(inputs["one_sided"] == 1, 0.0, inputs["x_j"])
    return Sample(inputs, values, tuple(labels))


def pair_step(
    d: int, points: int, rng: np.random.Generator, *, variants: bool = False, equal: bool = False
) -> Sample:
    """One step of pairs; effective rates 1e-3 to 10, norms within a factor of 10 of each other.

    Args:
        d: Dimension.
        points: Pairs of each kind.
        rng: Source of randomness.
        variants: Also draw repulsion, stop-gradient, weight decay and GradScale at random.
        equal: Both points of a pair have the same norm.
    """
    cloud = clouds.pairs(rng, d, points, norm_ratio=1.0 if equal else 10.0)
    n = len(cloud.labels)
    norm = np.minimum(clouds.norms(cloud.z), clouds.norms(cloud.y))
    rate = clouds.log_uniform(rng, 1e-3, 10, n)
    power = rng.choice([0.0, 0.5, 1.0, 1.5, 2.0], (n, 1)) if variants else np.zeros((n, 1))
    # The smaller norm has the larger effective rate for p < 2, so x <= 10 for both points.
    learning_rate = rate * norm ** (2 - power)
    setting = {
        "learning_rate": learning_rate,
        "gradscale": power,
        "weight_decay": np.zeros((n, 1)),
        "repel": np.zeros((n, 1)),
        "one_sided": np.zeros((n, 1)),
    }
    if variants:
        setting["weight_decay"] = rng.choice([0.0, 0.01, 0.5], (n, 1)) / learning_rate
        setting["repel"] = rng.integers(0, 2, (n, 1))
        setting["one_sided"] = rng.integers(0, 2, (n, 1))
    return _sample(cloud.z, cloud.y, setting, cloud.labels)


def pair_grid(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    first: tuple[float, ...],
    angles: tuple[float, float] = (0.02, 3.12),
    rates: tuple[float, float] = (1e-2, 5.0),
    equal: bool = False,
    one_sided: bool = False,
) -> Sample:
    """One step of pairs of equal norm over chosen angles and effective rates.

    Args:
        d: Dimension.
        points: A quarter of the number of pairs.
        rng: Source of randomness.
        first: Angle and effective rates (φ, x_i, x_j) of the first row.
        angles: Range of the angles, uniform.
        rates: Range of the effective rates, log-uniform and independent for the two points.
        equal: Both points have the same norm and so the same rate.
        one_sided: Stop-gradient on j.
    """
    n = 4 * points
    angle = rng.uniform(*angles, (n, 1))
    x_i, x_j = (clouds.log_uniform(rng, *rates, n) for _ in range(2))
    angle[0], x_i[0], x_j[0] = first
    x_j = x_i if equal else x_j
    u = uniform(rng, n, d)
    norm = clouds.log_uniform(rng, 1e-3, 1e3, n)
    z = norm * u
    y = norm * np.sqrt(x_i / x_j) * clouds.at_angle(rng, u, angle)
    setting = {
        "learning_rate": x_i * norm**2,
        "gradscale": np.zeros((n, 1)),
        "weight_decay": np.zeros((n, 1)),
        "repel": np.zeros((n, 1)),
        "one_sided": np.full((n, 1), float(one_sided)),
    }
    return _sample(z, y, setting, (f"grid of angles and rates, d={d}",) * n)


@brief
@functools.partial(jax.vmap, in_axes=(0, 0, 0))
def _best_rate(z: Any, y: Any, one_sided: Any) -> Any:
    setting = {"gradscale": 0.0, "weight_decay": 0.0, "repel": 0.0, "one_sided": one_sided}

    def cosine_after(x: Any) -> Any:
        return definitions.cosine(*sgd_pair(z, y, setting | {"learning_rate": x}))

    def halve(_: Any, bounds: Any) -> Any:
        low, high = bounds
        middle = (low + high) / 2
        rising = jax.grad(cosine_after)(middle) > 0
        return jnp.where(rising, middle, low), jnp.where(rising, high, middle)

    low, high = jax.lax.fori_loop(0, 60, halve, (1e-3, 30.0))
    return (low + high) / 2


def best_rate(d: int, points: int, rng: np.random.Generator, *, one_sided: bool = False) -> Sample:
    """The effective rate after which the cosine of a unit-norm pair is largest, by bisection."""
    n = 4 * points
    angle = rng.uniform(0.1, 1.4 if one_sided else 2.7, (n, 1))
    z = uniform(rng, n, d)
    y = clouds.at_angle(rng, z, angle)
    found = _best_rate(z, y, np.full(n, float(one_sided)))
    measured = clouds.measure_angle(z, y)
    inputs = {"c": measured.c, "s": measured.s}
    return Sample(inputs, {"best_rate": column(found)}, (f"unit norms, d={d}",) * n)


def _systems(
    d: int, points: int, rng: np.random.Generator, spread: float = 3.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Systems of interacting points (n, SYSTEM, d), their targets, and a norm typical of each."""
    n = points
    base = clouds.log_uniform(rng, 1e-3, 1e3, n)[..., None]
    own = clouds.log_uniform(rng, 1 / spread, spread, n * SYSTEM).reshape(n, SYSTEM, 1)
    u = uniform(rng, n * SYSTEM, d).reshape(n, SYSTEM, d)
    targets = uniform(rng, n * SYSTEM, d).reshape(n, SYSTEM, d)
    return base * own * u, targets, base[:, 0]


@brief
@functools.partial(jax.vmap, in_axes=(0, 0, 0))
def _sgd_step(system: Any, targets: Any, rate: Any) -> dict[str, Any]:
    gradient = jax.grad(definitions.many_point_loss)(system, targets)
    norms = jax.vmap(definitions.norm)
    flow = jax.jvp(norms, (system,), (-gradient,))[1]
    return {
        "norm": norms(system),
        "gradient_norm": norms(gradient),
        "next_norm": norms(system - rate * gradient),
        "flow_of_norm": flow,
    }


def sgd_step(d: int, points: int, rng: np.random.Generator) -> Sample:
    """One SGD step of systems of interacting points, all at once."""
    system, targets, base = _systems(d, points, rng)
    rate = clouds.log_uniform(rng, 1e-3, 10, len(base)) * base**2
    found = _sgd_step(system, targets, rate[:, 0])
    values = {key: column(value) for key, value in found.items()}
    inputs = values | {"learning_rate": column(np.repeat(rate, SYSTEM))}
    return Sample(inputs, values, (f"{SYSTEM} interacting points, d={d}",) * len(base) * SYSTEM)


@functools.partial(brief, static_argnames="steps")
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0, None))
def _momentum(system: Any, targets: Any, rate: Any, momentum: Any, steps: int) -> dict[str, Any]:
    def step(state: Any, _: Any) -> Any:
        z, v = state
        v_new = momentum * v - rate * jax.grad(definitions.many_point_loss)(z, targets)
        return (z + v_new, v_new), None

    before, _ = jax.lax.scan(step, (system, jnp.zeros_like(system)), None, length=steps)
    (z_new, v_new), _ = step(before, None)
    z, v = before
    norms = jax.vmap(definitions.norm)
    return {
        "norm": norms(z),
        "norm_v": norms(v),
        "z_dot_v": jnp.sum(z * v, axis=1),
        "next_norm_v": norms(v_new),
        "next_norm": norms(z_new),
        "next_z_dot_v": jnp.sum(z_new * v_new, axis=1),
        "shrinkage": jnp.maximum(norms(z) - norms(z_new), 0),
    }


def momentum_step(d: int, points: int, rng: np.random.Generator, *, steps: int = 9) -> Sample:
    """The last of several heavy-ball steps of interacting points, started at rest."""
    system, targets, base = _systems(d, points, rng)
    n = len(base)
    rate = clouds.log_uniform(rng, 1e-3, 1, n) * base**2
    momentum = rng.uniform(0, 0.99, n)
    found = _momentum(system, targets, rate[:, 0], momentum, steps)
    values = {key: column(value) for key, value in found.items()}
    inputs = values | {"momentum": column(np.repeat(momentum, SYSTEM))}
    return Sample(inputs, values, (f"{SYSTEM} interacting points, d={d}",) * n * SYSTEM)


def optimizer_growth(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Relative change of the squared norm in one step: heavy ball (``adam`` 0) or Adam (1).

    The first row is Adam on z = (1, 0.1, 0, …), attracted to a point on its outer side.
    """
    n = 2 * points
    z = uniform(rng, n, d)
    y = uniform(rng, n, d)
    z[0], y[0] = np.eye(d)[0] + 0.1 * np.eye(d)[1], np.eye(d)[1]
    adam = np.arange(n) % 2 == 0

    @brief
    @functools.partial(jax.vmap, in_axes=0)
    def change(z: Any, y: Any, use_adam: Any) -> Any:
        loss = lambda z: -definitions.cosine(z, y)  # noqa: E731
        results = []
        for optimizer in (optax.sgd(0.05, momentum=0.9), optax.adam(0.05)):
            point, state = z, optimizer.init(z)
            for _ in range(3):
                before = jnp.sum(point * point)
                updates, state = optimizer.update(jax.grad(loss)(point), state, point)
                point = point + updates
                results.append(jnp.sum(point * point) / before - 1)
        return jnp.where(use_adam, jnp.min(jnp.stack(results[3:])), jnp.min(jnp.stack(results[:3])))

    value = column(change(z, y, adam))
    labels = tuple(f"{'Adam' if a else 'heavy ball'}, d={d}" for a in adam)
    return Sample({"adam": column(adam)}, {"growth": value}, labels)
