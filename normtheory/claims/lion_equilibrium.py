"""Lion's equilibrium: how often the signs of its steps repeat sets the norm, and nothing else."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._moments import stationary
from normtheory.claims._symbolic import xp

_LIMIT = (
    "d = 64 leaves up to 1 %; means over 4 relaxations of ρ² after a burn-in of 5 (at least 625 "
    "steps, 6 memories of the momentum), standard error below 0.3 %"
)


def first_correlation(beta_1: Any, beta_2: Any) -> Any:
    """r₁, of the numbers whose signs are taken in two steps on end."""
    old = beta_1**2 * (1 - beta_2) / (1 + beta_2)
    mixed = beta_1 * (1 - beta_1) * (1 - beta_2) + beta_2 * old
    return mixed / ((1 - beta_1) ** 2 + old)


def first_correlation_planted(beta_1: Any, beta_2: Any) -> Any:
    """Planted: β₂, as if the sign were that of the momentum."""
    return beta_2 + 0 * beta_1


def of_signs(correlation: Any, xp: Any) -> Any:
    """Correlation of the signs of two Gaussian numbers, (2/π) arcsin r."""
    return 2 / xp.pi * xp.arcsin(correlation)


def of_signs_planted(correlation: Any, xp: Any) -> Any:
    """Planted: the sign made linear, (2/π) r."""
    return 2 / xp.pi * correlation


def _repeats(of: Any) -> Any:
    def repeats(keep: Any, beta_1: Any, beta_2: Any, xp: Any) -> Any:
        """T = Σ αᵏ(2/π) arcsin(r₁β₂ᵏ⁻¹), to 1e-15 of it."""
        first = first_correlation(beta_1, beta_2)
        return sum(keep**k * of(first * beta_2 ** (k - 1), xp) for k in range(1, 3600))

    return repeats


def norm_square(learning_rate: Any, weight_decay: Any, dimension: Any, repeat: Any) -> Any:
    """ρ*² = η²d(1+2T)/(1−α²), α = 1−ηλ."""
    keep = 1 - learning_rate * weight_decay
    return learning_rate**2 * dimension * (1 + 2 * repeat) / (1 - keep**2)


def norm_square_planted(learning_rate: Any, weight_decay: Any, dimension: Any, repeat: Any) -> Any:
    """Planted: every repetition counted once."""
    keep = 1 - learning_rate * weight_decay
    return learning_rate**2 * dimension * (1 + repeat) / (1 - keep**2)


def cosine_by(keep: Any, repeat: Any) -> Any:
    """E z·z'/Eρ² = (α²+T(1+α²))/(α(1+2T))."""
    return (keep**2 + repeat * (1 + keep**2)) / (keep * (1 + 2 * repeat))


def cosine_by_planted(keep: Any, repeat: Any) -> Any:
    """Planted: α, as if signs did not repeat."""
    return keep + 0 * repeat


def _norm(of: Any) -> Any:
    def norm(
        learning_rate: Any, weight_decay: Any, dimension: Any, beta_1: Any, beta_2: Any, xp: Any
    ) -> Any:
        """ρ* by :func:`norm_square`."""
        repeat = _repeats(of)(1 - learning_rate * weight_decay, beta_1, beta_2, xp)
        return xp.sqrt(norm_square(learning_rate, weight_decay, dimension, repeat))

    return norm


norm, norm_planted = _norm(of_signs), _norm(of_signs_planted)


def cosine(learning_rate: Any, weight_decay: Any, beta_1: Any, beta_2: Any, xp: Any) -> Any:
    """:func:`cosine_by` with T."""
    keep = 1 - learning_rate * weight_decay
    return cosine_by(keep, _repeats(of_signs)(keep, beta_1, beta_2, xp))


def cosine_planted(learning_rate: Any, weight_decay: Any, beta_1: Any, beta_2: Any, xp: Any) -> Any:
    """:func:`cosine_by` with the T of :func:`of_signs_planted`."""
    keep = 1 - learning_rate * weight_decay
    return cosine_by(keep, _repeats(of_signs_planted)(keep, beta_1, beta_2, xp))


