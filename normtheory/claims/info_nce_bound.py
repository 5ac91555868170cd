"""InfoNCE's anchor gradient is at most 2(1 − p)/(nτρ): a solved anchor hardly moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._arithmetic import dot, tangent
from normtheory.claims._claim import Check, Claim
from normtheory.claims._contrast import ROUNDING
from normtheory.claims._symbolic import entries, reduce, square, vector


def gap(z: Any, norm: Any, own: Any, wrong: Any, weights: Any) -> Any:
    """4 − ‖P(v̂ − w)‖² as a sum of squares, w = Σ_b q_b v̂_b the mean of the wrong keys.

    (û·(v̂ − w))² + ‖v̂ + w‖² + Σ_{b,c} q_b q_c ‖v̂_b − v̂_c‖²: the pull is tangent, v̂ = −w, and all
    wrong keys are one, exactly where it is 0.

    Args:
        z: the anchor, (..., d), and ``norm`` its norm.
        norm: ρ.
        own: direction of its key, (..., d).
        wrong: directions of the wrong keys, (..., m, d).
        weights: their probabilities q among themselves, (..., m, 1).
    """
    mean = (weights * wrong).sum(-2)
    spread = wrong[..., :, None, :] - wrong[..., None, :, :]
    both = weights[..., :, None, :] * weights[..., None, :, :]
    return (
        (dot(z, own - mean) / norm) ** 2
        + dot(own + mean, own + mean)
        + (both * dot(spread, spread)).sum((-3, -2))
    )


def gap_planted(z: Any, norm: Any, own: Any, wrong: Any, weights: Any) -> Any:
    """Planted: the mean of the wrong keys taken for a unit vector."""
    mean = (weights * wrong).sum(-2)
    return (dot(z, own - mean) / norm) ** 2 + dot(own + mean, own + mean)


def _square_of(gap: Any) -> Any:
    def gradient_square(
        z: Any,
        norm: Any,
        own: Any,
        wrong: Any,
        weights: Any,
        missing: Any,
        temperature: Any,
        count: Any,
    ) -> Any:
        largest = missing / (count * temperature * norm)
        return largest**2 * (4 - gap(z, norm, own, wrong, weights))

    return gradient_square


def bound(missing: Any, norm: Any, temperature: Any, count: Any) -> Any:
    """2(1 − p_aa)/(nτ‖u_a‖), with ``missing`` = 1 − p_aa."""
    return 2 * missing / (count * temperature * norm)


def bound_planted(missing: Any, norm: Any, temperature: Any, count: Any) -> Any:
    """Planted: half of it, as if the partner alone pulled."""
    return missing / (count * temperature * norm)


def _residuals(gap: Any, bound: Any, dimensions: Any = (2, 3)) -> dict[str, Any]:
    found: dict[str, Any] = {}
    q = sp.Symbol("q", positive=True)
    for d in dimensions:
        points = [vector(name, d) for name in "zvab"]
        norms = sp.symbols("rho sigma_v sigma_a sigma_b", positive=True)
        roots = {rho: square(z) for rho, z in zip(norms, points, strict=True)}
        z, own, first, second = (
            point if k == 0 else point / norms[k] for k, point in enumerate(points)
        )
        weights = np.array([[q], [1 - q]], dtype=object)
        pull = tangent(z, norms[0], own - q * first - (1 - q) * second)
        claimed = gap(z, norms[0], own, np.array([first, second]), weights)
        found[f"sum of squares, d={d}"] = reduce(4 - square(pull) - entries(claimed)[0], roots)
    # Attained where the anchor is orthogonal to its key and all wrong keys are opposite to that.
    rho, tau, missing = sp.symbols("rho tau m", positive=True)
    n = sp.Symbol("n", positive=True, integer=True)
    z, own = np.array([rho, 0], dtype=object), np.array([0, 1], dtype=object)
    gradient = missing * tangent(z, rho, own + own) / (n * tau * rho)
    found["attained"] = sp.sqrt(square(gradient)) - bound(missing, rho, tau, n)
    return found


CLAIM = Claim(
    name="info_nce_bound",
    title="InfoNCE's anchor gradient is bounded by its error",
    meaning=r"Under one-sided InfoNCE an anchor's gradient is at most $2/(n\tau\lVert u_a\rVert)$ "
    r"times the probability that it gives to wrong keys.",
    reason="The decoupled pull joins a unit vector and a mean of unit vectors, so its length is at "
    "most 2, and InfoNCE's is $1-p_{aa}$ times it. What its square lacks of 4 is a sum of squares "
    "that can vanish, so the bound is sharp.",
    consequence=r"A solved anchor hardly moves, and a large gradient tells of an unsolved one. "
    r"$2/(n\tau\lVert u_a\rVert)$ is a ceiling that needs no data.",
    statement=r"\lVert\nabla_{u_a}L\rVert\le\frac{2(1-p_{aa})}{n\tau\lVert u_a\rVert},\qquad "
    r"4-\lVert P(\hat v_a-w)\rVert^2=(\hat u_a\cdot(\hat v_a-w))^2+\lVert\hat v_a+w\rVert^2"
    r"+\sum_{b,c\ne a}q_bq_c\lVert\hat v_b-\hat v_c\rVert^2\ge 0,"
    r"\qquad w=\sum_{b\ne a}q_b\hat v_b",
    assumptions=(
        "one-sided InfoNCE, mean over n anchors",
        "q_b = p_ab/(1 − p_aa), the probabilities of the wrong keys among themselves",
    ),
    source="normtheory (derived here)",
    item="3.4",
    proof=lambda: _residuals(gap, bound),
    planted_proof=lambda: _residuals(gap_planted, bound_planted, (2,)),
    checks=(
        Check(
            name="squared anchor gradient",
            measurement="contrastive",
            quantity="gradient_square",
            formula=_square_of(gap),
            planted=_square_of(gap_planted),
            mistake="spread of the wrong keys left out",
            scale=lambda norm, count, temperature: (count * temperature * norm) ** 2,
            reason=ROUNDING,
            options={"kind": "info_nce", "role": "anchors"},
        ),
        Check(
            name="bound where it is attained",
            measurement="contrastive",
            quantity="gradient_norm",
            formula=bound,
            planted=bound_planted,
            mistake="half of it",
            scale=lambda norm, count, temperature: count * temperature * norm,
            reason=ROUNDING,
            options={"kind": "info_nce", "role": "anchors", "opposed": True},
        ),
    ),
    implemented_by=("normtheory.temperature.info_nce_bound",),
)
