"""Two views of each sample: how well they agree, and whether the norm knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from normtheory.cosine import angle
from normtheory.diagnosis._correlation import Correlation, spearman
from normtheory.diagnosis._norms import by_norm
from normtheory.diagnosis._quantity import PLAIN, quantity
from normtheory.diagnosis._rows import Rows

PERCENTILES = (5, 50, 95)


class Agreement(NamedTuple):
    """Samples of neighbouring norms.

    Attributes:
        low: smallest norm of the first view.
        high: largest.
        n: number of samples.
        cosine: mean cosine of their two views.
        error: its standard error.
    """

    low: float
    high: float
    n: int
    cosine: float
    error: float


@dataclass(frozen=True)
class ViewSummary:
    """Agreement of two views of each sample.

    Attributes:
        alignment: mean squared distance of the two directions, in [0, 4]; 0 is perfect.
        mean_cosine: mean cosine of the two.
        angles: their angle in radians at the percentiles 5, 50 and 95, by name.
        norm_and_agreement: rank correlation of the first view's norm with the cosine.
        norm_and_norm: rank correlation of the two norms.
        by_norm: the cosine in buckets of equal size, smallest norms first.
    """

    alignment: float = field(
        metadata=quantity("alignment", "mean ‖ẑ - ẑ'‖²", "Wang & Isola 2020 (α = 2)")
    )
    mean_cosine: float = field(
        metadata=quantity("mean cosine of the views", "mean of 1 - ‖ẑ - ẑ'‖²/2", PLAIN)
    )
    angles: Mapping[str, float] = field(
        metadata=quantity(
            "angle of the views", "percentiles of 2 atan2(‖ẑ - ẑ'‖, ‖ẑ + ẑ'‖)", PLAIN, "radians"
        )
    )
    norm_and_agreement: Correlation = field(
        metadata=quantity("norm and agreement", "Spearman ρ of ‖z‖ and cos φ", PLAIN)
    )
    norm_and_norm: Correlation = field(
        metadata=quantity("norms of the two views", "Spearman ρ", PLAIN)
    )
    by_norm: tuple[Agreement, ...]


def pair_angles(first: Rows, second: Rows) -> np.ndarray:
    """Radians between the rows of two views, (n,)."""
    found = np.empty(len(first))
    for start in range(0, len(first), first.block):
        places = np.arange(start, min(len(first), start + first.block))
        found[places] = angle(first.take(places), second.take(places))
    return found


def summarise_views(
    angles: np.ndarray,
    norms: np.ndarray,
    other_norms: np.ndarray,
    places: np.ndarray,
    codes: np.ndarray | None,
    buckets: int,
    rng: np.random.Generator,
) -> ViewSummary:
    """From angles and both norms, (n,) each; correlations on the samples at ``places``.

    ``codes`` are the classes of these samples, numbered without gaps.
    """
    squares = 4 * np.sin(angles / 2) ** 2
    # The angle orders as the cosine does, the other way round, and is exact near 0.
    agreement = spearman(
        norms[places], -angles[places], rng, ("the norm", "the agreement of the views"), codes
    )
    return ViewSummary(
        alignment=float(squares.mean()),
        mean_cosine=float(1 - squares.mean() / 2),
        angles={
            str(p): float(v)
            for p, v in zip(PERCENTILES, np.percentile(angles, PERCENTILES), strict=True)
        },
        norm_and_agreement=agreement,
        norm_and_norm=spearman(
            norms[places],
            other_norms[places],
            rng,
            ("the norm", "the norm of the second view"),
            codes,
        ),
        by_norm=tuple(
            Agreement(
                float(norms[part[0]]),
                float(norms[part[-1]]),
                len(part),
                float(1 - squares[part].mean() / 2),
                float(squares[part].std() / 2 / np.sqrt(len(part))),
            )
            for part in by_norm(norms, buckets)
        ),
    )
