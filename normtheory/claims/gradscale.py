"""GradScale: multiplying the gradient by a power of the norm changes what the norm does."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim
from normtheory.claims._plane import PlanePair, cross
from normtheory.claims._symbolic import square, xp
from normtheory.claims.weight_decay import turn, turn_planted

_AVERAGE = (
    "an average over at least 128 points and 2000 steps: standard error 1 % of the power; terms of "
    "higher order early in the run"
)


def effective_rate(norm: Any, learning_rate: Any, gradscale: Any) -> Any:
    """Effective rate γρ^(p−2)."""
    return learning_rate * norm ** (gradscale - 2)


def steps(start: Any, target: Any, norm: Any, learning_rate: Any, gradscale: Any, xp: Any) -> Any:
    """K = (ρ^(2−p)/2γ) ln[tan(φ₀/2)/tan(φ_ε/2)] for equal norms; p = 2: free of the norm."""
    ratio = xp.log(xp.tan(start / 2)) - xp.log(xp.tan(target / 2))
    return ratio / (2 * effective_rate(norm, learning_rate, gradscale))


def steps_planted(
    start: Any, target: Any, norm: Any, learning_rate: Any, gradscale: Any, xp: Any
) -> Any:
    """Planted: the power counted twice."""
    return steps(start, target, norm, learning_rate, 2 * gradscale, xp)


def fixed_norm(s: Any, learning_rate: Any, weight_decay: Any, gradscale: Any) -> Any:
    """ρ*^(4−2p) = γs²/(λ(2 − γλ)), p < 2."""
    fixed = learning_rate * s**2 / (weight_decay * (2 - learning_rate * weight_decay))
    return fixed ** (1 / (4 - 2 * gradscale))


def fixed_norm_planted(s: Any, learning_rate: Any, weight_decay: Any, gradscale: Any) -> Any:
    """Planted: exponent 4 − p."""
    fixed = learning_rate * s**2 / (weight_decay * (2 - learning_rate * weight_decay))
    return fixed ** (1 / (4 - gradscale))


def mean_law(
    norm: Any, learning_rate: Any, frequency: Any, mean_sine2: Any, steps: Any, gradscale: Any
) -> Any:
    """E ρ^(4−2p)(t) ≈ ρ₀^(4−2p) + (2−p) γ² (update probability) E[s²] t."""
    slope = (2 - gradscale) * learning_rate**2 * frequency * mean_sine2
    return norm ** (4 - 2 * gradscale) + slope * steps


def mean_law_planted(
    norm: Any, learning_rate: Any, frequency: Any, mean_sine2: Any, steps: Any, gradscale: Any
) -> Any:
    """Planted: the factor 2 of p = 0 for every p."""
    slope = 2 * learning_rate**2 * frequency * mean_sine2
    return norm ** (4 - 2 * gradscale) + slope * steps


def _angle_map(rate_of: Any) -> list[Any]:
    """The pair turns as under p = 0 with effective rates x = γρ^(p−2)."""
    power = sp.Symbol("p", real=True)
    pair = PlanePair(power=power)
    z, y = pair.stepped
    x_i, x_j = (rate_of(norm, pair.rate, power) for norm in (pair.norm_i, pair.norm_j))
    real, imaginary = 1 - x_i * x_j * pair.s**2, -(x_i + x_j) * pair.s
    size = pair.norm_i * pair.norm_j
    parts = [
        dot(z, y)[0] - size * (pair.c * real - pair.s * imaginary),
        cross(z, y) - size * (pair.s * real + pair.c * imaginary),
    ]
    return [sp.powsimp(sp.expand(sp.sympify(pair.reduce(part)))) for part in parts]


def _residuals(rate_of: Any, count: Any, fixed: Any, law: Any) -> dict[str, Any]:
    start, target, norm, gamma, decay, alpha, s, h = sp.symbols(
        "phi_0 phi_1 rho gamma lambda alpha s h", positive=True
    )
    power = sp.Symbol("p", real=True)
    found: dict[str, Any] = {"angle map": _angle_map(rate_of)}
    scaled = count(start, target, alpha * norm, gamma, power, xp)
    once = count(start, target, norm, gamma, power, xp)
    found["steps ∝ ρ^(2−p)"] = sp.simplify(
        sp.expand_power_base(scaled / once) * alpha**power - alpha**2
    )
    found["p = 2: free of the norm"] = sp.simplify(
        sp.diff(count(start, target, norm, gamma, sp.Integer(2), xp), norm)
    )
    for p in (sp.Integer(0), sp.Rational(1, 2), sp.Integer(1), sp.Rational(3, 2)):
        pair = PlanePair(power=p, keep=1 - gamma * decay)
        # A sum of powers of ρ, those of its fixed value.
        relative = sp.expand(square(pair.stepped[0]) / pair.norm_i**2)
        there = relative.subs(pair.norm_i, fixed(pair.s, gamma, decay, p))
        found[f"fixed point, p={p}"] = sp.cancel(there.subs(pair.c**2, 1 - pair.s**2) - 1)
    # Growth of ρ^(4−2p) to leading order in h, the growth of the squared norm.
    grown = sp.diff((norm**2 + h) ** (2 - power), h).subs(h, 0)
    square_growth = (gamma * norm ** (power - 1) * s) ** 2
    claimed = law(norm, gamma, 1, s**2, 1, power) - norm ** (4 - 2 * power)
    difference: Any = sp.powdenest(sp.expand(grown * square_growth - claimed))
    found["growth law"] = sp.simplify(difference)
    return found


def _planted_proof() -> dict[str, Any]:
    wrong = _residuals(
        lambda norm, rate, power: rate * norm ** (power - 1),
        steps_planted,
        fixed_norm_planted,
        mean_law_planted,
    )
    # At p = 0 the planted exponent happens to be right.
    right_by_chance = "fixed point, p=0"
    return {key: value for key, value in wrong.items() if key != right_by_chance}


CLAIM = Claim(
    name="gradscale",
    title="GradScale",
    meaning=r"GradScale multiplies the gradient of each embedding by the power $p$ of its norm, so "
    r"the effective rate is $\gamma\rho^{p-2}$: the norm effect weakens with $p$ and is gone at "
    r"$p=2$.",
    reason=r"The factor $\rho^p$ stands beside one $1/\rho$ of the gradient and one of the turn. "
    r"Decay is not multiplied, so it changes only the pull's side of a balance.",
    consequence=r"Steps grow as $\rho^{2-p}$, and growth and equilibrium hold with the power "
    r"$4-2p$ for 4. At $p=2$ weight decay has no equilibrium norm.",
    statement=r"x=\gamma\rho^{p-2},\qquad K=\frac{\rho^{2-p}}{2\gamma}"
    r"\ln\frac{\tan(\varphi_0/2)}{\tan(\varphi_\varepsilon/2)},\qquad"
    r"\rho_*^{4-2p}=\frac{\gamma s^2}{\lambda(2-\gamma\lambda)},\qquad"
    r"\mathbb{E}\,\rho^{4-2p}\approx\rho_0^{4-2p}+(2-p)\,\gamma^2\,q\,\mathbb{E}[\sin^2\varphi]\,t",
    assumptions=(
        "the gradient of each point is multiplied by the power p of its own norm before the step",
        "steps: equal norms, leading order in x; exactly free of the norm for p = 2",
        "fixed point: p < 2, steady s; p = 2 has none",
        "growth: p < 2, update probability q, fresh random directions",
    ),
    source="normtheory (derived here); GradScale: Draganov et al. 2025",
    item="13",
    proof=lambda: _residuals(effective_rate, steps, fixed_norm, mean_law),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="steps at p from 0 to 2",
            measurement="step_count",
            options={"powers": (0.0, 0.5, 1.0, 1.5, 2.0)},
            quantity="steps",
            formula=steps,
            planted=steps_planted,
            mistake="power counted twice",
            unit="relative",
            tolerance=0.02,
            reason="leading order in x (at most 0.01), and counts are whole numbers of 100 or more",
        ),
        Check(
            name="equilibrium norm",
            measurement="steady_decay",
            options={"powers": (0.0, 0.5, 1.0)},
            quantity="norm",
            formula=fixed_norm,
            planted=fixed_norm_planted,
            mistake="exponent 4 − p in place of 4 − 2p",
            scale=lambda norm, learning_rate, weight_decay: learning_rate * weight_decay / norm,
            reason="800 steps settle to rounding; the fixed point remembers that of 1/γλ steps",
        ),
        Check(
            name="angular step at equilibrium",
            measurement="steady_decay",
            options={"powers": (0.0, 0.5, 1.0)},
            quantity="turn",
            formula=turn,
            planted=turn_planted,
            mistake="limit of small γλ taken as exact",
            scale=lambda learning_rate, weight_decay: learning_rate * weight_decay,
            reason="800 steps settle to rounding; the fixed point remembers that of 1/γλ steps",
        ),
        Check(
            name="growth law",
            measurement="fresh_directions",
            options={"powers": (0.0, 1.0, 1.5)},
            quantity="mean_power",
            formula=mean_law,
            planted=mean_law_planted,
            mistake="factor 2 for every p",
            unit="relative",
            tolerance=0.06,
            reason=_AVERAGE,
        ),
    ),
    implemented_by=(
        "normtheory.pair_step",
        "normtheory.steps_to_converge",
        "normtheory.grad_scale",
        "normtheory.effective_learning_rate",
        "normtheory.equilibrium_norm",
    ),
    shown_by=("gradscale",),
)
