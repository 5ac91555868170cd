"""What can be seen in one batch: norms, and how the directions lie."""

from __future__ import annotations

import numpy as np

from normtheory.losses import LOSSES
from normtheory.monitoring._batch import Batch

PERCENTILES = (5, 25, 50, 75, 95)
COMPARED = 256
"""Most rows that are compared with each other: n² distances must cost little."""
CLASS = "class_norm_"
"""What the median norm of a class is called, before the class."""


def percentile_name(percentile: int) -> str:
    """What the norm at a percentile is called in a record."""
    return f"norm_{percentile:02d}"


def tenths(norms: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the tenths of the smallest and the largest norms are; None for fewer than ten."""
    n = len(norms)
    order = np.argsort(norms, kind="stable")
    return (order[: n // 10], order[n - n // 10 :]) if n >= 10 else None


def decile_ratio(norms: np.ndarray) -> float | None:
    """Median norm of the largest tenth over that of the smallest."""
    low, high = tenths(norms) or (None, None)
    return None if low is None else float(np.median(norms[high]) / np.median(norms[low]))


def measure(z: Batch, second: Batch | None, labels: np.ndarray | None) -> dict[str, float]:
    """Numbers of a batch, by name; what has no value is left out.

    Args:
        z: the batch.
        second: the other view, or the other modality, row by row.
        labels: of the rows, (n,).
    """
    found = {"bad_rows": float((~z.good).sum() + (0 if second is None else (~second.good).sum()))}
    norms = z.norms[z.good]
    if not len(norms):
        return found
    found["norm_mean"] = float(norms.mean())
    quantiles = np.percentile(norms, PERCENTILES)
    found |= {percentile_name(p): float(x) for p, x in zip(PERCENTILES, quantiles, strict=True)}
    if (ratio := decile_ratio(norms)) is not None:
        found["decile_ratio"] = ratio
    some = np.flatnonzero(z.good)
    found["resultant"] = float(np.linalg.norm(z.directions(some).mean(axis=0)))
    if len(some) >= 2:
        found["uniformity"] = float(LOSSES["uniformity"](z.directions(some[:COMPARED])))
    if second is not None and (both := z.good & second.good).any():
        u, v = z.directions(both), second.directions(both)
        found["alignment"] = float(((u - v) ** 2).sum(axis=1).mean())
        found["gap"] = float(np.linalg.norm(u.mean(axis=0) - v.mean(axis=0)))
    if labels is not None:
        kinds, codes = np.unique(labels[z.good], return_inverse=True)
        for code, kind in enumerate(kinds):
            found[f"{CLASS}{kind}"] = float(np.median(norms[codes == code]))
    return found
