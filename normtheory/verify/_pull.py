"""Points pulled towards one vector: cross-ratios, and the length of their mean direction."""

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

_POINTS, _CIRCLE = 6, 256
_STEPS = 200
#: Rate of the larger of two runs of SGD, in units of ρ².
_RATE = 0.01


def _units(z: Any) -> Any:
    return z / jnp.sqrt(jnp.sum(z * z, axis=-1, keepdims=True))


def _mean_loss(z: Any) -> Any:
    """−½ n ‖mean ẑ‖²."""
    mean = jnp.mean(_units(z), axis=0)
    return -len(z) / 2 * jnp.sum(mean * mean)


def _loss(z: Any, time: Any, key: Any) -> Any:
    """The mean pulls, and so does a key whose strength comes and goes."""
    return _mean_loss(z) - jnp.sum(_units(z) @ key) * jnp.cos(time)


def _runge_kutta(velocity: Any, z: Any, length: Any, steps: int) -> Any:
    """Fourth order, from time 0 to ``length`` in units that ``velocity`` knows."""
    h = length / steps

    def step(z: Any, k: Any) -> Any:
        t = k * h
        first = velocity(z, t)
        second = velocity(z + h / 2 * first, t + h / 2)
        third = velocity(z + h / 2 * second, t + h / 2)
        fourth = velocity(z + h * third, t + h)
        return z + h / 6 * (first + 2 * second + 2 * third + fourth), None

    return jax.lax.scan(step, z, jnp.arange(steps, dtype=jnp.float64))[0]


def _log_ratio(z: Any) -> Any:
    """Logarithm of the cross-ratio of the first four points."""
    u = _units(z)
    chord = lambda i, j: jnp.log(definitions.norm(u[i] - u[j]))  # noqa: E731
    return chord(0, 2) + chord(1, 3) - chord(0, 3) - chord(1, 2)


@brief
@jax.vmap
def _flow(z: Any, size: Any, key: Any) -> Any:
    """The cross-ratio before and after, and how a chord begins."""

    def velocity(z: Any, time: Any) -> Any:
        return -(size**2) * jax.grad(_loss)(z, time, key)

    def log_chord(z: Any) -> Any:
        return jnp.log(definitions.norm(_units(z)[0] - _units(z)[1]))

    begun = jax.jvp(log_chord, (z,), (velocity(z, 0.0) / size**2,))[1]
    end = _runge_kutta(velocity, z, 2.0, _STEPS)
    return jnp.exp(_log_ratio(z)), jnp.exp(_log_ratio(end)), begun, jnp.exp(log_chord(z))


