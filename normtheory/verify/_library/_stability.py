"""Rates of a pair: largest, fastest and best, with all their options."""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.claims import gradscale, optimizers, stability, step_change
from normtheory.verify._library._check import LibraryCheck, by_row, library

_ROUNDING = "rounding of powers of the norms"


def _rates(
    function: Any, norm_i: Any, norm_j: Any, momentum: Any, power: Any, one_sided: Any
) -> Any:
    def one(i: float, j: float, a: float, p: float, o: float) -> Any:
        return function(i, j, momentum=a, gradscale=p, stop_gradient=bool(o))

    return by_row(one, i=norm_i, j=norm_j, a=momentum, p=power, o=one_sided)


def _mean_effective_rate(rate: Any, norm_i: Any, norm_j: Any, power: Any, one_sided: Any) -> Any:
    """Half the sum of both points' effective rates, x of the claim."""
    second = np.where(one_sided == 1, 0.0, gradscale.effective_rate(norm_j, rate, power))
    return (gradscale.effective_rate(norm_i, rate, power) + second) / 2


def _at(name: str) -> Any:
    def effective_rate(
        norm_i: Any, norm_j: Any, momentum: Any, gradscale: Any, one_sided: Any
    ) -> Any:
        """The mean effective rate at the rate that the library gives."""
        function = getattr(nt.stability, name)
        rate = _rates(function, norm_i, norm_j, momentum, gradscale, one_sided)
        return _mean_effective_rate(rate, norm_i, norm_j, gradscale, one_sided)

    return effective_rate


def _contraction(
    norm_i: Any, norm_j: Any, learning_rate: Any, momentum: Any, gradscale: Any, one_sided: Any
) -> Any:
    def one(i: float, j: float, g: float, a: float, p: float, o: float) -> Any:
        # Rates of the measurement are small: here up to 40 times as large.
        options = {"momentum": a, "gradscale": p, "stop_gradient": bool(o)}
        return nt.stability.contraction(i, j, 40 * g, **options)

    columns = {"i": norm_i, "j": norm_j, "g": learning_rate, "a": momentum}
    return by_row(one, **columns, p=gradscale, o=one_sided)


def _largest_root(
    norm_i: Any, norm_j: Any, learning_rate: Any, momentum: Any, gradscale: Any, one_sided: Any
) -> Any:
    """Size of the larger root of the claim's recursion."""
    x = _mean_effective_rate(40 * learning_rate, norm_i, norm_j, gradscale, one_sided)
    law = optimizers.third_angle
    rows = zip(x[:, 0], momentum[:, 0], strict=True)
    roots = [abs(np.roots([1, -law(0, 1, x, a), -law(1, 0, x, a)])).max() for x, a in rows]
    return np.array(roots)[:, None]


def _next_angle(
    angle: Any, norm_i: Any, norm_j: Any, learning_rate: Any, gradscale: Any, one_sided: Any
) -> Any:
    def one(i: float, j: float, g: float, p: float, o: float) -> Any:
        return nt.stability.contraction(i, j, g, gradscale=p, stop_gradient=bool(o))

    columns = {"i": norm_i, "j": norm_j, "g": learning_rate}
    return angle * by_row(one, **columns, p=gradscale, o=one_sided)


def _best(start: Any, norm: Any, gradscale: Any, one_sided: Any) -> Any:
    """The effective rate at the rate that the library gives."""

    def one(a: float, r: float, p: float, o: float) -> Any:
        return nt.stability.best_rate(a, r, gradscale=p, stop_gradient=bool(o))

    acute = np.where(one_sided == 1, start / 3, start)
    rate = by_row(one, a=acute, r=norm, p=gradscale, o=one_sided)
    return rate * norm ** (gradscale - 2)


def _closed_best(start: Any, one_sided: Any) -> Any:
    one_side = step_change.best_rate_one_sided(np.cos(start / 3))
    return np.where(one_sided == 1, one_side, step_change.best_rate(np.cos(start)))


def _measured_best(c: Any) -> Any:
    return nt.stability.best_rate(np.arccos(c), np.ones_like(c))


_ALIGNED: dict[str, Any] = {"first": (1e-5, 1.3, 1.2), "angles": (1e-5, 1e-5), "rates": (0.02, 3.0)}

CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.stability.contraction": (
        library(
            "contraction",
            "pair_grid",
            _next_angle,
            quantity="next_angle",
            options=_ALIGNED,
            scale=lambda angle: 1 / angle,
            unit="relative",
            tolerance=1e-8,
            reason="at φ = 1e-5: terms of order φ², and rounding eps/φ",
        ),
        library(
            "contraction",
            "pair_draws",
            _contraction,
            against=_largest_root,
            scale=lambda start: 1 + 0 * start,
            unit="relative",
            tolerance=1e-9,
            reason="absolute; roots that nearly meet keep half of the digits",
        ),
    ),
    **{
        f"normtheory.stability.{name}": (
            library(
                name,
                "pair_draws",
                _at(name),
                against=of_momentum,
                scale=lambda momentum: 1 + 0 * momentum,
                reason=_ROUNDING,
            ),
        )
        for name, of_momentum in (
            ("largest_rate", optimizers.limit_of_stability),
            ("fastest_rate", optimizers.crossover),
        )
    },
    "normtheory.stability.best_rate": (
        library(
            "best_rate",
            "best_rate",
            _measured_best,
            quantity="best_rate",
            unit="relative",
            tolerance=1e-10,
            reason="a maximum found by bisection on its derivative: rounding over the curvature",
        ),
        library(
            "best_rate",
            "pair_draws",
            _best,
            against=_closed_best,
            unit="relative",
            tolerance=1e-11,
            reason="relative; 1 + c of nearly opposite points keeps 12 digits in the claim's form",
        ),
    ),
    "normtheory.stability.settled_rate": (
        library(
            "settled_rate",
            "self_taming",
            lambda x: nt.stability.settled_rate(x),
            quantity="final_x",
            off=0.05,
            unit="relative",
            tolerance=5e-3,
            reason="leading order in x₀ − 1, here up to 0.04, so terms of 0.0016",
        ),
        library(
            "settled_rate",
            "self_taming",
            lambda x: nt.stability.settled_rate(x),
            against=stability.final_rate,
            reason="rounding of a difference",
        ),
    ),
    "normtheory.stability.oscillation_angle": (
        library(
            "oscillation_angle",
            "runaway",
            lambda learning_rate: nt.stability.oscillation_angle(learning_rate),
            quantity="angle",
            tolerance=64.0,
            reason="as in the claim",
        ),
    ),
}
