"""Long runs of one pair or point in d dimensions, every gradient by autodiff."""

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
from normtheory.verify._steps import sgd_pair


def _pull(z: Any, y: Any) -> Any:
    """Autodiff gradient of attraction −cos with respect to z, for rows of points."""
    return -jax.vmap(jax.grad(definitions.cosine))(z, y)


def _norms(z: Any) -> Any:
    return jnp.sqrt(jnp.sum(z * z, axis=-1, keepdims=True))


def _random_units(key: Any, shape: tuple[int, ...]) -> Any:
    raw = normals(key, shape)
    return raw / _norms(raw)


@functools.partial(brief, level=1, static_argnames="steps")
def _fresh(key: Any, z: Any, rate: Any, chance: Any, share: Any, power: Any, steps: int) -> Any:
    def step(state: Any, key: Any) -> Any:
        z, sine2 = state
        first, second = jax.random.split(key)
        y = _random_units(first, z.shape)
        hit = jax.random.uniform(second, chance.shape, dtype=jnp.float64) < chance
        gradient = _pull(z, y)
        s2 = 1 - jnp.sum(z * y, axis=1, keepdims=True) ** 2 / _norms(z) ** 2
        sine2 = sine2 + jnp.where(hit, s2, 0)
        return (z - jnp.where(hit, rate * share * _norms(z) ** power * gradient, 0), sine2), None

    start = (z, jnp.zeros_like(chance))
    return jax.lax.scan(step, start, jax.random.split(key, steps))[0]


def fresh_directions(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    powers: tuple[float, ...] = (0.0,),
    coherent: bool = False,
    steps: int = 2000,
) -> Sample:
    """Points pulled towards fresh random directions, each class with its own frequency.

    One row is the mean over the points of one class and GradScale power.

    Args:
        d: Dimension.
        points: An eighth of the points of a class.
        rng: Source of randomness.
        powers: GradScale powers.
        coherent: Instead of an update with some probability, an update in every step whose size is
            the class's share: all its gradients in a batch point the same way.
        steps: Number of steps.
    """
    many = 8 * points
    classes = [(p, frequency) for p in powers for frequency in (1.0, 0.5, 0.25, 0.125)]
    frequency = np.repeat([f for _, f in classes], many)[:, None]
    power = np.repeat([p for p, _ in classes], many)[:, None]
    chance, share = (np.ones_like(frequency), frequency) if coherent else (frequency, 1.0)
    start = uniform(rng, len(frequency), d)
    rate = np.ones_like(frequency)
    key = jax.random.key(int(rng.integers(2**31)))
    z, sine2 = _fresh(key, start, rate, chance, share * rate, power, steps)
    norm = np.asarray(_norms(z)).reshape(len(classes), many)
    exponent = 4 - 2 * np.array([[p] for p, _ in classes])
    mean = norm.mean(axis=1)
    first = np.array([mean[k - k % 4] for k in range(len(classes))])
    inputs = {
        "norm": np.ones((len(classes), 1)),
        "learning_rate": np.ones((len(classes), 1)),
        "frequency": column([f for _, f in classes]),
        "gradscale": column([p for p, _ in classes]),
        "sum_sine2": column(np.asarray(sine2).reshape(len(classes), many).mean(axis=1)),
        "mean_sine2": np.full((len(classes), 1), 1 - 1 / d),
        "steps": np.full((len(classes), 1), float(steps)),
    }
    values = {
        "mean_power": column((norm**exponent).mean(axis=1)),
        "mean_norm": column(mean),
        "norm_ratio": column(first / mean),
    }
    labels = tuple(f"frequency {f:g}, GradScale {p:g}, d={d}" for p, f in classes)
    inputs["mean_power"] = values["mean_power"]  # the lower bound is stated about it
    return Sample(inputs, values, labels)


@functools.partial(brief, level=1, static_argnames="steps")
def _steady(key: Any, z: Any, angle: Any, setting: dict[str, Any], steps: Any) -> Any:
    def step(z: Any, key: Any) -> Any:
        unit = z / _norms(z)
        across = normals(key, z.shape)
        across = across - jnp.sum(across * unit, axis=1, keepdims=True) * unit
        y = jnp.cos(angle) * unit + jnp.sin(angle) * across / _norms(across)
        rate = setting["learning_rate"] * _norms(z) ** setting["gradscale"]
        keep = 1 - setting["learning_rate"] * setting["weight_decay"]
        new = keep * z - rate * _pull(z, y)
        return new, (_norms(new), jax.vmap(definitions.angle)(z, new)[:, None])

    return jax.lax.scan(step, z, jax.random.split(key, steps))[1]


