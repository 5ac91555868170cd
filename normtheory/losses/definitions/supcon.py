"""Supervised contrastive loss: every point of the same class is a positive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from normtheory._types import Array, Embeddings, Labels
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, labels, temperature
from normtheory.losses._rows import Rows, by_rows
from normtheory.losses._slope import Slope


def _rows(xp: Namespace, logits: Array, positive: Array, index: Array, anchors: Array) -> Rows:
    """The loss of every anchor, 0 for the others; also 1 for every anchor.

    The positives P(i) and the negatives are summed apart: log Σ_P exp - mean_P of the logits, and
    what the negatives add to it, log(1 + Σ_N exp/Σ_P exp). So a solved class keeps its digits.
    """
    one = xp.astype(positive, logits.dtype)
    count = xp.sum(one, axis=-1)
    anchors = anchors & (count > 0)
    each = 1 / xp.where(anchors, count, 1.0)
    mean = xp.dots(logits, one) * each
    logits = xp.filled(logits, -float("inf"), index)
    # The largest of the positives and that of all: relative to it negatives vanish only where what
    # they add does.
    top = xp.max(logits, axis=-1)
    top_positive = xp.max(xp.where(positive, logits, -float("inf")), axis=-1)
    top_positive = xp.where(anchors, top_positive, top)
    shift = xp.where(positive, top_positive[:, None], top[:, None])
    powers = xp.powers(logits, shift, spoil=True)
    sum_positive = xp.where(anchors, xp.dots(powers, one), 1.0)
    sum_negative = xp.sum(xp.where(positive, xp.zeros_like(top)[:, None], powers), axis=-1)
    log_positive = xp.log(sum_positive)
    gap = top - top_positive + xp.log(sum_negative) - log_positive
    missing = xp.where(anchors, xp.sigmoid(gap), 0.0)  # probability of the negatives
    loss = xp.where(anchors, top_positive - mean + log_positive + xp.softplus(gap), 0.0)
    of_negative = missing / xp.where(sum_negative > 0, sum_negative, 1.0)
    weights = powers * xp.where(positive, (1 / sum_positive)[:, None], of_negative[:, None])
    # In this order: the share of a lone positive is 1 - 1 but for what the negatives take.
    taken = one * missing[:, None]
    taken *= weights
    one *= each[:, None]
    weights -= one
    weights -= taken
    return Rows(loss, weights, (xp.astype(anchors, loss.dtype),))


def _slope(xp: Namespace, u: Embeddings, *, labels: Labels, temperature: Array) -> Slope:
    n, scale = u.shape[0], 1 / temperature

    def of_block(logits: Array, index: Array, own: Array) -> Rows:
        positive = xp.filled(own[:, None] == labels[None, :], False, index)
        return _rows(xp, logits, positive, index, index < n)

    wanted = (xp.wants("z", "temperature"), xp.wants("z"))
    found = by_rows(xp, of_block, u, u, labels, scale=scale, slopes=wanted)
    anchors = xp.sum(found.others[0])
    count = xp.where(anchors > 0, anchors, xp.ones_like(anchors))
    factor = scale / count
    return Slope(
        xp.sum(found.loss) / count,
        {"z": factor * (found.rows + found.columns)},
        {"temperature": -factor * scale * xp.sum(u * found.rows)},
    )


def _check(given: Mapping[str, Any]) -> None:
    seen = given.get("labels")
    if seen is not None and np.unique(seen, return_counts=True)[1].max() < 2:
        raise ValueError("labels: expected at least one class with two points")


LOSS = Loss(
    name="supcon",
    summary="SupCon: mean over anchors and their positives of -log softmax_{k≠i}(ẑ_i·ẑ_k/τ).",
    clouds=(Cloud("z", least=2),),
    options=(labels(3), temperature(0.1)),
    slope=_slope,
    source="Khosla et al. 2020, eq. 2",
    all_pairs=True,
    check=_check,
    notes="""
The form with the sum over positives outside of the logarithm. A point that is alone in its class is
no anchor, but a negative. At least one class must have two points.
""",
)
