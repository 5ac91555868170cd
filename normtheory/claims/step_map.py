"""One step of a pair is a map of three numbers: the angle and two norms."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim
from normtheory.claims._plane import PlanePair, cross
from normtheory.claims._symbolic import square, xp

_REASON = (
    "rounding of the angle, which a step at effective rates x_i, x_j magnifies 1 + x_i + x_j times"
)
_NORM_REASON = "rounding of sin φ, which counts x times in the new norm"


def turn(s: Any, norm: Any, rate: Any, power: Any, keep: Any, xp: Any) -> Any:
    """θ = atan2(γρ^(p−1) s, (1−γλ)ρ), the angle by which a point turns."""
    return xp.arctan2(rate * norm ** (power - 1) * s, keep * norm)


def turn_planted(s: Any, norm: Any, rate: Any, power: Any, keep: Any, xp: Any) -> Any:
    """Planted: the length of the step over the norm, right only for small steps."""
    return rate * norm ** (power - 1) * s / (keep * norm)


def squared_norm(s: Any, norm: Any, rate: Any, power: Any, keep: Any) -> Any:
    """ρ'² = (1−γλ)²ρ² + γ²ρ^(2p−2) s²."""
    return keep**2 * norm**2 + (rate * norm ** (power - 1) * s) ** 2


def squared_norm_planted(s: Any, norm: Any, rate: Any, power: Any, keep: Any) -> Any:
    """Planted: decay not squared."""
    return keep * norm**2 + (rate * norm ** (power - 1) * s) ** 2


def rotated(c: Any, s: Any, a_i: Any, a_j: Any) -> tuple[Any, Any]:
    """Real and imaginary part of e^{iφ}(1 − i a_i s)(1 − i a_j s), no trigonometry needed."""
    real, imaginary = 1 - a_i * a_j * s**2, -(a_i + a_j) * s
    return c * real - s * imaginary, s * real + c * imaginary


def rotated_planted(c: Any, s: Any, a_i: Any, a_j: Any) -> tuple[Any, Any]:
    """Planted: both points turned by the first one's angle."""
    return rotated(c, s, a_i, a_i)


def next_cosine(c: Any, s: Any, x_i: Any, x_j: Any, xp: Any) -> Any:
    """The cosine of φ' from the complex form."""
    return rotated(c, s, x_i, x_j)[0] / xp.sqrt((1 + x_i**2 * s**2) * (1 + x_j**2 * s**2))


def next_cosine_planted(c: Any, s: Any, x_i: Any, x_j: Any, xp: Any) -> Any:
    """The same with :func:`rotated_planted`."""
    return rotated_planted(c, s, x_i, x_j)[0] / xp.sqrt((1 + x_i**2 * s**2) * (1 + x_j**2 * s**2))


def _next_angle(turning: Any) -> Any:
    def next_angle(
        angle: Any,
        s: Any,
        norm_i: Any,
        norm_j: Any,
        learning_rate: Any,
        gradscale: Any,
        weight_decay: Any,
        repel: Any,
        one_sided: Any,
        xp: Any,
    ) -> Any:
        """φ' = |φ ∓ θ_i ∓ θ_j| folded into [0, π]."""
        keep = 1 - learning_rate * weight_decay
        first = turning(s, norm_i, learning_rate, gradscale, keep, xp)
        second = turning(s, norm_j, learning_rate, gradscale, keep, xp)
        moved = angle - (1 - 2 * repel) * (first + (1 - one_sided) * second)
        return abs(xp.remainder(moved + xp.pi, 2 * xp.pi) - xp.pi)

    return next_angle


next_angle = _next_angle(turn)
next_angle_planted = _next_angle(turn_planted)


def _next_norm(squared: Any) -> Any:
    def next_norm_i(
        s: Any, norm_i: Any, learning_rate: Any, gradscale: Any, weight_decay: Any, xp: Any
    ) -> Any:
        """Norm of point i after the step."""
        keep = 1 - learning_rate * weight_decay
        return xp.sqrt(squared(s, norm_i, learning_rate, gradscale, keep))

    return next_norm_i


def _next_norm_j(squared: Any) -> Any:
    def next_norm_j(
        s: Any,
        norm_j: Any,
        learning_rate: Any,
        gradscale: Any,
        weight_decay: Any,
        one_sided: Any,
        xp: Any,
    ) -> Any:
        """Norm of point j after the step; a frozen partner is left alone by decay too."""
        keep = 1 - learning_rate * weight_decay
        moved = xp.sqrt(squared(s, norm_j, learning_rate, gradscale, keep))
        return one_sided * norm_j + (1 - one_sided) * moved

    return next_norm_j


def _variants() -> dict[str, PlanePair]:
    keep = sp.Symbol("kappa", positive=True)
    power = sp.Symbol("p", real=True)
    return {
        "attraction": PlanePair(),
        "repulsion": PlanePair(sign=-1),
        "one-sided": PlanePair(one_sided=True),
        "decay and GradScale": PlanePair(keep=keep, power=power),
        "one-sided repulsion, decay and GradScale": PlanePair(
            keep=keep, power=power, sign=-1, one_sided=True
        ),
    }


