"""How much of a frequency, and of a difficulty, an optimizer leaves in the norms."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims import quartic_growth
from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import ArbitraryLoss, square, xp

_AVERAGE = (
    "means over at least 8 points and 4000 steps, of which the rarest is seen in 120, after as "
    "many to settle: standard error of the rarest 0.8 % under SGD and 1.2 % under Adam; leading "
    "order in γλ/p and ηλ/p, at most 0.017; d = 64"
)


def adam_growth(start: Any, learning_rate: Any, frequency: Any, dimension: Any, steps: Any) -> Any:
    """The square, ρ₀² + η²dpt: every visit adds as much, whatever the norm."""
    return start**2 + learning_rate**2 * dimension * frequency * steps


def adam_growth_norm(
    start: Any, learning_rate: Any, frequency: Any, dimension: Any, steps: Any, xp: Any
) -> Any:
    """Root of :func:`adam_growth`."""
    return xp.sqrt(adam_growth(start, learning_rate, frequency, dimension, steps))


def adam_growth_norm_planted(
    start: Any, learning_rate: Any, frequency: Any, dimension: Any, steps: Any, xp: Any
) -> Any:
    """Planted: growth with the root of the frequency, that is SGD's quarter in the norm."""
    return xp.sqrt(adam_growth(start, learning_rate, xp.sqrt(frequency), dimension, steps))


def sgd_fourth(learning_rate: Any, weight_decay: Any, frequency: Any, mean_square_sine: Any) -> Any:
    """ρ*⁴ = pγE[s²]/(λ(2−γλ)), decay in every step."""
    pushed = frequency * learning_rate * mean_square_sine
    return pushed / (weight_decay * (2 - learning_rate * weight_decay))


def adamw_square(learning_rate: Any, weight_decay: Any, frequency: Any, dimension: Any) -> Any:
    """ρ*² = pηd/2λ of lazy AdamW, decay in every step."""
    return frequency * learning_rate * dimension / (2 * weight_decay)


def sgd_norm(
    learning_rate: Any, weight_decay: Any, frequency: Any, mean_square_sine: Any, xp: Any
) -> Any:
    """Fourth root of :func:`sgd_fourth`."""
    return xp.sqrt(xp.sqrt(sgd_fourth(learning_rate, weight_decay, frequency, mean_square_sine)))


def sgd_norm_planted(
    learning_rate: Any, weight_decay: Any, frequency: Any, mean_square_sine: Any, xp: Any
) -> Any:
    """Planted: p^½ in place of p^¼."""
    return sgd_norm(learning_rate, weight_decay, frequency**2, mean_square_sine, xp)


def sgd_norm_on_visits(
    learning_rate: Any, weight_decay: Any, frequency: Any, mean_square_sine: Any, xp: Any
) -> Any:
    """:func:`sgd_norm` at frequency 1, decay on visits only."""
    return sgd_norm(learning_rate, weight_decay, 1 + 0 * frequency, mean_square_sine, xp)


def adamw_norm(
    learning_rate: Any, weight_decay: Any, frequency: Any, dimension: Any, xp: Any
) -> Any:
    """Root of :func:`adamw_square`."""
    return xp.sqrt(adamw_square(learning_rate, weight_decay, frequency, dimension))


def adamw_norm_planted(
    learning_rate: Any, weight_decay: Any, frequency: Any, dimension: Any, xp: Any
) -> Any:
    """Planted: p^¼ in place of p^½."""
    return adamw_norm(learning_rate, weight_decay, xp.sqrt(frequency), dimension, xp)


def adamw_norm_on_visits(
    learning_rate: Any, weight_decay: Any, frequency: Any, dimension: Any, xp: Any
) -> Any:
    """:func:`adamw_norm` at frequency 1, decay on visits only."""
    return adamw_norm(learning_rate, weight_decay, 1 + 0 * frequency, dimension, xp)


