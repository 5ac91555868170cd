"""The opposite-halves effect: near the antipode the slow-down is only logarithmic."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import xp
from normtheory.claims.norm_effect import steps as exact_steps


def steps(gap: Any, target: Any, norm: Any, learning_rate: Any, xp: Any) -> Any:
    """K ≈ (ρ²/2γ)[ln(2/δ) + ln cot(φ_ε/2)] for a start δ = π − φ₀ from the antipode."""
    return norm**2 / (2 * learning_rate) * (xp.log(2 / gap) - xp.log(xp.tan(target / 2)))


def steps_planted(gap: Any, target: Any, norm: Any, learning_rate: Any, xp: Any) -> Any:
    """Planted: leaves the antipode twice as fast, ½ ln(2/δ)."""
    return norm**2 / (2 * learning_rate) * (xp.log(2 / gap) / 2 - xp.log(xp.tan(target / 2)))


def _residuals(formula: Any) -> dict[str, Any]:
    gap, target, norm, gamma = sp.symbols("delta phi_1 rho gamma", positive=True)
    claimed = formula(gap, target, norm, gamma, xp)
    exact = exact_steps(sp.pi - gap, target, norm, gamma, xp)
    # tan((π − δ)/2) = cot(δ/2), whose logarithm is −ln tan(δ/2).
    exact = exact.subs(sp.tan(sp.pi / 2 - gap / 2), 1 / sp.tan(gap / 2))
    difference = sp.expand_log(exact - claimed)
    error = sp.expand(difference * 2 * gamma / norm**2)
    return {
        "difference vanishes at the antipode": sp.limit(error, gap, 0),
        "logarithmic only": sp.simplify(gap * sp.diff(claimed, gap) + norm**2 / (2 * gamma)),
    }


CLAIM = Claim(
    name="opposite_halves",
    title="Opposite-halves effect: a logarithm",
    meaning="A pair that starts nearly opposite converges later, but only by the logarithm of its "
    "distance from the antipode.",
    reason=r"The gradient vanishes at the antipode, and a small gap $\pi-\varphi$ at first grows "
    r"exponentially. Leaving takes the logarithm of the gap at the start.",
    consequence=r"A gap ten times smaller costs $\frac{\rho^2}{2\gamma}\ln10$ steps more, however "
    r"small it was. Random starts in many dimensions lie near a right angle and hardly meet this.",
    statement=r"K\approx\frac{\rho^2}{2\gamma}\left[\ln\frac{2}{\pi-\varphi_0}"
    r"+\ln\cot\frac{\varphi_\varepsilon}{2}\right]\qquad(\varphi_0\to\pi)",
    assumptions=(
        "attraction, equal norms, leading order in x = γ/ρ²",
        "start near the antipode; relative error of order (π − φ₀)²/12",
    ),
    source="normtheory (derived here); the effect: Draganov et al. 2025",
    item="12.1",
    proof=lambda: _residuals(steps),
    planted_proof=lambda: _residuals(steps_planted),
    checks=(
        Check(
            name="steps from near the antipode",
            measurement="step_count",
            options={"antipode": True},
            quantity="steps",
            formula=steps,
            planted=steps_planted,
            mistake="½ ln in place of ln",
            unit="relative",
            tolerance=0.02,
            reason="leading order in x (at most 0.01) and in π − φ₀ (at most 0.1)",
        ),
    ),
    implemented_by=("normtheory.steps_to_converge",),
    shown_by=("opposite_halves",),
)
