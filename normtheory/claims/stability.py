"""Which rates are stable near alignment, and what happens above them."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._plane import PlanePair, cross
from normtheory.claims._symbolic import square, xp

#: Angle at which the linear law is measured: its error φ² and the rounding eps/φ are both tiny.
_SMALL = 1e-5


def next_angle(angle: Any, x_i: Any, x_j: Any) -> Any:
    """φ' = |1 − x_i − x_j| φ near alignment."""
    return abs(1 - x_i - x_j) * angle


def next_angle_planted(angle: Any, x_i: Any, x_j: Any) -> Any:
    """Planted: the rate of i counted for both points."""
    return abs(1 - 2 * x_i + 0 * x_j) * angle


def final_rate(x: Any) -> Any:
    """x_∞ ≈ 2 − x₀ for x₀ just above 1, equal norms."""
    return 2 - x


def final_rate_planted(x: Any) -> Any:
    """Planted: growth stops at the border."""
    return 1 + 0 * x


def oscillation(learning_rate: Any, xp: Any) -> Any:
    """The angle arccos(1/γ) to which a pair with GradScale power 2 and γ > 1 settles."""
    return xp.arccos(1 / learning_rate)


def oscillation_planted(learning_rate: Any, xp: Any) -> Any:
    """Planted: arccos(1/γ²)."""
    return xp.arccos(1 / learning_rate**2)


def growth(learning_rate: Any) -> Any:
    """There the norm multiplies by γ in every step."""
    return learning_rate


def growth_planted(learning_rate: Any, xp: Any) -> Any:
    """Planted: by √γ."""
    return xp.sqrt(learning_rate)


def _linear(law: Any) -> Any:
    phi, x_i, x_j = sp.symbols("phi x_i x_j", positive=True)
    moved = phi - sp.atan(x_i * sp.sin(phi)) - sp.atan(x_j * sp.sin(phi))
    slope = moved.diff(phi).subs(phi, 0)
    # Squares, because the law gives the size of the new angle and the slope its sign too.
    return sp.expand(slope**2 - law(1, x_i, x_j) ** 2)


def _invariant(final: Any) -> list[Any]:
    """φ² + 2(x − 1)² is conserved to leading order, so x ends as far below 1 as it began above."""
    phi, delta, eta, start = sp.symbols("phi delta eta delta_0", positive=True)
    x, s = 1 + eta * delta, sp.sin(eta * phi)
    angle = eta * phi - 2 * sp.atan(x * s)
    excess = x / (1 + x**2 * s**2) - 1
    change = angle**2 + 2 * excess**2 - (eta * phi) ** 2 - 2 * (eta * delta) ** 2
    # All terms below η⁴, by their derivatives at 0.
    terms = [sp.expand(change.diff(eta, k).subs(eta, 0)) for k in range(4)]
    ended = final(1 + start) - 1
    return [*terms, sp.expand(2 * start**2 - 2 * ended**2)]


def _power_two(angle: Any, factor: Any) -> list[Any]:
    pair = PlanePair(power=sp.Integer(2))
    z, y = pair.stepped
    where = {pair.c: sp.cos(angle(pair.rate, xp))}
    grown = factor(pair.rate, xp) ** 2
    size = grown * pair.norm_i * pair.norm_j
    parts = [
        square(z) - grown * pair.norm_i**2,
        dot(z, y)[0] - size * pair.c,
        cross(z, y) + size * pair.s,
    ]
    # s² = 1 − c² first, then the claimed angle.
    return [sp.simplify(sp.sympify(pair.reduce(part)).subs(where)) for part in parts]


def _residuals(law: Any, final: Any, angle: Any, factor: Any) -> dict[str, Any]:
    return {
        "slope at alignment": _linear(law),
        "self-taming": _invariant(final),
        "GradScale 2 repeats itself mirrored": _power_two(angle, factor),
    }


_ALIGNED: dict[str, Any] = {
    "first": (_SMALL, 1.3, 1.2),
    "angles": (_SMALL, _SMALL),
    "rates": (0.02, 3.0),
}
_ONE_SIDED: dict[str, Any] = {**_ALIGNED, "first": (_SMALL, 2.5, 1.0), "one_sided": True}


def _shrinks(angle: Any, next_angle: Any) -> Any:
    return 1 - next_angle / angle


def _keeps_side(angle: Any, crossing: Any) -> Any:
    return crossing / angle


