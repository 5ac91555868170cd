"""The temperature: its gradient, the best one where partners are wrong, and SigLIP's bias."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._symbolic import reduce, square, vector, xp


def log_scale_gradient(own: Any, share: Any, cosines: Any, b: Any) -> Any:
    """∂ℓ/∂ ln b = b(Σ_b p_ab c_ab − c_aa) of one anchor."""
    return b * ((share * cosines).sum(-1, keepdims=True) - own)


def log_scale_gradient_planted(own: Any, share: Any, cosines: Any, b: Any) -> Any:
    """Planted: the derivative by b."""
    return (share * cosines).sum(-1, keepdims=True) - own + 0 * b


def noisy_loss(b: Any, margin: Any, wrong: Any, n: Any, xp: Any) -> Any:
    """ln(1 + (n−1)e^(−bΔ)) + εbΔ: partners wrong at rate ε, one margin Δ."""
    return xp.log(1 + (n - 1) * xp.exp(-b * margin)) + wrong * b * margin


def best_scale(margin: Any, wrong: Any, n: Any, xp: Any) -> Any:
    """b* = ln((n−1)(1−ε)/ε)/Δ."""
    return xp.log((n - 1) * (1 - wrong) / wrong) / margin


def best_scale_planted(margin: Any, wrong: Any, n: Any, xp: Any) -> Any:
    """Planted: n for n − 1."""
    return xp.log(n * (1 - wrong) / wrong) / margin


def noisy_floor(wrong: Any, n: Any, xp: Any) -> Any:
    """−(1−ε)ln(1−ε) − ε ln(ε/(n−1)), the loss there, whatever the margin."""
    return -(1 - wrong) * xp.log(1 - wrong) - wrong * xp.log(wrong / (n - 1))


def noisy_floor_planted(wrong: Any, n: Any, xp: Any) -> Any:
    """Planted: n for n − 1."""
    return -(1 - wrong) * xp.log(1 - wrong) - wrong * xp.log(wrong / n)


def siglip_bias(b: Any, cosine: Any, n: Any, xp: Any) -> Any:
    """−ln(n−1) − bc₀, SigLIP's best bias where all cosines are c₀."""
    return -xp.log(n - 1) - b * cosine


def siglip_bias_planted(b: Any, cosine: Any, n: Any, xp: Any) -> Any:
    """Planted: n for n − 1."""
    return -xp.log(n) - b * cosine


def norm_is_scale(by_log_scale: Any) -> Any:
    """ρ∂ℓ/∂ρ of an anchor that isn't normalised is ∂ℓ/∂ ln b of that anchor."""
    return by_log_scale


def norm_is_scale_planted(by_log_scale: Any) -> Any:
    """Planted: the norm of a normalised anchor."""
    return 0 * by_log_scale