def _systems(
    rng: np.random.Generator, n: int, d: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Directions (n, m, d) with no two of the first four close, norms (n, 1, 1), keys (n, d)."""
    u = uniform(rng, 40 * n * _POINTS, d).reshape(-1, _POINTS, d)
    gram = np.einsum("kid,kjd->kij", u[:, :4], u[:, :4]) - 2 * np.eye(4)
    u = u[gram.max(axis=(1, 2)) < np.cos(0.3)][:n]
    norm = clouds.log_uniform(rng, 1e-3, 1e3, n)[..., None]
    spread = rng.uniform(0.7, 1.4, (n, _POINTS, 1))
    return u, norm, norm * spread, uniform(rng, n, d)


def pull_flow(d: int, points: int, rng: np.random.Generator, *, alternate: bool = False) -> Sample:
    """The gradient flow of points of equal norm towards their mean and a key that changes.

    Args:
        d: Dimension.
        points: Number of systems.
        rng: Source of randomness.
        alternate: Every other system, the first too, has unequal norms.
    """
    n = points
    u, norm, norms, key = _systems(rng, n, d)
    unequal = np.arange(n) % 2 == 0 if alternate else np.zeros(n, bool)
    z = np.where(unequal[:, None, None], norms, norm) * u
    size = norm[:, 0, 0]
    start, end, begun, chord = (np.asarray(a) for a in _flow(z, size, key))
    other = np.asarray(_flow(norms * u, size, key)[1])
    pull = u.mean(axis=1) + key
    inputs = {
        **{name: z[:, k] for k, name in enumerate("abcd")},
        "norm": norm[:, 0],
        "cross_ratio": column(start),
        "end_of_unequal": column(other),
        "unequal": column(unequal),
        "pull_a": (pull * u[:, 0]).sum(-1, keepdims=True),
        "pull_b": (pull * u[:, 1]).sum(-1, keepdims=True),
        "chord": column(chord),
    }
    values = {
        "cross_ratio": column(start),
        "cross_ratio_after": column(end),
        "chord_velocity": column(begun),
    }
    labels = tuple(f"{'unequal' if k else 'equal'} norms, d={d}" for k in unequal)
    return Sample(inputs, values, labels)


@functools.partial(brief, static_argnames="steps")
@functools.partial(jax.vmap, in_axes=(0, 0, None, None))
def _sgd(z: Any, key: Any, rate: Any, steps: int) -> Any:
    """How far a run of SGD moves the logarithm of the cross-ratio."""

    def step(z: Any, k: Any) -> Any:
        return z - rate * jax.grad(_loss)(z, k * rate, key), None

    end = jax.lax.scan(step, z, jnp.arange(steps, dtype=jnp.float64))[0]
    return _log_ratio(end) - _log_ratio(z)


def pull_steps(d: int, points: int, rng: np.random.Generator) -> Sample:
    """By how much less SGD at half of the rate moves the cross-ratio; root mean squares."""
    u, _, _, key = _systems(rng, 2 * points, d)
    size = lambda steps, rate: np.sqrt(np.mean(np.asarray(_sgd(u, key, rate, steps)) ** 2))  # noqa: E731
    fall_of_step = size(1, _RATE) / size(1, _RATE / 2)
    fall_of_run = size(100, _RATE) / size(200, _RATE / 2)
    values = {"fall_of_step": column(fall_of_step), "fall_of_run": column(fall_of_run)}
    return Sample({"rate": column(_RATE)}, values, (f"unit norms, d={d}",))


@brief
@jax.vmap
def _gather(z: Any, size: Any, time: Any) -> Any:
    """Length of the mean direction at the start and after the flow, and after SGD."""

    def slope(z: Any) -> Any:
        return jax.grad(_mean_loss)(z)

    end = _runge_kutta(lambda z, _: -(size**2) * slope(z), z, time, 100)
    # Rates that rise and fall, with the same sum.
    rates = 1 + 0.8 * jnp.sin(jnp.arange(150.0) / 5)
    rates = rates / jnp.sum(rates) * time * size**2
    stepped = jax.lax.scan(lambda z, rate: (z - rate * slope(z), None), z, rates)[0]
    order = lambda z: definitions.norm(jnp.mean(_units(z), axis=0))  # noqa: E731
    return order(z), order(end), order(stepped)


def poisson_flow(d: int, points: int, rng: np.random.Generator, *, arcs: bool = False) -> Sample:
    """Points in a plane of R^d, pulled towards their mean from a Poisson-kernel start.

    Args:
        d: Dimension.
        points: Number of clouds of 256 points.
        rng: Source of randomness.
        arcs: Every other cloud, the first too, is spread evenly over an arc instead.
    """
    n = points
    turn = np.exp(2j * np.pi * (np.arange(_CIRCLE) + 0.5) / _CIRCLE)
    a = rng.uniform(0.05, 0.6, (n, 1))
    on_circle = (turn + a) / (1 + a * turn)
    is_arc = np.arange(n) % 2 == 0 if arcs else np.zeros(n, bool)
    width = rng.uniform(1.8, 2.6, (n, 1))
    spread = np.exp(1j * width * np.linspace(-1, 1, _CIRCLE))
    on_circle = np.where(is_arc[:, None], spread, on_circle)
    frame = np.linalg.qr(rng.standard_normal((n, d, 2)))[0]
    norm = clouds.log_uniform(rng, 1e-3, 1e3, n)
    flat = np.stack([np.real(on_circle), np.imag(on_circle)], axis=-1)
    z = norm[..., None] * np.einsum("npk,ndk->npd", flat, frame)
    time = rng.uniform(0.2, 1.5, n)
    start, end, stepped = (np.asarray(x) for x in _gather(z, norm[:, 0], time))
    inputs = {
        "start": column(start),
        "norm": norm,
        "time": column(time) * norm**2,
        "arc": column(is_arc),
    }
    values = {"order": column(end), "order_of_steps": column(stepped)}
    labels = tuple(f"{'an arc' if k else 'Poisson kernel'} in a plane, d={d}" for k in is_arc)
    return Sample(inputs, values, labels)