def later_cosine(
    learning_rate: Any, weight_decay: Any, beta_1: Any, beta_2: Any, steps: Any, xp: Any
) -> Any:
    """E z·z⁽ᵏ⁾/Eρ²: R_k = αR_(k−1) + (1−α²)/(1+2T) Σ_j α^j ρ_(j+k)."""
    keep = 1 - learning_rate * weight_decay
    first = first_correlation(beta_1, beta_2)
    share = (1 - keep**2) / (1 + 2 * _repeats(of_signs)(keep, beta_1, beta_2, xp))
    found = 1 + 0 * keep
    for k in range(1, int(steps.max()) + 1):
        ahead = sum(keep**j * of_signs(first * beta_2 ** (k - 1 + j), xp) for j in range(3600))
        found = xp.where(k <= steps, keep * found + share * ahead, found)
    return found


def later_cosine_planted(
    learning_rate: Any, weight_decay: Any, beta_1: Any, beta_2: Any, steps: Any, xp: Any
) -> Any:
    """Planted: the fall of one step times the number of steps."""
    return 1 - steps * (1 - cosine(learning_rate, weight_decay, beta_1, beta_2, xp))


def _residuals(first: Any, signs: Any, square: Any, turned: Any) -> dict[str, Any]:
    b1, b2, r, eta, lam, d = sp.symbols("beta_1 beta_2 r eta lambda d", positive=True)
    found: dict[str, Any] = {}
    # c = β₁m + (1−β₁)g, m' = β₂m + (1−β₂)g: the moments of (c, m) for g of unit variance.
    step = sp.Matrix([[0, b1], [0, b2]])
    moments = stationary(step, [1 - b1, 1 - b2], 1)
    later: list[Any] = [sp.factor((step**k * moments)[0, 0]) for k in (0, 1, 2)]
    now, next_one, next_two = later
    found["correlation of two steps"] = sp.factor(next_one / now - first(b1, b2))
    found["falls by β₂ a step"] = sp.factor(next_two / next_one - b2)
    # Price: d/dr E sign x sign y = 4 times the density of (x, y) at 0; at r = 0 it is 0.
    density = 1 / (2 * sp.pi * sp.sqrt(sp.Matrix([[1, r], [r, 1]]).det()))
    claimed = signs(r, xp)
    found["correlation of signs"] = [
        sp.simplify(sp.diff(claimed, r) - 4 * density),
        sp.sympify(claimed).subs(r, 0),
    ]
    # Signs whose correlation k steps on is w bᵏ⁻¹. All that follows is linear in the correlations,
    # and those of Lion are a sum of such (the series of the arcsine): so it holds for theirs.
    w, b, a = sp.symbols("w b alpha", positive=True)
    ahead = sp.Symbol("X")  # E z·s' for the next sign s'; one step further it is b times that
    (ahead,) = sp.solve(sp.Eq(ahead, a * b * ahead - eta * d * w), [ahead], dict=True)[0].values()
    size = (-2 * a * eta * ahead + eta**2 * d) / (1 - a**2)
    repeat = a * w / (1 - a * b)
    lost = {a: 1 - eta * lam}
    found["norm"] = sp.factor((size - 0).subs(lost) - square(eta, lam, d, repeat.subs(lost)))
    found["cosine"] = sp.factor((a * size - eta * ahead) / size - turned(a, repeat))
    # Without repetitions.
    plain = square(eta, lam, d, 0)
    found["β₁ = 0"] = sp.factor(first(0, b2) * plain + plain - eta * d / (lam * (2 - eta * lam)))
    # k steps on: E z·z⁽ᵏ⁾ = α E z·z⁽ᵏ⁻¹⁾ − η E z·s⁽ᵏ⁾, here for k = 2.
    second = sp.factor((a * (a * size - eta * ahead) - eta * b * ahead) / size)
    share = (1 - a**2) / (1 + 2 * repeat)
    found["two steps"] = sp.factor(second - a * turned(a, repeat) - share * w * b / (1 - a * b))
    return found


