"""InfoNCE: every anchor picks its key among all keys of the batch."""

from __future__ import annotations

from normtheory._types import Array, Embeddings
from normtheory.losses._contrast import contrast, cross_entropy
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Option, temperature
from normtheory.losses._slope import Slope
from normtheory.losses.definitions._views import CONTRASTED


def _slope(
    xp: Namespace,
    u: Embeddings,
    v: Embeddings,
    *,
    temperature: Array,
    symmetric: bool,
) -> Slope:
    columns = 1.0 if symmetric else 0.0
    return contrast(xp, cross_entropy, u, v, temperature=temperature, rows=1.0, columns=columns)


LOSS = Loss(
    name="info_nce",
    summary="InfoNCE: mean over anchors of -log softmax_b(ẑ_1a·ẑ_2b/τ) at b = a.",
    clouds=CONTRASTED,
    options=(
        temperature(0.1),
        Option("symmetric", False, "add the same loss with the roles exchanged", "flag"),
    ),
    slope=_slope,
    source="van den Oord et al. 2018, eq. 4",
    all_pairs=True,
    notes="Its similarities are cosines.",
)
