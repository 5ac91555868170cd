"""Attraction: minus the mean cosine similarity of n pairs."""

from __future__ import annotations

from functools import partial

from normtheory.losses._loss import Loss
from normtheory.losses.definitions._mean_cosine import mean_cosine
from normtheory.losses.definitions._views import PAIRS

LOSS = Loss(
    name="attraction",
    summary="Attraction: minus the mean cosine similarity of n pairs, in [-1, 1].",
    clouds=PAIRS,
    slope=partial(mean_cosine, sign=-1.0),
    source="Draganov et al. 2025, Prop. 3.1",
)
