"""Have the directions collapsed?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from normtheory.diagnosis._quantity import PLAIN, quantity


@dataclass(frozen=True)
class DirectionSummary:
    """How the directions ẑ fill the sphere.

    Attributes:
        resultant: length of the mean direction, in [0, 1]: 1 if all point the same way.
        participation: number of dimensions that the directions vary in, 0 if they don't vary.
        possible: the largest it could be, min(d, samples - 1).
    """

    resultant: float = field(metadata=quantity("length of the mean direction", "‖mean ẑ‖", PLAIN))
    participation: float = field(
        metadata=quantity(
            "dimensions in use",
            "(tr C)² / tr C², C the covariance of the ẑ",
            "participation ratio of principal components",
        )
    )
    possible: int = field(metadata=quantity("of at most", "min(d, samples - 1)", PLAIN))


def summarise_directions(directions: np.ndarray) -> DirectionSummary:
    """From unit vectors (n, d)."""
    n, d = directions.shape
    mean = directions.mean(axis=0)
    centred = directions - mean
    # The smaller of the two Gram matrices; both have the same trace and the same sum of squares.
    gram = centred.T @ centred if d <= n else centred @ centred.T
    trace, squares = float(np.trace(gram)), float((gram * gram).sum())
    # Directions that are alike to rounding don't vary.
    varies = trace > n * d * np.finfo(np.float64).eps ** 2
    return DirectionSummary(
        resultant=float(np.linalg.norm(mean)),
        participation=trace**2 / squares if varies else 0.0,
        possible=min(d, n - 1),
    )
