"""The fourth power of a norm grows linearly: norms grow as t^(1/4), and tell the frequency."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._plane import PlanePair
from normtheory.claims._symbolic import square, xp

_AVERAGE = (
    "an average over 256 points and 2000 steps: standard error about 0.5 % for the rarest class; "
    "the excess of order γ² log t and the start count for another percent"
)


def fourth_power(norm_i: Any, s: Any, learning_rate: Any) -> Any:
    """ρ'⁴ = ρ⁴ + 2γ²s² + γ⁴s⁴/ρ⁴."""
    return norm_i**4 + 2 * learning_rate**2 * s**2 + learning_rate**4 * s**4 / norm_i**4


def fourth_power_planted(norm_i: Any, s: Any, learning_rate: Any) -> Any:
    """Planted: the middle term not doubled."""
    return norm_i**4 + learning_rate**2 * s**2 + learning_rate**4 * s**4 / norm_i**4


def mean_law(norm: Any, learning_rate: Any, frequency: Any, mean_sine2: Any, steps: Any) -> Any:
    """E ρ⁴(t) ≈ ρ₀⁴ + 2γ² p E[s²] t."""
    return norm**4 + 2 * learning_rate**2 * frequency * mean_sine2 * steps


def mean_law_planted(
    norm: Any, learning_rate: Any, frequency: Any, mean_sine2: Any, steps: Any
) -> Any:
    """Planted: growth without the factor 2."""
    return norm**4 + learning_rate**2 * frequency * mean_sine2 * steps


def bound(norm: Any, learning_rate: Any, sum_sine2: Any) -> Any:
    """ρ₀⁴ + 2γ² Σ s², along every path."""
    return norm**4 + 2 * learning_rate**2 * sum_sine2


def bound_planted(norm: Any, learning_rate: Any, sum_sine2: Any) -> Any:
    """Planted: growth 5 % larger."""
    return norm**4 + 2.1 * learning_rate**2 * sum_sine2


def _at_least(of: Any) -> Any:
    def at_least(norm: Any, learning_rate: Any, sum_sine2: Any, mean_power: Any, xp: Any) -> Any:
        """E ρ⁴ itself, as long as it is at least the bound."""
        return xp.maximum(mean_power, of(norm, learning_rate, sum_sine2))

    return at_least


def norm_ratio(frequency: Any, xp: Any) -> Any:
    """(p₁/p₂)^(1/4) for p₁ = 1, against fresh directions."""
    return 1 / xp.sqrt(xp.sqrt(frequency))


def coherent_ratio(frequency: Any, xp: Any) -> Any:
    """(p₁/p₂)^(1/2) for p₁ = 1, where a class's gradients in a batch point the same way."""
    return 1 / xp.sqrt(frequency)


def _mean_sine2(d: int) -> sp.Expr:
    """E sin² of the angle to a uniform direction in d dimensions, by integration."""
    phi = sp.Symbol("phi", real=True)
    density = sp.sin(phi) ** (d - 2)
    total = sp.integrate(density, (phi, 0, sp.pi))
    return sp.integrate(sp.sin(phi) ** 2 * density, (phi, 0, sp.pi)) / total


def _residuals(power: Any, law: Any, ratio: Any, coherent: Any, least: Any) -> dict[str, Any]:
    pair = PlanePair()
    exact = square(pair.stepped[0]) ** 2
    found: dict[str, Any] = {
        "fourth power": pair.reduce(exact - power(pair.norm_i, pair.s, pair.rate)),
    }
    # One step against the law for one step: the rest is the square (γs/ρ)⁴, so the law is a bound.
    once = law(pair.norm_i, pair.rate, 1, pair.s**2, 1)
    rest = (pair.rate * pair.s / pair.norm_i) ** 4
    found["excess over the law is a square"] = pair.reduce(exact - once - rest)
    # A step adds to the sum what it adds to the bound, and a square to the excess over it.
    before = sp.Symbol("S0", nonnegative=True)
    moved = least(pair.norm_i, pair.rate, before + pair.s**2) - least(
        pair.norm_i, pair.rate, before
    )
    found["lower bound"] = pair.reduce(exact - pair.norm_i**4 - moved - rest)
    start, rate, sine2, time, rare = sp.symbols("rho_0 gamma S t f", positive=True)
    quotient = law(start, rate, 1, sine2, time) / law(start, rate, rare, sine2, time)
    far = sp.limit(quotient, time, sp.oo)
    found["ratio of norms"] = sp.simplify(far - ratio(rare, xp) ** 4)
    together = law(start, rate, 1, sine2, time) / law(start, rate * rare, 1, sine2, time)
    far = sp.limit(together, time, sp.oo)
    found["ratio of norms, coherent"] = sp.simplify(far - coherent(rare, xp) ** 4)
    return found


