"""Embeddings, labels and second view that fit each other; whatever is wrong with them is said here.

What comes after may not fail on account of the input.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from normtheory.diagnosis._covariates import Known
from normtheory.diagnosis._rows import Rows, read_labels


class Prepared(NamedTuple):
    """Input that can be diagnosed.

    Attributes:
        rows: the embeddings, n of them kept.
        labels: of those, (n,), or None.
        second: the other view of those, or None.
        known: covariates and target of those.
        dropped: numbers of the rows left out.
    """

    rows: Rows
    labels: np.ndarray | None
    second: Rows | None
    known: Known
    dropped: tuple[int, ...]


def prepare(
    embeddings: Any,
    labels: Any,
    second_view: Any,
    covariates: Any,
    target: Any,
    *,
    drop: bool,
    progress: bool,
) -> Prepared:
    """Check the input, and leave out bad rows of either view or a column if ``drop`` says so.

    Raises:
        TypeError, ValueError: as :func:`normtheory.diagnose`, options aside.
    """
    rows = Rows("embeddings", embeddings, drop=drop, progress=progress)
    total = rows.values.shape[0]
    if labels is not None:
        labels = read_labels(labels, total)
    known = Known(covariates, target, total, drop=drop)
    good, second = rows.good & known.good, None
    if second_view is not None:
        second = Rows("second_view", second_view, drop=drop, progress=progress)
        if second.values.shape != rows.values.shape:
            raise ValueError(
                f"embeddings have shape {rows.values.shape} and second_view has shape "
                f"{second.values.shape}: expected the same samples and dimension"
            )
        good = good & second.good
        second.keep(good)
    rows.keep(good)
    known.keep(good)
    if labels is not None:
        labels = labels[good]
    return Prepared(rows, labels, second, known, tuple(np.flatnonzero(~good).tolist()))
