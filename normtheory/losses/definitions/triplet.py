"""Triplet loss with a cosine margin."""

from __future__ import annotations

from normtheory._types import Array, Embeddings
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, Option
from normtheory.losses._slope import Slope


def _slope(
    xp: Namespace,
    a: Embeddings,
    p: Embeddings,
    q: Embeddings,
    *,
    margin: Array,
) -> Slope:
    n = a.shape[0]
    excess = margin + xp.sum(a * q, axis=-1) - xp.sum(a * p, axis=-1)
    # 0 at the hinge itself; a NaN stays one, so that no row of a spoilt triplet seems satisfied.
    active = xp.where(excess > 0, xp.ones_like(excess), xp.zeros_like(excess))
    active = xp.where(xp.isnan(excess), excess, active)[:, None] / n
    return Slope(
        xp.sum(xp.where(excess <= 0, xp.zeros_like(excess), excess)) / n,
        {"anchor": active * (q - p), "positive": -active * a, "negative": active * a},
        {"margin": xp.sum(active)},
    )


LOSS = Loss(
    name="triplet",
    summary="Triplet loss on cosines: mean of max(0, m + cos(a, n) - cos(a, p)).",
    clouds=(Cloud("anchor"), Cloud("positive"), Cloud("negative", role="negatives", view=2)),
    options=(Option("margin", 0.2, "m", trained=True, example=0.2),),
    slope=_slope,
    source="Schroff et al. 2015, eq. 1",
    notes="With cosine similarities. At the hinge, where the bracket is 0, the subgradient is 0.",
)
