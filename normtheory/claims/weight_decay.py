"""Weight decay against steady pulls leads to one norm, and to one angular step for all."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._plane import PlanePair
from normtheory.claims._symbolic import ArbitraryLoss, reduce, square, xp

_SETTLED = "800 steps settle to rounding; the fixed point remembers the rounding of 1/γλ steps"


def next_square(square_norm: Any, squared_slope: Any, learning_rate: Any, weight_decay: Any) -> Any:
    """ρ'² = (1−γλ)²ρ² + γ²s²/ρ², with ``squared_slope`` = s²."""
    keep = 1 - learning_rate * weight_decay
    return keep**2 * square_norm + learning_rate**2 * squared_slope / square_norm


def next_square_planted(
    square_norm: Any, squared_slope: Any, learning_rate: Any, weight_decay: Any
) -> Any:
    """Planted: decay not squared."""
    keep = 1 - learning_rate * weight_decay
    return keep * square_norm + learning_rate**2 * squared_slope / square_norm


def fixed_fourth(s: Any, learning_rate: Any, weight_decay: Any) -> Any:
    """ρ*⁴ = γs²/(λ(2 − γλ))."""
    return learning_rate * s**2 / (weight_decay * (2 - learning_rate * weight_decay))


def fixed_fourth_planted(s: Any, learning_rate: Any, weight_decay: Any) -> Any:
    """Planted: the limit of small γλ."""
    return learning_rate * s**2 / (2 * weight_decay)


def fixed_norm(s: Any, learning_rate: Any, weight_decay: Any, xp: Any) -> Any:
    """The fourth root of :func:`fixed_fourth`."""
    return xp.sqrt(xp.sqrt(fixed_fourth(s, learning_rate, weight_decay)))


def fixed_norm_planted(s: Any, learning_rate: Any, weight_decay: Any, xp: Any) -> Any:
    """The fourth root of :func:`fixed_fourth_planted`."""
    return xp.sqrt(xp.sqrt(fixed_fourth_planted(s, learning_rate, weight_decay)))


def fixed_norm_undoubled(s: Any, learning_rate: Any, weight_decay: Any, xp: Any) -> Any:
    """Planted: γs²/λ in place of γs²/2λ."""
    return xp.sqrt(xp.sqrt(learning_rate * s**2 / weight_decay))


def turn(learning_rate: Any, weight_decay: Any, xp: Any) -> Any:
    """Angular step arccos(1 − γλ): of the loss, s and the start it knows nothing."""
    return xp.arccos(1 - learning_rate * weight_decay)


def turn_planted(learning_rate: Any, weight_decay: Any, xp: Any) -> Any:
    """Planted: the limit √(2γλ) taken as exact."""
    return xp.sqrt(2 * learning_rate * weight_decay)


def turn_undoubled(learning_rate: Any, weight_decay: Any, xp: Any) -> Any:
    """Planted: √(γλ)."""
    return xp.sqrt(learning_rate * weight_decay)


def multiplier(learning_rate: Any, weight_decay: Any) -> Any:
    """Factor of a small deviation per step, 2(1−γλ)² − 1 ≈ 1 − 4γλ."""
    return 2 * (1 - learning_rate * weight_decay) ** 2 - 1


def multiplier_planted(learning_rate: Any, weight_decay: Any) -> Any:
    """Planted: the decay of the squared norm alone, without the pull."""
    return (1 - learning_rate * weight_decay) ** 2


def left(start: Any, xp: Any) -> Any:
    """Share 1/e of a deviation of ρ⁴ left after 1/(4γλ) steps."""
    return xp.exp(-1 + 0 * start)


def left_planted(start: Any, xp: Any) -> Any:
    """Planted: relaxation in 1/(2γλ) steps, leaving e^(−1/2) after 1/(4γλ)."""
    return xp.exp(-0.5 + 0 * start)


