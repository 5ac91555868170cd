"""Rank correlations of two columns over all images and within classes, with intervals.

Images of a class are no independent draws, and runs see the same images. So the intervals are for
other classes and other networks: every class is left out once, in all runs, which says how much
classes count, as in :mod:`normtheory._ranks`; runs by the spread of their own values. The two
variances are added, which is a little too much rather than too little, and the degrees of freedom
are Satterthwaite's. Of one run, or one class, there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from normtheory._ranks import (
    FEW,
    FEW_CLASSES,
    LEVEL,
    class_variance,
    rank_correlation,
    rarer,
    without_each,
)


class Estimate(NamedTuple):
    """A value, and the ends of its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float


class Column(NamedTuple):
    """Two numbers an image, and its class, of one run.

    Attributes:
        x: shape (n,).
        y: shape (n,).
        labels: integers (n,).
    """

    x: np.ndarray
    y: np.ndarray
    labels: np.ndarray


def enough(x: np.ndarray) -> bool:
    """Whether a column (n,) can be correlated: it varies, and no answer of two is rarer than ten.

    Unrelated columns of 200 with three answers of one kind would be called related in 23 % of
    draws.
    """
    return rarer(x) >= FEW and len(np.unique(x)) > 1


def ranks(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's ρ of two columns (n,); NaN where either has not :func:`enough`."""
    return rank_correlation(x, y) if enough(x) and enough(y) else np.nan


def jackknife(whole: np.ndarray, without: np.ndarray) -> Estimate:
    """The mean of a value over runs, with an interval for other classes and other runs.

    Args:
        whole: of every run, shape (runs,).
        without: with a class left out, shape (classes, runs).
    """
    value = float(np.mean(whole))
    classes, runs = without.shape
    if classes < 2 or runs < 2:
        return Estimate(value, np.nan, np.nan)
    of_classes = class_variance(without.mean(axis=1))
    of_runs = np.var(whole, ddof=1) / runs
    both = of_classes + of_runs
    if not both > 0:  # not a number, or no difference at all
        return Estimate(value, value + 0 * both, value + 0 * both)
    freedom = both**2 / (of_classes**2 / (classes - 1) + of_runs**2 / (runs - 1))
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(both)
    return Estimate(value, float(value - half), float(value + half))


def _cut(found: Estimate) -> Estimate:
    """The ends no further than a correlation, or a difference of shares, can be."""
    return Estimate(found.value, *(float(end) for end in np.clip(found[1:], -1, 1)))


def overall(columns: Sequence[Column]) -> Estimate:
    """Spearman's ρ over all images, the mean of the runs.

    The interval is had on Fisher's scale, as in :func:`normtheory._ranks.for_other_classes`, and of
    as many classes.

    Args:
        columns: of every run.
    """
    classes = _classes(columns)
    whole = np.array([ranks(c.x, c.y) for c in columns])
    nowhere = Estimate(float(whole.mean()), np.nan, np.nan)
    if len(classes) < FEW_CLASSES:
        return nowhere
    without = np.stack([without_each(*c, classes) for c in columns], axis=1)
    if not max(abs(whole).max(), abs(without).max()) < 1:  # also where there is none
        return nowhere
    ends = jackknife(np.arctanh(whole), np.arctanh(without))
    return Estimate(nowhere.value, *(float(end) for end in np.tanh(ends[1:])))


def _ranks_of(column: Column, chosen: np.ndarray) -> float:
    return ranks(column.x[chosen], column.y[chosen])


def within(columns: Sequence[Column]) -> tuple[Estimate, int]:
    """Spearman's ρ within every class, the mean over classes and runs.

    Classes are what is left out, since they differ and their images do not: the interval is for
    other classes, and so wider than one for new images of these.

    Args:
        columns: of every run.

    Returns:
        The correlation, NaN without a class, and the number of classes that count: those with
        enough images, and answers, in every run.
    """
    table = np.array([[_ranks_of(c, c.labels == k) for c in columns] for k in _classes(columns)])
    table = table[np.isfinite(table).all(axis=1)]
    count = len(table)
    if not count:
        return Estimate(np.nan, np.nan, np.nan), 0
    if count == 1:
        return Estimate(float(table.mean()), np.nan, np.nan), 1
    others = (table.sum(axis=0) - table) / (count - 1)
    return _cut(jackknife(table.mean(axis=0), others)), count


def difference(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> Estimate:
    """How much larger the mean of the first is than that of the second, on the same images.

    Args:
        first: shape (runs, n).
        second: likewise.
        labels: integers (runs, n).
    """
    gain = first.astype(float) - second.astype(float)
    columns = [Column(g, g, i) for g, i in zip(gain, labels, strict=True)]
    without = [[c.x[c.labels != k].mean() for c in columns] for k in _classes(columns)]
    return _cut(jackknife(gain.mean(axis=1), np.array(without)))


def _classes(columns: Sequence[Column]) -> np.ndarray:
    return np.unique(np.concatenate([c.labels for c in columns]))