def steady_decay(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    decay: tuple[float, float] = (0.05, 0.5),
    powers: tuple[float, ...] = (0.0,),
    steps: int = 800,
) -> Sample:
    """Weight decay against a fresh partner in each step, always at the same angle.

    Args:
        d: Dimension.
        points: A quarter of the number of points.
        rng: Source of randomness.
        decay: Range of γλ, log-uniform.
        powers: GradScale powers.
        steps: Number of steps; enough to settle.
    """
    n = 4 * points
    share = clouds.log_uniform(rng, *decay, n)
    rate = clouds.log_uniform(rng, 1e-3, 1e3, n)
    angle = rng.uniform(0.3, 2.8, (n, 1))
    power = rng.choice(np.array(powers), (n, 1))
    # Starts within a factor of a few of where the pull and the decay are of the same size.
    start = (rate**2 / share) ** (1 / (4 - 2 * power)) * clouds.log_uniform(rng, 0.5, 3, n)
    setting = {"learning_rate": rate, "weight_decay": share / rate, "gradscale": power}
    key = jax.random.key(int(rng.integers(2**31)))
    z = start * uniform(rng, n, d)
    norms, turns = (np.asarray(a) for a in _steady(key, z, angle, setting, steps))
    powers_of_norm = norms[..., 0] ** (4 - 2 * power[:, 0])
    # ρ^(4−2p) after 1/(2(2−p)γλ) steps, as the share of the first distance still left.
    after = np.rint(1 / (2 * (2 - power) * share)).astype(int).ravel()
    final = powers_of_norm[-1]
    left = powers_of_norm[np.minimum(after, steps) - 1, np.arange(n)] - final
    inputs = setting | {"angle": angle, "s": np.sin(angle), "start": start}
    values = {
        "norm": norms[-1],
        "turn": turns[-1],
        "left": column(left / (start[:, 0] ** (4 - 2 * power[:, 0]) - final)),
    }
    return Sample(inputs, values, (f"fresh partners at a fixed angle, d={d}",) * n)


@functools.partial(brief, level=1, static_argnames="steps")
def _random_decay(key: Any, z: Any, rate: Any, decay: Any, steps: int) -> Any:
    def step(z: Any, key: Any) -> Any:
        new = (1 - rate * decay) * z - rate * _pull(z, _random_units(key, z.shape))
        turned = jax.vmap(definitions.angle)(z, new)
        return new, (_norms(new)[:, 0], turned)

    return jax.lax.scan(step, z, jax.random.split(key, steps))[1]


