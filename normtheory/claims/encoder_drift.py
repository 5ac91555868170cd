"""What still moves orthogonally in a network: its last layer, weights and bias together."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import ArbitraryLoss, gradient, reduce, square, vector


def last_layer(last_weights: Any) -> Any:
    """⟨W, ∇W⟩ + ⟨b, ∇b⟩ = 0."""
    return 0 * last_weights


def weights_alone(last_weights: Any) -> Any:
    """Planted: what the weights give without the bias, which is not 0."""
    return last_weights


def _residuals(with_bias: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for d, width in ((2, 2), (2, 3), (3, 2)):
        loss = ArbitraryLoss.create(d)
        weights = [vector(f"w{k}_", width) for k in range(d)]
        bias, hidden = vector("b", d), vector("h", width)
        output = np.array([(row * hidden).sum() for row in weights]) + bias
        # The embedding is the output of the layer: its norm and directions follow the parameters.
        norm = loss.norms[0]
        roots = {norm: square(output)}
        meanings = dict(zip(loss.directions[0], output / norm, strict=True))
        slopes = [gradient(loss.value, row, roots, meanings) for row in weights]
        inner = sum((w * g).sum() for w, g in zip(weights, slopes, strict=True))
        if with_bias:
            inner += (bias * gradient(loss.value, bias, roots, meanings)).sum()
        found[f"inner product, width {width}, d={d}"] = reduce(sp.sympify(inner), roots, meanings)
    return found


CLAIM = Claim(
    name="encoder_drift",
    title="The last layer of a network",
    meaning="In a network the weights and the bias of the last layer are together orthogonal to "
    "their gradient; the embeddings themselves need not move orthogonally.",
    reason="Scaling the last layer's weights and bias together scales the outputs and keeps their "
    "directions, so the loss has no slope along them. An embedding moves through shared weights, "
    "which may push it along itself.",
    consequence="Under SGD the norm of $(W_L,b_L)$ grows as that of a free embedding. For the "
    "embeddings of an encoder measure the part of the motion along them first: "
    "`normtheory.drift.radial_share`.",
    statement=r"f=W_Lh+b_L:\qquad\langle W_L,\nabla_{W_L}L\rangle+\langle b_L,\nabla_{b_L}L\rangle"
    r"=0,\qquad\text{so that}\ \lVert(W_L,b_L)\rVert\ \text{grows as an embedding's norm does}",
    assumptions=(
        "any network below the last, affine layer",
        "a loss of the directions of the outputs of one or many inputs",
        "without biases every layer has ⟨W_l, ∇W_l⟩ = 0: claim cut_init",
        "the embeddings themselves need not move orthogonally: experiment encoder_drift",
    ),
    source="normtheory (derived here)",
    item="8",
    proof=lambda: _residuals(True),
    planted_proof=lambda: _residuals(False),
    checks=(
        Check(
            name="last layer orthogonal to its gradient",
            measurement="cut_network",
            options={"biases": True},
            quantity="last_layer",
            formula=last_layer,
            planted=weights_alone,
            mistake="the bias left out",
            reason="rounding; a share of the lengths of parameters and gradient",
        ),
    ),
    implemented_by=("normtheory.drift.radial_share",),
    shown_by=("encoder_drift",),
)
