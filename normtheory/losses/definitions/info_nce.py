"""InfoNCE: every anchor picks its key among all keys of the batch."""

from __future__ import annotations

from functools import partial

from normtheory.losses._contrast import contrast, cross_entropy
from normtheory.losses._loss import Loss
from normtheory.losses.definitions._contrasted import CLOUDS, OPTIONS

LOSS = Loss(
    name="info_nce",
    summary="InfoNCE: mean over anchors of -log softmax_b(ẑ_1a·ẑ_2b/τ) at b = a.",
    clouds=CLOUDS,
    options=OPTIONS,
    slope=partial(contrast, side=cross_entropy),
    source="van den Oord et al. 2018, eq. 4",
    all_pairs=True,
    notes="Its similarities are cosines.",
)
