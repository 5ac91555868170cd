"""ArcFace: NormFace with the angle to the right class widened by a margin."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from normtheory._types import Array
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Option
from normtheory.losses.definitions._margin_softmax import CLOUDS, LABELS, margin_softmax, scale


def _widened(
    xp: Namespace, u: Array, w: Array, cosine: Array, margin: Any
) -> tuple[Array, Array, Array]:
    """Turn c into cos(φ + m) = c cos m - s sin m; its derivative is cos m + c sin m/s."""
    # sin φ from the chords: 1 - c² would lose half of the digits near φ = 0
    square = xp.sum((u - w) ** 2, axis=-1) * xp.sum((u + w) ** 2, axis=-1) / 4
    regular = square > 0
    none = xp.zeros_like(cosine)
    sine = xp.sqrt(xp.where(regular, square, xp.ones_like(square)))
    cos, sin = xp.cos(margin), xp.sin(margin)
    by_cosine = cos + xp.where(regular, cosine * sin / sine, none)
    sine = xp.where(regular, sine, none)
    return cosine * cos - sine * sin, by_cosine, -(sine * cos + cosine * sin)


LOSS = Loss(
    name="arcface",
    summary="ArcFace: NormFace with the angle φ to the right class widened by a margin m.",
    clouds=CLOUDS,
    options=(
        LABELS,
        scale(16.0),
        # π, and the rounding of it to float32
        Option("margin", 0.5, "m", trained=True, least=0.0, most=math.pi + 1e-7, example=0.5),
    ),
    slope=partial(margin_softmax, form=_widened),
    source="Deng et al. 2019, eq. 3",
    all_pairs=True,
    notes="""
The right class counts with cos(φ + m) throughout, without the source's switch beyond φ = π - m. At
φ = 0 and π it has a kink; the subgradient taken there is 0, since the tangent part of the slope
vanishes.
""",
)
