"""How much one step changes the cosine of a pair, the best step, and a bound that isn't one."""

from __future__ import annotations

import math
from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._plane import PlanePair
from normtheory.claims._symbolic import reduce, square

_REASON = (
    "rounding of the cosine, which a step at effective rates x_i, x_j magnifies 1 + x_i + x_j times"
)


def change(c: Any, s: Any, x_i: Any) -> Any:
    """Change c' − c = 2xs²(1 − xc)/(1 + x²s²) for equal norms."""
    return 2 * x_i * s**2 * (1 - x_i * c) / (1 + x_i**2 * s**2)


def change_planted(c: Any, s: Any, x_i: Any) -> Any:
    """Planted: the denominator's s² left out."""
    return 2 * x_i * s**2 * (1 - x_i * c) / (1 + x_i**2)


def cosine_numerator(c: Any, s: Any, x_i: Any, x_j: Any) -> Any:
    """The cosine c' times √((1 + x_i²s²)(1 + x_j²s²))."""
    return c * (1 - x_i * x_j * s**2) + (x_i + x_j) * s**2


def cosine_numerator_planted(c: Any, s: Any, x_i: Any, x_j: Any) -> Any:
    """Planted: without the second-order term."""
    return c + (x_i + x_j) * s**2


def _change_of(numerator: Any) -> Any:
    def general_change(c: Any, s: Any, x_i: Any, x_j: Any, xp: Any) -> Any:
        """Change c' − c for any two norms; x_j = 0 with stop-gradient on j."""
        length = xp.sqrt((1 + x_i**2 * s**2) * (1 + x_j**2 * s**2))
        return numerator(c, s, x_i, x_j) / length - c

    return general_change


def best_rate(c: Any) -> Any:
    """Rate x = 1/(1 + c): exact alignment in one step, equal norms, both points updated."""
    return 1 / (1 + c)


def best_rate_planted(c: Any) -> Any:
    """Planted: the value for nearly aligned pairs, for all."""
    return 1 / (2 + 0 * c)


def best_rate_one_sided(c: Any) -> Any:
    """Rate x = 1/c: the same with stop-gradient on j, for acute pairs."""
    return 1 / c


def best_rate_one_sided_planted(c: Any) -> Any:
    """Planted: the two-sided value doubled."""
    return 2 / (1 + c)


def simple_bound(c: Any, s: Any, x_i: Any) -> Any:
    """B = xs²(2 − xc)."""
    return x_i * s**2 * (2 - x_i * c)


def change_from_bound(c: Any, s: Any, x_i: Any, next_cosine: Any) -> Any:
    """Change c' − c = B − x²s²c'."""
    return simple_bound(c, s, x_i) - x_i**2 * s**2 * next_cosine


def change_from_bound_planted(c: Any, s: Any, x_i: Any, next_cosine: Any) -> Any:
    """Planted: the cosine before the step in place of the one after."""
    return simple_bound(c, s, x_i) - x_i**2 * s**2 * c + 0 * next_cosine


def bound(c: Any, s: Any, x_i: Any) -> Any:
    """2xs²(1 − xc), which the change is a share 1/(1 + x²s²) of."""
    return 2 * x_i * s**2 * (1 - x_i * c)


def bound_planted(c: Any, s: Any, x_i: Any) -> Any:
    """Planted: half of the bound."""
    return x_i * s**2 * (1 - x_i * c)


def _cut_off_at(of: Any) -> Any:
    def within_bound(c: Any, s: Any, x_i: Any, cosine_change: Any, xp: Any) -> Any:
        """The change cut off at ± its bound: the change itself, if that is a bound."""
        most = abs(of(c, s, x_i))
        return xp.clip(cosine_change, -most, most)

    return within_bound


