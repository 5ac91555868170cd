"""How many steps a collapsed cloud takes to the simplex, for the losses of all pairs in use."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from scipy import special

from normtheory.claims import equiangular
from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import reduce, xp

#: How many wrong keys weigh against an own one in the exponential slopes, in units of n − 1.
WRONG = {"info_nce": 1, "info_nce_two": 1, "clip_two": 1, "nt_xent": 2}


def exponential_slope(cosine: Any, n: Any, b: Any, wrong: Any, xp: Any) -> Any:
    """W = 2b/(n(e^(by) + k(n−1))), y = 1 − c, of a cloud that is anchors and keys at once."""
    return 2 * b / (n * (xp.exp(b * (1 - cosine)) + wrong * (n - 1)))


def decoupled_slope(n: Any, b: Any) -> Any:
    """W = b/(n(n−1)) of decoupled InfoNCE for its anchors, whatever the cosine."""
    return b / (n * (n - 1))


def uniformity_slope(n: Any, sharpness: Any) -> Any:
    """W = 4t/(n(n−1)) of uniformity, whatever the cosine."""
    return 4 * sharpness / (n * (n - 1))


def _slope(shares: dict[str, float]) -> Any:
    def slope(cosine: Any, n: Any, b: Any, kind: Any, xp: Any) -> Any:
        """W by the number of the loss in ``KINDS``."""
        result = 0 * cosine
        for k, name in enumerate(KINDS):
            if name == "uniformity":
                w = uniformity_slope(n, b)
            elif name == "decoupled":
                w = decoupled_slope(n, b)
            else:
                w = exponential_slope(cosine, n, b, WRONG[name], xp)
            result = xp.where(kind == k, shares[name] * w, result)
        return result

    return slope


KINDS = ("info_nce", "info_nce_two", "clip_two", "nt_xent", "decoupled", "uniformity")
#: Two separate clouds share the pull that one cloud in both roles has alone.
SHARES = {kind: 0.5 if kind.endswith("_two") else 1.0 for kind in KINDS}
_TWICE: dict[str, float] = dict.fromkeys(KINDS, 1.0)


def potential(y: Any, n: Any, b: Any, wrong: Any, ei: Any, e1: Any, xp: Any) -> Any:
    """Φ_k = Ei(by) + e^(by*) E₁(b(y*−y)) + k(n−1) ln(y/(y*−y)), y* = n/(n−1)."""
    end = n / (n - 1)
    return ei(b * y) + xp.exp(b * end) * e1(b * (end - y)) + wrong * (n - 1) * xp.log(y / (end - y))


def potential_planted(y: Any, n: Any, b: Any, wrong: Any, ei: Any, e1: Any, xp: Any) -> Any:
    """Planted: as many wrong keys for NT-Xent as for InfoNCE."""
    return potential(y, n, b, (wrong + 1) / 2, ei, e1, xp)


def exponential_steps(
    first: Any, last: Any, n: Any, b: Any, wrong: Any, norm: Any, learning_rate: Any, of: Any
) -> Any:
    """K = ρ²(Φ(y₁) − Φ(y₀))/(4γb) for one cloud in both roles."""
    return (
        norm**2 * (of(1 - last, n, b, wrong) - of(1 - first, n, b, wrong)) / (4 * learning_rate * b)
    )


def constant_steps(
    first: Any, last: Any, n: Any, slope: Any, norm: Any, learning_rate: Any, xp: Any
) -> Any:
    """K = ρ²/(2γwn) Δ ln(y/(y*−y)) where w does not depend on the cosine."""
    end = n / (n - 1)
    y_0, y_1 = 1 - first, 1 - last
    gain = xp.log(y_1 / (end - y_1)) - xp.log(y_0 / (end - y_0))
    return norm**2 / (2 * learning_rate * slope * n) * gain


def constant_steps_planted(
    first: Any, last: Any, n: Any, slope: Any, norm: Any, learning_rate: Any, xp: Any
) -> Any:
    """Planted: the goal at c = −1 instead of −1/(n−1)."""
    y_0, y_1 = 1 - first, 1 - last
    gain = xp.log(y_1 / (2 - y_1)) - xp.log(y_0 / (2 - y_0))
    return norm**2 / (2 * learning_rate * slope * n) * gain


def _numeric(form: Any) -> Any:
    return lambda y, n, b, wrong: form(y, n, b, wrong, special.expi, special.exp1, np)


def _steps(form: Any, constant: Any) -> Any:
    def steps(
        cosine: Any, last: Any, n: Any, b: Any, kind: Any, norm: Any, learning_rate: Any, xp: Any
    ) -> Any:
        """Steps from one cosine to another by the number of the loss in ``KINDS``."""
        result = 0 * cosine
        for k, name in enumerate(KINDS):
            if name in ("decoupled", "uniformity"):
                w = uniformity_slope(n, b) if name == "uniformity" else decoupled_slope(n, b)
                count = constant(cosine, last, n, w, norm, learning_rate, xp)
            else:
                of = _numeric(form)
                count = exponential_steps(cosine, last, n, b, WRONG[name], norm, learning_rate, of)
            result = xp.where(kind == k, count / SHARES[name], result)
        return result

    return steps


steps = _steps(potential, constant_steps)
_steps_planted = _steps(potential_planted, constant_steps_planted)


def _residuals(slopes: Any, form: Any, constant: Any) -> dict[str, Any]:
    exponential, decoupled, uniform, shares = slopes
    found: dict[str, Any] = {}
    c = sp.Symbol("c", real=True)
    b, gamma, rho = sp.symbols("b gamma rho", positive=True)
    for n in (2, 3, 5):
        # One anchor: its own logit b, n − 1 wrong ones bc; NT-Xent has each of them twice.
        y = 1 - c
        losses = {
            "info_nce": (sp.log(1 + (n - 1) * sp.exp(-b * y)), exponential(c, n, b, 1, xp)),
            "nt_xent": (sp.log(1 + 2 * (n - 1) * sp.exp(-b * y)), exponential(c, n, b, 2, xp)),
            "uniformity": (sp.log(sp.exp(-2 * b * y)), uniform(n, b)),
        }
        for name, (loss, w) in losses.items():
            along = 2 * sp.diff(loss, c) / (n * (n - 1))
            if name == "nt_xent":
                along = along / 2  # both views move along, and share it
            found[f"slope of {name}, n={n}"] = reduce(along - w, {})
        # Decoupled, anchors alone: −b·own + log Σ of n − 1 equal wrong keys, mean over n anchors;
        # a pair of anchors meets each other's keys, one each.
        s = sp.Symbol("s", real=True)
        of_one_key = sp.diff(sp.log(sp.exp(b * s) + (n - 2) * sp.exp(b * c)), s).subs(s, c) / n
        found[f"slope of decoupled, n={n}"] = reduce(of_one_key - decoupled(n, b), {})
        of_one = sp.diff(sp.log(sp.exp(b * s) + sp.exp(b) + (n - 2) * sp.exp(b * c)), s)
        of_one = of_one.subs(s, c) / n
        found[f"slope of two clouds, n={n}"] = reduce(
            of_one - shares * exponential(c, n, b, 1, xp), {}
        )
    # The flow of the map: dc/dK = −2(γw/ρ²)(1−c)(1+(n−1)c), from m' to first order in a.
    n, a, w, y = sp.symbols("n a w y", positive=True)
    m = sp.Symbol("m", positive=True)
    speed = sp.diff(equiangular.turned(m, a, n), a).subs(a, 0)
    found["flow"] = sp.simplify(speed + 2 * m * (n - m))
    end = n / (n - 1)

    def pace(of_slope: Any) -> Any:
        """dK/dy along the flow."""
        return rho**2 / (2 * gamma * of_slope * y * (n - 1) * (end - y))

    k = sp.Symbol("k", positive=True)
    of_y = form(y, n, b, k, sp.Ei, lambda x: sp.expint(1, x), xp)
    measured = rho**2 * sp.diff(of_y, y) / (4 * gamma * b)
    wanted = pace(exponential_slope(1 - y, n, b, k, xp))
    found["steps, exponential slopes"] = sp.simplify((measured / wanted - 1).rewrite(sp.exp))
    first = sp.Symbol("c_0", real=True)
    count = constant(first, 1 - y, n, w, rho, gamma, xp)
    found["steps, constant slope"] = sp.simplify(sp.diff(count, y) / pace(w) - 1)
    return found


_RIGHT = (exponential_slope, decoupled_slope, uniformity_slope, sp.Rational(1, 2))


def _planted_proof() -> dict[str, Any]:
    wrong = _residuals(
        (
            lambda c, n, b, k, xp: exponential_slope(c, n, b, k, xp) / 2,
            lambda n, b: 2 * decoupled_slope(n, b),
            lambda n, t: uniformity_slope(n, t) / 2,
            2,
        ),
        potential_planted,
        constant_steps_planted,
    )
    del wrong["flow"]
    return wrong


_COUNT: dict[str, Any] = {
    "measurement": "simplex_count",
    "unit": "relative",
}

CLAIM = Claim(
    name="simplex_steps",
    title="Steps from collapse to the simplex",
    meaning="How many small steps an equiangular cloud takes from collapse to the simplex is known "
    "in closed form for InfoNCE, CLIP, NT-Xent, decoupled InfoNCE and uniformity, and grows with "
    "the squared norm.",
    reason="The cosine of the cloud obeys one differential equation, into which a loss enters by "
    "its slope $w$. Its integral gives exponential integrals for softmax losses and a logarithm "
    "where $w$ is constant.",
    consequence="At a low temperature softmax losses spend most steps on the last stretch, as "
    "their slope falls with $e^{-by}$; uniformity and decoupled InfoNCE keep theirs. The goal is "
    "the cosine $-1/(n-1)$, not $-1$.",
    statement=r"w=\frac{2b}{n(e^{by}+k(n-1))},\quad y=1-c,\ y^*=\frac{n}{n-1}:\qquad "
    r"K=\frac{\rho^2}{4\gamma b}\,\Delta\Phi_k,\quad "
    r"\Phi_k=\operatorname{Ei}(by)+e^{by^*}E_1(b(y^*-y))+k(n-1)\ln\frac{y}{y^*-y};\qquad "
    r"\text{uniformity: }w=\frac{4t}{n(n-1)},\quad "
    r"K=\frac{\rho^2(n-1)}{8t\gamma}\,\Delta\ln\frac{y}{y^*-y}",
    assumptions=(
        "an equiangular cloud of n points (claim equiangular), b = 1/τ, means over anchors",
        "k = 1 and one cloud in both roles of InfoNCE; two separate equal clouds under InfoNCE or "
        "CLIP: half of w for each, twice the steps",
        "k = 2: NT-Xent with coinciding views of n classes, for each view",
        "decoupled InfoNCE, its anchors: w = b/(n(n−1)) whatever c is",
        "K to leading order in n|a|",
    ),
    source="normtheory (derived here); unit norm in continuous time: Geshkovski et al., as cited "
    "by others",
    item="17",
    proof=lambda: _residuals(_RIGHT, potential, constant_steps),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="slopes of six losses",
            measurement="simplex_slope",
            quantity="slope",
            formula=_slope(SHARES),
            planted=_slope(_TWICE),
            mistake="two clouds pull like one in both roles",
            scale=lambda slope, ease: 1 / (slope * ease),
            reason="relative; rounding of exponentials, and of the pull that a slope is found in",
        ),
        Check(
            name="steps, counted",
            quantity="steps",
            formula=steps,
            planted=_steps_planted,
            mistake="InfoNCE's wrong keys for NT-Xent; the goal at −1",
            tolerance=0.02,
            reason="leading order in n|a|, here up to 0.01",
            **_COUNT,
        ),
        Check(
            name="steps, extrapolated to small rates",
            quantity="steps_extrapolated",
            formula=steps,
            planted=_steps_planted,
            mistake="InfoNCE's wrong keys for NT-Xent; the goal at −1",
            tolerance=5e-4,
            reason="twice the count at half of the rate less the count: the error of order n|a| "
            "cancels, that of order (n|a|)² and of the whole steps' interpolation stays",
            **_COUNT,
        ),
    ),
    implemented_by=(
        "normtheory.symmetric.slope",
        "normtheory.symmetric.simplex_steps",
    ),
    shown_by=("equiangular",),
)
