"""NormFace: softmax cross-entropy on scaled cosines with class weights."""

from __future__ import annotations

from functools import partial

from normtheory.losses._loss import Loss
from normtheory.losses.definitions._margin_softmax import (
    CLOUDS,
    LABELS,
    margin_softmax,
    no_margin,
    scale,
)

LOSS = Loss(
    name="normface",
    summary="NormFace: softmax cross-entropy on scaled cosines with class weights.",
    clouds=CLOUDS,
    options=(LABELS, scale(16.0)),
    slope=partial(margin_softmax, form=no_margin),
    source="Wang et al. 2017, eq. 6",
    all_pairs=True,
)
