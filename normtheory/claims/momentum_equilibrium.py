"""SGD with momentum and weight decay settles where both act: norm, and turn in any number of steps.

The embedding is a linear recursion of second order in fresh gradients, so its second moments are
those of an autoregression of order two, whatever the loss and the dimension.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._moments import later, stationary

_AVERAGE = (
    "means over at least 16 points and 2400 steps after a burn-in of many relaxations; standard "
    "error up to 1 % for the squares in three dimensions, where gradients have heavy tails"
)
_TURN = (
    "the same means; relative to what the cosine lacks of 1, of which one step is known to 0.1 % "
    "and a block of steps, measured once a block, to 1 %"
)


def balance(learning_rate: Any, weight_decay: Any, momentum: Any, mean_square_sine: Any) -> Any:
    """Eρ²/Eρ⁻² = γ²E[s²](1+αβ)/((1−β²)(1−α²)(1−αβ)), α = 1−γλ: decay beside the momentum."""
    keep = 1 - learning_rate * weight_decay
    return (
        learning_rate**2
        * mean_square_sine
        * (1 + keep * momentum)
        / ((1 - momentum**2) * (1 - keep**2) * (1 - keep * momentum))
    )


def balance_planted(
    learning_rate: Any, weight_decay: Any, momentum: Any, mean_square_sine: Any
) -> Any:
    """Planted: SGD without momentum, its gradients larger by 1/(1−β)."""
    pushed = learning_rate**2 * mean_square_sine / (1 - momentum) ** 2
    return pushed / (1 - (1 - learning_rate * weight_decay) ** 2)


def coupled_balance(
    learning_rate: Any, weight_decay: Any, momentum: Any, mean_square_sine: Any
) -> Any:
    """Eρ²/Eρ⁻² = γE[s²](1+β)/((1−β)λ(2(1+β)−γλ)): decay through the momentum."""
    pushed = learning_rate * mean_square_sine * (1 + momentum)
    both = 2 * (1 + momentum) - learning_rate * weight_decay
    return pushed / ((1 - momentum) * weight_decay * both)


def cosine(learning_rate: Any, weight_decay: Any, momentum: Any) -> Any:
    """E z·z'/Eρ² = (α+β)/(1+αβ)."""
    keep = 1 - learning_rate * weight_decay
    return (keep + momentum) / (1 + keep * momentum)


def cosine_planted(learning_rate: Any, weight_decay: Any, momentum: Any) -> Any:
    """Planted: α+β−1."""
    return 1 - learning_rate * weight_decay + momentum - 1


def coupled_cosine(learning_rate: Any, weight_decay: Any, momentum: Any) -> Any:
    """1 − γλ/(1+β)."""
    return 1 - learning_rate * weight_decay / (1 + momentum)


def of_roots(first: Any, second: Any, steps: Any) -> Any:
    """E z·z⁽ᵏ⁾/Eρ² of a recursion with these two roots, which are α and β without coupling."""
    rise = (1 - second**2) * first ** (steps + 1) - (1 - first**2) * second ** (steps + 1)
    return rise / ((first - second) * (1 + first * second))


def of_roots_planted(first: Any, second: Any, steps: Any) -> Any:
    """Planted: the turns of single steps taken as independent."""
    return ((first + second) / (1 + first * second)) ** steps


def later_cosine(learning_rate: Any, weight_decay: Any, momentum: Any, steps: Any) -> Any:
    """:func:`of_roots` with the roots α and β."""
    return of_roots(1 - learning_rate * weight_decay, momentum, steps)


def later_cosine_planted(learning_rate: Any, weight_decay: Any, momentum: Any, steps: Any) -> Any:
    """:func:`of_roots_planted` with the roots α and β."""
    return of_roots_planted(1 - learning_rate * weight_decay, momentum, steps)


def coupled_later_cosine(learning_rate: Any, weight_decay: Any, momentum: Any, steps: Any) -> Any:
    """:func:`of_roots` with the roots of r² − (1+β−γλ)r + β, which may be complex."""
    half = (1 + momentum - learning_rate * weight_decay) / 2
    root = (half**2 - momentum + 0j) ** 0.5
    return of_roots(half + root, half - root, steps).real


