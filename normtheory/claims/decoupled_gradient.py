"""The gradient of the decoupled loss, and the factor by which InfoNCE's falls behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._contrast import ROUNDING, SIZES, Batch, gradient_check, one_role


def against_partner(
    z: Any, norm: Any, own: Any, others: Any, share: Any, temperature: Any, count: Any
) -> Any:
    """Planted: InfoNCE's factor 1 − p for a partner as likely as the others together."""
    return one_role(z, norm, own, others, share, temperature, count) / 2


def coupled(missing: Any, decoupled: Any) -> Any:
    """∇u_a of InfoNCE = (1 − p_aa) ∇u_a of the decoupled loss, ``missing`` = 1 − p_aa."""
    return missing * decoupled


def uncoupled(decoupled: Any) -> Any:
    """Planted: the factor left out."""
    return 1 * decoupled


def _residuals(sizes: Any, formula: Any, factor: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for n, d in sizes:
        batch = Batch(n, d)
        anchors, keys = range(n), range(n, 2 * n)
        wrong = [[b for b in keys if b != batch.partner(a)] for a in anchors]
        loss = sum((batch.loss(a, wrong[a]) for a in anchors), sp.Integer(0)) / n
        found[f"anchor, n={n}, d={d}"] = batch.residual(
            loss, 0, formula, wrong[0], share=batch.share(0, wrong[0])
        )
        # Key 0 is the partner of anchor 0 and the first wrong key of the others.
        column = np.array([batch.share(a, wrong[a])[0] for a in anchors[1:]])
        found[f"key, n={n}, d={d}"] = batch.residual(loss, n, formula, anchors[1:], share=column)
        missing = 1 - batch.share(0, keys)[0, 0]
        # The anchor's own term of InfoNCE: it is in no other.
        found[f"factor of InfoNCE, n={n}, d={d}"] = batch.residual(
            batch.loss(0, keys) / n,
            0,
            lambda missing, z, norm, own, others, share, temperature, count: factor(
                missing, one_role(z, norm, own, others, share, temperature, count)
            ),
            wrong[0],
            share=batch.share(0, wrong[0]),
            missing=missing,
        )
    return found


CLAIM = Claim(
    name="decoupled_gradient",
    title="Gradient of the decoupled loss, and InfoNCE's factor",
    meaning="With the positive left out of the denominator an anchor's gradient loses a factor: "
    "InfoNCE's is $1-p_{aa}$ times it, and so fades as the anchor is solved.",
    reason=r"The wrong keys keep their probabilities among themselves, $p_{ab}=(1-p_{aa})\,\tilde "
    r"p_{ab}$. So InfoNCE's pull $\hat v_a-\sum_bp_{ab}\hat v_b$ is the decoupled one times "
    r"$1-p_{aa}$.",
    consequence="At the same rate a decoupled loss moves solved anchors further than InfoNCE does. "
    "The factor holds for anchors, not for keys; the dependence on the norm is the same for both "
    "losses.",
    statement=r"\nabla_{u_a}L=-\frac{P_{u_a}(\hat v_a-\sum_{b\ne a}\tilde p_{ab}\hat v_b)}"
    r"{n\tau\lVert u_a\rVert},\qquad \tilde p_{ab}=\operatorname{softmax}_{b\ne a}"
    r"(\hat u_a\cdot\hat v_b/\tau),\qquad \nabla_{u_a}L_{\mathrm{InfoNCE}}=(1-p_{aa})\nabla_{u_a}L",
    assumptions=("the positive is left out of the denominator", "n ≥ 2 anchors", "τ > 0"),
    source="normtheory (derived here)",
    item="3.3",
    proof=lambda: _residuals(SIZES, one_role, coupled),
    planted_proof=lambda: _residuals(
        SIZES[:1], against_partner, lambda missing, decoupled: uncoupled(decoupled)
    ),
    checks=(
        gradient_check("decoupled", "anchors", one_role, against_partner, "half the gradient"),
        gradient_check("decoupled", "keys", one_role, against_partner, "half the gradient"),
        Check(
            name="InfoNCE's anchor gradient",
            measurement="contrastive",
            quantity="gradient",
            formula=coupled,
            planted=uncoupled,
            mistake="factor 1 − p_aa left out",
            scale=lambda norm, count, temperature: count * temperature * norm,
            reason=ROUNDING,
            options={"kind": "info_nce", "role": "anchors"},
        ),
    ),
    implemented_by=("normtheory.losses.decoupled_gradient",),
)
