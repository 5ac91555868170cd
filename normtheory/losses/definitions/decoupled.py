"""The decoupled contrastive loss: the positive stands outside the denominator.

Without the factor (1 - p) of InfoNCE the pull does not fade once the positive has won. One-sided it
is also the form that the paper's public code trains with.
"""

from __future__ import annotations

from normtheory._types import Array, Embeddings
from normtheory.losses._contrast import contrast, decoupled
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Option, temperature
from normtheory.losses._slope import Slope
from normtheory.losses.definitions._views import CONTRASTED


def _slope(
    xp: Namespace,
    u: Embeddings,
    v: Embeddings,
    *,
    temperature: Array,
    symmetric: bool,
) -> Slope:
    columns = 1.0 if symmetric else 0.0
    return contrast(xp, decoupled, u, v, temperature=temperature, rows=1.0, columns=columns)


LOSS = Loss(
    name="decoupled",
    summary="Decoupled InfoNCE: mean of log Σ_{b≠a} exp(s_ab/τ) - s_aa/τ, s = ẑ_1·ẑ_2.",
    clouds=CONTRASTED,
    options=(
        temperature(0.1),
        Option("symmetric", False, "add the same loss with the roles exchanged", "flag"),
    ),
    slope=_slope,
    source="Yeh et al. 2022, eq. 6",
    all_pairs=True,
    notes="Over the keys of the other view. Unlike InfoNCE it may be negative.",
)
