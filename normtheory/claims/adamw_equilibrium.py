"""AdamW's equilibrium norm knows nothing of the gradient's size, and frequency only if rare.

The step's second moments are those of fresh noise of unit size through the momentum. How large the
noise of a rare embedding is follows from g²/v of one visit, where v remembers the visits before.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims import momentum_equilibrium
from normtheory.claims._claim import Check, Claim
from normtheory.claims._moments import later, stationary
from normtheory.claims._symbolic import reduce, xp

#: Of the series below, which then is exact to 1e-17.
_TERMS = 64
_LIMIT = (
    "d = 64, β₂ = 0.995 and 2ηλ = 0.004 leave 1 %; means over 3 relaxations of ρ² after a burn-in "
    "of 4 (1000 steps, 5 memories of the second moments), standard error below 0.5 %"
)
_RARE = (
    "the rarest is seen 10 times in a relaxation of ρ²: standard error 2 % over 16 points; "
    "d = 64 and β₂ = 0.98 leave 1 %"
)


def term(k: Any, visits: Any) -> Any:
    """½a (k+1)2⁻ᵏ/(2a+1+k)."""
    return visits * (k + 1) / 2 ** (k + 1) / (2 * visits + 1 + k)


def term_planted(k: Any, visits: Any) -> Any:
    """Planted: as if 1/(2−u) stood squared for itself."""
    return visits / 2 ** (k + 1) / (2 * visits + 1 + k)


def seen(visits: Any) -> Any:
    """S = Σ ½a (k+1)2⁻ᵏ/(2a+1+k): the mean square step, over that of one seen in every step.

    a = p/(1−β₂) is the number of visits that the second moments remember.
    """
    return sum(term(k, visits) for k in range(_TERMS))


def norm_square(
    learning_rate: Any, weight_decay: Any, dimension: Any, beta_1: Any, share: Any
) -> Any:
    """ρ*² = η²d S(1−β₁)(1+αβ₁)/((1+β₁)(1−α²)(1−αβ₁)), α = 1−ηλ; ``share`` is S."""
    keep = 1 - learning_rate * weight_decay
    passed = (1 - beta_1) * (1 + keep * beta_1) / ((1 + beta_1) * (1 - keep * beta_1))
    return learning_rate**2 * dimension * share * passed / (1 - keep**2)


def norm(
    learning_rate: Any,
    weight_decay: Any,
    dimension: Any,
    beta_1: Any,
    beta_2: Any,
    frequency: Any,
    xp: Any,
) -> Any:
    """ρ* by :func:`norm_square` and :func:`seen`."""
    share = seen(frequency / (1 - beta_2))
    return xp.sqrt(norm_square(learning_rate, weight_decay, dimension, beta_1, share))


def norm_by_slope(
    learning_rate: Any,
    weight_decay: Any,
    dimension: Any,
    beta_1: Any,
    beta_2: Any,
    slope: Any,
    xp: Any,
) -> Any:
    """Planted: the norm goes with the root of the gradient's size, as under SGD."""
    square = norm_square(learning_rate, weight_decay, dimension, beta_1, 1 + 0 * beta_2)
    return xp.sqrt(square * slope)


def norm_of_all(
    learning_rate: Any, weight_decay: Any, dimension: Any, beta_1: Any, beta_2: Any, xp: Any
) -> Any:
    """Planted: S = 1 whatever the frequency."""
    return xp.sqrt(norm_square(learning_rate, weight_decay, dimension, beta_1, 1 + 0 * beta_2))


def cosine(learning_rate: Any, weight_decay: Any, beta_1: Any) -> Any:
    """E z·z'/Eρ² = (α+β₁)/(1+αβ₁)."""
    keep = 1 - learning_rate * weight_decay
    return (keep + beta_1) / (1 + keep * beta_1)


def cosine_planted(learning_rate: Any, weight_decay: Any, beta_1: Any) -> Any:
    """Planted: α, as without momentum."""
    return 1 - learning_rate * weight_decay + 0 * beta_1


def damped(largest: Any, epsilon: Any, slope: Any, dimension: Any, xp: Any) -> Any:
    """ρ* with ρ*(1+ε√d ρ*/s) = ρ of ε = 0, which is ``largest``."""
    root = xp.sqrt(1 + 4 * epsilon * xp.sqrt(dimension) * largest / slope)
    return 2 * largest / (1 + root)


def damped_planted(largest: Any, epsilon: Any, slope: Any, dimension: Any, xp: Any) -> Any:
    """Planted: ε compared with the gradient of the direction, the norm left out."""
    return largest / (1 + epsilon * xp.sqrt(dimension) / slope)


