"""The gradient flow of a pair and the steps that it predicts, with all their options.

GradScale and stop-gradient change the closed forms by one replacement: 1/ρ² becomes ρ^(p-2), as of
a norm ρ^(1-p/2), and 0 for a partner at rest, as of an infinite norm. Repulsion is attraction to
the antipode.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.claims import norm_effect
from normtheory.verify._library._check import LibraryCheck, by_row, library

_COUNTS: dict[str, Any] = {
    "quantity": "steps",
    "off": 0.05,
    "unit": "relative",
    "tolerance": 0.02,
    "reason": "leading order in x (at most 0.02), and counts are whole numbers",
}


def _of_power(norm: Any, gradscale: Any) -> Any:
    return norm ** (1 - gradscale / 2)


def _flow(
    start: Any, norm_i: Any, norm_j: Any, time: Any, gradscale: Any, one_sided: Any, repel: Any = 0
) -> Any:
    """The claim's closed form with the options of the functions."""
    first = _of_power(norm_i, gradscale)
    second = np.where(one_sided == 1, np.inf, _of_power(norm_j, gradscale))
    near = np.where(repel == 1, np.pi - start, start)
    flowed = norm_effect.flow_angle(near, first, second, time, np)
    return np.where(repel == 1, np.pi - flowed, flowed)


def _flow_angle(
    start: Any, norm_i: Any, norm_j: Any, time: Any, gradscale: Any, one_sided: Any, repel: Any
) -> Any:
    def one(a: float, i: float, j: float, t: float, p: float, o: float, r: float) -> Any:
        return nt.flow_angle(a, i, j, t, gradscale=p, stop_gradient=bool(o), repel=bool(r))

    return by_row(one, a=start, i=norm_i, j=norm_j, t=time, p=gradscale, o=one_sided, r=repel)


def _steps_to(
    start: Any,
    target: Any,
    norm_i: Any,
    norm_j: Any,
    learning_rate: Any,
    gradscale: Any,
    one_sided: Any,
) -> Any:
    """steps_to_converge of single pairs, to an angle."""

    def one(a: float, t: float, i: float, j: float, g: float, p: float, o: float) -> Any:
        near = float(2 * np.sin(t / 2) ** 2)
        options = {"tolerance": near, "gradscale": p, "stop_gradient": bool(o)}
        return nt.steps_to_converge(a, i, j, g, **options)

    columns = {"a": start, "t": target, "i": norm_i, "j": norm_j, "g": learning_rate}
    return by_row(one, **columns, p=gradscale, o=one_sided)


def _arrived(
    start: Any,
    target: Any,
    norm_i: Any,
    norm_j: Any,
    learning_rate: Any,
    gradscale: Any,
    one_sided: Any,
) -> Any:
    """Where the closed form of the flow is after the steps that steps_to_converge says."""
    steps = _steps_to(start, target, norm_i, norm_j, learning_rate, gradscale, one_sided)
    return _flow(start, norm_i, norm_j, learning_rate * steps, gradscale, one_sided)


def _ensemble_arrived(
    angles: Any,
    norms_i: Any,
    norms_j: Any,
    learning_rate: Any,
    tolerance: Any,
    gradscale: Any,
    one_sided: Any,
) -> Any:
    """1 − mean cosine after the steps that steps_to_converge says for whole ensembles."""

    def one(a: Any, i: Any, j: Any, g: float, e: float, p: float, o: float) -> Any:
        options = {"tolerance": e, "gradscale": p, "stop_gradient": bool(o)}
        return nt.steps_to_converge(a, i, j, g, ensemble_axis=-1, **options)

    columns = {"a": angles, "i": norms_i, "j": norms_j, "g": learning_rate, "e": tolerance}
    steps = by_row(one, **columns, p=gradscale, o=one_sided)
    end = _flow(angles, norms_i, norms_j, learning_rate * steps, gradscale, one_sided)
    return (2 * np.sin(end / 2) ** 2).mean(-1, keepdims=True)


def _steps(start: Any, target: Any, norm: Any, learning_rate: Any, gradscale: Any) -> Any:
    """steps_to_converge of pairs of equal norm that both move."""
    return _steps_to(start, target, norm, norm, learning_rate, gradscale, 0 * norm)


def _ensemble(angles: Any, norm: Any, learning_rate: Any, tolerance: Any) -> Any:
    found = nt.steps_to_converge(
        angles, norm, norm, learning_rate, tolerance=float(tolerance[0, 0]), ensemble_axis=-1
    )
    return np.asarray(found).reshape(-1, 1)


def _random(dimension: Any, norm: Any, learning_rate: Any, tolerance: Any, gradscale: Any) -> Any:
    def one(d: float, r: float, g: float, e: float, p: float) -> Any:
        return nt.random_pair_steps(int(d), r, g, tolerance=e, gradscale=p)

    return by_row(one, d=dimension, r=norm, g=learning_rate, e=tolerance, p=gradscale)


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.flow_angle": (
        library(
            "flow_angle",
            "pair_draws",
            _flow_angle,
            against=_flow,
            scale=lambda start: 1 + 0 * start,
            reason="absolute; the closed form compresses what tan(φ/2) has magnified",
        ),
        library(
            "flow_angle",
            "flow_run",
            _flow_angle,
            quantity="angle",
            options={"variants": True},
            scale=lambda time: 1 + 0 * time,
            unit="relative",
            tolerance=1e-8,
            reason="absolute error of a Runge-Kutta method of order 4 with 400 steps",
        ),
    ),
    "normtheory.steps_to_converge": (
        library(
            "steps_to_converge, carried on by the flow",
            "pair_draws",
            _arrived,
            against=lambda target: target,
            scale=lambda target: 1 / target,
            tolerance=256.0,
            reason="relative; exponents of up to 10, and tan(φ/2) up to 50",
        ),
        library(
            "steps_to_converge (ensemble), carried on by the flow",
            "ensemble_draws",
            _ensemble_arrived,
            against=lambda tolerance: tolerance,
            scale=lambda tolerance: 1 / tolerance,
            unit="relative",
            tolerance=1e-11,
            reason="relative; a root found to 1e-13, which exponents of up to 20 magnify",
        ),
        library("steps_to_converge", "step_count", _steps, **_COUNTS),
        library("steps_to_converge (ensemble)", "ensemble_count", _ensemble, **_COUNTS),
    ),
    "normtheory.random_pair_steps": (
        library(
            "random_pair_steps",
            "pair_draws",
            _random,
            against=lambda dimension, norm, learning_rate, tolerance, gradscale: (
                norm_effect.random_pair_steps(
                    _of_power(norm, gradscale), learning_rate, tolerance, dimension, np
                )
            ),
            scale=lambda norm, learning_rate, gradscale: learning_rate / norm ** (2 - gradscale),
            reason="rounding of a power and a logarithm of up to 20",
        ),
        library(
            "random_pair_steps",
            "ensemble_count",
            _random,
            **_COUNTS
            | {
                "tolerance": 0.03,
                "off": 0.1,
                "reason": "sampling of E tan² by 500 pairs, leading order in x and in ε",
            },
        ),
    ),
}
