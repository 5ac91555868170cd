"""Supervised contrastive loss: every point of the same class is a positive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from normtheory._arrays import Array
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, labels, temperature
from normtheory.losses._rows import Rows, by_rows
from normtheory.losses._slope import Slope


def _log_sum_exp(xp: Namespace, x: Array, some: Array) -> tuple[Array, Array]:
    """Rowwise log Σ exp of rows with entries of minus infinity, and the softmax; ``some`` has any.

    A row of nothing but minus infinity gives that, and zeros.
    """
    part = xp.softmax(xp.where(some[:, None], x, xp.zeros_like(x)))
    total = xp.where(some, part.top + xp.log(part.total), -float("inf"))
    return total, xp.where(some[:, None], part.powers / part.unit, xp.zeros_like(x))


def _rows(xp: Namespace, logits: Array, positive: Array, other: Array) -> Rows:
    """The loss of every anchor, 0 for the others; also 1 for every anchor.

    The positives P(i) and the negatives are summed apart: log Σ_P exp - mean_P of the logits, and
    what the negatives add to it, log(1 + Σ_N exp/Σ_P exp). So a solved class keeps its digits.
    """
    nothing = xp.zeros_like(logits)
    count = xp.sum(xp.where(positive, nothing + 1, nothing), axis=-1)
    anchors = count > 0
    share = xp.where(positive, 1 / xp.where(anchors, count, 1.0)[:, None], nothing)
    mean = xp.sum(logits * share, axis=-1)
    of_positives, among = _log_sum_exp(
        xp, xp.where(positive, logits - mean[:, None], -float("inf")), anchors
    )
    of_positives = xp.where(anchors, of_positives, 0.0)
    negative = other & ~positive
    gap, among_negatives = _log_sum_exp(
        xp,
        xp.where(negative, logits - (mean + of_positives)[:, None], -float("inf")),
        xp.any(negative, axis=-1),
    )
    missing = xp.sigmoid(gap)[:, None]  # probability of the negatives
    weights = (among - share) - missing * (among - among_negatives)
    loss = xp.where(anchors, of_positives + xp.softplus(gap), 0.0)
    return Rows(
        loss,
        xp.where(anchors[:, None], weights, nothing),
        (xp.where(anchors, nothing[:, 0] + 1, 0.0),),
    )


def _slope(
    xp: Namespace, u: Float[Array, "n d"], *, labels: Int[Array, " n"], temperature: Array
) -> Slope:
    n, scale = u.shape[0], 1 / temperature
    numbers = xp.indices(n, u)

    def of_block(logits: Array, index: Array, own: Array) -> Rows:
        other = index[:, None] != numbers[None, :]
        positive = (own[:, None] == labels[None, :]) & other & (index < n)[:, None]
        return _rows(xp, logits, positive, other)

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