def swing(momentum: Any) -> Any:
    """The γλ from which coupled decay makes points swing back, (1−√β)², by the root of β."""
    return (1 - momentum) ** 2


def swing_planted(momentum: Any) -> Any:
    """Planted: twice that, as for a pair near alignment."""
    return 2 * (1 - momentum) ** 2


def _residuals(
    balanced: Any, coupled: Any, turned: Any, coupled_turned: Any, correlation: Any, threshold: Any
) -> dict[str, Any]:
    gamma, lam, beta, s2 = sp.symbols("gamma lambda beta s2", positive=True)
    keep = 1 - gamma * lam
    push = [-gamma, 1]
    plain = [[keep, -gamma * beta], [0, beta]]
    joined = [[keep, -gamma * beta], [lam, beta]]
    found: dict[str, Any] = {}
    # E‖g‖² = E[s²] E ρ⁻², so with E ρ⁻² = 1 the second moment of z is the ratio.
    for name, step, ratio, turn in (
        ("decoupled", plain, balanced, turned),
        ("coupled", joined, coupled, coupled_turned),
    ):
        moments = stationary(step, push, s2)
        found[f"balance, {name}"] = sp.factor(moments[0, 0] - ratio(gamma, lam, beta, s2))
        found[f"one step, {name}"] = sp.factor(later(step, moments, 1) - turn(gamma, lam, beta))
    # Any number of steps: the first ones, and the recursion of the characteristic polynomial.
    first, second, k = sp.symbols("r_1 r_2 k", positive=True)
    roots = {gamma: (1 + beta - first - second) / lam}
    for name, step, values in (
        ("decoupled", plain, {gamma: (1 - first) / lam, beta: second}),
        ("coupled", joined, {gamma: roots[gamma].subs(beta, first * second), beta: first * second}),
    ):
        step = sp.Matrix(step).subs(values)
        moments = stationary(step, [-values[gamma], 1], s2)
        found[f"roots, {name}"] = [
            sp.factor(step.trace() - first - second),
            sp.factor(step.det() - first * second),
        ]
        found[f"first steps, {name}"] = [
            sp.factor(later(step, moments, steps) - correlation(first, second, steps))
            for steps in (1, 2, 3)
        ]
    found["no step"] = sp.factor(correlation(first, second, 0) - 1)
    then = [correlation(first, second, k + j) for j in range(3)]
    found["every later step"] = sp.simplify(
        sp.expand(then[2] - (first + second) * then[1] + first * second * then[0])
    )
    # Written in √β, which keeps the polynomial free of roots.
    half = sp.Symbol("b", positive=True)
    total = 1 + half**2 - threshold(half)
    found["double root where points begin to swing"] = sp.expand(total**2 - 4 * half**2)
    return found


def _planted_proof() -> dict[str, Any]:
    found = _residuals(
        balance_planted,
        balance,
        cosine_planted,
        cosine,
        of_roots_planted,
        swing_planted,
    )
    # The planted correlation has the right roots, and the right value at no step.
    return {k: v for k, v in found.items() if k != "no step" and not k.startswith("roots")}


