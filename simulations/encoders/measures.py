"""What is read off embeddings: neighbours, rank correlations, areas under curves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from normtheory import _nearest
from normtheory._ranks import Ranks, with_interval

_SIMILARITIES = 2**24  # at a time: 64 MiB in single precision


def directions(z: np.ndarray) -> np.ndarray:
    """Embeddings (n, d) on the unit sphere."""
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def _similarities(queries: np.ndarray, known: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Products of queries (n, d) with all known (m, d), some queries at a time, about equally."""
    blocks = max(1, -(-len(queries) * len(known) // _SIMILARITIES))
    return _nearest.similarities(queries, known, max(1, -(-len(queries) // blocks)))


def neighbour_distance(z: np.ndarray, k: int) -> np.ndarray:
    """Distance on the unit sphere of every embedding to its k-th nearest other one.

    Args:
        z: shape (n, d), n > k.
        k: 1 for the nearest.

    Returns:
        Shape (n,).
    """
    u = directions(z)
    kth = np.empty(len(u), u.dtype)
    for part, similarity in _similarities(u, u):
        similarity = _nearest.without_itself(part, similarity)
        similarity.partition(-k, axis=1)
        kth[part] = similarity[:, -k]
    return np.sqrt(np.maximum(2 - 2 * kth, 0))


def neighbours_are_right(
    z: np.ndarray, labels: np.ndarray, known: np.ndarray, known_labels: np.ndarray, k: int
) -> np.ndarray:
    """Whether the k nearest known embeddings, by cosine, vote for the label of an embedding.

    Args:
        z: embeddings to classify, shape (n, d); held out, so none is its own neighbour.
        labels: theirs, shape (n,).
        known: embeddings with known labels, shape (m, d).
        known_labels: shape (m,).
        k: how many vote; a tie goes to the smaller label.

    Returns:
        Booleans (n,).
    """
    count = int(known_labels.max()) + 1
    right = np.empty(len(z), dtype=bool)
    for part, similarity in _similarities(directions(z), directions(known)):
        voters = known_labels[_nearest.nearest(similarity, k)]
        right[part] = _nearest.vote(voters, count) == labels[part]
    return right


def networks_are_right(
    z: np.ndarray, labels: np.ndarray, known: np.ndarray, known_labels: np.ndarray, k: int
) -> np.ndarray:
    """:func:`neighbours_are_right` for many networks.

    A network that has died, so that embeddings are zero or not finite, classifies nothing.

    Args:
        z: embeddings to classify, shape (networks, n, d).
        labels: theirs, shape (networks, n).
        known: embeddings with known labels, shape (networks, m, d).
        known_labels: shape (networks, m).
        k: how many vote.

    Returns:
        Booleans (networks, n).
    """
    right = np.zeros(z.shape[:2], dtype=bool)
    for i in np.flatnonzero(alive(z) & alive(known)):
        right[i] = neighbours_are_right(z[i], labels[i], known[i], known_labels[i], k)
    return right


def alive(z: np.ndarray) -> np.ndarray:
    """Whether all embeddings (..., n, d) of a network are finite and none is zero, shape (...)."""
    return np.asarray(np.isfinite(z).all(axis=(-2, -1)) & z.any(axis=-1).all(axis=-1))


def spearman(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, resamples: int = 400) -> Ranks:
    """Spearman's rank correlation and its bootstrap interval; NaN where either is constant.

    Args:
        x: shape (n,).
        y: shape (n,).
        rng: of the resampling.
        resamples: how many.
    """
    if (x == x[0]).all() or (y == y[0]).all():
        return Ranks(np.nan, np.nan, np.nan)
    return with_interval(x, y, rng, resamples)


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive has the larger score than a negative; ties count half."""
    statistic = stats.mannwhitneyu(positive, negative).statistic
    return float(statistic / (len(positive) * len(negative)))


def interval(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Half width of the 95 % interval of a mean over runs (Student's t); NaN for a single run."""
    n = np.shape(values)[axis]
    if n < 2:
        return np.full_like(np.mean(values, axis=axis), np.nan)
    error = np.std(values, axis=axis, ddof=1) / np.sqrt(n)
    return stats.t.ppf(0.975, n - 1) * error


def steps_to_reach(curves: np.ndarray, step: np.ndarray, target: float) -> np.ndarray:
    """Step at which curves first reach a target, looks joined by straight lines.

    Args:
        curves: shape (..., looks).
        step: of the looks, ascending, shape (looks,).
        target: a curve that begins there has the first step, one that never gets there infinity.

    Returns:
        Shape (...).
    """
    there = curves >= target
    after = np.argmax(there, axis=-1)
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(curves, i[..., None], -1)[..., 0] for i in (before, after))
    rise = np.where(high > low, high - low, 1)
    found = step[before] + (step[after] - step[before]) * (target - low) / rise
    found = np.where(after == 0, step[0], found)
    return np.where(there.any(axis=-1), found, np.inf)


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p values (n,) of n questions asked at once (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted
