"""Nearest neighbours by cosine, every sample left out of its own, in blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from normtheory import _nearest
from normtheory._progress import bar
from normtheory.diagnosis._correlation import Correlation, spearman, wilson
from normtheory.diagnosis._norms import by_norm
from normtheory.diagnosis._quantity import PLAIN, quantity

_BLOCK = 512  # queries at a time: a few tens of MiB of similarities at the default sample
_KNN = "Draganov et al. 2025 (norm as confidence); here with every sample left out of its own"


class Neighbours(NamedTuple):
    """Of each sample: the k nearest others and their cosines, nearest first, (n, k) each."""

    places: np.ndarray
    cosines: np.ndarray


def nearest(directions: np.ndarray, k: int, *, progress: bool = False) -> Neighbours:
    """The k < n nearest of unit vectors (n, d) to each of them, itself left out."""
    n = len(directions)
    places, cosines = np.empty((n, k), dtype=np.int64), np.empty((n, k))
    with bar(n, "row", desc="neighbours", show=None if progress else False) as shown:
        for part, similar in _nearest.similarities(directions, directions, _BLOCK):
            similar = _nearest.without_itself(part, similar)
            found = _nearest.nearest(similar, k)
            value = np.take_along_axis(similar, found, axis=1)
            order = np.argsort(-value, axis=1, kind="stable")
            places[part] = np.take_along_axis(found, order, axis=1)
            cosines[part] = np.take_along_axis(value, order, axis=1)
            shown.update(len(similar))
    return Neighbours(places, cosines)


def vote(neighbours: Neighbours, codes: np.ndarray) -> np.ndarray:
    """The class (n,) that most neighbours have; of equals the one nearer in sum of cosines.

    ``codes`` are those of the n samples, without gaps: memory goes with the largest.
    """
    n, k = neighbours.places.shape
    # A cosine in [-1, 1] can't outweigh a vote worth more than 2k.
    worth = neighbours.cosines + 2 * k + 1
    best = np.empty(n, dtype=np.int64)
    count = int(codes.max()) + 1
    for start in range(0, n, _BLOCK):
        part = slice(start, start + _BLOCK)
        best[part] = _nearest.vote(codes[neighbours.places[part]], count, worth[part])
    return best


class Bucket(NamedTuple):
    """Samples of neighbouring norms.

    Attributes:
        low: smallest norm.
        high: largest norm.
        n: number of samples.
        accuracy: share that the neighbours classify rightly.
        accuracy_low: lower end of its 95 % interval.
        accuracy_high: upper end.
    """

    low: float
    high: float
    n: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float


@dataclass(frozen=True)
class NeighbourSummary:
    """Nearest neighbours by cosine among a sample of the embeddings.

    Attributes:
        sample: number of embeddings it was done on.
        k: number of neighbours.
        norm_and_closeness: rank correlation of norm and mean cosine to the k neighbours.
        accuracy: share that the vote of the neighbours classifies rightly; None without labels.
        chance: share of the most common class, what a constant answer would get.
        norm_and_accuracy: rank correlation of norm and being classified rightly.
        buckets: the accuracy by norm, in buckets of equal size, smallest norms first.
    """

    sample: int = field(
        metadata=quantity("embeddings compared", "seeded draw without replacement", "option")
    )
    k: int = field(
        metadata=quantity("neighbours k", "by cosine, the sample itself left out", "option")
    )
    norm_and_closeness: Correlation = field(
        metadata=quantity(
            "norm and local density", "Spearman ρ of ‖z‖ and mean cosine to the k neighbours", _KNN
        )
    )
    accuracy: float | None = field(metadata=quantity("kNN accuracy", "majority of k", _KNN))
    chance: float | None = field(metadata=quantity("most common class", "its share", PLAIN))
    norm_and_accuracy: Correlation | None = field(
        metadata=quantity(
            "norm and kNN correctness", "Spearman ρ of ‖z‖ and being classified rightly", _KNN
        )
    )
    buckets: tuple[Bucket, ...]


def summarise_neighbours(
    directions: np.ndarray,
    norms: np.ndarray,
    codes: np.ndarray | None,
    k: int,
    buckets: int,
    rng: np.random.Generator,
    *,
    progress: bool = False,
) -> NeighbourSummary:
    """From unit vectors (n, d), their norms (n,) and their classes (n,), numbered without gaps."""
    n = len(norms)
    k = min(k, n - 1)
    found = nearest(directions, k, progress=progress)
    density = spearman(norms, found.cosines.mean(axis=1), rng, ("the norm", "the density"), codes)
    if codes is None:
        return NeighbourSummary(n, k, density, None, None, None, ())
    right = vote(found, codes) == codes
    return NeighbourSummary(
        sample=n,
        k=k,
        norm_and_closeness=density,
        accuracy=float(right.mean()),
        chance=float(np.bincount(codes).max() / n),
        norm_and_accuracy=spearman(norms, right, rng, ("the norm", "the correctness"), codes),
        buckets=tuple(_buckets(norms, right, buckets)),
    )


def _buckets(norms: np.ndarray, right: np.ndarray, count: int) -> list[Bucket]:
    return [
        Bucket(
            float(norms[part[0]]),
            float(norms[part[-1]]),
            len(part),
            float(right[part].mean()),
            *wilson(int(right[part].sum()), len(part)),
        )
        for part in by_norm(norms, count)
    ]
