"""Embeddings, labels and second view that fit each other; whatever is wrong with them is said here.

What comes after may not fail on account of the input.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from normtheory.diagnosis._covariates import Known
from normtheory.diagnosis._rows import Rows, as_numpy, checked_dtype, read_labels
from normtheory.diagnosis._tokens import pool


class Prepared(NamedTuple):
    """Input that can be diagnosed.

    Attributes:
        rows: the embeddings, n of them kept.
        labels: of those, (n,), or None.
        second: the other view of those, or None.
        before: an earlier checkpoint of those, or None.
        known: covariates and target of those.
        tokens: norms of the tokens of those, (n, tokens), if these were handed over; else None.
        dropped: numbers of the rows left out.
    """

    rows: Rows
    labels: np.ndarray | None
    second: Rows | None
    before: Rows | None
    known: Known
    tokens: np.ndarray | None
    dropped: tuple[int, ...]


def prepare(
    embeddings: Any,
    labels: Any,
    second_view: Any,
    before: Any,
    covariates: Any,
    target: Any,
    *,
    drop: bool,
    progress: bool,
) -> Prepared:
    """Check the input, and leave out bad rows of any of it if ``drop`` says so.

    Raises:
        TypeError, ValueError: as :func:`normtheory.diagnose`, options aside.
    """
    embeddings, dtype, tokens = _pooled(embeddings)
    rows = Rows("embeddings", embeddings, drop=drop, progress=progress)
    rows.dtype = dtype or rows.dtype
    total = rows.values.shape[0]
    if labels is not None:
        labels = read_labels(labels, total)
    known = Known(covariates, target, total, drop=drop)
    good = rows.good & known.good
    others: dict[str, Rows] = {}
    for name, values in (("second_view", second_view), ("before", before)):
        if values is not None:
            values, _, _ = _pooled(values, name)
            others[name] = other = Rows(name, values, drop=drop, progress=progress)
            if other.values.shape != rows.values.shape:
                raise ValueError(
                    f"embeddings have shape {rows.values.shape} and {name} has shape "
                    f"{other.values.shape}: expected the same samples and dimension"
                )
            good = good & other.good
    for kept in (rows, *others.values(), known):
        kept.keep(good)
    if labels is not None:
        labels = labels[good]
    tokens = None if tokens is None else tokens[good]
    dropped = tuple(np.flatnonzero(~good).tolist())
    second, old = (others.get(name) for name in ("second_view", "before"))
    return Prepared(rows, labels, second, old, known, tokens, dropped)


def _pooled(x: Any, name: str = "embeddings") -> tuple[Any, str, np.ndarray | None]:
    """The means of tokens (n, tokens, d), what dtype they had and their norms; else what came."""
    if getattr(x, "ndim", 2) != 3:
        return x, "", None
    values, dtype = as_numpy(name, x), checked_dtype(name, x)
    means, norms = pool(values)
    return means, dtype, norms
