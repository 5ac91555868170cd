"""Two modalities under CLIP with a learned scale: the gap closes as a power of the scale."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import reduce, xp


def difference(first: Any, second: Any, n: Any) -> Any:
    """D = (n/(n−1))P: cosine with the partner less that with any other, P = 1 − q₊² − q₋²."""
    return n / (n - 1) * (1 - first**2 - second**2)


def wrong_share(d: Any, b: Any, n: Any, xp: Any) -> Any:
    """Q = (n−1)/(e^(bD) + n−1), the probability of all wrong partners together."""
    return (n - 1) / (xp.exp(b * d) + n - 1)


def kappa(norm: Any, n: Any, learning_rate: Any, scale_rate: Any, gradscale: Any) -> Any:
    """κ = γ_e ρ^(p−2)/(nγ_s), the exponent of the gap."""
    return learning_rate * norm ** (gradscale - 2) / (n * scale_rate)


def kappa_planted(norm: Any, n: Any, learning_rate: Any, scale_rate: Any, gradscale: Any) -> Any:
    """Planted: without the number of points."""
    return n * kappa(norm, n, learning_rate, scale_rate, gradscale)


def kappa_of_the_gradient(
    norm: Any, n: Any, learning_rate: Any, scale_rate: Any, gradscale: Any
) -> Any:
    """Planted: one factor 1/ρ, that of the gradient, without that of the turn."""
    return norm * kappa(norm, n, learning_rate, scale_rate, gradscale)


def log_scale_step(first: Any, second: Any, b: Any, n: Any, scale_rate: Any, xp: Any) -> Any:
    """Δs = γ_s bDq, s = ln b."""
    d = difference(first, second, n)
    return scale_rate * b * d * wrong_share(d, b, n, xp)


def log_scale_step_planted(
    first: Any, second: Any, b: Any, n: Any, scale_rate: Any, xp: Any
) -> Any:
    """Planted: the derivative by b for that by its logarithm."""
    return log_scale_step(first, second, b, n, scale_rate, xp) / b


def _common(of_kappa: Any) -> Any:
    def common(
        first: Any,
        second: Any,
        norm: Any,
        b: Any,
        n: Any,
        learning_rate: Any,
        scale_rate: Any,
        gradscale: Any,
        weight_decay: Any,
        xp: Any,
    ) -> Any:
        """ρq₊ and ρq₋ after a step: both multiplied by 1 − γ_eλ − κΔs."""
        rate = of_kappa(norm, n, learning_rate, scale_rate, gradscale)
        moved = log_scale_step(first, second, b, n, scale_rate, xp)
        factor = 1 - learning_rate * weight_decay - rate * moved
        return norm * factor * xp.concatenate([first, second], axis=-1)

    return common


def _next_norm(of_kappa: Any) -> Any:
    def next_norm(
        first: Any,
        second: Any,
        norm: Any,
        b: Any,
        n: Any,
        learning_rate: Any,
        scale_rate: Any,
        gradscale: Any,
        weight_decay: Any,
        xp: Any,
    ) -> Any:
        """ρ'² = ρ²[(1−γ_eλ)² + (κΔs)²(1−P)/P]."""
        rate = of_kappa(norm, n, learning_rate, scale_rate, gradscale)
        moved = log_scale_step(first, second, b, n, scale_rate, xp)
        p = 1 - first**2 - second**2
        keep = 1 - learning_rate * weight_decay
        return norm * xp.sqrt(keep**2 + (rate * moved) ** 2 * (1 - p) / p)

    return next_norm


def gap_ratio(b: Any, b_0: Any, kappa: Any) -> Any:
    """q₋/q₋(0) = (b/b₀)^(−κ), where the logarithm of the scale is learned."""
    return (b / b_0) ** (-kappa)


def gap_ratio_of_scale(b: Any, b_0: Any, kappa: Any, xp: Any) -> Any:
    """q₋/q₋(0) = e^(−κ(b² − b₀²)/2), where the scale itself is learned, κ with its rate."""
    return xp.exp(-kappa * (b**2 - b_0**2) / 2)


def gap_ratio_of_temperature(b: Any, b_0: Any, kappa: Any, xp: Any) -> Any:
    """q₋/q₋(0) = e^(−κ(τ₀² − τ²)/2), where τ = 1/b is learned: the gap never closes."""
    return xp.exp(-kappa * (1 / b_0**2 - 1 / b**2) / 2)


def _ratio(planted: bool) -> Any:
    def ratio(b: Any, b_0: Any, kappa: Any, learned: Any, xp: Any) -> Any:
        """By what is learned: 0 ln b, 1 b, 2 τ."""
        kappa = kappa / 2 if planted else kappa
        return xp.where(
            learned == 0,
            gap_ratio(b, b_0, kappa),
            xp.where(
                learned == 1,
                gap_ratio_of_scale(b, b_0, kappa, xp),
                gap_ratio_of_temperature(b, b_0, kappa, xp),
            ),
        )

    return ratio


ratio, _ratio_planted = _ratio(planted=False), _ratio(planted=True)