def _residuals(
    numerator: Any, equal: Any, from_bound: Any, best: Any, best_one_sided: Any, most: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, pair in {"both": PlanePair(), "one-sided": PlanePair(one_sided=True)}.items():
        z, y = pair.stepped
        c, s = pair.c, pair.s
        # dot = c' ‖z'‖‖y'‖ and the norms factor exactly, so no square root is needed.
        claimed = pair.norm_i * pair.norm_j * numerator(c, s, pair.x_i, pair.x_j)
        found[f"numerator, {name}"] = pair.reduce(dot(z, y)[0] - claimed)
        for point, norm, x in ((z, pair.norm_i, pair.x_i), (y, pair.norm_j, pair.x_j)):
            found[f"length {norm}, {name}"] = pair.reduce(
                square(point) - norm**2 * (1 + x**2 * s**2)
            )
    c = sp.Symbol("c", real=True)
    s, x = sp.symbols("s x", positive=True)
    roots = {s: 1 - c**2}
    after = numerator(c, s, x, x) / (1 + x**2 * s**2)
    found["change at equal norms"] = reduce(after - c - equal(c, s, x), roots)
    found["change from the simple bound"] = reduce(after - c - from_bound(c, s, x, after), roots)
    found["always bounded by 2xs²(1 − xc)"] = reduce(
        (after - c) * (1 + x**2 * s**2) - most(c, s, x), roots
    )
    found["best rate aligns"] = reduce(after.subs(x, best(c)) - 1, roots)
    # One-sided: c'² = 1 at x = 1/c, and c' has the sign of c + xs² > 0.
    one_sided = numerator(c, s, x, 0) ** 2 / (1 + x**2 * s**2)
    found["best one-sided rate aligns"] = reduce(one_sided.subs(x, best_one_sided(c)) - 1, roots)
    return found


_RIGHT = (cosine_numerator, change, change_from_bound, best_rate, best_rate_one_sided, bound)


def _planted_proof() -> dict[str, Any]:
    wrong = (
        cosine_numerator_planted,
        change_planted,
        change_from_bound_planted,
        best_rate_planted,
        best_rate_one_sided_planted,
        bound_planted,
    )
    keys = (
        "numerator, both",
        "change at equal norms",
        "change from the simple bound",
        "best rate aligns",
        "best one-sided rate aligns",
        "always bounded by 2xs²(1 − xc)",
    )
    found = {}
    for k, key in enumerate(keys):
        mixed = [wrong[m] if m == k else _RIGHT[m] for m in range(len(_RIGHT))]
        found[key] = _residuals(*mixed)[key]
    return found


_OBTUSE: dict[str, Any] = {"first": (math.acos(-0.9), 0.1, 0.1), "equal": True}
_TOO_FAR: dict[str, Any] = {"first": (math.acos(0.8), 2.0, 2.0), "equal": True}
_ONE_SIDED: dict[str, Any] = {"first": (1.0, 0.5, 0.5), "one_sided": True}

CLAIM = Claim(
    name="step_change",
    title="Change of the cosine in one step",
    meaning="The change of a pair's cosine in one step is known exactly. At equal norms the rate "
    "$x=1/(1+c)$ aligns it at once, and beyond $xc=1$ a step moves it apart.",
    reason="The new cosine follows from the two turns, each with the tangent $xs$. The simpler "
    "$xs^2(2-xc)$ exceeds the change by $x^2s^2c'$, so it bounds the change exactly while the new "
    "cosine is not negative.",
    consequence=r"Do not take $xs^2(2-xc)$ for a bound on obtuse pairs; $\lvert2xs^2(1-xc)\rvert$ "
    r"is one for all. Laws of small steps need $x$ far below the best rate.",
    statement=r"c'-c=\frac{2xs^2(1-xc)}{1+x^2s^2},\qquad c'=\frac{c(1-x_ix_js^2)+(x_i+x_j)s^2}"
    r"{\sqrt{(1+x_i^2s^2)(1+x_j^2s^2)}},\qquad x_{\text{best}}=\frac{1}{1+c},\qquad"
    r" xs^2(2-xc)-(c'-c)=x^2s^2c',\qquad \lvert c'-c\rvert\le\lvert 2xs^2(1-xc)\rvert",
    assumptions=(
        "attraction by plain SGD, x = γ/ρ², c = cos φ, s = sin φ",
        "first and last three: both points updated, equal norms",
        "stop-gradient on j: x_j = 0, and x_best = 1/c for c > 0",
    ),
    source="normtheory (derived here)",
    item="10",
    proof=lambda: _residuals(*_RIGHT),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="change at equal norms",
            measurement="pair_step",
            options={"equal": True},
            quantity="cosine_change",
            formula=change,
            planted=change_planted,
            mistake="s² missing in the denominator",
            scale=lambda x_i: 1 / (1 + x_i),
            reason=_REASON,
        ),
        Check(
            name="change at any norms",
            measurement="pair_step",
            quantity="cosine_change",
            formula=_change_of(cosine_numerator),
            planted=_change_of(cosine_numerator_planted),
            mistake="second-order term left out",
            scale=lambda x_i, x_j: 1 / (1 + x_i + x_j),
            reason=_REASON,
        ),
        Check(
            name="change with stop-gradient",
            measurement="pair_grid",
            options=_ONE_SIDED,
            quantity="cosine_change",
            formula=_change_of(cosine_numerator),
            planted=lambda c, s, x_i, xp: _change_of(cosine_numerator)(c, s, x_i, x_i, xp),
            mistake="partner moved too",
            scale=lambda x_i: 1 / (1 + x_i),
            reason=_REASON,
        ),
        Check(
            name="change from the simple bound",
            measurement="pair_step",
            options={"equal": True},
            quantity="cosine_change",
            formula=change_from_bound,
            planted=change_from_bound_planted,
            mistake="cosine before the step in place of the one after",
            scale=lambda x_i: 1 / (1 + x_i) ** 2,
            reason="rounding of c', multiplied by x²s²",
        ),
        Check(
            name="absolute bound",
            measurement="pair_step",
            options={"equal": True},
            quantity="cosine_change",
            formula=_cut_off_at(bound),
            planted=_cut_off_at(bound_planted),
            mistake="half of the bound",
            scale=lambda x_i: 1 / (1 + x_i),
            reason=_REASON,
        ),
        Check(
            name="best rate",
            measurement="best_rate",
            quantity="best_rate",
            formula=best_rate,
            planted=best_rate_planted,
            mistake="value for nearly aligned pairs",
            unit="relative",
            tolerance=1e-10,
            reason="a maximum found by bisection on its derivative: rounding over the curvature",
        ),
        Check(
            name="best rate with stop-gradient",
            measurement="best_rate",
            options={"one_sided": True},
            quantity="best_rate",
            formula=best_rate_one_sided,
            planted=best_rate_one_sided_planted,
            mistake="two-sided value doubled",
            unit="relative",
            tolerance=1e-10,
            reason="a maximum found by bisection on its derivative: rounding over the curvature",
        ),
    ),
    conditions=(
        Condition(
            name="xs²(2 − xc) bounds the change from above",
            region=r"c'\ge 0,\ \text{that is}\ c(1-x^2s^2)+2xs^2\ge 0",
            measurement="pair_grid",
            options=_OBTUSE,
            margin=lambda c, s, x_i: cosine_numerator(c, s, x_i, x_i),
            slack=lambda c, s, x_i, cosine_change: simple_bound(c, s, x_i) - cosine_change,
            counterexample="x = 0.1, c = −0.9: the cosine grows by 0.0413, the bound says 0.0397",
        ),
        Condition(
            name="a step brings the pair closer",
            region=r"xc < 1",
            measurement="pair_grid",
            options=_TOO_FAR,
            margin=lambda c, x_i: 1 - x_i * c,
            slack=lambda cosine_change: cosine_change,
            counterexample="x = 2, c = 0.8: the cosine falls",
        ),
    ),
    implemented_by=("normtheory.stability.best_rate", "normtheory.pair_step"),
    shown_by=("step_change",),
)
