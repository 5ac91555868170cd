"""Heavy-ball momentum on pairs near alignment, and against fresh partners with weight decay."""

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
from normtheory.verify._normals import normals
from normtheory.verify._sample import Sample, column


def _signed(z: Any, y: Any, across: Any) -> Any:
    """Small angle from z to y, positive towards ``across``."""
    u, v = z / definitions.norm(z), y / definitions.norm(y)
    return jnp.sum((v - u) * across)


@brief
@jax.vmap
def _three(z: Any, y: Any, v: Any, w: Any, across: Any, rate: Any, momentum: Any) -> Any:
    """Signed angles of a pair before two heavy-ball steps, between them, and after."""
    angles = [_signed(z, y, across)]
    for _ in range(2):
        slope = jax.grad(lambda z, y: -definitions.cosine(z, y), (0, 1))(z, y)
        v, w = momentum * v - rate * slope[0], momentum * w - rate * slope[1]
        z, y = z + v, y + w
        angles.append(_signed(z, y, across))
    return jnp.stack(angles)


def heavy_ball_pair(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Two steps of pairs at angles of 1e-7 to 1e-5, with momentum across the pair."""
    n = 4 * points
    norm = clouds.log_uniform(rng, 1e-3, 1e3, n)
    other = norm * clouds.log_uniform(rng, 0.3, 3, n)
    direction = uniform(rng, n, d)
    angle = clouds.log_uniform(rng, 1e-7, 1e-5, n)
    partner = clouds.at_angle(rng, direction, angle)
    across = partner - (partner * direction).sum(-1, keepdims=True) * direction
    across /= clouds.norms(across)
    x = clouds.log_uniform(rng, 1e-4, 3.0, n)
    rate = 2 * x / (norm**-2 + other**-2)
    momentum = rng.uniform(0, 0.99, (n, 1))
    v, w = (size * angle * rng.uniform(-1, 1, (n, 1)) * across for size in (norm, other))
    angles = np.asarray(
        _three(norm * direction, other * partner, v, w, across, rate[:, 0], momentum[:, 0])
    )
    first, second, third = (column(angles[:, k]) for k in range(3))
    inputs = {"first": first, "second": second, "x": x, "momentum": momentum}
    size = abs(first) + abs(second) + abs(third)
    return Sample(inputs, {"third": third, "size": size}, (f"near alignment, d={d}",) * n)


@brief
@jax.vmap
def _slopes(z: Any, across: Any, x: Any, momentum: Any) -> Any:
    """How an aligned pair's opening and its speed go over one step, linearised: (2, 2)."""

    def step(opening: Any) -> Any:
        angle, speed = opening
        # Opened by the two points in equal parts, so that their common turn stays out.
        pair = (z - angle / 2 * across, z + angle / 2 * across)
        slope = jax.grad(lambda z, y: -definitions.cosine(z, y), (0, 1))(*pair)
        v, w = -speed / 2 * across, speed / 2 * across
        v, w = momentum * v - x * slope[0], momentum * w - x * slope[1]
        opened = jnp.sum((pair[1] + w - pair[0] - v) * across)
        return jnp.stack([opened, jnp.sum((w - v) * across)])

    return jax.jacfwd(step)(jnp.zeros(2))


def _bisect(holds: Any, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where ``holds``, true at ``low`` and false at ``high``, changes."""
    for _ in range(60):
        middle = (low + high) / 2
        yes = holds(middle)
        low, high = np.where(yes, middle, low), np.where(yes, high, middle)
    return (low + high) / 2


def heavy_ball_spectrum(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Effective rates up to which an aligned pair is overdamped, and stable; and its pace.

    All from the eigenvalues of one linearised step of a pair of unit norms.
    """
    n = 4 * points
    z = uniform(rng, n, d)
    across = clouds.at_angle(rng, z, np.full((n, 1), np.pi / 2))
    momentum = rng.uniform(0.05, 0.95, n)

    def roots(x: np.ndarray) -> np.ndarray:
        return np.linalg.eigvals(np.asarray(_slopes(z, across, x, momentum))).astype(complex)

    def overdamped(x: np.ndarray) -> np.ndarray:
        found = np.asarray(_slopes(z, across, x, momentum))
        trace = found[:, 0, 0] + found[:, 1, 1]
        return trace**2 > 4 * np.linalg.det(found)

    crossover = _bisect(overdamped, np.zeros(n), np.full(n, 0.5))
    limit = _bisect(lambda x: abs(roots(x)).max(axis=1) < 1, np.full(n, 0.5), np.full(n, 4.0))
    small = 1e-5 * crossover
    pace = -np.log(abs(roots(small)).max(axis=1)) / (2 * small)
    values = {"crossover": column(crossover), "limit": column(limit), "speed_up": column(pace)}
    return Sample({"momentum": column(momentum)}, values, (f"aligned pairs, d={d}",) * n)


@functools.partial(brief, level=1, static_argnames="steps")
def _decay(key: Any, z: Any, rate: Any, decay: Any, momentum: Any, steps: int) -> Any:
    """Mean ρ⁴ and squared turn over the second half of a run with coupled decay."""

    def step(carry: Any, key: Any) -> Any:
        z, v = carry
        partner = normals(key, z.shape)
        slope = jax.vmap(jax.grad(lambda z, y: -definitions.cosine(z, y)))(z, partner)
        v = momentum * v - rate * (slope + decay * z)
        turn = jax.vmap(definitions.angle)(z, z + v)
        return (z + v, v), (jnp.sum((z + v) ** 2, axis=-1) ** 2, turn**2)

    out = jax.lax.scan(step, (z, jnp.zeros_like(z)), jax.random.split(key, steps))[1]
    return jax.tree.map(lambda a: jnp.mean(a[steps // 2 :], axis=0), out)


def heavy_ball_decay(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Fresh partners, heavy ball, decay in the gradient: rows are means over points and steps."""
    rows = [(0.0, 0.01), (0.5, 0.005), (0.9, 0.001)]
    fourth, turn = [], []
    for momentum, share in rows:
        rate = 0.5
        decay = share / rate
        # Half as large again as the equilibrium, so that a mean over the start would show.
        start = 1.5 * (rate * (1 - 1 / d) / (2 * decay * (1 - momentum))) ** 0.25
        z = start * uniform(rng, 4 * points, d)
        key = jax.random.key(int(rng.integers(2**31)))
        found = _decay(key, z, rate, decay, momentum, 2000)
        fourth.append(float(jnp.mean(found[0])))
        turn.append(float(jnp.mean(found[1])))
    inputs = {
        "learning_rate": np.full((3, 1), 0.5),
        "weight_decay": column([share / 0.5 for _, share in rows]),
        "momentum": column([momentum for momentum, _ in rows]),
        "mean_square_sine": np.full((3, 1), 1 - 1 / d),
    }
    values = {"fourth_power": column(fourth), "turn": np.sqrt(column(turn))}
    return Sample(inputs, values, tuple(f"momentum {m:g}, d={d}" for m, _ in rows))
