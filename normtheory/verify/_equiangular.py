"""Steps of equiangular clouds under losses of all pairs, by autodiff in d dimensions."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.verify import _clouds as clouds
from normtheory.verify import _definitions as definitions
from normtheory.verify._sample import Sample, column, joined

#: Sizes of the clouds; they fit into 5 dimensions.
SIZES = (2, 3, 5)


def simplex(n: int) -> np.ndarray:
    """N unit vectors (n, n − 1) whose cosines are −1/(n − 1)."""
    centred = np.eye(n) - 1 / n
    basis = np.linalg.svd(centred)[2][: n - 1]
    points = centred @ basis.T
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def rotation(rng: np.random.Generator, d: int) -> np.ndarray:
    """A random orthogonal matrix (d, d)."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def family(m: Any, n: int, turn: Any) -> Any:
    """Equiangular unit vectors (n, d): √(1 − m/n) times a simplex, √(m/n) in common."""
    out = turn[:, : n - 1]
    return jnp.sqrt(1 - m / n) * jnp.asarray(simplex(n)) @ out.T + jnp.sqrt(m / n) * turn[:, n - 1]


def loss_of_pairs(z: Any, weights: Any) -> Any:
    """A loss of all cosines that no permutation changes: a power, a uniformity, an InfoNCE."""
    n = z.shape[0]
    u = definitions.units(z)
    first, second = np.triu_indices(n, 1)
    cosines = jnp.sum(u[first] * u[second], axis=1)
    logits = 2 * u @ u.T
    parts = (
        jnp.sum(cosines + cosines**3),
        jnp.log(jnp.mean(jnp.exp(-4 * (1 - cosines)))),
        jnp.mean(jax.nn.logsumexp(logits, axis=1) - jnp.diagonal(logits)),
    )
    return sum(w * part for w, part in zip(weights, parts, strict=True))  # pyright: ignore


def opening_angle(z: Any) -> Any:
    """ψ = 2 atan2(√(n − m), √m), from the deviations of the directions and from their mean."""
    n = z.shape[0]
    u = definitions.units(z)
    mean = jnp.sum(u, axis=0) / n
    apart = jnp.sqrt(jnp.sum((u - mean) ** 2))
    return 2 * jnp.arctan2(apart, jnp.sqrt(n * jnp.sum(mean**2)))


def _cosines(z: Any) -> Any:
    u = definitions.units(z)
    first, second = np.triu_indices(z.shape[0], 1)
    return jnp.sum(u[first] * u[second], axis=1)


@functools.partial(brief, static_argnames="n")
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0, None))
def _step(m: Any, turn: Any, weights: Any, setting: dict[str, Any], n: int) -> dict[str, Any]:
    # ∂L/∂c of one pair: the derivative along the family, shared by n(n − 1)/2 pairs.
    along = jax.grad(lambda m: loss_of_pairs(family(m, n, turn), weights))(m)
    slope = along * (n - 1) * 2 / (n * (n - 1))
    # The rate is set by its effect, so that it is found here.
    power, norm = setting["gradscale"], setting["norm"]
    rate = setting["size"] / n / (jnp.abs(slope) * norm ** (power - 2) + 1e-300)
    decay = setting["share"] / rate
    z = norm * family(m, n, turn)
    gradient = jax.grad(loss_of_pairs)(z, weights)
    new = (1 - rate * decay) * z - rate * norm**power * gradient
    cosines = _cosines(new)
    mean = jnp.sum(family(m, n, turn), axis=0) / n
    return {
        "slope": slope,
        "learning_rate": rate,
        "weight_decay": decay,
        "angle": opening_angle(z),
        "cosine": jnp.mean(_cosines(z)),
        "next_cosine": jnp.mean(cosines),
        "spread": jnp.max(jnp.abs(cosines - jnp.mean(cosines))),
        "next_norm": definitions.norm(new[0]),
        "next_angle": opening_angle(new),
        "kept_sum": jnp.sum(jnp.sum(new, axis=0) * mean),
        "kept_part": jnp.sum((new[0] - new[1]) * (z[0] - z[1])),
    }


def _clouds(
    rng: np.random.Generator,
    d: int,
    n: int,
    m: np.ndarray,
    setting: dict[str, np.ndarray],
    weights: np.ndarray,
) -> dict[str, np.ndarray]:
    turns = np.stack([rotation(rng, d) for _ in m])
    flat = {key: value[:, 0] for key, value in setting.items()}
    found = _step(m[:, 0], turns, weights, flat, n)
    return {key: column(value) for key, value in found.items()} | setting


_INPUTS = ("slope", "learning_rate", "weight_decay", "angle", "cosine", "gradscale", "norm", "n")


def equiangular(d: int, points: int, rng: np.random.Generator, *, variants: bool = False) -> Sample:
    """One step of clouds of 2, 3 and 5 points at sizes n|a| from 1e-3 to 4.

    Args:
        d: Dimension, at least 5.
        points: Clouds of every size.
        rng: Source of randomness.
        variants: Also draw GradScale and weight decay.
    """
    parts, labels, shape = [], [], (points, 1)
    for n in SIZES:
        setting = {
            "norm": clouds.log_uniform(rng, 1e-2, 1e2, points),
            "size": clouds.log_uniform(rng, 1e-3, 4.0, points),
            "gradscale": rng.choice([0.0, 1.0, 2.0], shape) if variants else np.zeros(shape),
            "share": rng.choice([0.0, 0.1], shape) if variants else np.zeros(shape),
            "n": np.full(shape, float(n)),
        }
        weights = rng.uniform(-1, 1, (points, 3))
        weights[::2] = abs(weights[::2])  # a half repels
        parts.append(_clouds(rng, d, n, n * rng.uniform(0.02, 0.98, shape), setting, weights))
        labels += [f"{n} points, d={d}"] * points
    found = joined(parts)
    names = ("next_cosine", "spread", "next_norm", "next_angle", "size")
    inputs, values = ({key: found[key] for key in keys} for keys in (_INPUTS, names))
    values["state"] = np.concatenate([found["next_cosine"], found["next_norm"]], axis=1)
    return Sample(inputs, values, tuple(labels))


def equiangular_ends(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Steps towards collapse or simplex from an angle of 1e-4; n|a| = 2.5 in the first row."""
    parts, labels, many = [], [], 2 * points
    for n in SIZES:
        rate = rng.uniform(0.1, 3.5, (many, 1))
        rate[0] = 2.5
        setting = {
            "norm": np.ones_like(rate),
            "size": rate,
            "gradscale": np.zeros_like(rate),
            "share": np.zeros_like(rate),
            "n": np.full_like(rate, float(n)),
        }
        for end, sign in (("collapse", -1.0), ("simplex", 1.0)):
            place = np.cos(5e-5) ** 2 if end == "collapse" else np.sin(5e-5) ** 2
            weights = np.tile([sign, 0.0, 0.0], (many, 1))
            found = _clouds(rng, d, n, np.full_like(rate, n * place), setting, weights)
            from_end = (found[key] for key in ("angle", "next_angle"))
            before, after = (a if end == "collapse" else np.pi - a for a in from_end)
            kept = found["kept_part" if end == "collapse" else "kept_sum"]
            parts.append({"rate": rate, "ratio": after / before, "kept_side": np.sign(kept)})
            labels += [f"{end} of {n} points, d={d}"] * many
    found = joined(parts)
    return Sample({"rate": found.pop("rate")}, found, tuple(labels))
