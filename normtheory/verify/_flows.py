"""The gradient flow and the number of steps to converge, by autodiff in d dimensions."""

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
from normtheory.verify._runs import pair_setting
from normtheory.verify._sample import Sample, column
from normtheory.verify._steps import sgd_pair


@functools.partial(brief, static_argnames="steps")
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0, None))
def _flow(z: Any, y: Any, time: Any, options: dict[str, Any], steps: int) -> Any:
    def velocity(z: Any, y: Any) -> Any:
        sign = 1 - 2 * options["repel"]
        slopes = jax.grad(definitions.cosine, (0, 1))(z, y)
        first, second = (
            sign * definitions.norm(x) ** options["gradscale"] * slope
            for x, slope in zip((z, y), slopes, strict=True)
        )
        return first, (1 - options["one_sided"]) * second

    add = functools.partial(jax.tree.map, lambda a, b, h: a + h * b)

    def runge_kutta(state: Any, _: Any) -> Any:
        h = time / steps

        def shifted(slope: Any, size: Any) -> Any:
            return add(state, slope, (size, size))

        a = velocity(*state)
        b = velocity(*shifted(a, h / 2))
        c = velocity(*shifted(b, h / 2))
        e = velocity(*shifted(c, h))
        slope = jax.tree.map(lambda a, b, c, e: (a + 2 * b + 2 * c + e) / 6, a, b, c, e)
        return shifted(slope, h), None

    end, _ = jax.lax.scan(runge_kutta, (z, y), None, length=steps)
    return definitions.angle(*end), definitions.norm(end[0])


def flow_run(d: int, points: int, rng: np.random.Generator, *, variants: bool = False) -> Sample:
    """The angle after some time of gradient flow, by a Runge-Kutta method of order 4.

    Args:
        d: Dimension.
        points: Half of the number of pairs.
        rng: Source of randomness.
        variants: Draw GradScale, repulsion and stop-gradient at random.
    """
    n = 2 * points
    options = {key: np.zeros((n, 1)) for key in ("gradscale", "repel", "one_sided")}
    if variants:
        options["gradscale"] = rng.choice([0.0, 1.0, 1.5], (n, 1))
        options["repel"] = rng.integers(0, 2, (n, 1)).astype(float)
        options["one_sided"] = rng.integers(0, 2, (n, 1)).astype(float)
    power = options["gradscale"]
    norm_i = clouds.log_uniform(rng, 1e-3, 1e3, n)
    norm_j = norm_i * clouds.log_uniform(rng, 0.2, 5, n)
    u = uniform(rng, n, d)
    z, y = norm_i * u, norm_j * clouds.at_angle(rng, u, rng.uniform(0.05, 3.1, (n, 1)))
    # Up to a few times the time scale 1/(1/ρ_i² + 1/ρ_j²), where the angle has fallen 100-fold.
    time = rng.uniform(0.5, 5, (n, 1)) / (norm_i ** (power - 2) + norm_j ** (power - 2))
    flat = {key: value[:, 0] for key, value in options.items()}
    angle, norm = _flow(z, y, time[:, 0], flat, 400)
    inputs = {
        "start": clouds.measure_angle(z, y).angle,
        "norm_i": norm_i,
        "norm_j": norm_j,
        "time": time,
    }
    inputs |= options
    values = {"angle": column(angle), "norm": column(norm)}
    return Sample(inputs, values, (f"angles 0.05 to 3.1, d={d}",) * n)


@functools.partial(brief, level=1)
def _count(z: Any, y: Any, setting: dict[str, Any], target: Any, limit: Any) -> Any:
    """Updates until the angle, measured before an update, is at most the target, row by row."""
    advance, angles = jax.vmap(sgd_pair), jax.vmap(definitions.angle)

    def unfinished(state: Any) -> Any:
        return jnp.any(angles(state[0], state[1]) > target) & (state[3] < limit)

    def step(state: Any) -> Any:
        z, y, count, time = state
        open_rows = angles(z, y) > target
        new_z, new_y = advance(z, y, setting)
        z = jnp.where(open_rows[:, None], new_z, z)
        y = jnp.where(open_rows[:, None], new_y, y)
        return z, y, count + open_rows, time + 1

    start = (z, y, jnp.zeros(z.shape[0], dtype=jnp.int32), jnp.int32(0))
    return jax.lax.while_loop(unfinished, step, start)[2]


def step_count(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    powers: tuple[float, ...] = (0.0,),
    antipode: bool = False,
) -> Sample:
    """SGD steps of single pairs to a small angle, at effective rates of 0.002 to 0.01.

    Args:
        d: Dimension.
        points: Half of the number of pairs.
        rng: Source of randomness.
        powers: GradScale powers.
        antipode: Start 1e-7 to 0.1 from the antipode instead of anywhere.
    """
    n = 2 * points
    power = rng.choice(np.array(powers), (n, 1))
    x = clouds.log_uniform(rng, 2e-3, 1e-2, n)
    norm = clouds.log_uniform(rng, 1e-2, 1e2, n)
    gap = clouds.log_uniform(rng, 1e-7, 0.1, n)
    angle = np.pi - gap if antipode else rng.uniform(0.3, 3, (n, 1))
    target = clouds.log_uniform(rng, 1e-3, 0.05, n)
    u = uniform(rng, n, d)
    other = -clouds.at_angle(rng, u, gap) if antipode else clouds.at_angle(rng, u, angle)
    rate = x * norm ** (2 - power)
    setting = pair_setting(n, learning_rate=rate[:, 0], gradscale=power[:, 0])
    counted = _count(norm * u, norm * other, setting, target[:, 0], 60_000)
    inputs = {
        "start": angle,
        "gap": gap,
        "target": target,
        "norm": norm,
        "learning_rate": rate,
        "gradscale": power,
    }
    where = "near the antipode" if antipode else "angles 0.3 to 3"
    return Sample(inputs, {"steps": column(counted)}, (f"{where}, d={d}",) * n)


@functools.partial(brief, level=1)
def _ensemble_count(z: Any, y: Any, rate: Any, tolerance: Any) -> Any:
    gradients = jax.vmap(jax.grad(definitions.cosine, (0, 1)))

    def short(state: Any) -> Any:
        return jnp.mean(jax.vmap(definitions.cosine)(*state[:2])) < 1 - tolerance

    def step(state: Any) -> Any:
        z, y, count = state
        pull_z, pull_y = gradients(z, y)
        return z + rate * pull_z, y + rate * pull_y, count + 1

    return jax.lax.while_loop(short, step, (z, y, jnp.int32(0)))[2]


def ensemble_count(d: int, points: int, rng: np.random.Generator) -> Sample:
    """SGD steps until the mean cosine of 500 random pairs reaches 1 − 1e-3, at several norms."""
    many, rate, tolerance = 500, 0.02, 1e-3
    norms = np.array([[1.0], [2.0], [4.0]])
    z, y = uniform(rng, many, d), uniform(rng, many, d)
    counted = [_ensemble_count(r * z, r * y, rate, tolerance) for r in norms[:, 0]]
    inputs = {
        "angles": np.broadcast_to(clouds.measure_angle(z, y).angle[:, 0], (3, many)),
        "norm": norms,
        "learning_rate": np.full((3, 1), rate),
        "tolerance": np.full((3, 1), tolerance),
        "dimension": np.full((3, 1), float(d)),
        "gradscale": np.zeros((3, 1)),
    }
    labels = tuple(f"{many} random pairs, norm {r:g}, d={d}" for r in norms[:, 0])
    return Sample(inputs, {"steps": column(counted)}, labels)
