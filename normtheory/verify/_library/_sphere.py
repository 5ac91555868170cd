"""Draws on the sphere: their moments against those of the distribution they are named after.

Statistical, with a fixed seed for a given ``verify(seed=...)``: 40,000 draws, so that a standard
error is 0.5 % of the spread of what is averaged. Tolerances are ten of them: no false alarm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ive

from normtheory import cosine_gradient, sphere
from normtheory.verify._clouds import measure_angle, norms
from normtheory.verify._library._check import LibraryCheck, library

_MANY = 40_000


def _absolute(seed: Any) -> Any:
    return 1 + 0 * seed


_DRAWN: dict[str, Any] = {
    "scale": _absolute,
    "unit": "relative",
    "tolerance": 0.05,
    "off": 0.5,
    "reason": "moments of 40,000 draws in units of their spread: ten standard errors of 0.5 %",
}


def _moments(x: np.ndarray) -> np.ndarray:
    """E x and E x xᵀ of points (n, d) in units of a uniform point's, (d, 1 + d)."""
    d = x.shape[1]
    return np.concatenate([np.sqrt(d) * x.mean(0)[:, None], d * x.T @ x / len(x)], axis=1)


def _isotropic(dimension: Any) -> Any:
    d = len(dimension)
    return np.concatenate([np.zeros((d, 1)), np.eye(d)], axis=1)


def _of_seed(draw: Callable[[np.random.Generator], np.ndarray], seed: Any) -> np.ndarray:
    """Draws; NaN unless the seed gives the same again, and another seed others."""
    first, again, other = (draw(np.random.default_rng(int(seed[0, 0]) + k)) for k in (0, 0, 1))
    obeyed = np.array_equal(first, again) and not np.array_equal(first, other)
    return first if obeyed else np.full_like(first, np.nan)


def _moments_of(draw: Callable[[np.random.Generator, int], np.ndarray]) -> Callable[..., Any]:
    def call(seed: Any, dimension: Any) -> Any:
        return _moments(_of_seed(lambda rng: draw(rng, len(dimension)), seed))

    return call


def _uniform(rng: np.random.Generator, d: int) -> np.ndarray:
    return sphere.uniform(rng, _MANY, d)


def _tangents(rng: np.random.Generator, d: int) -> np.ndarray:
    """Directions in which the partners lie, drawn at a right angle."""
    return sphere.pairs_at_angle(rng, np.pi / 2, d, _MANY)[1]


def _angles(start: Any, seed: Any) -> Any:
    """Angle and lengths of the pairs drawn."""
    rng = np.random.default_rng(int(seed[0, 0]))
    z, y = sphere.pairs_at_angle(rng, start[:, 0], 5)
    return np.concatenate([measure_angle(z, y).angle, norms(z), norms(y)], axis=1)


def _mean_key(keys: Any) -> Any:
    found = sphere.mean_direction(keys)
    return found.length[:, None] * found.direction


def _partner_gradient(z: Any, keys: Any) -> Any:
    """The gradient of the mean cosine: that of a pair, times the length of the mean."""
    found = sphere.mean_direction(keys)
    return found.length[:, None] * cosine_gradient(z, found.direction)


def _mean_direction(dimension: Any) -> np.ndarray:
    return np.arange(1.0, len(dimension) + 1)


def _concentrated(seed: Any, dimension: Any) -> Any:
    """E x and E x xᵀ of von Mises-Fisher draws of concentration 2d, (d, 1 + d)."""
    d, mean = len(dimension), _mean_direction(dimension)
    x = _of_seed(lambda rng: sphere.von_mises_fisher(rng, _MANY, mean, 2.0 * d), seed)
    return np.concatenate([x.mean(0)[:, None], x.T @ x / _MANY], axis=1)


def _von_mises_fisher(dimension: Any) -> Any:
    """E x = A m and E x xᵀ = (A/κ) I + (1 − dA/κ) m mᵀ, A = I_{d/2}(κ)/I_{d/2−1}(κ)."""
    d, m = len(dimension), _mean_direction(dimension)
    m = m / np.linalg.norm(m)
    kappa = 2.0 * d
    a = ive(d / 2, kappa) / ive(d / 2 - 1, kappa)
    second = a / kappa * np.eye(d) + (1 - d * a / kappa) * np.outer(m, m)
    return np.concatenate([a * m[:, None], second], axis=1)


def _log_moments(seed: Any) -> Any:
    """Mean and variance of the place of log ρ between its bounds, and whether any lies outside."""
    found = _of_seed(lambda rng: sphere.log_uniform_norms(rng, _MANY, 0.1, 30.0), seed)
    share = np.log(found / 0.1) / np.log(300.0)
    moments = [2 * share.mean(), 12 * share.var(), float(((share < 0) | (share > 1)).any())]
    return np.broadcast_to(moments, (len(seed), 3))


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.sphere.uniform": (
        library("uniform", "axes", _moments_of(_uniform), against=_isotropic, **_DRAWN),
    ),
    "normtheory.sphere.pairs_at_angle": (
        library(
            "pairs_at_angle, its tangents,",
            "axes",
            _moments_of(_tangents),
            against=_isotropic,
            **_DRAWN,
        ),
        library(
            "pairs_at_angle",
            "pair_draws",
            _angles,
            against=lambda start: start * [1, 0, 0] + [0, 1, 1],
            scale=lambda start: 1 + 0 * start,
            reason="absolute, in radians: rounding of the directions",
        ),
    ),
    "normtheory.sphere.mean_direction": (
        library(
            "mean_direction and its length",
            "fixed_keys",
            _mean_key,
            against=lambda mean_key: mean_key,
            scale=lambda norm: 1 + 0 * norm,
            reason="absolute: rounding of the directions",
        ),
        library(
            "mean_direction as the partner",
            "fixed_keys",
            _partner_gradient,
            quantity="gradient",
            scale=lambda norm: norm,
        ),
    ),
    "normtheory.sphere.von_mises_fisher": (
        library(
            "von_mises_fisher (Mardia & Jupp 2000)",
            "axes",
            _concentrated,
            against=_von_mises_fisher,
            **{**_DRAWN, "tolerance": 0.02},
        ),
    ),
    "normtheory.sphere.log_uniform_norms": (
        library(
            "log_uniform_norms",
            "axes",
            _log_moments,
            against=lambda seed: np.broadcast_to([1.0, 1.0, 0.0], (len(seed), 3)),
            **_DRAWN,
        ),
    ),
}
