"""Seeded clouds of pairs and points, drawn with numpy in float64.

Norms are log-uniform from 1e-3 to 1e3. Pairs come in four kinds: uniform directions, von
Mises-Fisher (both ends round one mean), near-parallel and near-antipodal (off by 1e-8 to 0.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from normtheory.sphere import uniform, von_mises_fisher

KINDS = ("uniform", "von Mises-Fisher", "near-parallel", "near-antipodal")
DIMENSIONS = (2, 3, 16, 128, 1024)


@dataclass(frozen=True)
class Pairs:
    """n pairs: points ``z`` and ``y`` of shape (n, d) and a label for each row."""

    z: np.ndarray
    y: np.ndarray
    labels: tuple[str, ...]


def log_uniform(rng: np.random.Generator, low: float, high: float, n: int) -> np.ndarray:
    """Numbers (n, 1) whose logarithm is uniform."""
    return np.exp(rng.uniform(np.log(low), np.log(high), (n, 1)))


def at_angle(rng: np.random.Generator, start: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Unit vectors at the given angles (n, 1) from the unit vectors ``start``, shape (n, d)."""
    raw = rng.standard_normal(start.shape)
    raw -= (raw * start).sum(-1, keepdims=True) * start
    across = raw / np.linalg.norm(raw, axis=-1, keepdims=True)
    return np.cos(angles) * start + np.sin(angles) * across


def pair_directions(
    rng: np.random.Generator, kind: str, n: int, d: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of unit vectors, shape (n, d), of the given kind."""
    first = uniform(rng, n, d)
    if kind == "uniform":
        return first, uniform(rng, n, d)
    if kind == "von Mises-Fisher":
        # Concentration d puts the points at an angle of about 50 degrees whatever d is.
        draws = von_mises_fisher(rng, 2 * n, first[0], d)
        return draws[:n], draws[n:]
    angles = log_uniform(rng, 1e-8, 0.1, n)
    second = at_angle(rng, first, angles)
    return first, second if kind == "near-parallel" else -second


def pairs(
    rng: np.random.Generator, d: int, points: int, *, norm_ratio: float | None = None
) -> Pairs:
    """``points`` pairs of each kind, norms 1e-3 to 1e3.

    Args:
        rng: Source of randomness.
        d: Dimension.
        points: Pairs of each kind.
        norm_ratio: If given, the two norms of a pair differ by at most this factor.
    """
    z, y, labels = [], [], []
    for kind in KINDS:
        first, second = pair_directions(rng, kind, points, d)
        norm = log_uniform(rng, 1e-3, 1e3, points)
        if norm_ratio is None:
            norm_y = log_uniform(rng, 1e-3, 1e3, points)
        else:
            norm_y = norm * log_uniform(rng, 1 / norm_ratio, norm_ratio, points)
        z.append(norm * first)
        y.append(norm_y * second)
        labels += [f"{kind}, d={d}"] * points
    return Pairs(np.concatenate(z), np.concatenate(y), tuple(labels))


def norms(z: np.ndarray) -> np.ndarray:
    """Euclidean norms, the last axis kept."""
    return np.sqrt((z * z).sum(-1, keepdims=True))


@dataclass(frozen=True)
class Angle:
    """Angle of pairs with its cosine and sine, each (n, 1), accurate near 0 and pi."""

    angle: np.ndarray
    c: np.ndarray
    s: np.ndarray


def measure_angle(z: np.ndarray, y: np.ndarray) -> Angle:
    """2 atan2(‖ẑ − ŷ‖, ‖ẑ + ŷ‖) and its cosine and sine, without the loss of an arccos."""
    z, y = z / norms(z), y / norms(y)
    short, long = norms(z - y), norms(z + y)
    return Angle(2 * np.arctan2(short, long), (long - short) * (long + short) / 4, short * long / 2)
