"""An equiangular cloud of n points moves as one pair does: a map of one angle and one norm."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._symbolic import reduce, xp


def opening(cosine: Any, n: Any) -> Any:
    """M = 1 + (n − 1)c: n at collapse, 0 at the simplex."""
    return 1 + (n - 1) * cosine


def step_size(norm: Any, slope: Any, learning_rate: Any, gradscale: Any, weight_decay: Any) -> Any:
    """A = γwρ^(p−2)/(1 − γλ); above 0 it repels."""
    return learning_rate * slope * norm ** (gradscale - 2) / (1 - learning_rate * weight_decay)


def step_size_planted(
    norm: Any, slope: Any, learning_rate: Any, gradscale: Any, weight_decay: Any
) -> Any:
    """Planted: every pair counted twice."""
    return 2 * step_size(norm, slope, learning_rate, gradscale, weight_decay)


def turned(m: Any, a: Any, n: Any) -> Any:
    """M' = m(1 − a(n−m))²/(1 + a²m(n−m))."""
    return m * (1 - a * (n - m)) ** 2 / stretched(m, a, n)


def stretched(m: Any, a: Any, n: Any) -> Any:
    """ρ'²/((1 − γλ)ρ)² = 1 + a²m(n−m)."""
    return 1 + a**2 * m * (n - m)


def turn(angle: Any, a: Any, n: Any, xp: Any) -> Any:
    """ψ' = ψ + 2 arctan(½na sin ψ), before it is folded into [0, π]."""
    return angle + 2 * xp.arctan(n * a * xp.sin(angle) / 2)


def turn_planted(angle: Any, a: Any, n: Any, xp: Any) -> Any:
    """Planted: repulsion closes the cloud."""
    return angle - 2 * xp.arctan(n * a * xp.sin(angle) / 2)


def _next_cosine(size: Any) -> Any:
    def next_cosine(
        cosine: Any,
        norm: Any,
        slope: Any,
        learning_rate: Any,
        gradscale: Any,
        weight_decay: Any,
        n: Any,
    ) -> Any:
        """Cosine of every pair after a step."""
        a = size(norm, slope, learning_rate, gradscale, weight_decay)
        return (turned(opening(cosine, n), a, n) - 1) / (n - 1)

    return next_cosine


def _next_norm(size: Any) -> Any:
    def next_norm(
        cosine: Any,
        norm: Any,
        slope: Any,
        learning_rate: Any,
        gradscale: Any,
        weight_decay: Any,
        n: Any,
        xp: Any,
    ) -> Any:
        """Norm of every point after a step."""
        a = size(norm, slope, learning_rate, gradscale, weight_decay)
        keep = 1 - learning_rate * weight_decay
        return keep * norm * xp.sqrt(stretched(opening(cosine, n), a, n))

    return next_norm


def folded(angle: Any, pi: Any) -> Any:
    """An angle in [0, π] that has the same cosine."""
    return abs((angle + pi) % (2 * pi) - pi)


def _next_angle(of_cosine: bool, turn: Any) -> Any:
    def next_angle(
        cosine: Any,
        angle: Any,
        norm: Any,
        slope: Any,
        learning_rate: Any,
        gradscale: Any,
        weight_decay: Any,
        n: Any,
        xp: Any,
    ) -> Any:
        """The cloud's angle ψ after a step; or, planted, with ψ taken for the angle of a pair."""
        a = step_size(norm, slope, learning_rate, gradscale, weight_decay)
        start = xp.arccos(cosine) if of_cosine else angle
        return folded(turn(start, a, n, xp), xp.pi)

    return next_angle


def contraction(rate: Any) -> Any:
    """Near collapse and simplex the angle, or π less it, is multiplied by |1 − n|a||."""
    return abs(1 - rate)


def contraction_planted(rate: Any) -> Any:
    """Planted: that of a pair of which one point moves."""
    return abs(1 - rate / 2)


def _points(n: int, c: Any) -> np.ndarray:
    """Gram matrix of n unit vectors with all cosines c."""
    return np.array([[sp.Integer(1) if i == j else c for j in range(n)] for i in range(n)])