def _residuals(rotation: Any, squared: Any, turning: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, pair in _variants().items():
        z, y = pair.stepped
        keep_j = sp.Integer(1) if pair.one_sided else pair.keep
        a_i, a_j = pair.sign * pair.x_i / pair.keep, pair.sign * pair.x_j / keep_j
        real, imaginary = rotation(pair.c, pair.s, a_i, a_j)
        size = pair.keep * keep_j * pair.norm_i * pair.norm_j
        found[f"complex form, {name}"] = pair.reduce(
            [dot(z, y)[0] - size * real, cross(z, y) - size * imaginary]
        )
        claimed = squared(pair.s, pair.norm_i, pair.rate, pair.power, pair.keep)
        found[f"norm, {name}"] = pair.reduce(square(z) - claimed)
    # The turn by arctangents is the complex form: equal cosines and sines of φ − θ_i − θ_j.
    pair = PlanePair()
    phi = sp.Symbol("phi", real=True)
    angles = [
        turning(pair.s, norm, pair.rate, pair.power, pair.keep, xp)
        for norm in (pair.norm_i, pair.norm_j)
    ]
    moved = [f(phi - angles[0] - angles[1]).expand(trig=True) for f in (sp.cos, sp.sin)]
    length = sp.sqrt((1 + pair.x_i**2 * pair.s**2) * (1 + pair.x_j**2 * pair.s**2))
    # Here s is free of φ, so that the identity is one of angle addition alone.
    real, imaginary = 1 - pair.x_i * pair.x_j * pair.s**2, -(pair.x_i + pair.x_j) * pair.s
    turned = (
        sp.cos(phi) * real - sp.sin(phi) * imaginary,
        sp.sin(phi) * real + sp.cos(phi) * imaginary,
    )
    found["turn is the complex form"] = np.array(
        [sp.cancel(a - b / length) for a, b in zip(moved, turned, strict=True)], dtype=object
    )
    return found


def _planted_proof() -> dict[str, Any]:
    wrong = _residuals(rotated_planted, squared_norm_planted, turn_planted)
    # Without decay a decay that isn't squared can't be seen.
    return {
        key: value for key, value in wrong.items() if not key.startswith("norm") or "decay" in key
    }


_COMMON: dict[str, Any] = {"measurement": "pair_step", "options": {"variants": True}}

CLAIM = Claim(
    name="step_map",
    title="One step of a pair",
    meaning="One step on a pair is exactly a map of three numbers, its angle and its two norms, in "
    "any dimension and with weight decay, GradScale or a stop-gradient too.",
    reason="Both gradients lie in the plane that the pair spans, so the pair never leaves it. Each "
    "point moves at a right angle to itself and turns by the angle whose tangent is the step over "
    "the decayed norm.",
    consequence="Pairs can be followed exactly without their $d$ coordinates, millions at a time: "
    "`normtheory.pair_step` and `normtheory.simulate_pairs`.",
    statement=r"\theta_i=\operatorname{atan2}\!\left(\gamma\rho_i^{p-1}\sin\varphi,\,"
    r"(1-\gamma\lambda)\rho_i\right),\qquad \varphi'=\lvert\varphi\mp\theta_i\mp\theta_j\rvert"
    r"\ \text{folded into}\ [0,\pi],\qquad \rho_i'^2=(1-\gamma\lambda)^2\rho_i^2+"
    r"\gamma^2\rho_i^{2p-2}\sin^2\varphi,\qquad e^{i\varphi'}\propto e^{i\varphi}"
    r"(1-ia_i\sin\varphi)(1-ia_j\sin\varphi)",
    assumptions=(
        "attraction −cos φ (upper sign) or repulsion +cos φ (lower sign)",
        "0 ≤ γλ < 1",
        "with stop-gradient on j, θ_j = 0 and ρ_j stays",
        "a = γρ^(p−2)/(1−γλ)",
    ),
    source="normtheory (derived here)",
    item="9",
    proof=lambda: _residuals(rotated, squared_norm, turn),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="angle after a step, all variants",
            quantity="next_angle",
            formula=next_angle,
            planted=next_angle_planted,
            mistake="turn by step length over norm instead of its arctangent",
            scale=lambda x_i, x_j: 1 / (1 + x_i + x_j),
            reason=_REASON,
            **_COMMON,
        ),
        Check(
            name="norm of i after a step, all variants",
            quantity="next_norm_i",
            formula=_next_norm(squared_norm),
            planted=_next_norm(squared_norm_planted),
            mistake="decay not squared",
            scale=lambda next_norm_i, x_i: 1 / next_norm_i / (1 + x_i),
            reason=_NORM_REASON,
            **_COMMON,
        ),
        Check(
            name="norm of j after a step, all variants",
            quantity="next_norm_j",
            formula=_next_norm_j(squared_norm),
            planted=_next_norm_j(squared_norm_planted),
            mistake="decay not squared",
            scale=lambda next_norm_j, x_j: 1 / next_norm_j / (1 + x_j),
            reason=_NORM_REASON,
            **_COMMON,
        ),
        Check(
            name="cosine from the complex form",
            measurement="pair_step",
            quantity="next_cosine",
            formula=next_cosine,
            planted=next_cosine_planted,
            mistake="both points turned by the first one's angle",
            scale=lambda x_i, x_j: 1 / (1 + x_i + x_j),
            reason=_REASON,
        ),
    ),
    implemented_by=(
        "normtheory.pair_step",
        "normtheory.pair_rate",
        "normtheory.pair_decay",
        "normtheory.simulate_pairs",
        "normtheory.particles.run",
        "normtheory.sphere.pairs_at_angle",
    ),
)
