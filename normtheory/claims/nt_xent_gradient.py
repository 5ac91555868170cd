"""The gradient of NT-Xent, the loss of SimCLR: every view is an anchor and a key of the others."""

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
        others = [[k for k in range(2 * n) if k != i] for i in range(2 * n)]
        loss = sum((batch.loss(i, others[i]) for i in range(2 * n)), sp.Integer(0)) / (2 * n)
        # The share that each other view gives to view 0, the first of its others.
        back = np.array([batch.share(k, others[k])[0] for k in others[0]])
        # The batch looks the same from each of its views.
        found[f"gradient, n={n}, d={d}"] = batch.residual(
            loss, 0, formula, others[0], share=batch.share(0, others[0]), share_back=back
        )
    return found


CLAIM = Claim(
    name="nt_xent_gradient",
    title="Gradient of NT-Xent (SimCLR)",
    meaning="Under NT-Xent a view is pulled to its partner as an anchor and as a key, and pushed "
    "from the other views by the probabilities of both roles.",
    reason="A view is the anchor of one term and stands in the denominators of all the others. "
    "Both parts together give $p_{ik}+p_{ki}$, and the normalisation adds the projection and one "
    "over the norm.",
    consequence="A gradient taken from the anchor's own term alone is wrong in direction, not only "
    "in length. The factor one over the norm holds exactly for the embeddings of SimCLR.",
    statement=r"\nabla_{z_i}L=-\frac{P_{z_i}\bigl(2\hat z_{j(i)}-\sum_{k\ne i}(p_{ik}+p_{ki})"
    r"\hat z_k\bigr)}{2n\tau\lVert z_i\rVert},\qquad "
    r"p_{ik}=\operatorname{softmax}_{k\ne i}(\hat z_i\cdot\hat z_k/\tau)",
    assumptions=("2n views z_i ≠ 0, j(i) the partner of i", "mean over the 2n views", "τ > 0"),
    source="normtheory (derived here)",
    item="3.2",
    proof=lambda: _residuals(SIZES, two_roles),
    planted_proof=lambda: _residuals(SIZES[:1], as_anchor_only),
    checks=(
        gradient_check("nt_xent", "views", two_roles, as_anchor_only, "role as a key left out"),
    ),
    implemented_by=("normtheory.losses.nt_xent_gradient",),
)
