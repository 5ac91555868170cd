"""Two columns with others held fixed, and what the first adds to those in telling the second.

All is done on ranks. "Held fixed" is: what least squares on polynomials of third degree in the rank
of each covariate leaves; a product of two covariates is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import rankdata

from normtheory._ranks import Order

DEGREE = 3
FOLDS = 5

Counts = Iterator[np.ndarray]
"""How often each of n samples counts; shapes (draws, n), some draws at a time."""


def scores(column: np.ndarray) -> np.ndarray:
    """Ranks of a column (n,) between -1 and 1, their mean 0; equal values share theirs."""
    return (2 * rankdata(column) - len(column) - 1) / len(column)


def held_fixed(covariates: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Orthonormal columns (n, m): the constant, and polynomials in the ranks of covariates (n,).

    m is less than their number where some follow from others.
    """
    parts: list[np.ndarray] = [np.ones((n, 1))]
    for column in covariates:
        degree = min(DEGREE, len(np.unique(column)) - 1)
        parts.append(np.polynomial.legendre.legvander(scores(column), degree)[:, 1:])
    columns, sizes, _ = np.linalg.svd(np.hstack(parts), full_matrices=False)
    return columns[:, sizes > sizes[0] * n * np.finfo(np.float64).eps]


def partial_correlations(
    x: np.ndarray, y: np.ndarray, fixed: np.ndarray, counts: Counts
) -> np.ndarray:
    """Correlation of what ``fixed`` leaves of two columns, where samples count so often.

    Args:
        x: scores, shape (n,).
        y: scores, shape (n,).
        fixed: columns as from :func:`held_fixed`, (n, m).
        counts: of the samples.

    Returns:
        Shape (draws,); NaN where nothing is left of one of the two.
    """
    columns = np.column_stack([fixed, x, y])
    n, width = columns.shape
    products = (columns[:, :, None] * columns[:, None, :]).reshape(n, -1)
    found = []
    for count in counts:
        gram = (count @ products).reshape(-1, width, width)
        inside, across, own = gram[:, :-2, :-2], gram[:, :-2, -2:], gram[:, -2:, -2:]
        # A draw may lack what tells two of the fixed columns apart.
        rest = own - across.mT @ np.linalg.pinv(inside, hermitian=True) @ across
        left = np.diagonal(rest, axis1=1, axis2=2) / np.diagonal(own, axis1=1, axis2=2)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = rest[:, 0, 1] / np.sqrt(rest[:, 0, 0] * rest[:, 1, 1])
        found.append(np.where((left > 1e-10).all(axis=1), value, np.nan))
    return np.concatenate(found)


def folds(n: int, codes: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """The fold (n,) that each sample is predicted in; a class (codes (n,) from 0) stays in one.

    The largest classes are dealt first, each to the fold that has the fewest samples.
    """
    if codes is None or codes.max() == 0:
        return rng.permutation(np.arange(n) % FOLDS)
    sizes = np.bincount(codes)
    filled, fold = np.zeros(min(FOLDS, len(sizes))), np.empty(len(sizes), dtype=np.int64)
    for code in np.argsort(-sizes, kind="stable"):
        fold[code] = filled.argmin()
        filled[fold[code]] += sizes[code]
    return fold[codes]


def predicted(columns: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Least squares on columns (n, m) of all the other folds; (n,)."""
    found = np.empty(len(y))
    for part in np.unique(fold):
        inside = fold == part
        weights = np.linalg.lstsq(columns[~inside], y[~inside], rcond=None)[0]
        found[inside] = columns[inside] @ weights
    return found


def auroc(score: np.ndarray, yes: np.ndarray, fold: np.ndarray, counts: Counts) -> np.ndarray:
    """Share of pairs of a yes and a no, of one fold, that a score (n,) has in the right order.

    Pairs of one fold alone: levels of two folds come from two fits. Shape (draws,).
    """
    parts = [(part, Order(score[part])) for part in (fold == k for k in np.unique(fold))]
    found = []
    for count in counts:
        ahead, pairs = np.zeros(len(count)), np.zeros(len(count))
        for part, order in parts:
            own, right = count[:, part], yes[part]
            ahead += (own * right * order.ranks(own)).sum(axis=1)
            pairs += (own * right).sum(axis=1) * (own * ~right).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(0.5 + ahead / pairs)
    return np.concatenate(found)


def r_squared(guess: np.ndarray, y: np.ndarray, fold: np.ndarray, counts: Counts) -> np.ndarray:
    """Share of the squares about the mean of the other folds that a guess (n,) saves; (draws,)."""
    error = (y - guess) ** 2
    total = (y - predicted(np.ones((len(y), 1)), y, fold)) ** 2
    return np.concatenate([1 - (count @ error) / (count @ total) for count in counts])
