"""The distribution of the norms, and who has the smallest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from normtheory.diagnosis._quantity import PLAIN, quantity

PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)


@dataclass(frozen=True)
class NormSummary:
    """The distribution of norms ρ = ‖z‖; the unit is that of the embeddings.

    Attributes:
        mean: mean norm.
        quantiles: norm at the percentiles 0, 1, 5, 25, 50, 75, 95, 99 and 100, by name.
        spread: standard deviation over mean, dimensionless.
        range_ratio: 95th over 5th percentile, dimensionless.
        histogram_edges: edges of the bins, one more than counts.
        histogram_counts: embeddings in each bin.
    """

    mean: float = field(metadata=quantity("mean norm", "mean of ρ = ‖z‖", PLAIN, "unit of z"))
    quantiles: Mapping[str, float] = field(
        metadata=quantity("percentiles", "of ρ", PLAIN, "unit of z")
    )
    spread: float = field(metadata=quantity("spread", "standard deviation of ρ / mean of ρ", PLAIN))
    range_ratio: float = field(
        metadata=quantity("95th / 5th percentile", "ratio of the two", PLAIN)
    )
    histogram_edges: tuple[float, ...]
    histogram_counts: tuple[int, ...]

    @property
    def median(self) -> float:
        """The 50th percentile."""
        return self.quantiles["50"]


def summarise_norms(norms: np.ndarray) -> NormSummary:
    """Summarise norms, shape (n,), all > 0."""
    values = np.percentile(norms, PERCENTILES)
    # Scaled, so that squares and sums stay in range whatever the unit of the embeddings.
    unit = norms / norms.max()
    # Norms that are equal to rounding get bins that are wider than a rounding.
    reach = (min(float(unit.min()), 1 - 1e-9), 1.0)
    bins = max(5, min(60, int(np.sqrt(len(norms)))))
    counts, edges = np.histogram(unit, bins=bins, range=reach)
    return NormSummary(
        mean=float(unit.mean() * norms.max()),
        quantiles={str(p): float(v) for p, v in zip(PERCENTILES, values, strict=True)},
        spread=float(unit.std() / unit.mean()),
        range_ratio=float(values[6] / values[2]),
        histogram_edges=tuple((edges * norms.max()).tolist()),
        histogram_counts=tuple(counts.tolist()),
    )


def by_norm(norms: np.ndarray, buckets: int) -> list[np.ndarray]:
    """Places of equal shares of the samples, smallest norms first, sorted in each.

    Fewer shares than asked for where there'd be less than five samples in one.
    """
    order = np.argsort(norms, kind="stable")
    return np.array_split(order, max(1, min(buckets, len(norms) // 5)))


@dataclass(frozen=True)
class Unexpected:
    """The samples of smallest norm: the ones that training met least, or least consistently.

    Attributes:
        rows: row numbers in the array that was handed over, smallest norm first.
        norms: their norms, in the unit of the embeddings.
        labels: their labels as text; None without labels.
    """

    rows: tuple[int, ...]
    norms: tuple[float, ...]
    labels: tuple[str, ...] | None


def find_unexpected(
    norms: np.ndarray, kept: np.ndarray, labels: np.ndarray | None, count: int
) -> Unexpected:
    """The ``count`` samples of smallest norm; ties go to the earlier row."""
    places = np.argsort(norms, kind="stable")[:count]
    return Unexpected(
        rows=tuple(kept[places].tolist()),
        norms=tuple(norms[places].tolist()),
        labels=None if labels is None else tuple(str(x) for x in labels[places]),
    )
