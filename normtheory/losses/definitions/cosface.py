"""CosFace: NormFace with the cosine of the right class lowered by a margin."""

from __future__ import annotations

from functools import partial
from typing import Any

from normtheory._types import Array
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Option
from normtheory.losses.definitions._margin_softmax import CLOUDS, LABELS, margin_softmax, scale


def _lowered(
    xp: Namespace, u: Array, w: Array, cosine: Array, margin: Any
) -> tuple[Array, Array, Array]:
    return cosine - margin, xp.ones_like(cosine), -xp.ones_like(cosine)


LOSS = Loss(
    name="cosface",
    summary="CosFace: NormFace with the cosine of the right class lowered by a margin m.",
    clouds=CLOUDS,
    options=(
        LABELS,
        scale(16.0),
        Option("margin", 0.35, "m", trained=True, least=0.0, most=2.0, example=0.35),
    ),
    slope=partial(margin_softmax, form=_lowered),
    source="Wang et al. 2018, eq. 4",
    all_pairs=True,
)