#: Exponent of the frequency in the norm, by optimizer and decay.
EXPONENTS = {
    ("sgd", None): sp.Rational(1, 4),
    ("sgd", "every step"): sp.Rational(1, 4),
    ("sgd", "on visits"): sp.S.Zero,
    ("lazy_adam", None): sp.Rational(1, 2),
    ("lazy_adam", "every step"): sp.Rational(1, 2),
    ("lazy_adam", "on visits"): sp.S.Zero,
    ("rowwise_adagrad", None): sp.S.Zero,
}
_EXPONENTS_PLANTED = {
    ("sgd", None): sp.Rational(1, 2),
    ("sgd", "every step"): sp.Rational(1, 2),
    ("sgd", "on visits"): sp.Rational(1, 4),
    ("lazy_adam", None): sp.Rational(1, 4),
    ("lazy_adam", "every step"): sp.Rational(1, 4),
    ("lazy_adam", "on visits"): sp.Rational(1, 2),
    ("rowwise_adagrad", None): sp.Rational(1, 2),
}


def adagrad_square(norm: Any, learning_rate: Any, dimension: Any, before: Any, after: Any) -> Any:
    """ρ'² = ρ² + η²d(G'−G)/G', G' the sum of mean squares with this step's."""
    return norm**2 + learning_rate**2 * dimension * (after - before) / after


def adagrad_square_planted(
    norm: Any, learning_rate: Any, dimension: Any, before: Any, after: Any
) -> Any:
    """Planted: the sum before the step in the denominator."""
    return norm**2 + learning_rate**2 * dimension * (after - before) / before


def adagrad_norm(
    norm: Any, learning_rate: Any, dimension: Any, before: Any, after: Any, xp: Any
) -> Any:
    """Root of :func:`adagrad_square`."""
    return xp.sqrt(adagrad_square(norm, learning_rate, dimension, before, after))


def adagrad_norm_planted(
    norm: Any, learning_rate: Any, dimension: Any, before: Any, after: Any, xp: Any
) -> Any:
    """Root of :func:`adagrad_square_planted`."""
    return xp.sqrt(adagrad_square_planted(norm, learning_rate, dimension, before, after))


def adagrad_bound(
    norm: Any, learning_rate: Any, dimension: Any, before: Any, after: Any, xp: Any
) -> Any:
    """ρ₀² + η²d ln(G/G₀), which ρ² does not exceed."""
    return norm**2 + learning_rate**2 * dimension * xp.log(after / before)


def adagrad_bound_planted(
    norm: Any, learning_rate: Any, dimension: Any, before: Any, after: Any, xp: Any
) -> Any:
    """Planted: the logarithm to base 10."""
    return norm**2 + learning_rate**2 * dimension * xp.log(after / before) / xp.log(10)


def _at_most(of: Any) -> Any:
    def at_most(
        norm: Any,
        learning_rate: Any,
        dimension: Any,
        before: Any,
        after: Any,
        reached: Any,
        xp: Any,
    ) -> Any:
        """The norm itself, as long as the bound is no smaller."""
        bound = of(norm, learning_rate, dimension, before, after, xp)
        return xp.minimum(reached, xp.sqrt(bound))

    return at_most


def squared_slope(angle: Any, scale: Any, dimension: Any, keys: Any, xp: Any) -> Any:
    """s² ≈ b²q²(sin²φ₊ + e^(b²/d)/(n−1)), q = (n−1)e^(b²/2d)/(e^(b cos φ₊) + (n−1)e^(b²/2d))."""
    others = (keys - 1) * xp.exp(scale**2 / (2 * dimension))
    missed = others / (xp.exp(scale * xp.cos(angle)) + others)
    spread = xp.exp(scale**2 / dimension) / (keys - 1)
    return scale**2 * missed**2 * (xp.sin(angle) ** 2 + spread)


def squared_slope_planted(angle: Any, scale: Any, dimension: Any, keys: Any, xp: Any) -> Any:
    """Planted: negatives that all count the same, 1/(n−1)."""
    factor = xp.sin(angle) ** 2 + xp.exp(scale**2 / dimension) / (keys - 1)
    even = xp.sin(angle) ** 2 + 1 / (keys - 1)
    return squared_slope(angle, scale, dimension, keys, xp) * even / factor


