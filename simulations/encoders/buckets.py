"""Images in buckets of the norm, and how many of them a vote gets right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Buckets(NamedTuple):
    """Images in buckets of equal width between the smallest and the largest norm of a run.

    Attributes:
        count: images, shape (runs, buckets).
        right: those that the vote gets right, likewise.
    """

    count: np.ndarray
    right: np.ndarray


def buckets(norm: np.ndarray, right: np.ndarray, many: int) -> Buckets:
    """Count images by their norm, scaled by min-max.

    Args:
        norm: shape (runs, n). Where all of a run are the same, as in a network that has collapsed
            to one output, all are in the first bucket.
        right: booleans, likewise.
        many: how many buckets.
    """
    low, high = norm.min(axis=1, keepdims=True), norm.max(axis=1, keepdims=True)
    width = np.where(high > low, high - low, 1)
    bucket = np.minimum((norm - low) / width * many, many - 1)
    is_in = bucket.astype(int)[..., None] == np.arange(many)
    return Buckets(is_in.sum(axis=1), (is_in & right[..., None]).sum(axis=1))