def _residuals(slope: Any, best: Any, floor: Any, bias: Any, radial: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    b, margin, wrong = sp.symbols("b Delta epsilon", positive=True)
    n = sp.Symbol("n", positive=True)
    for keys in (2, 3):
        c = vector("c", keys)
        loss = sp.log(sum(sp.exp(b * x) for x in c)) - b * c[0]
        share = sum(sp.exp(b * x) for x in c)
        weights = c * 0
        for k, x in enumerate(c):
            weights[k] = sp.exp(b * x) / share
        claimed = slope(c[0], weights, c, b)[0]
        found[f"gradient, {keys} keys"] = reduce(b * sp.diff(loss, b) - claimed, {})
        # An anchor z of norm ρ against unit keys: its logits are ρ times the cosines.
        z = vector("z", 2)
        rho = sp.Symbol("rho", positive=True)
        keys_2 = [vector(f"k{k}_", 2) for k in range(keys)]
        logits = [dot(z, key)[0] for key in keys_2]
        free = sp.log(sum(sp.exp(x) for x in logits)) - logits[0]
        along = sum(x * sp.diff(free, x) for x in z)
        total = sum(sp.exp(x) for x in logits)
        by_scale = sum(sp.exp(x) * x for x in logits) / total - logits[0]
        found[f"norm and scale, {keys} keys"] = reduce(along - radial(by_scale), {rho: square(z)})
    at_best = best(margin, wrong, n, xp)
    change = sp.diff(noisy_loss(b, margin, wrong, n, xp), b)
    found["best scale"] = sp.simplify(change.subs(b, at_best))
    odds = sp.Symbol("r", positive=True)  # so that ε and 1 − ε are seen to be positive
    rate = 1 / (1 + odds)
    there = noisy_loss(best_scale(margin, rate, n, xp), margin, rate, n, xp) - floor(rate, n, xp)
    found["loss there"] = sp.simplify(sp.expand_log(sp.simplify(there), force=True))
    # SigLIP: Σ over all n² pairs of σ equals n where the bias is best.
    cosine, free = sp.symbols("c_0 beta", real=True)
    sigma = 1 / (1 + sp.exp(-(b * cosine + free)))
    pairs = n * sp.log(1 + sp.exp(-(b * cosine + free))) + n * (n - 1) * sp.log(
        1 + sp.exp(b * cosine + free)
    )
    found["SigLIP: Σσ = n"] = sp.simplify(sp.diff(pairs, free) - (n**2 * sigma - n))
    at = bias(b, cosine, n, xp)
    found["SigLIP's bias"] = sp.simplify((n**2 * sigma - n).subs(free, at))
    return found


def _planted_proof() -> dict[str, Any]:
    wrong = _residuals(
        log_scale_gradient_planted,
        best_scale_planted,
        noisy_floor_planted,
        siglip_bias_planted,
        norm_is_scale_planted,
    )
    del wrong["SigLIP: Σσ = n"]
    return wrong


_NOISY: dict[str, Any] = {"measurement": "noisy_scale"}

CLAIM = Claim(
    name="temperature",
    title="Temperature, wrong partners and the bias",
    meaning=r"A loss raises its scale $b=1/\tau$ while partners beat the keys that it finds "
    r"likely; a share $\varepsilon$ of wrong partners leaves one best scale, and at equal cosines "
    r"SigLIP's best bias has a closed form.",
    reason=r"Cosines enter only as $bc$, so the slope by $\ln b$ compares the mean cosine under "
    r"the softmax with that of the partner. Wrong partners add the cost $\varepsilon b\Delta$, "
    r"which stops the growth of $b$.",
    consequence=r"Where all margins are one $\Delta$, the best scale tells the rate of wrong "
    r"partners: $b^*\Delta=\ln\frac{(n-1)(1-\varepsilon)}{\varepsilon}$. The loss there does not "
    r"tell the margin.",
    statement=r"\frac{\partial L}{\partial\ln b}=b\,\operatorname{mean}_a"
    r"\Bigl(\sum_bp_{ab}c_{ab}-c_{aa}\Bigr);\qquad "
    r"b^*=\frac1\Delta\ln\frac{(n-1)(1-\varepsilon)}{\varepsilon},\quad "
    r"L^*=-(1-\varepsilon)\ln(1-\varepsilon)-\varepsilon\ln\frac{\varepsilon}{n-1};\qquad "
    r"\beta^*_{\text{SigLIP}}=-\ln(n-1)-bc_0",
    assumptions=(
        "b = 1/τ; softmax over n keys",
        "best scale: partners wrong at rate ε < (n−1)/n, all margins Δ > 0; the loss does not "
        "depend on Δ",
        "SigLIP: the best bias makes Σσ over all n² pairs equal n; the formula for equal cosines",
        "an anchor that isn't normalised, against unit keys: ρ∂ℓ/∂ρ = ∂ℓ/∂ ln b",
    ),
    source="normtheory (derived here)",
    item="20",
    proof=lambda: _residuals(
        log_scale_gradient, best_scale, noisy_floor, siglip_bias, norm_is_scale
    ),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="gradient by the logarithm of the scale",
            measurement="scale_gradient",
            quantity="by_log_scale",
            formula=log_scale_gradient,
            planted=log_scale_gradient_planted,
            mistake="derivative by the scale",
            scale=lambda b: 1 / b,
            reason="rounding of the cosines, in units of the scale",
        ),
        Check(
            name="the norm of an anchor that isn't normalised is its scale",
            measurement="scale_gradient",
            quantity="by_log_norm",
            formula=norm_is_scale,
            planted=norm_is_scale_planted,
            mistake="the norm of a normalised anchor",
            scale=lambda b: 1 / b,
            reason="rounding of the cosines, in units of the scale",
        ),
        Check(
            name="best scale",
            quantity="best_scale",
            formula=best_scale,
            planted=best_scale_planted,
            mistake="n for n − 1",
            unit="relative",
            tolerance=1e-10,
            reason="a root of the derivative found by bisection",
            **_NOISY,
        ),
        Check(
            name="loss at the best scale",
            quantity="least_loss",
            formula=noisy_floor,
            planted=noisy_floor_planted,
            mistake="n for n − 1",
            unit="relative",
            tolerance=1e-12,
            reason="flat at its minimum: rounding",
            **_NOISY,
        ),
        Check(
            name="SigLIP's bias",
            measurement="siglip_bias",
            quantity="best_bias",
            formula=siglip_bias,
            planted=siglip_bias_planted,
            mistake="n for n − 1",
            scale=lambda b: 1 / (5 + b),
            unit="relative",
            tolerance=1e-10,
            reason="a root of the derivative found by bisection",
        ),
    ),
    conditions=(
        Condition(
            name="there is a best scale above 0",
            region=r"\varepsilon<\frac{n-1}{n}",
            margin=lambda wrong, n: (n - 1) / n - wrong,
            slack=lambda slope_at_zero: -slope_at_zero,
            counterexample="n = 4, ε = 0.8: the loss grows with the scale from 0 on",
            measurement="noisy_scale",
            options={"too_noisy": True},
        ),
    ),
    implemented_by=(
        "normtheory.temperature.best_scale",
        "normtheory.temperature.noisy_loss_floor",
        "normtheory.temperature.siglip_bias",
    ),
    shown_by=("temperature",),
)
