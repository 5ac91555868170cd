"""The norm against a target with covariates held fixed, with intervals by the rule of all others.

For other classes where there are labels (each left out once), else for other samples (resampled);
see :mod:`normtheory._ranks`. Classes stay whole in the folds, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from normtheory._ranks import FEW, around, leaving_out, percentiles, rarer, redrawn
from normtheory.diagnosis._correlation import RESAMPLES, Correlation, too_few
from normtheory.diagnosis._partial import (
    Counts,
    auroc,
    folds,
    held_fixed,
    partial_correlations,
    predicted,
    r_squared,
    scores,
)

AUROC, R_SQUARED = "AUROC", "R² of the ranks"


@dataclass(frozen=True)
class Gain:
    """What the norm adds to covariates in telling the target, on samples that were not fitted.

    Attributes:
        measure: "AUROC" for a target of two answers, else "R² of the ranks".
        without: by covariates alone; None where it can't be had.
        with_norm: by covariates and norm.
        value: the difference.
        low: lower end of its 95 % interval; None where there is none.
        high: upper end.
        why_not: why there is none; empty where there is one.
    """

    measure: str
    without: float | None
    with_norm: float | None
    value: float | None
    low: float | None
    high: float | None
    why_not: str = ""

    @property
    def sign(self) -> int:
        """1 or -1 where the interval leaves out 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


class Adjusted:
    """Norms (n,) and a target (n,), neither constant, to be compared with covariates held fixed.

    ``codes`` are the classes, 0 to classes - 1, (n,) or None; ``rng`` is the source of resamples.
    """

    def __init__(
        self,
        norms: np.ndarray,
        target: np.ndarray,
        codes: np.ndarray | None,
        rng: np.random.Generator,
    ) -> None:
        """Rank both once."""
        self._x, self._y, self._codes = scores(norms), scores(target), codes
        self._yes = target == target.max() if len(np.unique(target)) == 2 else None
        self._rarest = min(rarer(norms), rarer(target))
        self._fold = folds(len(norms), codes, rng)
        self._seed = int(rng.integers(2**63))

    def correlation(self, covariates: Sequence[np.ndarray]) -> Correlation:
        """Of the ranks, with covariates (n,) held fixed."""
        fixed, n, classes = held_fixed(covariates, len(self._x)), len(self._x), self._classes
        reason = self._why_not(fixed)

        def statistic(counts: Counts) -> np.ndarray:
            return partial_correlations(self._x, self._y, fixed, counts)

        whole = float(statistic(iter([np.ones((1, n))]))[0])
        if np.isnan(whole):
            said = "the covariates determine the norm or the target"
            return Correlation(None, None, None, n, said, classes)
        if reason:
            return Correlation(whole, None, None, n, reason, classes)
        if self._codes is None:
            return Correlation(whole, *percentiles(statistic(self._counts())), n)
        left = statistic(self._counts())
        if not max(abs(whole), abs(left).max()) < 1:
            said = "without one of the classes it is not defined, or ±1"
            return Correlation(whole, None, None, n, said, classes)
        low, high = np.tanh(around(np.arctanh(whole), np.arctanh(left))).tolist()
        return Correlation(whole, low, high, n, classes=classes)

    def gain(self, covariates: Sequence[np.ndarray]) -> Gain:
        """By the rank of the norm, over covariates (n,): least squares, every fold by the others.

        For two answers that is Fisher's linear discriminant.
        """
        fixed = held_fixed(covariates, len(self._x))
        measured: Callable[..., np.ndarray] = r_squared if self._yes is None else auroc
        name, y = (R_SQUARED, self._y) if self._yes is None else (AUROC, self._yes)
        few = self._why_not(fixed)
        if few:
            return Gain(name, None, None, None, None, None, few)
        guesses = [
            predicted(columns, y.astype(np.float64), self._fold)
            for columns in (fixed, np.column_stack([fixed, self._x]))
        ]

        def both(counts: Callable[[], Counts]) -> list[np.ndarray]:
            return [measured(guess, y, self._fold, counts()) for guess in guesses]

        (without,), (with_norm,) = both(lambda: iter([np.ones((1, len(y)))]))
        before, after = both(self._counts)
        value, change = with_norm - without, after - before
        if not np.isfinite(value) or not np.isfinite(change).any():
            said = "no fold has both answers"
            return Gain(name, None, None, None, None, None, said)
        low, high = percentiles(change) if self._codes is None else around(value, change)
        return Gain(name, float(without), float(with_norm), float(value), low, high)

    def signs(self, covariates: Sequence[np.ndarray]) -> tuple[int, int] | None:
        """In how many classes the correlation is positive, and in how many negative.

        Of classes with at least ``FEW`` samples in which it is defined; None without classes.
        """
        if self._codes is None:
            return None
        fixed = held_fixed(covariates, len(self._x))
        x, y = (column - fixed @ (fixed.T @ column) for column in (self._x, self._y))
        found = []
        for code in np.flatnonzero(np.bincount(self._codes) >= FEW):
            own = self._codes == code
            if np.ptp(self._x[own]) and np.ptp(self._y[own]):
                a, b = x[own] - x[own].mean(), y[own] - y[own].mean()
                found.append(np.sign(a @ b))
        return found.count(1), found.count(-1)

    @property
    def _classes(self) -> int | None:
        return None if self._codes is None else int(self._codes.max()) + 1

    def _counts(self) -> Counts:
        """The same ones every time."""
        if self._codes is None:
            return redrawn(np.random.default_rng(self._seed), RESAMPLES, len(self._x))
        return leaving_out(self._codes, np.arange(self._codes.max() + 1))

    def _why_not(self, fixed: np.ndarray) -> str:
        """Why there is no interval: of the rarer answer there must be ``FEW`` for each column."""
        n, columns = len(self._x), fixed.shape[1]
        said = too_few(self._rarest, n, self._classes)
        if not said and n < FEW * columns:
            said = f"{n} samples to hold {columns - 1} columns fixed"
        return f"{said} are too few for an interval" if said else ""