def _proof() -> dict[str, Any]:
    found = _residuals(fourth_power, mean_law, norm_ratio, coherent_ratio, bound)
    for d in (2, 3, 4, 5):
        found[f"E s² = 1 − 1/d, d={d}"] = sp.simplify(_mean_sine2(d) - 1 + sp.Rational(1, d))
    return found


def _planted_proof() -> dict[str, Any]:
    found = _residuals(fourth_power_planted, mean_law, coherent_ratio, norm_ratio, bound_planted)
    wrong = _residuals(fourth_power, mean_law_planted, coherent_ratio, norm_ratio, bound_planted)
    del found["excess over the law is a square"]
    return found | {"law": wrong["excess over the law is a square"]}


CLAIM = Claim(
    name="quartic_growth",
    title="The fourth power of the norm grows linearly",
    meaning="Under plain SGD the fourth power of a norm grows in proportion to the number of "
    "updates, so against fresh directions norms grow as $t^{1/4}$ and tell how often a sample was "
    "seen.",
    reason=r"A step adds $\gamma^2s^2/\rho^2$ to the squared norm, less the longer the embedding "
    r"is. To the fourth power it adds $2\gamma^2s^2$, which knows no norm, and a rest that fades "
    r"as the norm grows.",
    consequence="After long runs two classes with frequencies $p_1$, $p_2$ have norms in the ratio "
    "$(p_1/p_2)^{1/4}$, or $(p_1/p_2)^{1/2}$ where the gradients of a class within a batch agree: "
    "rare samples stay short.",
    statement=r"\rho'^4=\rho^4+2\gamma^2\sin^2\varphi+\frac{\gamma^4\sin^4\varphi}{\rho^4},\qquad"
    r"\mathbb{E}\,\rho^4(t)\approx\rho_0^4+2\gamma^2p\,\mathbb{E}[\sin^2\varphi]\,t,\qquad"
    r"\frac{\rho_1}{\rho_2}\to\left(\frac{p_1}{p_2}\right)^{1/4}",
    assumptions=(
        "plain SGD on a pair, the identity exactly",
        "the law: updates with probability p per step against fresh random directions",
        "the law is also a lower bound; the excess is of order γ² log t",
        "ratio (p₁/p₂)^(1/2) instead where a class's gradients in one batch point the same way",
    ),
    source="normtheory (derived here)",
    item="6",
    proof=_proof,
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="fourth power after a step",
            measurement="pair_step",
            quantity="fourth_power",
            formula=fourth_power,
            planted=fourth_power_planted,
            mistake="middle term not doubled",
            scale=lambda fourth_power, x_i: 1 / fourth_power / (1 + x_i),
            reason="rounding of sin φ, which counts x times in the new norm",
        ),
        Check(
            name="mean fourth power",
            measurement="fresh_directions",
            quantity="mean_power",
            formula=mean_law,
            planted=mean_law_planted,
            mistake="factor 2 left out",
            unit="relative",
            tolerance=0.06,
            reason=_AVERAGE + "; four times that of the norm",
        ),
        Check(
            name="lower bound",
            measurement="fresh_directions",
            quantity="mean_power",
            formula=_at_least(bound),
            planted=_at_least(bound_planted),
            mistake="bound 5 % too high",
            unit="relative",
            tolerance=1e-9,
            reason="holds along every path; rounding of 2000 steps",
        ),
        Check(
            name="ratio of norms by frequency",
            measurement="fresh_directions",
            quantity="norm_ratio",
            formula=norm_ratio,
            planted=coherent_ratio,
            mistake="square root in place of the fourth root",
            unit="relative",
            tolerance=0.03,
            reason=_AVERAGE,
        ),
        Check(
            name="ratio of norms, coherent gradients",
            measurement="fresh_directions",
            options={"coherent": True},
            quantity="norm_ratio",
            formula=coherent_ratio,
            planted=norm_ratio,
            mistake="fourth root in place of the square root",
            unit="relative",
            tolerance=0.03,
            reason=_AVERAGE,
        ),
    ),
    implemented_by=("normtheory.sphere.uniform",),
    shown_by=("quartic_growth", "norm_and_frequency"),
)