CLAIM = Claim(
    name="momentum_equilibrium",
    title="Equilibrium of SGD with momentum",
    meaning="SGD with momentum and weight decay has an equilibrium whose norm and turn in any "
    "number of steps are known in closed form, for decay beside the momentum and through it.",
    reason=r"Against fresh gradients the embedding follows a linear recursion of second order, so "
    r"its second moments are those of an autoregression. The factor $1/\rho$ of the gradient "
    r"enters by the mean of $\rho^{-2}$.",
    consequence=r"Coupled and decoupled decay give different norms and turns at the same numbers, "
    r"so know which one an optimizer has. From $\gamma\lambda=(1-\sqrt\beta)^2$ on coupled decay "
    r"makes points swing back.",
    statement=r"v'=\beta v+g,\ z'=\alpha z-\gamma v',\ \alpha=1-\gamma\lambda:\quad "
    r"\frac{\mathbb{E}\rho^2}{\mathbb{E}\rho^{-2}}="
    r"\frac{\gamma^2\,\mathbb{E}[s^2](1+\alpha\beta)}"
    r"{(1-\beta^2)(1-\alpha^2)(1-\alpha\beta)},\qquad "
    r"\frac{\mathbb{E}\,z\cdot z^{(k)}}{\mathbb{E}\rho^2}="
    r"\frac{(1-\beta^2)\alpha^{k+1}-(1-\alpha^2)\beta^{k+1}}{(\alpha-\beta)(1+\alpha\beta)},\quad"
    r" k=1:\ \frac{\alpha+\beta}{1+\alpha\beta};\\ \text{coupled}\ v'=\beta v+g+\lambda z:\quad "
    r"\frac{\gamma\,\mathbb{E}[s^2](1+\beta)}{(1-\beta)\lambda(2(1+\beta)-\gamma\lambda)},\quad "
    r"1-\frac{\gamma\lambda}{1+\beta},\quad "
    r"\text{roots of}\ r^2-(1+\beta-\gamma\lambda)r+\beta\ \text{for}\ \alpha,\beta",
    assumptions=(
        "gradients with mean zero given the past and ‖g‖ = s/ρ, s independent of ρ: fresh partners",
        "stationary, with finite E ρ² and E ρ⁻²",
        "ratios of means, exact in every dimension; the mean angle and E ρ⁴ differ by order 1/d",
        "with coupled decay the roots are complex, and points swing back, from γλ = (1 − √β)² on",
    ),
    source="normtheory (derived here); to leading order in γλ Kosson et al. 2023",
    item="21",
    proof=lambda: _residuals(balance, coupled_balance, cosine, coupled_cosine, of_roots, swing),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="ratio of mean squares",
            measurement="momentum_equilibrium",
            quantity="balance",
            formula=balance,
            planted=balance_planted,
            mistake="plain SGD at the rate γ/(1−β)",
            unit="relative",
            tolerance=0.06,
            reason=_AVERAGE,
        ),
        Check(
            name="cosine of one step",
            measurement="momentum_equilibrium",
            quantity="cosine",
            formula=cosine,
            planted=cosine_planted,
            mistake="α + β − 1",
            scale=lambda cosine: 1 / (1 - cosine),
            unit="relative",
            tolerance=0.01,
            reason=_TURN,
        ),
        Check(
            name="cosine of several steps",
            measurement="momentum_equilibrium",
            quantity="later",
            formula=later_cosine,
            planted=later_cosine_planted,
            mistake="steps taken as independent",
            scale=lambda later: 1 / (1 - later),
            unit="relative",
            tolerance=0.06,
            reason=_TURN,
        ),
        Check(
            name="ratio of mean squares, coupled",
            measurement="momentum_equilibrium",
            options={"coupled": True},
            quantity="balance",
            formula=coupled_balance,
            planted=balance,
            mistake="the decoupled law",
            unit="relative",
            tolerance=0.06,
            reason=_AVERAGE,
        ),
        Check(
            name="cosine of one step, coupled",
            measurement="momentum_equilibrium",
            options={"coupled": True},
            quantity="cosine",
            formula=coupled_cosine,
            planted=cosine,
            mistake="the decoupled law",
            scale=lambda cosine: 1 / (1 - cosine),
            unit="relative",
            tolerance=0.01,
            reason=_TURN,
        ),
        Check(
            name="cosine of several steps, coupled",
            measurement="momentum_equilibrium",
            options={"coupled": True},
            quantity="later",
            formula=coupled_later_cosine,
            planted=later_cosine,
            mistake="the decoupled law",
            scale=lambda later: 1 / (1 - later),
            unit="relative",
            tolerance=0.06,
            reason=_TURN,
        ),
    ),
    implemented_by=(
        "normtheory.equilibrium.momentum_norm",
        "normtheory.equilibrium.momentum_cosine",
    ),
    shown_by=("equilibria", "predicted"),
)
