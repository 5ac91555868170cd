"""InfoNCE: every anchor picks its key among all keys of the batch."""

from __future__ import annotations

from functools import partial

from normtheory.losses._contrast import contrast, cross_entropy
from normtheory.losses._loss import Loss
from normtheory.losses._parts import temperature
from normtheory.losses.definitions._views import CONTRASTED, SYMMETRIC

LOSS = Loss(
    name="info_nce",
    summary="InfoNCE: mean over anchors of -log softmax_b(ẑ_1a·ẑ_2b/τ) at b = a.",
    clouds=CONTRASTED,
    options=(temperature(0.1), SYMMETRIC),
    slope=partial(contrast, side=cross_entropy),
    source="van den Oord et al. 2018, eq. 4",
    all_pairs=True,
    notes="Its similarities are cosines.",
)
