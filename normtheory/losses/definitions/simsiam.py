"""SimSiam: predict the other view's embedding, through which no gradient flows."""

from __future__ import annotations

from functools import partial

from normtheory.losses._loss import Loss
from normtheory.losses.definitions._predicted import predicted
from normtheory.losses.definitions._views import PREDICTED

LOSS = Loss(
    name="simsiam",
    summary="SimSiam: minus the mean of cos(p_1, z_2) and cos(p_2, z_1), the z held constant.",
    clouds=PREDICTED,
    slope=partial(predicted, scale=0.5, shift=-1.0),
    source="Chen and He 2021, eq. 4",
    notes="A finite difference in z_1 or z_2 disagrees with the gradient, as it should.",
)
