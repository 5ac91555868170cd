"""Every loss of the library, by jax.grad of its plain definition."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from normtheory.losses import LOSSES
from normtheory.verify import _clouds as clouds
from normtheory.verify._plain_losses import PLAIN
from normtheory.verify._sample import Sample

#: Points of each cloud, and batches that are differentiated in one call.
POINTS = 6
BATCHES = 8


@functools.cache
def _gradients(name: str) -> Callable[..., Any]:
    """(clouds, each (m, n, d), options) -> ∇ by autodiff for all clouds, the closed form's."""
    loss = LOSSES[name]

    def both(points: Any, options: dict[str, Any]) -> Any:
        autodiff = jax.grad(lambda z: PLAIN[name](*z, **options))(points)
        return autodiff, loss.gradient(*points, **options)

    return jax.jit(jax.vmap(both, in_axes=(0, None)))


def _rows(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])


def _spread(rng: np.random.Generator, batches: np.ndarray) -> np.ndarray:
    """A factor for every point of (m, n, d), log-uniform in 1e-3 to 1e3, shape (m, n, 1)."""
    m, n, _ = batches.shape
    return clouds.log_uniform(rng, 1e-3, 1e3, m * n).reshape(m, n, 1)


def every_loss(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Gradients of all losses at trained points z and at αz, and one step of SGD on all at once.

    Norms and α are log-uniform in 1e-3 to 1e3, a factor of its own for every point.
    """
    del points  # the losses are many: a few batches of each
    inputs: dict[str, list[np.ndarray]] = {}
    values: dict[str, list[np.ndarray]] = {}
    labels: list[str] = []
    for name, loss in LOSSES.items():
        shapes, options = loss.example(rng, POINTS, d)
        batches = [rng.standard_normal((BATCHES, *cloud.shape)) for cloud in shapes]
        z = [u / clouds.norms(u) * _spread(rng, u) for u in batches]
        alpha = [_spread(rng, u) for u in batches]
        moving = {k: np.asarray(v) for k, v in options.items()}
        autodiff, library = _gradients(name)(tuple(z), moving)
        scaled = tuple(a * x for a, x in zip(alpha, z, strict=True))
        autodiff_scaled, _ = _gradients(name)(scaled, moving)
        trained = list(loss.trained)
        points_z, gradient = (_rows([np.asarray(x[k]) for k in trained]) for x in (z, autodiff))
        norm = clouds.norms(points_z)
        # One rate for the whole loss, at which its smallest point turns by about a radian.
        rate = np.full_like(norm, norm.min() / clouds.norms(gradient).max())
        new = {
            "z": points_z,
            "norm": norm,
            "gradient": gradient,
            "alpha": _rows([alpha[k] for k in trained]),
            "library": _rows([np.asarray(g) for g in library]),
            "gradient_norm": clouds.norms(gradient),
            "learning_rate": rate,
            "steepness": np.full_like(norm, loss.steepness(options)),
        }
        measured = {
            "gradient": gradient,
            "radial_part": (points_z * gradient).sum(-1, keepdims=True),
            "gradient_at_alpha_z": _rows([np.asarray(autodiff_scaled[k]) for k in trained]),
            "next_norm": clouds.norms(points_z - rate * gradient),
        }
        for collected, found in ((inputs, new), (values, measured)):
            for key, rows in found.items():
                collected.setdefault(key, []).append(rows)
        labels += [f"{name}, d={d}"] * len(norm)
    return Sample(
        {key: np.concatenate(rows) for key, rows in inputs.items()},
        {key: np.concatenate(rows) for key, rows in values.items()},
        tuple(labels),
    )
