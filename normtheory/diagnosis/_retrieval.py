"""Ranked by cosine or by dot product: what norms change for who searches by embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from normtheory import _nearest
from normtheory.diagnosis._quantity import PLAIN, quantity

_BLOCK = 512
_TENTH = "share of all places that the largest tenth of the norms fill"


@dataclass(frozen=True)
class RetrievalSummary:
    """The k nearest of each sample by cosine, and by dot product.

    Attributes:
        overlap: mean share of the k that both rankings have in common.
        large_by_cosine: share of the results that are of the largest tenth of the norms.
        large_by_product: the same by dot product.
        absent_by_cosine: share of the samples that no other finds among its k.
        absent_by_product: the same by dot product.
    """

    overlap: float = field(
        metadata=quantity("neighbours in common", "mean share of k, itself left out", PLAIN)
    )
    large_by_cosine: float = field(
        metadata=quantity("largest tenth of norms, by cosine", _TENTH, PLAIN)
    )
    large_by_product: float = field(metadata=quantity("the same by dot product", _TENTH, PLAIN))
    absent_by_cosine: float = field(
        metadata=quantity("never found, by cosine", "share of the samples", PLAIN)
    )
    absent_by_product: float = field(
        metadata=quantity("never found, by dot product", "share of the samples", PLAIN)
    )


def summarise_retrieval(directions: np.ndarray, norms: np.ndarray, k: int) -> RetrievalSummary:
    """From unit vectors (n, d) and their norms (n,); each is a query to all others."""
    n = len(norms)
    k = min(k, n - 1)
    size = norms / norms.max()
    found = np.zeros((2, n), dtype=np.int64)
    common = 0
    for part, cosines in _nearest.similarities(directions, directions, _BLOCK):
        cosines = _nearest.without_itself(part, cosines)
        # The norm of the query is the same for all that it finds.
        places = [_nearest.nearest(similar, k) for similar in (cosines, cosines * size)]
        among = np.zeros(cosines.shape, dtype=bool)
        np.put_along_axis(among, places[0], True, axis=1)
        common += int(np.take_along_axis(among, places[1], axis=1).sum())
        for count, some in zip(found, places, strict=True):
            count += np.bincount(some.ravel(), minlength=n)
    largest = np.argsort(norms, kind="stable")[-max(1, n // 10) :]
    large, absent = found[:, largest].sum(axis=1) / (n * k), (found == 0).mean(axis=1)
    return RetrievalSummary(common / (n * k), *map(float, (*large, *absent)))
