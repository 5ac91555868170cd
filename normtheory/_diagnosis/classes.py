"""The norms of each class, and whether the frequent classes have the larger ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from normtheory._diagnosis.correlation import Correlation, spearman
from normtheory._diagnosis.quantity import PLAIN, quantity


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
        frequency_and_norm: rank correlation, over classes, of size and median norm.
        ratio: largest over smallest median norm of a class.
        by_norm: the classes, smallest median norm first.
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


def summarise_classes(
    norms: np.ndarray, names: np.ndarray, codes: np.ndarray, rng: np.random.Generator
) -> ClassSummary:
    """From norms (n,), the names of the classes (c,) and the class of each sample (n,)."""
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=len(names))
    parts = np.split(norms[order], np.cumsum(sizes)[:-1])
    rows = [
        ClassNorm(str(name), len(part), *(float(v) for v in np.percentile(part, (50, 25, 75))))
        for name, part in zip(names, parts, strict=True)
    ]
    medians = np.array([row.median for row in rows])
    return ClassSummary(
        count=len(rows),
        frequency_and_norm=spearman(sizes, medians, rng, ("the size", "the median norm")),
        ratio=float(medians.max() / medians.min()),
        by_norm=tuple(sorted(rows, key=lambda row: row.median)),
    )