def random_decay(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Weight decay against fresh random directions, from three starts; rows are means."""
    many, share, rate = 8 * points, 0.02, 0.5
    starts = (0.3, 1.0, 6.0)
    begin = np.repeat(starts, many)[:, None] * uniform(rng, 3 * many, d)
    key = jax.random.key(int(rng.integers(2**31)))
    norms, turns = (np.asarray(a) for a in _random_decay(key, begin, rate, share / rate, 450))
    late = slice(-50, None)
    inputs = {
        "learning_rate": np.full((3, 1), rate),
        "weight_decay": np.full((3, 1), share / rate),
        "s": np.full((3, 1), np.sqrt(1 - 1 / d)),
        "gradscale": np.zeros((3, 1)),
    }
    values = {
        "norm": column((norms[late] ** 4).reshape(50, 3, many).mean(axis=(0, 2)) ** 0.25),
        "turn": column(turns[late].reshape(50, 3, many).mean(axis=(0, 2))),
    }
    return Sample(inputs, values, tuple(f"random partners, start {s:g}, d={d}" for s in starts))


@functools.partial(brief, level=1, static_argnames="steps")
def pair_run(z: Any, y: Any, setting: dict[str, Any], steps: int) -> Any:
    """Angles before each step (steps, n), norms of i after each (steps, n), and the end."""
    advance: Any = jax.vmap(sgd_pair)

    def step(state: Any, _: Any) -> Any:
        new = advance(*state, setting)
        return new, (jax.vmap(definitions.angle)(*state), jax.vmap(definitions.norm)(new[0]))

    end, (angles, norms) = jax.lax.scan(step, (z, y), None, length=steps)
    return angles, norms, jax.vmap(definitions.angle)(*end)


def pair_setting(n: int, **given: Any) -> dict[str, np.ndarray]:
    """The settings of :func:`normtheory.verify._steps.sgd_pair`, 0 where not given."""
    names = ("learning_rate", "gradscale", "weight_decay", "repel", "one_sided")
    return {k: np.broadcast_to(given.get(k, 0.0), n).astype(np.float64) for k in names}


def decay_of_a_fixed_pair(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Does the norm settle? Rows alternate: a fixed attracted pair, or fresh partners."""
    n, steps, late = 4 * points, 800, 300
    rate, share = 0.01, 0.02
    u = uniform(rng, n, d)
    y = clouds.at_angle(rng, u, rng.uniform(0.5, 2.5, (n, 1)))
    pair = pair_setting(n, learning_rate=rate, weight_decay=share / rate)
    fixed = np.asarray(pair_run(u, y, pair, steps)[1])
    key = jax.random.key(int(rng.integers(2**31)))
    setting = {"learning_rate": rate, "weight_decay": share / rate, "gradscale": 0.0}
    setting = {name: np.full((n, 1), value) for name, value in setting.items()}
    fresh = np.asarray(_steady(key, u, np.ones((n, 1)), setting, steps)[0])[..., 0]
    is_fixed = np.arange(n) % 2 == 0
    norms = np.where(is_fixed, fixed, fresh)[-late:]
    values = {
        "variation": column(norms.max(axis=0) / norms.min(axis=0) - 1),
        "smallest_rate": column(np.sqrt(rate) / norms.min(axis=0)),
    }
    labels = tuple(f"{'fixed pair' if f else 'fresh partners'}, d={d}" for f in is_fixed)
    return Sample({"fixed": column(is_fixed)}, values, labels)


def _equal_pairs(
    rng: np.random.Generator, d: int, norm: np.ndarray, angle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    u = uniform(rng, len(norm), d)
    return norm * u, norm * clouds.at_angle(rng, u, angle)


def self_taming(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Where a pair started slightly above effective rate 1 comes to rest."""
    n = points
    x = rng.uniform(1.02, 1.04, (n, 1))
    norm = clouds.log_uniform(rng, 1e-3, 1e3, n)
    z, y = _equal_pairs(rng, d, norm, np.full((n, 1), 1e-3))
    rate = (x * norm**2)[:, 0]
    _, norms, end = pair_run(z, y, pair_setting(n, learning_rate=rate), 4000)
    values = {"final_x": column(rate / np.asarray(norms)[-1] ** 2), "final_angle": column(end)}
    return Sample({"x": x}, values, (f"equal norms, x from 1.02 to 1.04, d={d}",) * n)


def large_rates(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Final angle of pairs started at effective rates above 1, by GradScale power.

    The first row has power 2.
    """
    n = 2 * points
    power = np.resize([2.0, 0.0, 1.0, 1.5], n)[:, None]
    x = rng.uniform(1.2, 3, (n, 1))
    norm = clouds.log_uniform(rng, 1e-3, 1e3, n)
    z, y = _equal_pairs(rng, d, norm, rng.uniform(0.2, 3, (n, 1)))
    rate = (x * norm ** (2 - power))[:, 0]
    setting = pair_setting(n, learning_rate=rate, gradscale=power[:, 0])
    # Few steps: with power 2 the norm multiplies by up to 3 in each, and squares must not overflow.
    _, _, end = pair_run(z, y, setting, 250)
    labels = tuple(f"GradScale {p:g}, d={d}" for p in power[:, 0])
    return Sample({"gradscale": power, "x": x}, {"final_angle": column(end)}, labels)


def runaway(d: int, points: int, rng: np.random.Generator) -> Sample:
    """GradScale power 2 at rates above 1: the angle and growth it settles to."""
    n = points
    rate = rng.uniform(1.2, 2, (n, 1))
    norm = clouds.log_uniform(rng, 1e-3, 1e3, n)
    z, y = _equal_pairs(rng, d, norm, rng.uniform(0.2, 2.5, (n, 1)))
    setting = pair_setting(n, learning_rate=rate[:, 0], gradscale=2.0)
    angles, norms, _ = (np.asarray(a) for a in pair_run(z, y, setting, 120))
    values = {"angle": column(angles[-1]), "growth": column(norms[-1] / norms[-2])}
    return Sample({"learning_rate": rate}, values, (f"GradScale 2, d={d}",) * n)