def norm_with_epsilon(
    learning_rate: Any,
    weight_decay: Any,
    dimension: Any,
    beta_1: Any,
    epsilon: Any,
    slope: Any,
    xp: Any,
) -> Any:
    """:func:`damped` from :func:`norm_square`."""
    largest = xp.sqrt(norm_square(learning_rate, weight_decay, dimension, beta_1, 1 + 0 * slope))
    return damped(largest, epsilon, slope, dimension, xp)


def norm_with_epsilon_planted(
    learning_rate: Any,
    weight_decay: Any,
    dimension: Any,
    beta_1: Any,
    epsilon: Any,
    slope: Any,
    xp: Any,
) -> Any:
    """:func:`damped_planted` from :func:`norm_square`."""
    largest = xp.sqrt(norm_square(learning_rate, weight_decay, dimension, beta_1, 1 + 0 * slope))
    return damped_planted(largest, epsilon, slope, dimension, xp)


def later_cosine(learning_rate: Any, weight_decay: Any, beta_1: Any, steps: Any) -> Any:
    """That of :mod:`normtheory.claims.momentum_equilibrium` with momentum β₁."""
    return momentum_equilibrium.later_cosine(learning_rate, weight_decay, beta_1, steps)


def later_cosine_planted(learning_rate: Any, weight_decay: Any, beta_1: Any, steps: Any) -> Any:
    """Planted: steps taken as independent."""
    return cosine(learning_rate, weight_decay, beta_1) ** steps


def growth(learning_rate: Any, dimension: Any, beta_2: Any, frequency: Any) -> Any:
    """η²dS, by which ρ² grows a step without decay."""
    return learning_rate**2 * dimension * seen(frequency / (1 - beta_2))


def growth_planted(learning_rate: Any, dimension: Any, beta_2: Any, frequency: Any) -> Any:
    """Planted: η²dp, as if every visit counted the same."""
    return learning_rate**2 * dimension * frequency + 0 * beta_2


def pace(learning_rate: Any, dimension: Any, share: Any, beta_1: Any) -> Any:
    """Growth of ρ² in a step without decay, η²dS."""
    return learning_rate**2 * dimension * share + 0 * beta_1


def pace_planted(learning_rate: Any, dimension: Any, share: Any, beta_1: Any) -> Any:
    """Planted: squares of single steps added up, as if momentum did not repeat them."""
    return pace(learning_rate, dimension, share, beta_1) * (1 - beta_1) / (1 + beta_1)


def norm_square_planted(
    learning_rate: Any, weight_decay: Any, dimension: Any, beta_1: Any, share: Any
) -> Any:
    """Planted: the squares of single steps added up against the decay."""
    square = norm_square(learning_rate, weight_decay, dimension, 0, share)
    return square * (1 - beta_1) / (1 + beta_1)


def _linear(square: Any, turned: Any, many: Any, grown: Any) -> dict[str, Any]:
    """Momentum and decay, on fresh noise g/√v of size d·S."""
    eta, lam, beta, share, d = sp.symbols("eta lambda beta_1 S d", positive=True)
    keep = sp.Symbol("alpha", positive=True)
    # w' = β₁w + (1−β₁)u, z' = αz − ηw'.
    step = [[keep, -eta * beta], [0, beta]]
    push = [-eta * (1 - beta), 1 - beta]
    moments = stationary(step, push, d * share)
    lost = {keep: 1 - eta * lam}
    whole: Any = moments[0, 0]
    found = {
        "norm": sp.factor(whole.subs(lost) - square(eta, lam, d, beta, share)),
        "cosine": sp.factor(later(step, moments, 1).subs(lost) - turned(eta, lam, beta)),
        "cosine of more steps": [
            sp.factor(later(step, moments, k).subs(lost) - many(eta, lam, beta, k)) for k in (2, 3)
        ],
        "small steps": sp.limit(square(eta, lam, d, beta, 1) * lam / eta, eta, 0) - d / 2,
    }
    # Without decay E w·w and E z·w settle and E z·z rises: what it gains is the growth.
    free = sp.Matrix(step).subs(keep, 1)
    inner, size = sp.symbols("E01 E11")
    state = sp.Matrix([[0, inner], [inner, size]])
    noise = sp.Matrix(push) * sp.Matrix(push).T * d * share
    change = free * state * free.T + noise - state
    settled = sp.solve([change[0, 1], change[1, 1]], [inner, size], dict=True)[0]
    gained = sp.factor(change[0, 0].subs(settled))
    found["growth without decay"] = sp.factor(gained - grown(eta, d, share, beta))
    return found


