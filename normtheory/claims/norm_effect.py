"""The embedding-norm effect: steps to converge grow with the square of the norm."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim
from normtheory.claims._plane import PlanePair, cross
from normtheory.claims._symbolic import reduce, xp


def velocity(s: Any, norm: Any, norm_y: Any) -> Any:
    """dφ/dt = −(1/ρ_i² + 1/ρ_j²) sin φ."""
    return -(1 / norm**2 + 1 / norm_y**2) * s


def velocity_planted(s: Any, norm: Any, norm_y: Any) -> Any:
    """Planted: one factor 1/ρ, that of the gradient, without that of the turn."""
    return -(1 / norm + 1 / norm_y) * s


def velocity_one_sided(s: Any, norm: Any) -> Any:
    """The same with stop-gradient on j."""
    return -s / norm**2


def velocity_one_sided_planted(s: Any, norm: Any) -> Any:
    """Planted: counts the partner too."""
    return -2 * s / norm**2


def flow_angle(start: Any, norm_i: Any, norm_j: Any, time: Any, xp: Any) -> Any:
    """tan(φ(t)/2) = tan(φ₀/2) e^(−κt), solved for φ."""
    kappa = 1 / norm_i**2 + 1 / norm_j**2
    return 2 * xp.arctan(xp.tan(start / 2) * xp.exp(-kappa * time))


def flow_angle_planted(start: Any, norm_i: Any, norm_j: Any, time: Any, xp: Any) -> Any:
    """Planted: the exponential of small angles for all angles."""
    kappa = 1 / norm_i**2 + 1 / norm_j**2
    return start * xp.exp(-kappa * time)


def steps(start: Any, target: Any, norm: Any, learning_rate: Any, xp: Any) -> Any:
    """K = (ρ²/2γ) ln[tan(φ₀/2)/tan(φ_ε/2)] for equal norms."""
    ratio = xp.log(xp.tan(start / 2)) - xp.log(xp.tan(target / 2))
    return norm**2 / (2 * learning_rate) * ratio


def steps_planted(start: Any, target: Any, norm: Any, learning_rate: Any, xp: Any) -> Any:
    """Planted: proportional to the norm, not to its square."""
    ratio = xp.log(xp.tan(start / 2)) - xp.log(xp.tan(target / 2))
    return norm / (2 * learning_rate) * ratio


def mean_cosine(angles: Any, horizon: Any, xp: Any) -> Any:
    """Mean of cos(2 arctan(tan(φ₀/2) e^(−T))) over an ensemble on the last axis."""
    return xp.cos(2 * xp.arctan(xp.tan(angles / 2) * xp.exp(-horizon))).mean(-1, keepdims=True)


def steps_of_horizon(horizon: Any, norm: Any, learning_rate: Any) -> Any:
    """K = Tρ²/(2γ), after which tan(φ/2) has shrunk by e^(−T) at equal norms."""
    return horizon * norm**2 / (2 * learning_rate)


def steps_of_horizon_planted(horizon: Any, norm: Any, learning_rate: Any) -> Any:
    """Planted: proportional to the norm."""
    return horizon * norm / (2 * learning_rate)


def _horizon(angles: Any, norm: Any, tolerance: Any, xp: Any) -> Any:
    """The one T at which the mean cosine is 1 − ε, found by bisection."""
    low, high = 0 * norm, 0 * norm + 40
    for _ in range(60):
        middle = (low + high) / 2
        reached = mean_cosine(angles, middle, xp) >= 1 - tolerance
        low, high = xp.where(reached, low, middle), xp.where(reached, middle, high)
    return high


def _ensemble_steps(of_horizon: Any) -> Any:
    def ensemble_steps(angles: Any, norm: Any, learning_rate: Any, tolerance: Any, xp: Any) -> Any:
        """Steps until the mean cosine of an ensemble is 1 − ε."""
        return of_horizon(_horizon(angles, norm, tolerance, xp), norm, learning_rate)

    return ensemble_steps


def random_pair_steps(
    norm: Any, learning_rate: Any, tolerance: Any, dimension: Any, xp: Any
) -> Any:
    """K ≈ (ρ²/4γ) ln[2(d−1)/((d−3)ε)] for random pairs in d > 3 and small ε."""
    ratio = 2 * (dimension - 1) / ((dimension - 3) * tolerance)
    return norm**2 / (4 * learning_rate) * xp.log(ratio)


def random_pair_steps_planted(
    norm: Any, learning_rate: Any, tolerance: Any, dimension: Any, xp: Any
) -> Any:
    """Planted: ε taken for the angle, not for its square."""
    ratio = 2 * (dimension - 1) / ((dimension - 3) * tolerance)
    return norm**2 / (2 * learning_rate) * xp.log(ratio)


def _velocity(pair: PlanePair) -> Any:
    """dφ/dt from one infinitesimal step: the derivative of atan2(cross, dot) at rate 0."""
    z, y = pair.stepped
    across, along = cross(z, y), dot(z, y)[0]
    start = [e.subs(pair.rate, 0) for e in (across, along)]
    moved = [e.diff(pair.rate).subs(pair.rate, 0) for e in (across, along)]
    return (start[1] * moved[0] - start[0] * moved[1]) / (start[0] ** 2 + start[1] ** 2)


def _residuals(
    speed: Any, one_sided: Any, angle: Any, count: Any, random: Any, of_horizon: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pair, frozen = PlanePair(), PlanePair(one_sided=True)
    found["velocity"] = pair.reduce(_velocity(pair) - speed(pair.s, pair.norm_i, pair.norm_j))
    found["velocity, one-sided"] = frozen.reduce(
        _velocity(frozen) - one_sided(frozen.s, frozen.norm_i)
    )
    time, norm_i, norm_j, gamma, alpha = sp.symbols("t rho_i rho_j gamma alpha", positive=True)
    start, target = sp.symbols("phi_0 phi_1", positive=True)
    solution = angle(start, norm_i, norm_j, time, xp)
    speed_there = velocity(sp.sin(solution).expand(trig=True), norm_i, norm_j)
    found["solution of the flow"] = reduce(sp.diff(solution, time) - speed_there, {})
    found["start of the flow"] = sp.simplify(sp.tan(solution.subs(time, 0) / 2) - sp.tan(start / 2))
    count_now = count(start, target, norm_i, gamma, xp)
    arrived = flow_angle(start, norm_i, norm_i, gamma * count_now, xp)
    found["steps reach the target"] = reduce(sp.tan(arrived / 2) - sp.tan(target / 2), {})
    scaled = count(start, target, alpha * norm_i, gamma, xp)
    found["steps grow with the square"] = sp.simplify(scaled - alpha**2 * count_now)
    # An ensemble of two: its mean cosine after these steps is that of the horizon.
    horizon, other = sp.symbols("T phi_2", positive=True)
    angles = np.array([start, other], dtype=object)
    flowed = [
        flow_angle(phi, norm_i, norm_i, gamma * of_horizon(horizon, norm_i, gamma), xp)
        for phi in angles
    ]
    differs = mean_cosine(angles, horizon, xp)[0] - sum(sp.cos(phi) for phi in flowed) / 2
    # cos(2 arctan q) = 2/(1 + q²) − 1.
    found["mean cosine of an ensemble"] = reduce(differs.expand(trig=True), {})
    found |= _random_pairs(random)
    return found


def _random_pairs(random: Any) -> dict[str, Any]:
    """2 E[tan²(φ₀/2)] e^(−2T) = ε, with the mean over c of density (1 − c²)^((d−3)/2)."""
    # d − 3 = 2k, so that sympy sees the recursion Γ(k + 1) = kΓ(k).
    k_half = sp.Symbol("k", positive=True)
    d = 2 * k_half + 3
    norm, gamma, tolerance, q = sp.symbols("rho gamma epsilon q", positive=True)
    c = sp.Symbol("c", real=True)
    mean = (d - 1) / (d - 3)
    found: dict[str, Any] = {}
    # Both integrals are Beta functions: with c = 2u − 1 they are ∫ u^(a−1) (1−u)^(b−1) du.
    above = sp.gamma((d - 3) / 2) * sp.gamma((d + 1) / 2) / sp.gamma(d - 1)
    below = sp.gamma((d - 1) / 2) ** 2 / sp.gamma(d - 1)
    found["E tan²(φ₀/2), any d"] = sp.simplify(sp.gammasimp(above / below) - mean)
    for k in (5, 7, 9):
        weight = sp.cancel((1 - c) / (1 + c) * (1 - c**2) ** ((k - 3) // 2))
        total = sp.integrate((1 - c**2) ** ((k - 3) // 2), (c, -1, 1))
        exact = sp.integrate(weight, (c, -1, 1)) / total
        found[f"E tan²(φ₀/2), d={k}"] = sp.simplify(
            exact - mean.subs(k_half, sp.Rational(k - 3, 2))
        )
    # 1 − cos(2 arctan q) = 2q² to leading order in q.
    leading = sp.limit((1 - sp.cos(2 * sp.atan(q)).expand(trig=True)) / q**2, q, 0)
    found["1 − cos φ = 2 tan²(φ/2), small angles"] = sp.simplify(leading - 2)
    horizon = 2 * gamma / norm**2 * random(norm, gamma, tolerance, d, xp)
    left = 2 * mean * sp.exp(-2 * horizon) - tolerance
    found["steps of random pairs"] = sp.simplify(left)
    return found


_RIGHT = (
    velocity,
    velocity_one_sided,
    flow_angle,
    steps,
    random_pair_steps,
    steps_of_horizon,
)
_WRONG = (
    velocity_planted,
    velocity_one_sided_planted,
    flow_angle_planted,
    steps_planted,
    random_pair_steps_planted,
    steps_of_horizon_planted,
)


def _planted_proof() -> dict[str, Any]:
    keys = (
        "velocity",
        "velocity, one-sided",
        "solution of the flow",
        "steps reach the target",
        "steps grow with the square",
        "steps of random pairs",
        "mean cosine of an ensemble",
    )
    wrong = _residuals(*_WRONG)
    return {key: wrong[key] for key in keys}


CLAIM = Claim(
    name="norm_effect",
    title="Embedding-norm effect: steps grow with the squared norm",
    meaning="The number of steps until a pair agrees grows with the square of the embedding norm.",
    reason=r"The gradient falls as one over the norm, and a step of given length turns a longer "
    r"vector by less, once more one over the norm. In the flow $\tan(\varphi/2)$ then decays at "
    r"the rate $1/\rho_i^2+1/\rho_j^2$.",
    consequence=r"Twice the norm at the start costs four times the steps at the same rate. "
    r"`normtheory.steps_to_converge` gives the count where the effective rate $\gamma/\rho^2$ is "
    r"small.",
    statement=r"\frac{d\varphi}{dt}=-\left(\frac{1}{\rho_i^2}+\frac{1}{\rho_j^2}\right)\sin\varphi,"
    r"\qquad \tan\frac{\varphi(t)}{2}=\tan\frac{\varphi_0}{2}\,e^{-\kappa t},\qquad"
    r" K=\frac{\rho^2}{2\gamma}\ln\frac{\tan(\varphi_0/2)}{\tan(\varphi_\varepsilon/2)},\qquad"
    r" K_{\text{random pairs}}\approx\frac{\rho^2}{4\gamma}\ln\frac{2(d-1)}{(d-3)\,\varepsilon}",
    assumptions=(
        "attraction; gradient flow, or SGD to leading order in x = γ/ρ²",
        "step counts: equal norms, both points updated",
        "random pairs: d > 3, mean cosine 1 − ε, small ε",
    ),
    source="normtheory (derived here)",
    item="12",
    proof=lambda: _residuals(*_RIGHT),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="velocity of the angle",
            measurement="flow_velocity",
            quantity="angle_velocity",
            formula=velocity,
            planted=velocity_planted,
            mistake="1/ρ in place of 1/ρ²",
            scale=lambda norm, norm_y: 1 / (1 / norm**2 + 1 / norm_y**2),
        ),
        Check(
            name="velocity of the angle with stop-gradient",
            measurement="flow_velocity",
            quantity="one_sided_angle_velocity",
            formula=velocity_one_sided,
            planted=velocity_one_sided_planted,
            mistake="partner counted too",
            scale=lambda norm: norm**2,
        ),
        Check(
            name="angle along the flow",
            measurement="flow_run",
            quantity="angle",
            formula=flow_angle,
            planted=flow_angle_planted,
            mistake="exponential of small angles for all",
            scale=lambda time: 1 + 0 * time,
            unit="relative",
            tolerance=1e-8,
            reason="absolute error of a Runge-Kutta method of order 4 with 400 steps",
        ),
        Check(
            name="steps of single pairs",
            measurement="step_count",
            quantity="steps",
            formula=steps,
            planted=steps_planted,
            mistake="proportional to the norm",
            unit="relative",
            tolerance=0.02,
            reason="leading order in x (at most 0.01), and counts are whole numbers of 100 or more",
        ),
        Check(
            name="steps of an ensemble",
            measurement="ensemble_count",
            quantity="steps",
            formula=_ensemble_steps(steps_of_horizon),
            planted=_ensemble_steps(steps_of_horizon_planted),
            mistake="proportional to the norm",
            unit="relative",
            tolerance=0.015,
            reason="leading order in x (at most 0.02), and counts from 97 are whole numbers",
        ),
        Check(
            name="steps of random pairs, closed form",
            measurement="ensemble_count",
            quantity="steps",
            formula=random_pair_steps,
            planted=random_pair_steps_planted,
            mistake="ε taken for the angle, not its square",
            unit="relative",
            tolerance=0.03,
            reason="sampling of E tan² by 500 pairs (about 1 % of K), leading order in x and in ε",
        ),
    ),
    implemented_by=(
        "normtheory.flow_angle",
        "normtheory.steps_to_converge",
        "normtheory.random_pair_steps",
    ),
    shown_by=("norm_effect",),
)
