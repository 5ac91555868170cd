"""Symmetric clouds and the temperature, with all options."""

from __future__ import annotations

from typing import Any

import numpy as np

from normtheory import symmetric, temperature
from normtheory.claims import modality_gap, simplex_steps
from normtheory.claims import temperature as temperature_claim
from normtheory.claims.modality_gap import kappa
from normtheory.claims.simplex_steps import KINDS
from normtheory.verify._library._check import LibraryCheck, by_row, library

_LEARNED = ("log", "scale", "temperature")


def _equiangular(
    cosine: Any,
    norm: Any,
    slope: Any,
    learning_rate: Any,
    gradscale: Any,
    weight_decay: Any,
    n: Any,
) -> Any:
    def one(c: float, r: float, w: float, g: float, p: float, lam: float, n: float) -> Any:
        return symmetric.equiangular_step(
            symmetric.EquiangularState(c, r), w, g, int(n), gradscale=p, weight_decay=lam
        )

    columns = {"c": cosine, "r": norm, "w": slope, "g": learning_rate, "p": gradscale}
    return by_row(one, **columns, lam=weight_decay, n=n)


def _slope(cosine: Any, n: Any, b: Any, kind: Any) -> Any:
    def one(c: float, n: float, b: float, k: float) -> Any:
        return symmetric.slope(KINDS[int(k)], c, int(n), steepness=b)

    return by_row(one, c=cosine, n=n, b=b, k=kind)


def _steps(cosine: Any, last: Any, n: Any, b: Any, kind: Any, norm: Any, learning_rate: Any) -> Any:
    def one(c: float, e: float, n: float, b: float, k: float, r: float, g: float) -> Any:
        return symmetric.simplex_steps(KINDS[int(k)], c, e, int(n), r, g, steepness=b)

    return by_row(one, c=cosine, e=last, n=n, b=b, k=kind, r=norm, g=learning_rate)


def _gap(
    first: Any,
    second: Any,
    norm: Any,
    b: Any,
    n: Any,
    learning_rate: Any,
    scale_rate: Any,
    gradscale: Any,
    weight_decay: Any,
) -> Any:
    """ρ'q₊', ρ'q₋', ρ' over ρ, and the step of the log scale."""

    def one(
        f: float, s: float, r: float, b: float, n: float, g: float, t: float, p: float, lam: float
    ) -> Any:
        state = symmetric.GapState(f, s, r, float(np.log(b)))
        new = symmetric.gap_step(state, g, t, int(n), gradscale=p, weight_decay=lam)
        size = float(new.norm) / r
        moved = (float(new.log_scale) - float(np.log(b))) / (t * b)
        return [size * float(new.common), size * float(new.gap), size, moved]

    columns = {"f": first, "s": second, "r": norm, "b": b, "n": n, "g": learning_rate}
    return by_row(one, **columns, t=scale_rate, p=gradscale, lam=weight_decay)


def _exponent(norm: Any, n: Any, learning_rate: Any, scale_rate: Any, gradscale: Any) -> Any:
    def one(r: float, n: float, g: float, t: float, p: float) -> Any:
        return symmetric.gap_exponent(r, int(n), g, t, gradscale=p)

    return by_row(one, r=norm, n=n, g=learning_rate, t=scale_rate, p=gradscale)


def _ratio(b: Any, b_0: Any, kappa: Any, learned: Any) -> Any:
    def one(b: float, a: float, k: float, i: float) -> Any:
        return symmetric.gap_ratio(b, a, k, learned=_LEARNED[int(i)])

    return by_row(one, b=b, a=b_0, k=kappa, i=learned)


def _floor(alignment: Any, n: Any) -> Any:
    return by_row(lambda s, n: symmetric.alignment_floor(s, int(n)), s=alignment, n=n)


def _loss_floor(alignment: Any, b: Any, n: Any) -> Any:
    def one(s: float, b: float, n: float) -> Any:
        return symmetric.loss_floor(s, int(n), steepness=b)

    return by_row(one, s=alignment, b=b, n=n)


def _views_floor(b: Any, n: Any) -> Any:
    def one(b: float, n: float) -> Any:
        return symmetric.loss_floor(1.0, int(n), steepness=b, loss="nt_xent")

    return by_row(one, b=b, n=n)


_ROUNDING = "rounding of a few operations"
_ATTAINED: dict[str, Any] = {
    "options": {"attained": True},
    "scale": lambda b: 1 / (1 + b),
    "reason": "rounding of the logits",
}

CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.symmetric.cloud_angle": (
        library(
            "cloud_angle",
            "equiangular",
            lambda cosine, n: by_row(lambda c, n: symmetric.cloud_angle(c, int(n)), c=cosine, n=n),
            against=lambda angle: angle,
            scale=lambda n: 1 / n**1.5,
            reason="absolute, in radians: rounding of a cosine, magnified at cosines near the ends",
        ),
    ),
    "normtheory.symmetric.equiangular_step": (
        library(
            "equiangular_step",
            "equiangular",
            _equiangular,
            quantity="state",
            options={"variants": True},
            scale=lambda norm, size: 1 / (1 + norm) / (1 + size),
            reason="rounding of the cosines, which a step of size a magnifies 1 + n|a| times",
        ),
    ),
    "normtheory.symmetric.slope": (
        library(
            "slope",
            "simplex_slope",
            _slope,
            quantity="slope",
            scale=lambda slope, ease: 1 / (slope * ease),
            reason="relative; rounding of exponentials of up to 20",
        ),
    ),
    "normtheory.symmetric.simplex_steps": (
        library(
            "simplex_steps",
            "simplex_count",
            _steps,
            against=lambda cosine, last, n, b, kind, norm, learning_rate, xp: simplex_steps.steps(
                cosine, last, n, b, kind, norm, learning_rate, xp
            ),
            unit="relative",
            tolerance=1e-10,
            reason="exponential integrals of differences",
        ),
        library(
            "simplex_steps",
            "simplex_count",
            _steps,
            quantity="steps_extrapolated",
            unit="relative",
            tolerance=5e-4,
            reason="second order in n|a|, here up to 0.01",
        ),
    ),
    "normtheory.symmetric.gap_step": (
        library(
            "gap_step",
            "gap_step",
            _gap,
            quantity="state",
            scale=lambda norm: 1 + 0 * norm,
            reason="absolute, in units of the norm and of the scale's own step",
        ),
    ),
    "normtheory.symmetric.gap_exponent": (
        library(
            "gap_exponent",
            "gap_step",
            _exponent,
            against=lambda norm, n, learning_rate, scale_rate, gradscale: kappa(
                norm, n, learning_rate, scale_rate, gradscale
            ),
            scale=lambda norm, n, learning_rate, scale_rate, gradscale: (
                n * scale_rate / learning_rate * norm ** (2 - gradscale)
            ),
            reason=_ROUNDING,
        ),
    ),
    "normtheory.symmetric.gap_ratio": (
        library(
            "gap_ratio",
            "gap_run",
            _ratio,
            against=lambda b, b_0, kappa, learned, xp: modality_gap.ratio(
                b, b_0, kappa, learned, xp
            ),
            unit="relative",
            tolerance=1e-13,
            reason=_ROUNDING,
        ),
        library(
            "gap_ratio",
            "gap_run",
            _ratio,
            quantity="ratio_extrapolated",
            unit="relative",
            tolerance=1e-4,
            reason="second order in κΔs",
        ),
    ),
    "normtheory.symmetric.alignment_floor": (
        library(
            "alignment_floor",
            "alignment",
            _floor,
            quantity="wrong_cosine",
            **_ATTAINED,
        ),
    ),
    "normtheory.symmetric.loss_floor": (
        library("loss_floor", "alignment", _loss_floor, quantity="loss", **_ATTAINED),
        library("loss_floor (NT-Xent)", "alignment", _views_floor, quantity="nt_xent", **_ATTAINED),
    ),
    "normtheory.temperature.best_scale": (
        library(
            "best_scale",
            "noisy_scale",
            lambda margin, wrong, n: by_row(
                lambda m, w, n: temperature.best_scale(m, w, int(n)), m=margin, w=wrong, n=n
            ),
            quantity="best_scale",
            unit="relative",
            tolerance=1e-10,
            reason="a root of the derivative found by bisection",
        ),
    ),
    "normtheory.temperature.noisy_loss_floor": (
        library(
            "noisy_loss_floor",
            "noisy_scale",
            lambda wrong, n: by_row(
                lambda w, n: temperature.noisy_loss_floor(w, int(n)), w=wrong, n=n
            ),
            quantity="least_loss",
            unit="relative",
            tolerance=1e-12,
            reason="flat at its minimum: rounding",
        ),
    ),
    "normtheory.temperature.siglip_bias": (
        library(
            "siglip_bias",
            "siglip_bias",
            lambda b, cosine, n: by_row(
                lambda b, c, n: temperature.siglip_bias(b, c, int(n)), b=b, c=cosine, n=n
            ),
            quantity="best_bias",
            scale=lambda b: 1 / (5 + b),
            unit="relative",
            tolerance=1e-10,
            reason="a root of the derivative found by bisection",
        ),
    ),
    "normtheory.temperature.wrong_partner_margin": (
        library(
            "wrong_partner_margin",
            "gap_stop",
            lambda wrong, n: by_row(
                lambda w, n: temperature.wrong_partner_margin(w, int(n)), w=wrong, n=n
            ),
            quantity="margin",
            unit="relative",
            tolerance=1e-6,
            reason="a run that has come to rest to 1e-7 of its pull",
        ),
        library(
            "wrong_partner_margin over the margin",
            "noisy_scale",
            lambda wrong, n, margin: by_row(
                lambda w, n, m: temperature.wrong_partner_margin(w, int(n)) / m,
                w=wrong,
                n=n,
                m=margin,
            ),
            against=lambda margin, wrong, n, xp: temperature_claim.best_scale(margin, wrong, n, xp),
            unit="relative",
            tolerance=1e-12,
            reason=_ROUNDING,
        ),
    ),
}
