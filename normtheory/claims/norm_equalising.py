"""The norms of a pair approach each other."""

from __future__ import annotations

from typing import Any

from normtheory.claims._claim import Check, Claim
from normtheory.claims._plane import PlanePair
from normtheory.claims._symbolic import square

_REASON = "rounding of sin φ, which counts x times in the new norms"


def square_gap(norm_i: Any, norm_j: Any, x_i: Any, x_j: Any, s: Any) -> Any:
    """ρ_i'² − ρ_j'² = (ρ_i² − ρ_j²)(1 − x_i x_j s²)."""
    return (norm_i**2 - norm_j**2) * (1 - x_i * x_j * s**2)


def square_gap_planted(norm_i: Any, norm_j: Any, x_i: Any, x_j: Any, s: Any) -> Any:
    """Planted: sign, so that gaps would widen."""
    return (norm_i**2 - norm_j**2) * (1 + x_i * x_j * s**2)


def fourth_gap(norm_i: Any, norm_j: Any, x_i: Any, x_j: Any, s: Any) -> Any:
    """ρ_i'⁴ − ρ_j'⁴ = (ρ_i⁴ − ρ_j⁴)(1 − x_i² x_j² s⁴)."""
    return (norm_i**4 - norm_j**4) * (1 - x_i**2 * x_j**2 * s**4)


def fourth_gap_planted(norm_i: Any, norm_j: Any, x_i: Any, x_j: Any, s: Any) -> Any:
    """Planted: the square of the factor for squares."""
    return (norm_i**4 - norm_j**4) * (1 - x_i * x_j * s**2) ** 2


def _residuals(second: Any, fourth: Any) -> dict[str, Any]:
    pair = PlanePair()
    z, y = (square(point) for point in pair.stepped)
    inputs = (pair.norm_i, pair.norm_j, pair.x_i, pair.x_j, pair.s)
    return {
        "squares": pair.reduce(z - y - second(*inputs)),
        "fourth powers": pair.reduce(z**2 - y**2 - fourth(*inputs)),
    }


CLAIM = Claim(
    name="norm_equalising",
    title="Norms of a pair equalise",
    meaning=r"Each step multiplies the difference of the two squared norms of a pair by "
    r"$1-x_ix_j\sin^2\varphi$, which brings the norms closer while $x_ix_j\sin^2\varphi<2$.",
    reason=r"Both squared norms grow by $\gamma^2\sin^2\varphi/\rho^2$. The shorter point has the "
    r"longer gradient, so it grows more.",
    consequence="The gap closes at second order in the rate: with small effective rates a pair "
    "that starts unequal stays so for long.",
    statement=r"\rho_i'^2-\rho_j'^2=(\rho_i^2-\rho_j^2)(1-x_ix_j\sin^2\varphi),\qquad"
    r"\rho_i'^4-\rho_j'^4=(\rho_i^4-\rho_j^4)(1-x_i^2x_j^2\sin^4\varphi),\qquad x=\gamma/\rho^2",
    assumptions=("both points updated by plain SGD on ±cos φ",),
    source="normtheory (derived here)",
    item="9.1",
    proof=lambda: _residuals(square_gap, fourth_gap),
    planted_proof=lambda: _residuals(square_gap_planted, fourth_gap_planted),
    checks=(
        Check(
            name="difference of squares",
            measurement="pair_step",
            quantity="square_gap",
            formula=square_gap,
            planted=square_gap_planted,
            mistake="sign: gaps would widen",
            scale=lambda next_norm_i, next_norm_j, x_i, x_j: (
                1 / ((1 + x_i + x_j) * (next_norm_i**2 + next_norm_j**2))
            ),
            reason=_REASON,
        ),
        Check(
            name="difference of fourth powers",
            measurement="pair_step",
            quantity="fourth_gap",
            formula=fourth_gap,
            planted=fourth_gap_planted,
            mistake="square of the factor for squares",
            scale=lambda next_norm_i, next_norm_j, x_i, x_j: (
                1 / ((1 + x_i + x_j) * (next_norm_i**4 + next_norm_j**4))
            ),
            reason=_REASON,
        ),
    ),
    implemented_by=("normtheory.pair_step",),
)
