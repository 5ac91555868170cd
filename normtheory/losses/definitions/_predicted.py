"""Predictions of the other view's embedding: what SimSiam and BYOL share."""

from __future__ import annotations

from normtheory._types import Embeddings
from normtheory.losses._namespace import Namespace
from normtheory.losses._slope import Slope


def predicted(
    xp: Namespace,
    p_1: Embeddings,
    p_2: Embeddings,
    z_1: Embeddings,
    z_2: Embeddings,
    *,
    scale: float,
    shift: float,
) -> Slope:
    """``shift`` plus ``scale`` times the mean of 2 - cos(p_1, z_2) - cos(p_2, z_1)."""
    n = p_1.shape[0]
    # 2 - 2 cos from the chords, so that the loss of a predictor that is right keeps its digits
    squares = xp.sum((p_1 - z_2) ** 2) + xp.sum((p_2 - z_1) ** 2)
    return Slope(
        shift + scale * squares / (2 * n), {"p_1": -scale * z_2 / n, "p_2": -scale * z_1 / n}
    )