def _residuals(step: Any, fourth: Any, angular: Any, factor: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    gamma, decay, s, size, q = sp.symbols("gamma lambda s g q", positive=True)
    for d in (2, 3):
        loss = ArbitraryLoss.create(d)
        z, rho, gradient = loss.points[0], loss.norms[0], loss.gradient()
        moved = (1 - gamma * decay) * z - gamma * gradient
        # ‖∇L‖ = s/ρ defines s for any loss.
        claimed = step(rho**2, size**2 * rho**2, gamma, decay).subs(size**2, square(gradient))
        found[f"step of any loss, d={d}"] = loss.reduce(square(moved) - claimed)
    pair = PlanePair(keep=1 - gamma * decay)
    claimed = step(pair.norm_i**2, pair.s**2, pair.rate, decay)
    found["step of a pair"] = pair.reduce(square(pair.stepped[0]) - claimed)
    # q = ρ² at the fixed point: a root with q² = ρ*⁴.
    roots = {q: fourth(s, gamma, decay)}
    found["fixed point"] = reduce(step(q, s**2, gamma, decay) - q, roots)
    slope = sp.diff(next_square(q, s**2, gamma, decay), q)
    found["multiplier"] = reduce(slope - factor(gamma, decay), {q: fixed_fourth(s, gamma, decay)})
    # At the fixed point z·z' = (1−γλ)ρ² and ‖z'‖ = ρ, so the turn has this cosine.
    gradient = ArbitraryLoss.create(2)
    z = gradient.points[0]
    moved = (1 - gamma * decay) * z - gamma * gradient.gradient()
    cosine = dot(z, moved)[0] / gradient.norms[0] ** 2
    found["angular step"] = gradient.reduce(cosine - sp.cos(angular(gamma, decay, xp)))
    a = sp.Symbol("a", positive=True)
    time_limit = sp.limit(factor(1, a) ** (1 / (4 * a)), a, 0)
    found["relaxation in 1/(4γλ) steps"] = sp.simplify(time_limit - sp.exp(-1))
    return found


CLAIM = Claim(
    name="weight_decay",
    title="Equilibrium norm under weight decay",
    meaning=r"Under weight decay and steady pulls every embedding ends at one norm, where growth "
    r"and decay balance, and there turns by $\arccos(1-\gamma\lambda)$ in every step.",
    reason=r"Decay takes a share of the squared norm and the pull adds less the longer the "
    r"embedding is, so there is one balance, which every start reaches. The pull restores the "
    r"length at a right angle, so the turn follows from $1-\gamma\lambda$ alone.",
    consequence=r"At the balance rate and decay set the pace, not the loss or the start; allow a "
    r"few times $1/(4\gamma\lambda)$ steps to get there. A fixed pair is outside: its pull fades, "
    r"the norm decays to about $\sqrt\gamma$, and the pair bursts.",
    statement=r"\rho'^2=(1-\gamma\lambda)^2\rho^2+\frac{\gamma^2s^2}{\rho^2},\qquad"
    r"\rho_*^4=\frac{\gamma s^2}{\lambda(2-\gamma\lambda)},\qquad"
    r"\theta_*=\arccos(1-\gamma\lambda)\approx\sqrt{2\gamma\lambda},\qquad"
    r"\tau_{\text{relax}}\approx\frac{1}{4\gamma\lambda}",
    assumptions=(
        "z' = (1 − γλ)z − γ∇L with 0 < γλ < 1",
        "a loss of directions with ‖∇L‖ = s/ρ and steady s: fresh partners",
    ),
    source="normtheory (derived here); for weights Wan et al. 2021, Spherical Motion Dynamics",
    item="7",
    proof=lambda: _residuals(next_square, fixed_fourth, turn, multiplier),
    planted_proof=lambda: _residuals(
        next_square_planted, fixed_fourth_planted, turn_planted, multiplier_planted
    ),
    checks=(
        Check(
            name="equilibrium norm",
            measurement="steady_decay",
            quantity="norm",
            formula=fixed_norm,
            planted=fixed_norm_planted,
            mistake="limit of small γλ taken as exact",
            scale=lambda norm, learning_rate, weight_decay: learning_rate * weight_decay / norm,
            reason=_SETTLED,
        ),
        Check(
            name="angular step at equilibrium",
            measurement="steady_decay",
            quantity="turn",
            formula=turn,
            planted=turn_planted,
            mistake="limit of small γλ taken as exact",
            scale=lambda learning_rate, weight_decay: learning_rate * weight_decay,
            reason=_SETTLED,
        ),
        Check(
            name="relaxation",
            measurement="steady_decay",
            options={"decay": (0.004, 0.008)},
            quantity="left",
            formula=left,
            planted=left_planted,
            mistake="relaxation half as fast",
            unit="relative",
            tolerance=0.05,
            reason="leading order in γλ (up to 3 %), and the number of steps is rounded",
        ),
        Check(
            name="equilibrium norm, random partners",
            measurement="random_decay",
            quantity="norm",
            formula=fixed_norm,
            planted=fixed_norm_undoubled,
            mistake="γs²/λ in place of γs²/2λ",
            unit="relative",
            tolerance=0.01,
            reason="average over 256 points and 50 steps; s² varies by 1/d",
        ),
        Check(
            name="angular step, random partners",
            measurement="random_decay",
            quantity="turn",
            formula=turn,
            planted=turn_undoubled,
            mistake="√(γλ)",
            unit="relative",
            tolerance=0.01,
            reason="average over 256 points and 50 steps; s varies by 1/d",
        ),
    ),
    conditions=(
        Condition(
            name="the norm settles",
            region=r"s\ \text{steady, as with fresh partners}",
            measurement="decay_of_a_fixed_pair",
            margin=lambda fixed: 1 - 2 * fixed,
            slack=lambda variation: 0.01 - variation,
            counterexample="a fixed attracted pair: s → 0, ρ decays to about √γ, then it bursts",
        ),
    ),
    implemented_by=(
        "normtheory.pair_step",
        "normtheory.equilibrium_norm",
        "normtheory.equilibrium_angular_step",
    ),
    shown_by=("weight_decay",),
)
