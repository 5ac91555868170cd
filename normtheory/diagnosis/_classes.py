"""The norms of each class, and whether the frequent classes have the larger ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from normtheory.diagnosis._correlation import Correlation, spearman
from normtheory.diagnosis._quantity import PLAIN, quantity

LISTED = 1000
"""Most classes that are listed: half of them the smallest median norms, half the largest."""


class ClassNorm(NamedTuple):
    """The norms of one class.

    Attributes:
        label: the class, as text.
        n: number of its samples.
        median: median norm.
        low: 25th percentile.
        high: 75th percentile.
    """

    label: str
    n: int
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassSummary:
    """The norms by class; the unit is that of the embeddings.

    Attributes:
        count: number of classes.
        frequency_and_norm: rank correlation, over classes, of size and median norm; over a seeded
            draw of them where there are more than may be compared.
        ratio: largest over smallest median norm of a class.
        by_norm: the classes, smallest median norm first; of more than 1000 the first and the last
            500.
        left_out: number of classes between those that aren't listed.
        singletons: number of classes with a single sample, listed or not.
    """

    count: int = field(metadata=quantity("classes", "distinct labels", PLAIN))
    frequency_and_norm: Correlation = field(
        metadata=quantity(
            "frequency and norm, over classes",
            "Spearman ρ of size and median norm; theory (free embeddings): ρ ∝ frequency^¼",
            "claim quartic_growth",
        )
    )
    ratio: float = field(metadata=quantity("largest / smallest class median", "ratio", PLAIN))
    by_norm: tuple[ClassNorm, ...]
    left_out: int
    singletons: int


def summarise_classes(
    norms: np.ndarray,
    names: np.ndarray,
    codes: np.ndarray,
    rng: np.random.Generator,
    most: int,
) -> ClassSummary:
    """From norms (n,), the names of the classes (c,) and the class of each sample (n,).

    At most ``most`` classes, drawn from ``rng``, go into the correlation.
    """
    count = len(names)
    ordered = norms[np.lexsort((norms, codes))]
    sizes = np.bincount(codes, minlength=count)
    starts = np.cumsum(sizes) - sizes
    low, medians, high = (_quantile(ordered, starts, sizes, q) for q in (0.25, 0.5, 0.75))
    drawn = np.arange(count)
    if count > most:
        drawn = np.sort(rng.choice(count, most, replace=False))
    places = np.argsort(medians, kind="stable")
    left_out = max(0, count - LISTED)
    if left_out:
        places = np.concatenate([places[: LISTED // 2], places[-LISTED // 2 :]])
    return ClassSummary(
        count=count,
        frequency_and_norm=spearman(
            sizes[drawn], medians[drawn], rng, ("the size", "the median norm")
        ),
        ratio=float(medians.max() / medians.min()),
        by_norm=tuple(
            ClassNorm(
                str(names[i]), int(sizes[i]), float(medians[i]), float(low[i]), float(high[i])
            )
            for i in places
        ),
        left_out=left_out,
        singletons=int((sizes == 1).sum()),
    )


def _quantile(
    ordered: np.ndarray, starts: np.ndarray, sizes: np.ndarray, share: float
) -> np.ndarray:
    """Of each class (c,), all at once, linear between neighbours as ``numpy.quantile``.

    ``ordered`` (n,) holds the classes one after the other, each sorted.
    """
    place = share * (sizes - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, sizes - 1)
    first, second = ordered[starts + below], ordered[starts + above]
    return first + (second - first) * (place - below)
