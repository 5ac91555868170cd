"""At a high temperature InfoNCE is attraction minus the mean repulsion, over the temperature."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._contrast import Batch, equal_share, one_role


def limit(z: Any, norm: Any, own: Any, others: Any, temperature: Any, count: Any) -> Any:
    """−P(v̂_a − mean_b v̂_b)/(nτρ): the softmax has become 1/n."""
    return one_role(z, norm, own, others, equal_share(others), temperature, count)


def limit_planted(z: Any, norm: Any, own: Any, others: Any, temperature: Any, count: Any) -> Any:
    """Planted: attraction alone."""
    return one_role(z, norm, own, others, 0 * equal_share(others), temperature, count)


def _residuals(share: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for n in (2, 3):
        batch = Batch(n, 2)
        softmax = batch.share(0, range(n, 2 * n))[:, 0]
        found[f"softmax, n={n}"] = [
            sp.limit(p, batch.temperature, sp.oo) - share(sp.Integer(n)) for p in softmax
        ]
    return found


CLAIM = Claim(
    name="high_temperature",
    title="InfoNCE at a high temperature",
    meaning=r"At a high temperature InfoNCE pulls an anchor to its key and pushes it from all keys "
    r"alike, with a strength that falls as $1/\tau$.",
    reason=r"The softmax of cosines over $\tau$ tends to $1/n$ for every key. The factor $1/\tau$ "
    r"stays in front of the gradient.",
    consequence="Hard negatives count no more than easy ones there, and under SGD a still higher "
    "temperature acts like a smaller learning rate.",
    statement=r"\tau\,\nabla_{u_a}L\ \to\ -\frac{P_{u_a}\bigl(\hat v_a-\frac1n\sum_b\hat v_b\bigr)}"
    r"{n\lVert u_a\rVert}\quad(\tau\to\infty):\qquad\text{attraction minus the mean repulsion}",
    assumptions=("one-sided InfoNCE, mean over n anchors; likewise for the keys",),
    source="normtheory (derived here)",
    item="3.5",
    proof=lambda: _residuals(lambda n: 1 / n),
    planted_proof=lambda: _residuals(lambda n: 0 / n),
    checks=(
        Check(
            name="gradient at τ = 10⁴",
            measurement="contrastive",
            quantity="gradient",
            formula=limit,
            planted=limit_planted,
            mistake="repulsion left out",
            scale=lambda norm, count, temperature: count * temperature * norm,
            tolerance=3e-4,
            unit="relative",
            reason="a cosine is at most 1, so that a probability is off by at most about 2/τ of "
            "itself; the pull is of order 1",
            options={"kind": "info_nce", "role": "both", "temperature": 1e4},
        ),
    ),
    implemented_by=("normtheory.temperature.info_nce_limit",),
)
