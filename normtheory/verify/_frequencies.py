"""Norms of embeddings that are seen more or less often, or are harder than others."""

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
from normtheory.verify._equilibria import NO_EPSILON, adamw, momentum, run
from normtheory.verify._normals import normals
from normtheory.verify._sample import Sample, column

FREQUENCIES = (1.0, 0.3, 0.1, 0.03)


def frequency_norms(
    d: int, points: int, rng: np.random.Generator, *, rule: str, decay: str | None = None
) -> Sample:
    """Embeddings that an optimizer leaves alone in steps without a gradient; a row a frequency.

    Args:
        d: Dimension.
        points: Twice the number of points of a row.
        rng: Source of randomness.
        rule: ``"sgd"`` or ``"lazy_adam"``.
        decay: ``"every step"``, ``"on visits"``, or None for growth from norm 2.
    """
    rate, lag, blocks = 0.01, 4, 1000
    # With decay on visits a rare point needs as many visits to settle: a larger decay hastens them.
    share = 0.01 if decay == "on visits" else 5e-4
    adam = rule == "lazy_adam"
    lost = 0.0 if decay is None else share
    base = {"learning_rate": rate, "weight_decay": lost / rate, "lazy": 1.0}
    base |= {"beta_1": 0.5, "beta_2": 0.98, "epsilon": NO_EPSILON, "momentum": 0.0, "coupled": 0.0}
    base["rest"] = 1 - lost if decay == "every step" else 1.0
    rows = [base | {"frequency": p} for p in FREQUENCIES]
    if decay is None:
        start = [2.0] * len(rows)
    else:
        size = np.sqrt(rate**2 * d / (2 * share)) if adam else (rate**2 / (2 * share)) ** 0.25
        fall = (0.5 if adam else 0.25) if decay == "every step" else 0.0
        start = [1.2 * size * p**fall for p in FREQUENCIES]
    inputs, means = run(
        adamw if adam else momentum, rows, start, d, max(points // 2, 4), rng, lag=lag,
        burn_in=0 if decay is None else blocks, blocks=blocks,
    )  # fmt: skip
    inputs |= {
        "dimension": np.full((len(rows), 1), float(d)),
        "mean_square_sine": np.full((len(rows), 1), 1 - 1 / d),
        "start": column(start),
        "steps": np.full((len(rows), 1), lag * (blocks - 0.5)),  # the middle of the last block
    }
    square = means["last"] if decay is None else means["square"]
    grown = square - (inputs["start"] ** 2 if decay is None else 0)
    values = {"norm": np.sqrt(square), "ratio": np.sqrt(grown[0, 0] / grown)}
    labels = tuple(f"{rule}, decay {decay}, frequency {p:g}, d={d}" for p in FREQUENCIES)
    return Sample(inputs, values, labels)


@jax.vmap
def _adagrad(z: Any, y: Any, total: Any, rate: Any) -> Any:
    """One step of row-wise Adagrad: the point, and its sum of mean squares."""
    slope = -jax.grad(definitions.cosine)(z, y)
    total = total + jnp.mean(slope**2)
    return z - rate * slope / jnp.sqrt(total), total


_adagrad_step = brief(_adagrad)


def adagrad_step(d: int, points: int, rng: np.random.Generator) -> Sample:
    """One step of row-wise Adagrad from sums small and large against the gradient."""
    n = 4 * points
    norm, angle = clouds.log_uniform(rng, 1e-3, 1e3, n), rng.uniform(0.3, 2.8, (n, 1))
    z = norm * uniform(rng, n, d)
    y = clouds.at_angle(rng, z / norm, angle)
    rate = norm / np.sqrt(d) * clouds.log_uniform(rng, 1e-3, 1e3, n)
    total = np.sin(angle) ** 2 / (d * norm**2) * clouds.log_uniform(rng, 1e-3, 1e3, n)
    moved, after = (np.asarray(a) for a in _adagrad_step(z, y, total[:, 0], rate[:, 0]))
    inputs = {
        "norm": norm,
        "learning_rate": rate,
        "dimension": np.full((n, 1), float(d)),
        "before": total,
        "after": column(after),
    }
    return Sample(inputs, {"next_norm": clouds.norms(moved)}, (f"sums large and small, d={d}",) * n)


@functools.partial(brief, level=1, static_argnames="steps")
def _adagrad_run(key: Any, z: Any, total: Any, rate: Any, chance: Any, steps: int) -> Any:
    def step(state: Any, key: Any) -> Any:
        z, total = state
        first, second = jax.random.split(key)
        y = normals(first, z.shape)
        seen = jax.random.uniform(second, chance.shape, z.dtype) < chance
        moved, after = _adagrad(z, y, total, rate)
        return (jnp.where(seen[:, None], moved, z), jnp.where(seen, after, total)), None

    return jax.lax.scan(step, (z, total), jax.random.split(key, steps))[0]


def adagrad_growth(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Row-wise Adagrad against fresh random partners, from norm 1; every row is one point."""
    n = len(FREQUENCIES) * points
    frequency = np.repeat(FREQUENCIES, points)
    # A hundred first gradients, so that steps are small against the sum.
    total, rate = np.full(n, 100 / d), np.full(n, 0.5)
    key = jax.random.key(int(rng.integers(2**31)))
    end, after = _adagrad_run(key, uniform(rng, n, d), total, rate, frequency, 2000)
    inputs = {
        "norm": np.ones((n, 1)),
        "learning_rate": column(rate),
        "dimension": np.full((n, 1), float(d)),
        "before": column(total),
        "after": column(after),
    }
    values = {"next_norm": clouds.norms(np.asarray(end))}
    inputs["reached"] = values["next_norm"]  # the upper bound is stated about it
    return Sample(inputs, values, tuple(f"frequency {p:g}, d={d}" for p in frequency))


_KEYS = 128


def _info_nce(z: Any, positive: Any, keys: Any, scale: Any) -> Any:
    """InfoNCE of one anchor, the positive among the keys."""
    scores = scale * jax.vmap(definitions.cosine, (None, 0))(z, jnp.vstack([positive, keys]))
    return jax.nn.logsumexp(scores) - scores[0]


@functools.partial(brief, level=3, static_argnames="steps")
def _anchors(key: Any, z: Any, setting: dict[str, Any], steps: int) -> Any:
    """Mean ρ² and (ρ‖∇L‖)² of anchors over the second half of a run."""

    def step(z: Any, key: Any) -> Any:
        first, second = jax.random.split(key)
        keys = normals(first, (_KEYS - 1, z.shape[1]))
        norm = jnp.sqrt(jnp.sum(z * z, axis=1, keepdims=True))
        across = normals(second, z.shape)
        across = across - jnp.sum(across * z, axis=1, keepdims=True) * z / norm**2
        across = across / jnp.sqrt(jnp.sum(across**2, axis=1, keepdims=True))
        angle = setting["angle"][:, None]
        positive = jnp.cos(angle) * z / norm + jnp.sin(angle) * across
        slope = jax.vmap(jax.grad(_info_nce), (0, 0, None, 0))(z, positive, keys, setting["scale"])
        keep = 1 - setting["learning_rate"] * setting["weight_decay"]
        moved = keep[:, None] * z - setting["learning_rate"][:, None] * slope
        squares = (norm[:, 0] ** 2, jnp.sum(slope**2, axis=1) * norm[:, 0] ** 2)
        return moved, squares

    found = jax.lax.scan(step, z, jax.random.split(key, steps))[1]
    return jax.tree.map(lambda a: jnp.mean(a[steps // 2 :], axis=0), found)


def hard_anchors(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Anchors of InfoNCE against fresh keys under decay; a row is one angle to the positives."""
    rows = [(angle, scale) for scale in (2.0, 5.0) for angle in (0.05, 0.3, 1.0)]
    many, rate, lost = max(points // 4, 4), 0.1, 0.01
    angle, scale = (np.repeat(column, many) for column in zip(*rows, strict=True))
    n = len(angle)
    setting = {
        "angle": angle,
        "scale": scale,
        "learning_rate": np.full(n, rate),
        "weight_decay": np.full(n, lost / rate),
    }
    size = (rate**2 * scale**2 * (np.sin(angle) ** 2 + 1 / _KEYS) / (2 * lost)) ** 0.25
    key = jax.random.key(int(rng.integers(2**31)))
    found = _anchors(key, 1.2 * size[:, None] * uniform(rng, n, d), setting, 600)
    square, slope = (np.asarray(a).reshape(len(rows), many).mean(axis=1) for a in found)
    inputs = {k: column(v.reshape(len(rows), many)[:, 0]) for k, v in setting.items()}
    inputs |= {
        "dimension": np.full((len(rows), 1), float(d)),
        "keys": np.full((len(rows), 1), float(_KEYS)),
    }
    values = {"norm": np.sqrt(column(square)), "squared_slope": column(slope)}
    labels = tuple(f"positives at {a:g} rad, scale {b:g}, d={d}" for a, b in rows)
    return Sample(inputs, values, labels)
