"""Every loss of the library in numpy, against jax.grad of its plain definition."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.losses import LOSSES, Loss
from normtheory.verify import _clouds as clouds
from normtheory.verify._plain_losses import PLAIN
from normtheory.verify._sample import Sample

#: Points of each cloud, and batches that are differentiated in one call.
POINTS = 6
BATCHES = 8
#: Trained options of a loss, at most.
MOST_OPTIONS = 2


@functools.cache
def _gradients(name: str) -> Callable[..., Any]:
    """(clouds, each (m, n, d), options) -> autodiff's ∇, value, derivatives by options."""
    defaults = _trained(LOSSES[name])

    def autodiff(points: Any, options: dict[str, Any]) -> Any:
        moving = {key: jnp.asarray(options.get(key, defaults[key])) for key in defaults}

        def plain(points: Any, moving: dict[str, Any]) -> Any:
            return PLAIN[name](*points, **options | moving)

        value, (slopes, by_option) = jax.value_and_grad(plain, (0, 1))(points, moving)
        return slopes, value, jnp.stack(_padded([by_option[key] for key in defaults]))

    return brief(jax.vmap(autodiff, in_axes=(0, None)))


def _library(
    loss: Loss, clouds: Sequence[np.ndarray], options: dict[str, Any]
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """The same by the library, a batch at a time."""
    gradients, values, by_option = [], [], []
    for points in zip(*clouds, strict=True):
        value, gradient = loss.value_and_gradient(*points, **options)
        values.append(value)
        gradients.append(gradient)
        slopes = [loss.option_gradient(key, *points, **options) for key in _trained(loss)]
        by_option.append(_padded(slopes))
    stacked = tuple(np.stack(of_cloud) for of_cloud in zip(*gradients, strict=True))
    return stacked, np.array(values), np.array(by_option)


def _trained(loss: Loss) -> dict[str, Any]:
    """Defaults of the options that can be trained."""
    return {option.name: option.default for option in loss.options if option.trained}


def _padded(numbers: list[Any]) -> list[Any]:
    """Derivatives by the options of a loss, and zeros, as many as MOST_OPTIONS."""
    return [*numbers, *[0.0] * (MOST_OPTIONS - len(numbers))]


def _rows(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])


def _spread(rng: np.random.Generator, batches: np.ndarray) -> np.ndarray:
    """A factor for every point of (m, n, d), log-uniform in 1e-3 to 1e3, shape (m, n, 1)."""
    m, n, _ = batches.shape
    return clouds.log_uniform(rng, 1e-3, 1e3, m * n).reshape(m, n, 1)


def every_loss(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Values and gradients of all losses at trained points z, those at αz, one step of SGD on all.

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
        autodiff, value, by_option = _gradients(name)(tuple(z), moving)
        library, library_value, library_options = _library(loss, z, options)
        scaled = tuple(a * x for a, x in zip(alpha, z, strict=True))
        autodiff_scaled, _, _ = _gradients(name)(scaled, moving)
        trained = list(loss.trained)
        points_z, gradient = (_rows([np.asarray(x[k]) for k in trained]) for x in (z, autodiff))
        norm = clouds.norms(points_z)
        counts = [z[k].shape[1] for k in trained]

        def each(of_batches: Any, counts: list[int] = counts) -> np.ndarray:
            """What a batch has, for every one of its points in the order of the rows."""
            per_batch = np.asarray(of_batches).reshape(BATCHES, -1)
            return np.concatenate([np.repeat(per_batch, n, axis=0) for n in counts])

        # One rate for the whole loss, at which its smallest point turns by about a radian.
        rate = np.full_like(norm, norm.min() / clouds.norms(gradient).max())
        new = {
            "z": points_z,
            "norm": norm,
            "gradient": gradient,
            "alpha": _rows([alpha[k] for k in trained]),
            "library": _rows(list(library)),
            "library_value": each(library_value),
            "library_options": each(library_options),
            "gradient_norm": clouds.norms(gradient),
            "learning_rate": rate,
            "steepness": np.full_like(norm, loss.steepness(options)),
        }
        measured = {
            "gradient": gradient,
            "value": each(value),
            "options": each(by_option),
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
