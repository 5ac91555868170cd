"""BYOL: the squared distance of predictions to targets that are held constant."""

from __future__ import annotations

from functools import partial

from normtheory.losses._loss import Loss
from normtheory.losses.definitions._predicted import predicted
from normtheory.losses.definitions._views import PREDICTED

LOSS = Loss(
    name="byol",
    summary="BYOL: mean of ‖p̂_1 - ẑ_2‖² + ‖p̂_2 - ẑ_1‖², the targets z held constant.",
    clouds=PREDICTED,
    slope=partial(predicted, scale=2.0, shift=0.0),
    source="Grill et al. 2020, eq. 2",
    notes="The source's equation, made symmetric: 4 + 4·SimSiam of the same arguments.",
)