def _visits() -> dict[str, Any]:
    """S as E x/(x+W): x the visit, W the visits before it, of Gaussian coordinates."""
    theta, phi, r, a, x, w, u = sp.symbols("theta phi r a x w u", positive=True)
    found: dict[str, Any] = {}
    found["a quotient as an integral"] = sp.simplify(
        sp.integrate(x * sp.exp(-theta * (x + w)), (theta, 0, sp.oo)) - x / (x + w)
    )
    coordinate = sp.Symbol("xi", real=True)
    density = sp.exp(-(coordinate**2) / 2) / sp.sqrt(2 * sp.pi)
    laplace = sp.integrate(sp.exp(-theta * coordinate**2) * density, (coordinate, -sp.oo, sp.oo))
    of_visit = (1 + 2 * theta) ** sp.Rational(-1, 2)
    found["a visit"] = sp.simplify(laplace - of_visit)
    # Visits before, a of them in a unit of the memory's time, each faded by e^(−time): shot noise,
    # E e^(−θW) = exp(−a ∫₀^θ (1 − E e^(−φx)) dφ/φ). With r = √(1+2φ) the integral is 2 ln((1+r)/2).
    inside = ((1 - of_visit.subs(theta, phi)) / phi).subs(phi, (r**2 - 1) / 2) * r
    past = 2 * sp.log((1 + r) / 2)
    found["visits before"] = [sp.simplify(sp.diff(past, r) - inside), past.subs(r, 1)]
    weighted = -sp.diff(of_visit, theta).subs(theta, (r**2 - 1) / 2) * r * sp.exp(-a * past)
    found["integral over r"] = sp.simplify(weighted - ((1 + r) / 2) ** (-2 * a) / r**2)
    found["integral over u"] = sp.simplify(
        (((1 + r) / 2) ** (-2 * a) / r**2).subs(r, 2 / u - 1) * 2 / u**2
        - 2 * u ** (2 * a) / (2 - u) ** 2
    )
    return found


def _series(of: Any) -> dict[str, Any]:
    """The integral 2a ∫ u²ᵃ/(2−u)² du over (0, 1), term by term; and what it tends to."""
    a = sp.Symbol("a", positive=True)
    k = sp.Symbol("k", integer=True, nonnegative=True)
    power = of(k, a) * (2 * a + 1 + k)  # ∫ u^(2a+k) du = 1/(2a+1+k)
    c = [sp.cancel(power.subs(k, j) / a) for j in range(_TERMS)]

    def total(terms: Any) -> Any:
        """Σ p(k) xᵏ at x = ½, p a polynomial: x d/dx multiplies each power by its k."""
        x = sp.Symbol("x", positive=True)
        series, found = 1 / (1 - x), sp.S.Zero  # Σ xᵏ
        for coefficient in reversed(sp.Poly(terms * 2**k, k).all_coeffs()):
            found += coefficient * series.subs(x, sp.Rational(1, 2))
            series = x * sp.diff(series, x)
        return found

    seldom: Any = sp.summation(sp.limit(of(k, a) / a, a, 0), (k, 0, sp.oo))
    return {
        # (2 − u)² Σ c_k uᵏ = 2, power by power.
        "series": [4 * c[0] - 2, c[1] - c[0]]
        + [4 * c[j] - 4 * c[j - 1] + c[j - 2] for j in range(2, _TERMS)],
        # S/a for a → 0, S for a → ∞, and a(1 − S) there.
        "seldom": seldom - 1,
        "often": total(power / a) / 2 - 1,
        "nearly always": total(power * (1 + k) / a) / 4 - sp.Rational(3, 2),
    }


def _epsilon(of: Any) -> dict[str, Any]:
    largest, eps, s, d, root = sp.symbols("R epsilon s d w", positive=True)
    # √v = s/(ρ√d), and g/(√v + ε) is smaller by 1 + ε√d ρ/s. w² = 1 + 4ε√d R/s, √d kept as d.
    rho = of(largest, eps, s, d**2, xp)
    inside = 1 + 4 * eps * d * largest / s
    rho = sp.sympify(rho).subs(sp.sqrt(inside), root)
    balance = rho * (1 + eps * d * rho / s) - largest
    return {"ε above 0": reduce(balance, {root: inside})}


def _proof() -> dict[str, Any]:
    found = _linear(norm_square, cosine, later_cosine, pace)
    return found | _visits() | _series(term) | _epsilon(damped)


def _planted_proof() -> dict[str, Any]:
    found = _linear(norm_square_planted, cosine_planted, later_cosine_planted, pace_planted)
    return found | _series(term_planted) | _epsilon(damped_planted)