CLAIM = Claim(
    name="stability",
    title="Stable rates, self-taming, and runaway",
    meaning="Near alignment a pair closes if its two effective rates add up to less than 2. Above, "
    "norms grow until it does, so a too large rate tames itself where GradScale's power is below "
    "2.",
    reason=r"Close to alignment a point turns by $x\varphi$, so the angle is multiplied by "
    r"$1-x_i-x_j$. A pair that overshoots keeps growing, which lowers $x=\gamma\rho^{p-2}$, but "
    r"not at $p=2$.",
    consequence=r"Below that power a too large rate does not diverge, but the norms that it leaves "
    r"slow all later steps. With GradScale 2 keep $\gamma$ below 1, or pairs oscillate and their "
    r"norms grow without end.",
    statement=r"\varphi'\approx(1-x_i-x_j)\,\varphi\ (\varphi\to0),\qquad "
    r"x_i+x_j<2\iff\text{contracts},\qquad x_i+x_j<1\iff\text{without change of sign};\qquad "
    r"x_\infty\approx2-x_0\ (x_0\downarrow1);\qquad "
    r"p=2,\ \gamma>1:\ \varphi\to\arccos\tfrac1\gamma,\ \rho'=\gamma\rho",
    assumptions=(
        "attraction by plain SGD, x = γ/ρ²; stop-gradient on j: x_j = 0",
        "taming: GradScale power p < 2, start other than φ = 0 or π exactly",
        "last two statements: equal norms",
    ),
    source="normtheory (derived here)",
    item="11",
    proof=lambda: _residuals(next_angle, final_rate, oscillation, lambda g, xp: growth(g)),
    planted_proof=lambda: _residuals(
        next_angle_planted, final_rate_planted, oscillation_planted, growth_planted
    ),
    checks=(
        Check(
            name="angle after a step near alignment",
            measurement="pair_grid",
            options=_ALIGNED,
            quantity="next_angle",
            formula=next_angle,
            planted=next_angle_planted,
            mistake="rate of i counted for both",
            scale=lambda angle: 1 / angle,
            unit="relative",
            tolerance=1e-8,
            reason="at φ = 1e-5: terms of order φ², and rounding eps/φ",
        ),
        Check(
            name="self-taming",
            measurement="self_taming",
            quantity="final_x",
            formula=final_rate,
            planted=final_rate_planted,
            mistake="growth stops at the border",
            unit="relative",
            tolerance=5e-3,
            reason="leading order in x₀ − 1, here up to 0.04, so terms of 0.0016",
        ),
        Check(
            name="oscillation at GradScale 2",
            measurement="runaway",
            quantity="angle",
            formula=oscillation,
            planted=oscillation_planted,
            mistake="1/γ² in place of 1/γ",
            tolerance=64.0,
        ),
        Check(
            name="growth at GradScale 2",
            measurement="runaway",
            quantity="growth",
            formula=growth,
            planted=growth_planted,
            mistake="√γ in place of γ",
        ),
    ),
    conditions=(
        Condition(
            name="contracts",
            region=r"x_i+x_j<2",
            measurement="pair_grid",
            options=_ALIGNED,
            margin=lambda x_i, x_j: 2 - x_i - x_j,
            slack=_shrinks,
            counterexample="x_i = 1.3, x_j = 1.2: the angle grows by half",
        ),
        Condition(
            name="contracts without change of sign",
            region=r"x_i+x_j<1",
            measurement="pair_grid",
            options=_ALIGNED,
            margin=lambda x_i, x_j: 1 - x_i - x_j,
            slack=_keeps_side,
            counterexample="x_i = 1.3, x_j = 1.2: the points change sides",
        ),
        Condition(
            name="contracts with stop-gradient",
            region=r"x_i<2",
            measurement="pair_grid",
            options=_ONE_SIDED,
            margin=lambda x_i: 2 - x_i,
            slack=_shrinks,
            counterexample="x_i = 2.5: the angle grows by half",
        ),
        Condition(
            name="without change of sign with stop-gradient",
            region=r"x_i<1",
            measurement="pair_grid",
            options=_ONE_SIDED,
            margin=lambda x_i: 1 - x_i,
            slack=_keeps_side,
            counterexample="x_i = 2.5: the points change sides",
        ),
        Condition(
            name="a too large rate tames itself",
            region=r"p<2",
            measurement="large_rates",
            # p = 2 itself lies outside.
            margin=lambda gradscale: 1.99 - gradscale,
            slack=lambda final_angle: 1e-2 - final_angle,
            counterexample="p = 2 with effective rate above 1: the angle never closes",
        ),
    ),
    implemented_by=(
        "normtheory.stability.contraction",
        "normtheory.stability.largest_rate",
        "normtheory.stability.settled_rate",
        "normtheory.stability.oscillation_angle",
    ),
    shown_by=("phase_diagram",),
)
