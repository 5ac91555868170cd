"""The gradient of InfoNCE: a point is pulled to its partner and pushed by the likely wrong keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Claim
from normtheory.claims._contrast import SIZES, Batch, equal_share, gradient_check, one_role


def unweighted(z: Any, norm: Any, own: Any, others: Any, temperature: Any, count: Any) -> Any:
    """Planted for anchors: every key pushes alike, however likely it is."""
    return one_role(z, norm, own, others, equal_share(others), temperature, count)


def normalised(
    z: Any, norm: Any, own: Any, others: Any, share: Any, temperature: Any, count: Any
) -> Any:
    """Planted for keys: the column of the softmax divided by its sum, as if that were 1."""
    share = share / share.sum(-2, keepdims=True)
    return one_role(z, norm, own, others, share, temperature, count)


def _residuals(sizes: Any, of_anchor: Any, of_key: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for n, d in sizes:
        batch = Batch(n, d)
        anchors, keys = range(n), range(n, 2 * n)
        loss = sum((batch.loss(a, keys) for a in anchors), sp.Integer(0)) / n
        rows = np.array([batch.share(a, keys) for a in anchors])
        # The batch looks the same from each of its anchors, and from each of its keys.
        found[f"anchor, n={n}, d={d}"] = batch.residual(loss, 0, of_anchor, keys, share=rows[0])
        found[f"key, n={n}, d={d}"] = batch.residual(loss, n, of_key, anchors, share=rows[:, 0])
    return found


CLAIM = Claim(
    name="info_nce_gradient",
    title="Gradient of InfoNCE",
    meaning="InfoNCE pulls an anchor to its key and pushes it from the keys that the softmax finds "
    "likely; its keys are pulled and pushed by the anchors with the same probabilities.",
    reason=r"The slope of a log-softmax is the target less the mean under the softmax, here over "
    r"$\tau$. The chain rule through the normalisation adds the projection and the factor one "
    r"over the norm.",
    consequence="The norm enters as for the cosine of a pair, whatever the batch. What pushes a "
    "key is a column of the softmax, which need not sum to 1: it counts how many anchors find the "
    "key likely.",
    statement=r"\nabla_{u_a}L=-\frac{P_{u_a}(\hat v_a-\sum_b p_{ab}\hat v_b)}"
    r"{n\tau\lVert u_a\rVert},\qquad \nabla_{v_b}L=-\frac{P_{v_b}(\hat u_b-\sum_a p_{ab}\hat u_a)}"
    r"{n\tau\lVert v_b\rVert},\qquad p_{ab}=\operatorname{softmax}_b(\hat u_a\cdot\hat v_b/\tau)",
    assumptions=("n anchors u_a ≠ 0 and their keys v_a ≠ 0", "mean over the anchors", "τ > 0"),
    source="normtheory (derived here)",
    item="3",
    proof=lambda: _residuals(SIZES, one_role, one_role),
    planted_proof=lambda: _residuals(SIZES[:1], unweighted, normalised),
    checks=(
        gradient_check(
            "info_nce", "anchors", one_role, unweighted, "keys weighted alike, not by the softmax"
        ),
        gradient_check(
            "info_nce", "keys", one_role, normalised, "column of the softmax divided by its sum"
        ),
    ),
    implemented_by=("normtheory.losses.info_nce_gradient",),
)
