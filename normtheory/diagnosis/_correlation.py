"""Rank correlation and accuracy with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm as normal

from normtheory._ranks import (
    FEW,
    FEW_CLASSES,
    LEVEL,
    for_other_classes,
    rank_correlation,
    rarer,
    with_interval,
)

RESAMPLES = 999


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation.

    Attributes:
        rho: in [-1, 1]; None where it isn't defined.
        low: lower end of the 95 % interval, for other classes where there are labels and else for
            other samples; None without ``rho``, and of fewer than an interval can be had from.
        high: upper end.
        n: number of samples.
        why_not: why it isn't defined or has no interval; empty where it has both.
        classes: number of classes that the interval counts instead of samples; None without labels.
    """

    rho: float | None
    low: float | None
    high: float | None
    n: int
    why_not: str = ""
    classes: int | None = None

    @property
    def sign(self) -> int:
        """1 or -1 where the interval leaves out 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


def spearman(
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    names: tuple[str, str],
    codes: np.ndarray | None = None,
) -> Correlation:
    """Spearman's correlation of two columns with its interval.

    Args:
        x: shape (n,).
        y: shape (n,).
        rng: source of the resamples, where there are no classes.
        names: what the two are, for the word on why it isn't defined.
        codes: the class of each, 0 to classes - 1, shape (n,).

    Returns:
        The correlation; none of fewer than 5 samples, and no interval of fewer than ``FEW``, of
        a yes-or-no column with fewer than ``FEW`` of the rarer answer, or of fewer than
        ``FEW_CLASSES`` classes. Without classes the interval takes the samples as independent draws
        (percentiles of resamples, Efron 1979), with them the classes.
    """
    n = len(x)
    if n < 5:
        return Correlation(None, None, None, n, f"{n} samples are too few")
    for name, column in zip(names, (x, y), strict=True):
        if (column == column[0]).all():
            return Correlation(None, None, None, n, f"{name} is the same for all")
    classes = None if codes is None else int(codes.max()) + 1
    if few := too_few(min(rarer(column) for column in (x, y)), n, classes):
        reason = f"{few} are too few for an interval"
        return Correlation(rank_correlation(x, y), None, None, n, reason, classes)
    if codes is None:
        return Correlation(*with_interval(x, y, rng, RESAMPLES), n)
    found = for_other_classes(x, y, codes)
    if np.isnan(found.low):
        reason = "without one of the classes it is not defined, or ±1"
        return Correlation(found.value, None, None, n, reason, classes)
    return Correlation(*found, n, classes=classes)


def too_few(rarest: int, n: int, classes: int | None) -> str:
    """What there is too little of for an interval; empty if there is enough."""
    if n < FEW:
        return f"{n} samples"
    if rarest < FEW:
        return f"{rarest} samples of the rarer answer"
    if classes is not None and classes < FEW_CLASSES:
        return f"{classes} classes"
    return ""


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927): right of n."""
    z = float(normal.ppf((1 + LEVEL) / 2))
    share = right / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))