CLAIM = Claim(
    name="lion_equilibrium",
    title="Equilibrium of Lion",
    meaning="Under Lion the equilibrium norm is set by rate, decay, dimension and by how often the "
    "signs of the steps repeat, not by the size of the gradients.",
    reason=r"Every step has the length $\eta\sqrt d$, so the norm is that of a walk with "
    r"correlated steps against decay. The signs of two Gaussian numbers with correlation $r$ have "
    r"the correlation $\frac2\pi\arcsin r$, and $T$ adds these up.",
    consequence="Norms under Lion do not tell hard samples from easy ones. The law needs many "
    "dimensions, and putting $r$ for the arcsine is no good approximation where signs repeat.",
    statement=r"\rho_*^2=\frac{\eta^2d(1+2T)}{1-\alpha^2},\qquad "
    r"\frac{\mathbb{E}\,z\cdot z'}{\mathbb{E}\rho^2}=\frac{\alpha^2+T(1+\alpha^2)}{\alpha(1+2T)},"
    r"\qquad \alpha=1-\eta\lambda,\quad T=\sum_{k\ge1}\alpha^k\,\frac2\pi\arcsin r_k;\\ "
    r"r_k=r_1\beta_2^{k-1},\qquad r_1=\frac{\beta_1(1-\beta_1)(1-\beta_2)"
    r"+\beta_1^2\beta_2\frac{1-\beta_2}{1+\beta_2}}{(1-\beta_1)^2+\beta_1^2\frac{1-\beta_2}"
    r"{1+\beta_2}};\qquad \beta_1=0:\ \ \rho_*^2=\frac{\eta d}{\lambda(2-\eta\lambda)},\ \ \alpha",
    assumptions=(
        "z' = αz − η sign(β₁m + (1−β₁)g), m' = β₂m + (1−β₂)g",
        "fresh gradients of one size over the momentum's memory; Gaussian coordinates: d large",
        "later cosines: R_k = αR_(k−1) + (1−α²)/(1+2T) Σ_j α^j (2/π) arcsin r_(j+k)",
    ),
    source="normtheory (derived here); linearised and for small ηλ Kosson et al. 2023",
    item="23",
    proof=lambda: _residuals(first_correlation, of_signs, norm_square, cosine_by),
    planted_proof=lambda: {
        key: value
        for key, value in _residuals(
            first_correlation_planted, of_signs_planted, norm_square_planted, cosine_by_planted
        ).items()
        # True of any correlation.
        if key != "falls by β₂ a step"
    },
    checks=(
        Check(
            name="norm",
            measurement="lion_equilibrium",
            quantity="norm",
            formula=norm,
            planted=norm_planted,
            mistake="arcsin r → r",
            unit="relative",
            tolerance=0.016,
            reason=_LIMIT,
        ),
        Check(
            name="cosine of one step",
            measurement="lion_equilibrium",
            quantity="cosine",
            formula=cosine,
            planted=cosine_planted,
            mistake="arcsin r → r",
            scale=lambda cosine: 1 / (1 - cosine),
            unit="relative",
            tolerance=0.032,
            reason=_LIMIT + "; relative to what the cosine lacks of 1",
        ),
        Check(
            name="cosine of several steps",
            measurement="lion_equilibrium",
            quantity="later",
            formula=later_cosine,
            planted=later_cosine_planted,
            mistake="the fall of one step times the number of steps",
            scale=lambda later: 1 / (1 - later),
            unit="relative",
            tolerance=0.04,
            reason=_LIMIT + "; relative to what the cosine lacks of 1",
        ),
    ),
    implemented_by=(
        "normtheory.equilibrium.lion_norm",
        "normtheory.equilibrium.lion_cosine",
    ),
    shown_by=("equilibria", "predicted"),
)