def hard_norm(
    learning_rate: Any,
    weight_decay: Any,
    angle: Any,
    scale: Any,
    dimension: Any,
    keys: Any,
    xp: Any,
) -> Any:
    """ρ*⁴ = γs²/(λ(2−γλ)) with :func:`squared_slope`."""
    s2 = squared_slope(angle, scale, dimension, keys, xp)
    return xp.sqrt(xp.sqrt(sgd_fourth(learning_rate, weight_decay, 1, s2)))


def hard_norm_planted(
    learning_rate: Any, weight_decay: Any, angle: Any, scale: Any, keys: Any, xp: Any
) -> Any:
    """Planted: the gradient as if all the probability were missed, q = 1."""
    s2 = scale**2 * (xp.sin(angle) ** 2 + 1 / (keys - 1))
    return xp.sqrt(xp.sqrt(sgd_fourth(learning_rate, weight_decay, 1, s2)))


def spread(scale: Any, dimension: Any, xp: Any) -> Any:
    """E e^(2bc)/(E e^(bc))² of cosines c of variance 1/d: how unevenly the negatives count."""
    return xp.exp(scale**2 / dimension)


def _exponents(of: Any, fourth: Any, adam: Any) -> dict[str, Any]:
    p, t, gamma, lam, s2, d, start, q = sp.symbols("p t gamma lambda s2 d rho_0 q", positive=True)

    def exponent(law: Any, root: int) -> Any:
        """D ln ρ/d ln p where ρ^root is the law."""
        return sp.simplify(p * sp.diff(law, p) / law / root)

    found: dict[str, Any] = {}
    growing = {
        "sgd": (quartic_growth.mean_law(start, gamma, p, s2, t), 4),
        "lazy_adam": (adam_growth(start, gamma, p, d, t), 2),
        # At most, by the bound; the sum of squares goes with the number of visits.
        "rowwise_adagrad": (sp.log(p * t), 2),
    }
    for name, (law, root) in growing.items():
        late = sp.limit(exponent(law, root), t, sp.oo)
        found[f"{name} without decay"] = late - of[name, None]
    # E ρ² = q stays: it shrinks in every step or on visits, and is pushed on visits. To leading
    # order in the rate times the decay; for SGD, whose push falls as 1/q, exactly.
    lost = {"sgd": 1 - (1 - gamma * lam) ** 2, "lazy_adam": 2 * gamma * lam}
    push = {"sgd": gamma**2 * s2 / q, "lazy_adam": gamma**2 * d}
    claimed = {"sgd": fourth(gamma, lam, p, s2), "lazy_adam": adam(gamma, lam, p, d) ** 2}
    for name in ("sgd", "lazy_adam"):
        for decay, shrinks in (("every step", 1), ("on visits", p)):
            # The balance times q or 1 has one positive root in q² or q.
            power = q**2 if name == "sgd" else q
            (size,) = sp.solve(
                sp.Eq(shrinks * lost[name] * power, p * push[name] * power / q), power
            )
            fourth_power = size if name == "sgd" else size**2
            found[f"{name}, decay {decay}"] = exponent(fourth_power, 4) - of[name, decay]
            if decay == "every step":
                found[f"{name}, norm"] = sp.simplify(fourth_power - claimed[name])
    return found


