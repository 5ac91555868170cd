"""What is read off embeddings: neighbours, rank correlations, areas under curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

_SIMILARITIES = 2**24  # at a time: 64 MiB in single precision


def directions(z: np.ndarray) -> np.ndarray:
    """Embeddings (n, d) on the unit sphere."""
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def _similarities(queries: np.ndarray, known: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Products of queries (n, d) with all known (m, d), some queries at a time, about equally."""
    blocks = max(1, -(-len(queries) * len(known) // _SIMILARITIES))
    size = max(1, -(-len(queries) // blocks))
    for start in range(0, len(queries), size):
        part = slice(start, start + size)
        yield part, queries[part] @ known.T


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
        row = np.arange(len(similarity))
        similarity[row, part.start + row] = -np.inf  # a point is no neighbour of itself
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
    classes = np.arange(int(max(labels.max(), known_labels.max())) + 1)
    right = np.empty(len(z), dtype=bool)
    for part, similarity in _similarities(directions(z), directions(known)):
        nearest = np.argpartition(similarity, -k, axis=1)[:, -k:]
        votes = (known_labels[nearest][:, :, None] == classes).sum(axis=1)
        right[part] = votes.argmax(axis=1) == labels[part]
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


class Correlation(NamedTuple):
    """A rank correlation with its interval.

    Attributes:
        value: Spearman's ρ.
        low: lower end of the 95 % interval, a percentile bootstrap over points.
        high: upper end.
    """

    value: float
    low: float
    high: float


def spearman(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, resamples: int = 400
) -> Correlation:
    """Spearman's rank correlation and its bootstrap interval; NaN where either is constant.

    Args:
        x: shape (n,).
        y: shape (n,).
        rng: of the resampling.
        resamples: how many.
    """
    if (x == x[0]).all() or (y == y[0]).all():
        return Correlation(np.nan, np.nan, np.nan)
    chosen = rng.integers(len(x), size=(resamples, len(x)))
    pairs = [stats.rankdata(a[chosen], axis=1) for a in (x, y)]
    a, b = (r - r.mean(axis=1, keepdims=True) for r in pairs)
    spread = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    found = (a * b).sum(axis=1)[spread > 0] / spread[spread > 0]
    low, high = np.quantile(found, [0.025, 0.975])
    value = np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]
    return Correlation(float(value), float(low), float(high))


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive has the larger score than a negative; ties count half."""
    statistic = stats.mannwhitneyu(positive, negative).statistic
    return float(statistic / (len(positive) * len(negative)))


def interval(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Half width of the 95 % interval of a mean over runs (Student's t); 0 for a single run."""
    n = np.shape(values)[axis]
    if n < 2:
        return np.zeros_like(np.mean(values, axis=axis))
    error = np.std(values, axis=axis, ddof=1) / np.sqrt(n)
    return stats.t.ppf(0.975, n - 1) * error