def _residuals(size: Any, turn: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    c, p = sp.symbols("c p", real=True)
    rho, gamma, w, keep = sp.symbols("rho gamma w kappa", positive=True)
    decay = (1 - keep) / gamma
    for n in (2, 3, 4):
        gram = _points(n, c)
        # In the basis of the n directions: z_k = ρ e_k, and ∇_k = (w/ρ) Σ_j (e_j − c e_k).
        unit = np.array([[sp.Integer(int(i == j)) for j in range(n)] for i in range(n)])
        pull = np.array([unit.sum(0) - unit[k] - (n - 1) * c * unit[k] for k in range(n)])
        moved = keep * rho * unit - gamma * rho**p * (w / rho) * pull
        lengths = moved @ gram @ moved.T
        a = size(rho, w, gamma, p, decay)
        m = opening(c, n)
        square = keep**2 * rho**2 * stretched(m, a, n)
        found[f"norms, n={n}"] = reduce([lengths[k, k] - square for k in range(n)], {})
        inner = square * (turned(m, a, n) - 1) / (n - 1)
        apart = [lengths[k, j] - inner for k in range(n) for j in range(k)]
        found[f"cosines, n={n}"] = reduce(apart, {})
    # The same map as the turn of an angle with cos ψ = 2m/n − 1.
    n, step = sp.symbols("n a", positive=True)
    psi, half = sp.symbols("psi h", real=True)
    m = n * (1 + sp.cos(psi)) / 2
    angle = turn(psi, step, n, xp)
    t = n * step * sp.sin(psi) / 2  # the tangent of half of the turn
    double = {
        sp.cos(2 * sp.atan(t)): (1 - t**2) / (1 + t**2),
        sp.sin(2 * sp.atan(t)): 2 * t / (1 + t**2),
    }
    s, k = sp.symbols("s k", real=True)  # sin ψ and cos ψ
    claimed = sp.expand_trig(sp.cos(angle)).subs(double)
    exact = 2 * turned(m, step, n) / n - 1
    names = {sp.sin(psi): s, sp.cos(psi): k}
    found["turn of the angle"] = reduce((claimed - exact).subs(names), {s: 1 - k**2})
    found["collapse in one step"] = reduce(turned(m, -1 / m, n) - n, {})
    found["simplex in one step"] = reduce(turned(m, 1 / (n - m), n), {})
    # Near collapse (ψ → 0, a < 0): the angle over the one before.
    slope = sp.diff(turn(psi, -half, n, xp), psi).subs(psi, 0)
    found["contraction"] = reduce(slope - (1 - n * half), {})
    return found


def _planted_proof() -> dict[str, Any]:
    wrong = _residuals(step_size_planted, turn_planted)
    # What doesn't depend on the planted formulas.
    return {key: value for key, value in wrong.items() if "one step" not in key}


_VARIANTS: dict[str, Any] = {"measurement": "equiangular", "options": {"variants": True}}
_NEAR: dict[str, Any] = {"measurement": "equiangular_ends"}
_REASON = "rounding of the cosines, which a step of size a magnifies 1 + n|a| times"

CLAIM = Claim(
    name="equiangular",
    title="An equiangular cloud is one pair",
    meaning="A cloud of $n$ points of one norm with all cosines equal stays such a cloud under a "
    "loss of the cosines that treats all points alike, and moves as one pair does.",
    reason=r"By symmetry the other points pull or push each one in the plane that it spans with "
    r"the mean direction, and all alike. The angle $\psi$ is twice that with the mean, as for a "
    r"pair.",
    consequence=r"What holds for one step of a pair holds for a whole batch between collapse and "
    r"simplex, with $n\lvert a\rvert/2$ for the effective rate. At the simplex stability is meant "
    r"inside this family only.",
    statement=r"m=1+(n-1)c,\quad a=\frac{\gamma w\rho^{p-2}}{1-\gamma\lambda}:\qquad "
    r"m'=\frac{m\,(1-a(n-m))^2}{1+a^2m(n-m)},\quad "
    r"\rho'^2=(1-\gamma\lambda)^2\rho^2\,(1+a^2m(n-m)),\qquad "
    r"\cos\psi=\frac{2m}{n}-1:\quad \psi'=\psi+2\arctan\!\left(\tfrac12na\sin\psi\right)"
    r"\ \text{folded into}\ [0,\pi]",
    assumptions=(
        "n points of equal norm ρ, all cosines c in [−1/(n−1), 1]",
        "a loss of the cosines alone that no permutation of the points changes",
        "w = ∂L/∂c of one pair counted once, so w = 2ℓ'(c)/(n(n−1)) along the family; w > 0 repels",
        "plain SGD with decay λ and GradScale power p",
        "collapse is ψ = 0 and m = n, the simplex ψ = π and m = 0",
    ),
    source="normtheory (derived here)",
    item="16",
    proof=lambda: _residuals(step_size, turn),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="cosine after a step",
            quantity="next_cosine",
            formula=_next_cosine(step_size),
            planted=_next_cosine(step_size_planted),
            mistake="every pair counted twice",
            scale=lambda size: 1 / (1 + size),
            reason=_REASON,
            **_VARIANTS,
        ),
        Check(
            name="norm after a step",
            quantity="next_norm",
            formula=_next_norm(step_size),
            planted=_next_norm(step_size_planted),
            mistake="every pair counted twice",
            scale=lambda next_norm, size: 1 / next_norm / (1 + size),
            reason=_REASON,
            **_VARIANTS,
        ),
        Check(
            name="cosines stay equal",
            quantity="spread",
            formula=lambda norm: 0 * norm,
            planted=lambda norm: 0 * norm + 1e-6,
            mistake="a difference of 1e-6",
            scale=lambda size: 1 / (1 + size),
            reason=_REASON,
            **_VARIANTS,
        ),
        Check(
            name="angle of the cloud after a step",
            quantity="next_angle",
            formula=_next_angle(False, turn),
            planted=_next_angle(True, turn),
            mistake="ψ taken for the angle of a pair",
            scale=lambda size: 1 / (1 + size),
            reason=_REASON,
            **_VARIANTS,
        ),
        Check(
            name="contraction near both ends",
            quantity="ratio",
            formula=contraction,
            planted=contraction_planted,
            mistake="half of the rate",
            scale=lambda rate: 1 + 0 * rate,
            tolerance=1e-6,
            unit="relative",
            reason="absolute; at angles of 1e-4: terms of order ψ², up to 50 times",
            **_NEAR,
        ),
    ),
    conditions=(
        Condition(
            name="collapse and simplex attract",
            region=r"n\lvert a\rvert<2",
            margin=lambda rate: 2 - rate,
            slack=lambda ratio: 1 - ratio,
            counterexample="n|a| = 2.5: the angle grows by half",
            **_NEAR,
        ),
        Condition(
            name="without overshooting",
            region=r"n\lvert a\rvert<1",
            margin=lambda rate: 1 - rate,
            slack=lambda kept_side: kept_side,
            counterexample="n|a| = 2.5: the points change sides",
            **_NEAR,
        ),
    ),
    implemented_by=(
        "normtheory.symmetric.equiangular_step",
        "normtheory.symmetric.cloud_angle",
    ),
    shown_by=("equiangular",),
)
