"""The gradient of the two-sided InfoNCE of CLIP: every point is an anchor and a key."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Claim
from normtheory.claims._contrast import SIZES, Batch, as_anchor_only, gradient_check, two_roles


def _residuals(sizes: Any, formula: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for n, d in sizes:
        batch = Batch(n, d)
        anchors, keys = range(n), range(n, 2 * n)
        loss = sum((batch.loss(a, keys) for a in anchors), sp.Integer(0)) / (2 * n)
        loss += sum((batch.loss(b, anchors) for b in keys), sp.Integer(0)) / (2 * n)
        back = np.array([batch.share(b, anchors)[0] for b in keys])
        # The batch looks the same from each of its points.
        found[f"gradient, n={n}, d={d}"] = batch.residual(
            loss, 0, formula, keys, share=batch.share(0, keys), share_back=back
        )
    return found


CLAIM = Claim(
    name="clip_gradient",
    title="Gradient of the two-sided InfoNCE (CLIP)",
    meaning="Under the two-sided loss of CLIP every embedding is an anchor and a key, and its "
    "gradient is the mean of what both roles give.",
    reason="The loss is the mean of InfoNCE in both directions, so its gradient is the mean of "
    "theirs. The two softmaxes run over the rows and over the columns of the same cosines.",
    consequence="The factor one over the norm holds in both modalities, each with its own norms: "
    "for equal pulls the modality with the longer embeddings has the smaller gradients.",
    statement=r"\nabla_{u_a}L=-\frac{P_{u_a}\bigl(2\hat v_a-\sum_b(p_{ab}+q_{ab})\hat v_b\bigr)}"
    r"{2n\tau\lVert u_a\rVert},\qquad p_{ab}=\operatorname{softmax}_b(\hat u_a\cdot\hat v_b/\tau),"
    r"\quad q_{ab}=\operatorname{softmax}_a(\hat u_a\cdot\hat v_b/\tau)",
    assumptions=(
        "n pairs u_a ≠ 0, v_a ≠ 0",
        "mean of the InfoNCE of both sides",
        "τ > 0; likewise for v",
    ),
    source="normtheory (derived here)",
    item="3.1",
    proof=lambda: _residuals(SIZES, two_roles),
    planted_proof=lambda: _residuals(SIZES[:1], as_anchor_only),
    checks=(
        gradient_check("clip", "both sides", two_roles, as_anchor_only, "role as a key left out"),
    ),
    implemented_by=("normtheory.losses.clip_gradient",),
)