def final_margin(n: Any, wrong: Any, xp: Any) -> Any:
    """BD = ln((n−1)(1−ε)/ε), where everything stops if partners are wrong at rate ε."""
    return xp.log((n - 1) * (1 - wrong) / wrong)


def final_margin_planted(n: Any, wrong: Any, xp: Any) -> Any:
    """Planted: n for n − 1."""
    return xp.log(n * (1 - wrong) / wrong)


def _residuals(of_kappa: Any, ds: Any, ratios: Any, stop: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    plus, minus = sp.symbols("q_plus q_minus", positive=True)
    rho, b, gamma, gamma_s, lam = sp.symbols("rho b gamma gamma_s lambda", positive=True)
    power = sp.Symbol("p", real=True)
    p = 1 - plus**2 - minus**2
    for n in (2, 3, 4):
        # In the basis (√P W_1, …, √P W_n, e₊, e₋), of which the first n have a Gram matrix.
        gram = np.full((n, n), -p / (n - 1))
        np.fill_diagonal(gram, p)
        unit = np.eye(n, dtype=int)
        u = [(unit[a], plus, minus) for a in range(n)]
        v = [(unit[a], plus, -minus) for a in range(n)]

        def inner(x: Any, y: Any, gram: Any = gram) -> Any:
            return x[0] @ gram @ y[0] + x[1] * y[1] + x[2] * y[2]

        logits = [b * inner(u[0], y) for y in v]
        margin = sp.expand(b * difference(plus, minus, sp.Integer(n)))
        found[f"margin, n={n}"] = [sp.expand(logits[0] - x - margin) for x in logits[1:]]
        # e^(−bD) as a symbol: every wrong partner's weight, in units of the own one's.
        weight = sp.Symbol("X", positive=True)
        space = SimpleNamespace(
            exp=lambda x, m=margin, e=weight: 1 / e if sp.expand(x - m) == 0 else sp.exp(x)
        )
        share = [sp.Integer(1), *[weight] * (n - 1)]
        total = sum(share, sp.Integer(0))
        # ∂L/∂s of the mean over rows and columns, which are all alike.
        pull = sum(s * x for s, x in zip(share, logits, strict=True)) / total - logits[0]
        found[f"step of the scale, n={n}"] = reduce(
            -gamma_s * pull - ds(plus, minus, b, sp.Integer(n), gamma_s, space), {}
        )
        # ∇ of the first point: rows and columns give the same, each a half, over n.
        slope = [
            (b / n) * (sum(s * y[k] for s, y in zip(share, v, strict=True)) / total - v[0][k])
            for k in range(3)
        ]
        along = inner(slope, u[0])
        tangent = [slope[k] - along * u[0][k] for k in range(3)]
        step = [
            (1 - gamma * lam) * rho * u[0][k] - gamma * rho ** (power - 1) * tangent[k]
            for k in range(3)
        ]
        moved = log_scale_step(plus, minus, b, sp.Integer(n), gamma_s, space)
        factor = of_kappa(rho, sp.Integer(n), gamma, gamma_s, power) * moved
        keep = 1 - gamma * lam
        grown = (step[1] / (rho * plus), step[2] / (rho * minus))
        found[f"common parts, n={n}"] = reduce([ratio - keep + factor for ratio in grown], {})
        claimed = keep**2 + factor**2 * (1 - p) / p
        found[f"norm, n={n}"] = reduce(inner(step, step) / rho**2 - claimed, {})
    # The flow: d ln q₋ = −κ ds, with ds = db/b; b learned: γ_s b² takes the place of γ_s.
    b_0, k, tau = sp.symbols("b_0 kappa tau", positive=True)
    law, of_scale, of_temperature = ratios
    found["power of the scale"] = reduce(sp.diff(sp.log(law(b, b_0, k)), b) + k / b, {})
    # ḃ = γ_b Dq and (ln q₋)' = −γ_e bDq/(nρ²): d ln q₋/db = −κb.
    found["scale learned"] = reduce(sp.diff(sp.log(of_scale(b, b_0, k, xp)), b) + k * b, {})
    # τ̇ = −γ_τ Dq/τ² and b = 1/τ: d ln q₋/dτ = κτ.
    in_tau = sp.log(of_temperature(1 / tau, b_0, k, xp))
    found["temperature learned"] = reduce(sp.diff(in_tau, tau) - k * tau, {})
    n, wrong, margin = sp.symbols("n epsilon M", positive=True)
    # With wrong partners the pull is q − ε: it is 0 at the margin.
    q = (n - 1) / (sp.exp(margin) + n - 1)
    found["wrong partners"] = reduce(q.subs(margin, stop(n, wrong, xp)) - wrong, {})
    return found


_LAWS = (gap_ratio, gap_ratio_of_scale, gap_ratio_of_temperature)
_LAWS_PLANTED = (
    lambda b, b_0, kappa: gap_ratio(b, b_0, kappa / 2),
    lambda b, b_0, kappa, xp: gap_ratio_of_scale(b, b_0, kappa / 2, xp),
    lambda b, b_0, kappa, xp: gap_ratio_of_temperature(b, b_0, 2 * kappa, xp),
)

_STEP: dict[str, Any] = {"measurement": "gap_step"}
_REASON = "rounding of the softmax, of logits of up to 10, in a step of size κΔs up to about 1"

CLAIM = Claim(
    name="modality_gap",
    title="The modality gap closes as a power of the scale",
    meaning=r"For two modalities in a symmetric state under CLIP, learning the scale $b=1/\tau$ "
    r"closes the gap between them only as the power $b^{-\kappa}$; without GradScale twice the "
    r"norm leaves a quarter of $\kappa$.",
    reason=r"One quantity, $bDq$, drives both the logarithm of the scale and the shrinking of what "
    r"the points of a modality share. So both go in proportion, and $\kappa$ is their ratio.",
    consequence=r"A gap that lasts is no failure of the loss: long embeddings or a fast scale use "
    r"up the gradient before it closes. The law is for SGD; in networks $\kappa$ can only be "
    r"measured.",
    statement=r"\hat u_a=(\sqrt PW_a,q_+,q_-),\ \hat v_a=(\sqrt PW_a,q_+,-q_-),\quad "
    r"\kappa=\frac{\gamma_e\rho^{p-2}}{n\gamma_s},\quad \Delta\ln b=\gamma_s\,bDq:\qquad "
    r"\rho'q_\pm'=\rho q_\pm\,(1-\gamma_e\lambda-\kappa\,\Delta\ln b),\quad "
    r"\rho'^2=\rho^2\left[(1-\gamma_e\lambda)^2+(\kappa\,\Delta\ln b)^2\,\frac{1-P}{P}\right],"
    r"\qquad q_-\propto b^{-\kappa}",
    assumptions=(
        "W a simplex of n points, P = 1 − q₊² − q₋², all norms ρ; gap 2q₋ between the modalities",
        "CLIP, mean over n pairs of the full batch, b = 1/τ learned with rate γ_s through ln b, "
        "embeddings by SGD with rate γ_e, decay λ and GradScale power p",
        "D = nP/(n−1), q = (n−1)/(e^(bD) + n−1)",
        "the power law: to first order in κΔ ln b, norms and κ constant; learned b: "
        "e^(−κ(b²−b₀²)/2), learned τ: e^(−κ(τ₀²−τ²)/2), κ with the rate of that parameter",
        "partners wrong at rate ε: q − ε for q, and all stops at bD = ln((n−1)(1−ε)/ε)",
        "not with Adam on the scale or the embeddings; in networks κ can only be measured",
    ),
    source="normtheory (derived here); states with q₊ = 0: Lee, Chang & Sohn 2024",
    item="18",
    proof=lambda: _residuals(kappa, log_scale_step, _LAWS, final_margin),
    planted_proof=lambda: {
        key: value
        for key, value in _residuals(
            kappa_planted, log_scale_step_planted, _LAWS_PLANTED, final_margin_planted
        ).items()
        if not key.startswith("margin,")  # that of the state, which no formula claims
    },
    checks=(
        Check(
            name="step of the scale",
            quantity="log_scale_step",
            formula=log_scale_step,
            planted=log_scale_step_planted,
            mistake="derivative by the scale for that by its logarithm",
            scale=lambda scale_rate, b: 1 / (scale_rate * b),
            reason="rounding of the cosines, in units of the scale",
            **_STEP,
        ),
        Check(
            name="common parts after a step",
            quantity="common",
            formula=_common(kappa),
            planted=_common(kappa_planted),
            mistake="number of points left out",
            scale=lambda norm: 1 / norm,
            reason=_REASON,
            **_STEP,
        ),
        Check(
            name="norm after a step",
            quantity="next_norm",
            formula=_next_norm(kappa),
            planted=_next_norm(kappa_of_the_gradient),
            mistake="1/ρ in place of 1/ρ²",
            scale=lambda next_norm: 1 / next_norm,
            reason=_REASON,
            **_STEP,
        ),
        Check(
            name="power law, by what is learned",
            measurement="gap_run",
            quantity="ratio",
            formula=ratio,
            planted=_ratio_planted,
            mistake="half of the exponent",
            unit="relative",
            tolerance=0.02,
            reason="first order in κΔs, here up to 0.02 at the first step",
        ),
        Check(
            name="power law, extrapolated to small rates",
            measurement="gap_run",
            quantity="ratio_extrapolated",
            formula=ratio,
            planted=_ratio_planted,
            mistake="half of the exponent",
            unit="relative",
            tolerance=1e-4,
            reason="twice the logarithm at half of the rates less it: second order in κΔs",
        ),
        Check(
            name="margin where wrong partners stop it",
            measurement="gap_stop",
            quantity="margin",
            formula=final_margin,
            planted=final_margin_planted,
            mistake="n for n − 1",
            unit="relative",
            tolerance=1e-6,
            reason="a run that has come to rest to 1e-7 of its pull",
        ),
    ),
    implemented_by=(
        "normtheory.symmetric.gap_step",
        "normtheory.symmetric.gap_exponent",
        "normtheory.symmetric.gap_ratio",
        "normtheory.temperature.wrong_partner_margin",
    ),
    shown_by=("modality_gap",),
)
