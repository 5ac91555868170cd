"""CLIP: the mean of InfoNCE in both roles, with a temperature that is trained."""

from __future__ import annotations

from normtheory._types import Array, Embeddings
from normtheory.losses._contrast import contrast, cross_entropy
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, temperature
from normtheory.losses._slope import Slope


def _slope(xp: Namespace, u: Embeddings, v: Embeddings, *, temperature: Array) -> Slope:
    return contrast(
        xp, u, v, side=cross_entropy, temperature=temperature, symmetric=True, factor=0.5
    )


LOSS = Loss(
    name="clip",
    summary="CLIP's loss: the mean of InfoNCE in both roles.",
    clouds=(
        Cloud("z_1", "embeddings of one modality", least=2),
        Cloud("z_2", "their partners in the other", least=2),
    ),
    options=(temperature(0.07, "τ, the inverse of the source's scale, which it trains"),),
    slope=_slope,
    source="Radford et al. 2021, fig. 3",
    all_pairs=True,
)