CLAIM = Claim(
    name="adamw_equilibrium",
    title="Equilibrium of AdamW",
    meaning=r"Under AdamW the equilibrium norm is about $\sqrt{\eta d/2\lambda}$ whatever the size "
    r"of the gradients, and the frequency of a sample shows only where it is not large against "
    r"$1-\beta_2$.",
    reason=r"AdamW divides gradients by their size, so a step is noise of unit size in each "
    r"coordinate, smoothed by the momentum, against the decay $\eta\lambda$. The second moments "
    r"of a rare embedding remember few visits, which leaves the share $S$.",
    consequence=r"With a negligible $\varepsilon$ norms do not tell hard samples from easy ones, "
    r"nor frequent ones from others that are still seen often within $1/(1-\beta_2)$ steps. Rate "
    r"over decay sets the norm.",
    statement=r"\rho_*^2=\frac{\eta^2d\,S(1-\beta_1)(1+\alpha\beta_1)}"
    r"{(1+\beta_1)(1-\alpha^2)(1-\alpha\beta_1)}\approx\frac{\eta d}{2\lambda}S,\qquad "
    r"\frac{\mathbb{E}\,z\cdot z'}{\mathbb{E}\rho^2}=\frac{\alpha+\beta_1}{1+\alpha\beta_1},\qquad "
    r"\alpha=1-\eta\lambda;\\ S(a)=a\int_1^\infty\frac{1}{r^2}\Bigl(\frac{1+r}{2}\Bigr)^{-2a}dr"
    r"=\frac a2\sum_{k\ge0}\frac{(k+1)\,2^{-k}}{2a+1+k},\quad a=\frac{p}{1-\beta_2}:\quad "
    r"S\approx 1-\frac{3}{2a}\ (a\gg1),\quad S\approx a\ (a\ll1);\\ "
    r"p=1,\ \varepsilon>0:\ \ \rho_*\Bigl(1+\frac{\varepsilon\sqrt d\,\rho_*}{s}\Bigr)"
    r"=\rho_*\big|_{\varepsilon=0};\qquad \lambda=0:\ \ \rho^2\approx\rho_0^2+\eta^2d\,S\,t",
    assumptions=(
        "fresh gradients of size s/ρ, decoupled decay, d large, no bias correction any more",
        "β₂ → 1 and ηλ ≪ 1 − β₂, so that ρ hardly changes while the second moments forget",
        "ε = 0 unless it is named",
        "an embedding has a gradient with probability p a step, and zero otherwise (dense Adam), "
        "with ηλ ≪ p; S for Gaussian coordinates and 1 − β₁ ≫ 1 − β₂",
        "in every step (p = 1) S is 1 − 1/a to first order, and not 1 − 3/2a: visits are regular",
    ),
    source="normtheory (derived here); the cosine to leading order in ηλ Kosson et al. 2023",
    item="22",
    proof=_proof,
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="norm, whatever the slope",
            measurement="adamw_equilibrium",
            quantity="norm",
            formula=norm,
            planted=norm_by_slope,
            mistake="√s of SGD",
            unit="relative",
            tolerance=0.03,
            reason=_LIMIT,
        ),
        Check(
            name="cosine of one step",
            measurement="adamw_equilibrium",
            quantity="cosine",
            formula=cosine,
            planted=cosine_planted,
            mistake="momentum left out",
            scale=lambda cosine: 1 / (1 - cosine),
            unit="relative",
            tolerance=0.05,
            reason=_LIMIT + "; relative to what the cosine lacks of 1",
        ),
        Check(
            name="cosine of several steps",
            measurement="adamw_equilibrium",
            quantity="later",
            formula=later_cosine,
            planted=later_cosine_planted,
            mistake="steps taken as independent",
            scale=lambda later: 1 / (1 - later),
            unit="relative",
            tolerance=0.05,
            reason=_LIMIT + "; relative to what the cosine lacks of 1",
        ),
        Check(
            name="norm by frequency",
            measurement="adamw_equilibrium",
            options={"kind": "frequencies"},
            quantity="norm",
            formula=norm,
            planted=norm_of_all,
            mistake="S = 1 at p near 1 − β₂",
            unit="relative",
            tolerance=0.12,
            reason=_RARE,
        ),
        Check(
            name="norm with ε",
            measurement="adamw_equilibrium",
            options={"kind": "epsilons"},
            quantity="norm",
            formula=norm_with_epsilon,
            planted=norm_with_epsilon_planted,
            mistake="ε compared with the slope and not with the gradient",
            unit="relative",
            tolerance=0.03,
            reason=_LIMIT,
        ),
        Check(
            name="growth without decay",
            measurement="adam_growth",
            quantity="growth",
            formula=growth,
            planted=growth_planted,
            mistake="η²dp",
            unit="relative",
            tolerance=0.25,
            reason="a difference of squares over 3000 steps: standard error 4 % over 64 points for "
            "the rarest, seen 24 times; growth isn't slow against the memory at once",
        ),
    ),
    implemented_by=(
        "normtheory.equilibrium.adamw_norm",
        "normtheory.equilibrium.adamw_cosine",
    ),
    shown_by=("equilibria", "norm_and_frequency", "predicted"),
)