def _adagrad(step: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    eta, total, root, size = sp.symbols("eta G R g", positive=True)
    for d in (2, 3):
        loss = ArbitraryLoss.create(d)
        z, rho, gradient = loss.points[0], loss.norms[0], loss.gradient()
        # R² = G', and ‖∇L‖² = d(G' − G) =: g².
        moved = square(z - eta * gradient / root) - square(gradient) * (eta / root) ** 2
        after = total + size**2 / d
        grown = step(rho, eta, d, total, after) - rho**2
        found[f"row-wise Adagrad, d={d}"] = [
            loss.reduce(moved - rho**2),
            sp.simplify(grown - (eta * size) ** 2 / after),
        ]
    return found


def _bound(of: Any) -> dict[str, Any]:
    # With x = G/G': ln(1/x) − (1 − x) is 0 at x = 1 and falls as x grows: it is never negative.
    x = sp.Symbol("x", positive=True)
    room = of(0, 1, 1, x, 1, xp) - adagrad_square(0, 1, 1, x, 1)
    return {
        "bound of row-wise Adagrad": [
            sp.sympify(room).subs(x, 1),
            sp.simplify(sp.diff(room, x) + (1 - x) / x),
        ]
    }


def _difficulty(exponent: Any, uneven: Any) -> dict[str, Any]:
    s, gamma, lam, b, d = sp.symbols("s gamma lambda b d", positive=True)
    c = sp.Symbol("c", real=True)
    law = sgd_fourth(gamma, lam, 1, s**2)
    density = sp.sqrt(d / (2 * sp.pi)) * sp.exp(-d * c**2 / 2)

    def mean(k: int) -> Any:
        """E e^(kbc): the square completed, the density about kb/d times what is free of c."""
        there = density.subs(c, c - k * b / d)
        return sp.exp(sp.expand(sp.log(sp.exp(k * b * c) * density / there)))

    return {
        "density of a cosine": sp.integrate(density, (c, -sp.oo, sp.oo)) - 1,
        "square completed": [mean(k).diff(c) for k in (1, 2)],
        "difficulty": sp.simplify(s * sp.diff(law, s) / law / 4 - exponent),
        "negatives": sp.simplify(mean(2) / mean(1) ** 2 - uneven(b, d, xp)),
    }


def _proof() -> dict[str, Any]:
    found = _exponents(EXPONENTS, sgd_fourth, adamw_square)
    found |= _adagrad(adagrad_square) | _bound(adagrad_bound)
    return found | _difficulty(sp.Rational(1, 2), spread)


def _planted_proof() -> dict[str, Any]:
    found = _exponents(
        _EXPONENTS_PLANTED,
        lambda gamma, lam, p, s2: sgd_fourth(gamma, lam, p**2, s2),
        lambda gamma, lam, p, d: adamw_square(gamma, lam, sp.sqrt(p), d),
    )
    found |= _adagrad(adagrad_square_planted) | _bound(adagrad_bound_planted)
    found |= _difficulty(sp.Integer(1), lambda b, d, xp: xp.exp(b**2 / (2 * d)))
    same = ("density of a cosine", "square completed")
    return {key: value for key, value in found.items() if key not in same}


def _norms(
    rule: str, decay: str | None, of: Any, planted: Any, mistake: str, tolerance: float
) -> Check:
    names = {"sgd": "SGD", "lazy_adam": "lazy Adam"}
    return Check(
        name=f"{names[rule]}, " + ("growth" if decay is None else f"decay {decay}"),
        measurement="frequency_norms",
        options={"rule": rule, "decay": decay},
        quantity="norm",
        formula=of,
        planted=planted,
        mistake=mistake,
        unit="relative",
        tolerance=tolerance,
        reason=_AVERAGE,
    )


CLAIM = Claim(
    name="norm_and_frequency",
    title="Norm against frequency and difficulty, by optimizer",
    meaning="How strongly a norm tells how often a sample is seen depends on the optimizer: as "
    "$p^{1/4}$ under SGD, as $p^{1/2}$ under lazy Adam, and in equilibrium not at all if decay "
    "acts on visits only.",
    reason=r"A visit adds $\gamma^2s^2/\rho^2$ to the squared norm under SGD and a fixed amount "
    r"under Adam. Decay in every step balances that by a power of $p$; decay on visits is as rare "
    r"as the growth, so $p$ drops out.",
    consequence=r"Read norms as frequencies only with the optimizer in mind. Under SGD with decay "
    r"harder samples that are equally frequent get larger norms, as $\sqrt s$.",
    statement=r"\begin{array}{lll}&\text{growth}&\text{decay in every step}\\"
    r"\text{SGD}&p^{1/4}&\rho_*^4=\dfrac{p\,\gamma\,\mathbb{E}[s^2]}{\lambda(2-\gamma\lambda)}"
    r"\propto p\\ \text{lazy Adam(W)}&\rho^2\approx\rho_0^2+\eta^2d\,p\,t&"
    r"\rho_*^2\approx\dfrac{p\,\eta\,d}{2\lambda}\\ \text{row-wise Adagrad}&"
    r"\rho'^2-\rho^2=\eta^2d\,\dfrac{G'-G}{G'},\ \ \rho^2-\rho_0^2\le\eta^2d\ln\dfrac{G}{G_0}&"
    r"\end{array}\\ \text{decay on visits only: no }p;\qquad \text{SGD: }\rho_*\propto\sqrt s,"
    r"\quad\text{InfoNCE: }s^2\approx b^2q^2\Bigl(\sin^2\varphi_++\frac{e^{b^2/d}}{n-1}\Bigr)",
    assumptions=(
        "an embedding has a gradient with probability p a step, fresh and of size s/ρ",
        "equilibrium: γλ, ηλ ≪ p (1 − β₁), and d large for Adam",
        "lazy: optimizer and embedding rest in steps without a gradient",
        "row-wise Adagrad, exactly: z' = z − ηg/√G', G' = G + mean g²; without decay",
        "InfoNCE of one anchor against n keys at inverse temperature b, n − 1 of them fresh, the "
        "positive at φ₊: q = (n−1)e^(b²/2d)/(e^(b cos φ₊) + (n−1)e^(b²/2d)); n and d large",
    ),
    source="normtheory (derived here)",
    item="24",
    proof=_proof,
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="SGD, growth",
            measurement="fresh_directions",
            quantity="norm_ratio",
            formula=quartic_growth.norm_ratio,
            planted=quartic_growth.coherent_ratio,
            mistake="p^½",
            unit="relative",
            tolerance=0.03,
            reason="as in the claim quartic_growth",
        ),
        _norms("sgd", "every step", sgd_norm, sgd_norm_planted, "p^½", 0.045),
        _norms("sgd", "on visits", sgd_norm_on_visits, sgd_norm, "decay in every step", 0.03),
        _norms("lazy_adam", None, adam_growth_norm, adam_growth_norm_planted, "SGD's p^¼", 0.05),
        _norms("lazy_adam", "every step", adamw_norm, adamw_norm_planted, "SGD's p^¼", 0.07),
        _norms(
            "lazy_adam", "on visits", adamw_norm_on_visits, adamw_norm, "decay in every step", 0.06
        ),
        Check(
            name="a step of row-wise Adagrad",
            measurement="adagrad_step",
            quantity="next_norm",
            formula=adagrad_norm,
            planted=adagrad_norm_planted,
            mistake="sum before the step in the denominator",
            scale=lambda next_norm, before, after: (after - before) / after / next_norm,
            reason="rounding of G' − G, next to G' as small as it may be",
        ),
        Check(
            name="growth under row-wise Adagrad, at most",
            measurement="adagrad_growth",
            quantity="next_norm",
            formula=_at_most(adagrad_bound),
            planted=_at_most(adagrad_bound_planted),
            mistake="logarithm to base 10",
            unit="relative",
            tolerance=1e-9,
            reason="holds along every path; rounding of 2000 steps",
        ),
        Check(
            name="size of InfoNCE's gradient",
            measurement="hard_anchors",
            quantity="squared_slope",
            formula=squared_slope,
            planted=squared_slope_planted,
            mistake="negatives that all count the same",
            unit="relative",
            tolerance=0.1,
            reason="128 keys and d = 64: q varies from draw to draw, which adds 4 % where it is "
            "small; standard error 1 % over 300 steps, whose keys all points share",
        ),
        Check(
            name="harder anchors, larger norms",
            measurement="hard_anchors",
            quantity="norm",
            formula=hard_norm,
            planted=hard_norm_planted,
            mistake="q = 1",
            unit="relative",
            tolerance=0.03,
            reason="a quarter of the error of the squared gradient; means over 300 steps",
        ),
    ),
    implemented_by=("normtheory.equilibrium.frequency_exponent",),
    shown_by=("norm_and_frequency",),
)
