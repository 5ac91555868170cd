"""Second derivatives of a loss of directions, and what they do to the point itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._arithmetic import dot, tangent
from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import ArbitraryLoss, vector

_REASON = "rounding; ρ²‖Hv − H_exact v‖ with ‖v‖ = 1, in units of the size of ∇ℓ and ∇²ℓ"


def hessian_vector(
    z: Any, norm: Any, slope: Any, v: Any, curved_v: Any, curved_direction: Any
) -> Any:
    """H v, with ``curved_v`` = ∇²ℓ v and ``curved_direction`` = ∇²ℓ ẑ.

    H = [P ∇²ℓ P − (ẑ·∇ℓ) P − ẑ (P∇ℓ)ᵀ − (P∇ℓ) ẑᵀ]/ρ².
    """
    direction = z / norm
    slant = tangent(z, norm, slope)
    curved = tangent(z, norm, curved_v - dot(direction, v) * curved_direction)
    flat = dot(direction, slope) * tangent(z, norm, v)
    mixed = direction * dot(slant, v) + slant * dot(direction, v)
    return (curved - flat - mixed) / norm**2


def without_mixed_terms(
    z: Any, norm: Any, slope: Any, v: Any, curved_v: Any, curved_direction: Any
) -> Any:
    """Planted: the Riemannian Hessian, which lacks the terms that mix radius and tangent."""
    direction = z / norm
    curved = tangent(z, norm, curved_v - dot(direction, v) * curved_direction)
    return (curved - dot(direction, slope) * tangent(z, norm, v)) / norm**2


def hessian_times_point(gradient: Any) -> Any:
    """H z = −∇L."""
    return -gradient


def hessian_times_point_planted(gradient: Any) -> Any:
    """Planted: as if L were homogeneous of degree 2 (Euler's H z = +∇L)."""
    return gradient


def rescaled(alpha: Any, hessian_vector: Any) -> Any:
    """H(αz) = H(z)/α²."""
    return hessian_vector / alpha**2


def rescaled_planted(alpha: Any, hessian_vector: Any) -> Any:
    """Planted: scales like the gradient."""
    return hessian_vector / alpha


def cross_block(y: Any) -> Any:
    """H_zy y = 0, and Hᵀ_zy z = 0."""
    return 0 * y


def cross_block_planted(y: Any, cross_gradient: Any) -> Any:
    """Planted: treats the cross block like the diagonal one, H_zy y = −∇_z L."""
    return -cross_gradient + 0 * y


def _one_point(d: int, formula: Any, times_point: Any, rule: Any) -> dict[str, Any]:
    loss = ArbitraryLoss.create(d)
    (z,), (rho,), (u,) = loss.points, loss.norms, loss.directions
    v = vector("v", d)
    alpha = sp.Symbol("alpha", positive=True)
    slope = loss.slope()
    second = np.array([[e.diff(x) for x in u] for e in slope], dtype=object)
    exact = np.array([loss.differentiate(e) for e in loss.gradient()], dtype=object)
    claimed = formula(z, rho, slope, v, second @ v, second @ (z / rho))
    at_alpha_z = loss.rescale(exact @ v, alpha)
    return {
        f"Hessian, d={d}": loss.reduce(exact @ v - claimed),
        f"Hz, d={d}": loss.reduce(exact @ z - times_point(loss.gradient())),
        f"Hessian at αz, d={d}": loss.reduce(at_alpha_z - rule(alpha, exact @ v)),
    }


def _two_points(d: int, planted: bool = False) -> dict[str, Any]:
    loss = ArbitraryLoss.create(d, 2)
    z, y = loss.points
    cross = np.array([loss.differentiate(e, 1) for e in loss.gradient(0)], dtype=object)
    claimed = cross_block_planted(y, loss.gradient(0)) if planted else cross_block(y)
    transposed = cross_block_planted(z, loss.gradient(1)) if planted else cross_block(z)
    return {
        f"cross block times its point, d={d}": loss.reduce(cross @ y - claimed),
        f"point times cross block, d={d}": loss.reduce(z @ cross - transposed),
    }


def _proof() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for d in (2, 3, 4):
        found |= _one_point(d, hessian_vector, hessian_times_point, rescaled)
    for d in (2, 3):
        found |= _two_points(d)
    return found


def _planted_proof() -> dict[str, Any]:
    wrong = _one_point(2, without_mixed_terms, hessian_times_point_planted, rescaled_planted)
    return wrong | _two_points(2, planted=True)


CLAIM = Claim(
    name="hessian",
    title="Hessian of a loss of directions",
    meaning="The curvature of a loss of directions falls with the squared norm, and terms that mix "
    "radius and tangent belong to it.",
    reason=r"Differentiating $P\nabla\ell/\lVert z\rVert$ once more also differentiates the "
    r"projection and the factor $1/\lVert z\rVert$, which gives the mixed terms. The gradient is "
    r"homogeneous of degree $-1$; $Hz=-\nabla L$ and the scaling follow.",
    consequence="Where all norms double, a rate that is stable near a minimum may be four times as "
    "large. A Hessian taken on the sphere misses the mixed terms wherever the gradient is not "
    "zero.",
    statement=r"H = \frac{1}{\lVert z\rVert^2}\left[P\,\nabla^2\ell\,P - (\hat z\cdot\nabla\ell)P"
    r" - \hat z\,(P\nabla\ell)^{\top} - (P\nabla\ell)\,\hat z^{\top}\right],\qquad Hz=-\nabla L,"
    r"\qquad H(\alpha z)=\frac{H(z)}{\alpha^2},\qquad H_{ij}z_j = 0 = z_i^{\top}H_{ij}",
    assumptions=("L(z) = ℓ(z/‖z‖) with ℓ twice differentiable", "z ≠ 0", "α > 0", "i ≠ j"),
    source="normtheory (derived here)",
    item="1.1",
    proof=_proof,
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="Hessian times a vector",
            measurement="direction_loss",
            quantity="hessian_vector",
            formula=hessian_vector,
            planted=without_mixed_terms,
            mistake="terms that mix radius and tangent left out",
            scale=lambda norm: norm**2,
            reason=_REASON,
        ),
        Check(
            name="Hessian times the point",
            measurement="direction_loss",
            quantity="hessian_point",
            formula=hessian_times_point,
            planted=hessian_times_point_planted,
            mistake="sign",
            scale=lambda norm: norm,
            reason=_REASON,
        ),
        Check(
            name="scaling",
            measurement="direction_loss",
            quantity="hessian_vector_at_alpha_z",
            formula=rescaled,
            planted=rescaled_planted,
            mistake="1/α instead of 1/α²",
            scale=lambda norm, alpha: (alpha * norm) ** 2,
            reason=_REASON,
        ),
        Check(
            name="cross block times its own point",
            measurement="two_directions",
            quantity="cross_y",
            formula=cross_block,
            planted=cross_block_planted,
            mistake="treated like the diagonal block",
            scale=lambda norm: norm,
            reason=_REASON,
        ),
        Check(
            name="point times its cross block",
            measurement="two_directions",
            quantity="z_cross",
            formula=lambda z: cross_block(z),
            planted=lambda z, cross_gradient_y: cross_block_planted(z, cross_gradient_y),
            mistake="treated like the diagonal block",
            scale=lambda norm_y: norm_y,
            reason=_REASON,
        ),
    ),
    implemented_by=("normtheory.cosine_hessian",),
)
