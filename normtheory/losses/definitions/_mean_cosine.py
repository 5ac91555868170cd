"""The mean cosine of n pairs, with a sign: what attraction and repulsion share."""

from __future__ import annotations

from normtheory._types import Embeddings
from normtheory.losses._namespace import Namespace
from normtheory.losses._slope import Slope


def mean_cosine(xp: Namespace, u: Embeddings, v: Embeddings, *, sign: float) -> Slope:
    """``sign`` times the mean of û·v̂."""
    n = u.shape[0]
    return Slope(sign * xp.sum(u * v) / n, {"z_1": sign * v / n, "z_2": sign * u / n})
