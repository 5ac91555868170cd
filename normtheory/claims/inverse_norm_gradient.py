"""The gradient of any loss of directions is orthogonal to the point and scales as 1/norm."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot, tangent
from normtheory.claims._claim import Check, Claim
from normtheory.claims._every_loss import STEEP
from normtheory.claims._symbolic import ArbitraryLoss


def gradient(z: Any, norm: Any, slope: Any) -> Any:
    """∇L(z) = P ∇ℓ(ẑ)/ρ with ``slope`` = ∇ℓ(ẑ)."""
    return tangent(z, norm, slope) / norm


def unprojected(z: Any, norm: Any, slope: Any) -> Any:
    """Planted: keeps the radial part of ∇ℓ."""
    return slope / norm + 0 * z


def radial_part(z: Any) -> Any:
    """z·∇L = 0."""
    return 0 * z[..., :1]


def radial_slope(z: Any, norm: Any, slope: Any) -> Any:
    """Planted: the radial part of ∇ℓ survives."""
    return dot(z, slope) / norm


def rescaled(alpha: Any, gradient: Any) -> Any:
    """∇L(αz) = ∇L(z)/α."""
    return gradient / alpha


def unscaled(alpha: Any, gradient: Any) -> Any:
    """Planted: a gradient that doesn't see the norm."""
    return gradient + 0 * alpha


def _residuals(formula: Any, rule: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    alpha = sp.Symbol("alpha", positive=True)
    for d in (2, 3, 4):
        loss = ArbitraryLoss.create(d)
        z, rho = loss.points[0], loss.norms[0]
        claimed = formula(z, rho, loss.slope())
        found[f"gradient, d={d}"] = loss.reduce(loss.gradient() - claimed)
        found[f"z·gradient, d={d}"] = loss.reduce(dot(z, claimed))
        at_alpha_z = loss.rescale(loss.gradient(), alpha)
        found[f"gradient at αz, d={d}"] = loss.reduce(at_alpha_z - rule(alpha, loss.gradient()))
    return found


CLAIM = Claim(
    name="inverse_norm_gradient",
    title="Gradients of losses of directions",
    meaning="The gradient of a loss that sees only directions is tangent to the sphere through the "
    "embedding, and twice the norm halves it.",
    reason=r"Moving along $z$ does not change $\hat z$, so the gradient has no part along $z$. To "
    r"turn a vector $\alpha$ times as long by the same angle takes a displacement $\alpha$ times "
    r"as long, so the slope per unit of length is $\alpha$ times smaller.",
    consequence="Long embeddings get small gradients, whatever the loss. A loss of your own obeys "
    "this exactly if it normalises its inputs without an epsilon; "
    "`normtheory.testing.assert_inverse_norm_gradient` tests it.",
    statement=r"\nabla L(z) = \frac{1}{\lVert z\rVert}\left(I-\hat z\hat z^{\top}\right)"
    r"\nabla\ell(\hat z),\qquad z\cdot\nabla L = 0,"
    r"\qquad \nabla L(\alpha z) = \frac{\nabla L(z)}{\alpha}",
    assumptions=("L(z) = ℓ(z/‖z‖) with ℓ differentiable", "z ≠ 0", "α > 0"),
    source="normtheory (derived here); for the cosine Draganov et al. 2025, Proposition 3.1",
    item="1",
    proof=lambda: _residuals(gradient, rescaled),
    planted_proof=lambda: _residuals(unprojected, unscaled),
    checks=(
        Check(
            name="gradient",
            measurement="direction_loss",
            quantity="gradient",
            formula=gradient,
            planted=unprojected,
            mistake="no projection to the tangent space",
            scale=lambda norm: norm,
        ),
        Check(
            name="radial part",
            measurement="direction_loss",
            quantity="radial_part",
            formula=radial_part,
            planted=radial_slope,
            mistake="radial part of ∇ℓ kept",
        ),
        Check(
            name="scaling",
            measurement="direction_loss",
            quantity="gradient_at_alpha_z",
            formula=rescaled,
            planted=unscaled,
            mistake="no factor 1/α",
            scale=lambda norm, alpha: alpha * norm,
        ),
        Check(
            name="radial part, every loss",
            measurement="every_loss",
            quantity="radial_part",
            formula=radial_part,
            planted=lambda norm, gradient_norm: norm * gradient_norm,
            mistake="gradient along the point",
            scale=lambda steepness: 1 / steepness,
            reason=STEEP,
        ),
        Check(
            name="scaling, every loss",
            measurement="every_loss",
            quantity="gradient_at_alpha_z",
            formula=rescaled,
            planted=unscaled,
            mistake="no factor 1/α",
            scale=lambda norm, alpha, steepness: alpha * norm / steepness,
            reason=STEEP,
        ),
    ),
    implemented_by=(
        "normtheory.losses.LOSSES",
        "normtheory.sphere.von_mises_fisher",
        "normtheory.sphere.log_uniform_norms",
    ),
    shown_by=("loss_atlas",),
)
