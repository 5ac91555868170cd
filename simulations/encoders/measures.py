"""What is read off embeddings: neighbours, rank correlations, areas under curves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from normtheory import _correlation
from normtheory._neighbours import Neighbours, nearest, vote

_SIMILARITIES = 2**24  # at a time: 64 MiB in single precision


def directions(z: np.ndarray) -> np.ndarray:
    """Embeddings (n, d) on the unit sphere."""
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def _nearest(z: np.ndarray, k: int, known: np.ndarray | None = None) -> Neighbours:
    """Of embeddings (n, d), some at a time, about equally; see :func:`nearest`."""
    entries = len(z) * len(z if known is None else known)
    blocks = max(1, -(-entries // _SIMILARITIES))
    among = None if known is None else directions(known)
    return nearest(directions(z), k, among, block=max(1, -(-len(z) // blocks)))


def neighbour_distance(z: np.ndarray, k: int) -> np.ndarray:
    """Distance on the unit sphere of every embedding to its k-th nearest other one.

    Args:
        z: shape (n, d), n > k.
        k: 1 for the nearest.

    Returns:
        Shape (n,).
    """
    kth = _nearest(z, k).cosines[:, -1]
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
    return vote(_nearest(z, k, known), known_labels, by_cosine=False) == labels


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
    """Spearman's rank correlation and its bootstrap interval; NaN where there is none.

    As in a diagnosis: none where either is constant, no interval of fewer than 10 points.

    Args:
        x: shape (n,).
        y: shape (n,).
        rng: of the resampling.
        resamples: how many.
    """
    found = _correlation.spearman(x, y, rng, resamples=resamples)
    return Correlation(
        *(np.nan if part is None else part for part in (found.rho, found.low, found.high))
    )


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
