"""What runs and flows keep."""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.claims import common_pull, norm_budget, scale_theorem
from normtheory.verify._library._check import LibraryCheck, by_row, library


def _flat(torque: Any) -> Any:
    return torque.reshape(len(torque), -1)


def _torque(points: Any, velocities: Any) -> Any:
    return _flat(nt.invariants.torque(points, velocities))


def _torque_of_clouds(points: Any, velocities: Any) -> Any:
    split = [[a[:, :2], a[:, 2:]] for a in (points, velocities)]
    return _flat(nt.invariants.torque(*split))


def _cross_ratio(a: Any, b: Any, c: Any, d: Any) -> Any:
    return nt.invariants.cross_ratio(a, b, c, d)[:, None]


def _order(start: Any, norm: Any, time: Any) -> Any:
    return nt.invariants.common_pull_order(start, norm, time)


def _decayed(call: Any) -> Any:
    """The torque after a step, as the claim has it, from what the library says before."""

    def after(points: Any, velocities: Any, keep: Any, momentum: Any) -> Any:
        return keep * momentum * call(points, velocities)

    return after


def _budget(learning_rate: Any, loss_fall: Any) -> Any:
    return nt.invariants.norm_budget(learning_rate, loss_fall)


def _heavy_ball_norm(norm: Any, z_dot_v: Any, next_norm_v: Any, momentum: Any) -> Any:
    # From rest z·v is 0, and rounding may put it below.
    inner = np.maximum(z_dot_v, 0)
    return nt.invariants.heavy_ball_norm(norm, inner, next_norm_v, momentum)


#: Any options will do: the factors are what is wanted.
_RESCALED = scale_theorem.CLAIM.checks[0].options

#: The optimizers of the claim under the names of the function.
_OPTIMIZERS = {"sgdw": "sgd", "adam_l2": "adam"}
_RATES = {"learning_rate": 0.3, "weight_decay": 0.05, "epsilon": 0.007}


def _rescaled(optimizer: str) -> Any:
    def settings(alpha: Any) -> Any:
        name = _OPTIMIZERS.get(optimizer, optimizer)
        return by_row(lambda a: nt.invariants.rescaled_settings(a, name, **_RATES), a=alpha)

    return settings


def _closed_settings(optimizer: str) -> Any:
    def settings(alpha: Any) -> Any:
        pairs = zip(scale_theorem.OPTIMIZERS[optimizer], _RATES.values(), strict=True)
        return np.concatenate([factor(alpha) * value + 0 * alpha for factor, value in pairs], 1)

    return settings


def _with_gradscale(alpha: Any) -> Any:
    def both(a: float) -> Any:
        return [nt.invariants.rescaled_settings(a, "sgd", gradscale=p, **_RATES) for p in (1, 1.5)]

    return by_row(both, a=alpha)


def _closed_with_gradscale(alpha: Any) -> Any:
    rate, decay, epsilon = _RATES.values()
    factors = [scale_theorem.rate_factor(alpha, p) for p in (1, 1.5)]
    parts = [[rate * f, decay / f, epsilon + 0 * f] for f in factors]
    return np.concatenate([column for part in parts for column in part], axis=1)


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.invariants.norm_budget": (
        library(
            "norm_budget",
            "budget_run",
            _budget,
            quantity="growth",
            off=0.1,
            unit="relative",
            tolerance=0.02,
            reason="leading order in γ: effective rates of 1e-3 times a curvature of up to 10",
        ),
        library(
            "norm_budget",
            "budget_run",
            _budget,
            against=norm_budget.growth,
            unit="relative",
            tolerance=1e-15,
            reason="one product",
        ),
    ),
    "normtheory.invariants.heavy_ball_norm": (
        library(
            "heavy_ball_norm",
            "momentum_step",
            _heavy_ball_norm,
            quantity="next_norm",
            scale=lambda next_norm: 1 / next_norm,
            reason="rounding of z·v, which steps longer than the point magnify",
        ),
    ),
    "normtheory.invariants.rescaled_settings": (
        *(
            library(
                f"rescaled_settings ({optimizer})",
                "rescaled_run",
                _rescaled(optimizer),
                against=_closed_settings(optimizer),
                options=_RESCALED,
                unit="relative",
                tolerance=1e-14,
                reason="rounding of a power",
            )
            for optimizer in scale_theorem.OPTIMIZERS
        ),
        library(
            "rescaled_settings with GradScale",
            "rescaled_run",
            _with_gradscale,
            against=_closed_with_gradscale,
            options=_RESCALED,
            unit="relative",
            tolerance=1e-14,
            reason="rounding of a power",
        ),
    ),
    "normtheory.invariants.torque": tuple(
        library(
            f"torque{of}",
            "torque_run",
            _decayed(call),
            quantity="next_torque",
            scale=lambda size: 1 / size,
            reason="rounding of a sum over all points, in units of their lengths and velocities'",
        )
        for of, call in (("", _torque), (" of several clouds", _torque_of_clouds))
    ),
    "normtheory.invariants.cross_ratio": (
        library(
            "cross_ratio",
            "pull_flow",
            _cross_ratio,
            quantity="cross_ratio",
            scale=lambda cross_ratio: 0.1 / cross_ratio,
            reason="rounding of directions, which chords of 0.3 and more magnify in the measured",
        ),
        library(
            "cross_ratio, later,",
            "pull_flow",
            _cross_ratio,
            quantity="cross_ratio_after",
            unit="relative",
            tolerance=1e-7,
            reason="Runge-Kutta steps of fourth order",
        ),
    ),
    "normtheory.invariants.common_pull_order": (
        library(
            "common_pull_order",
            "poisson_flow",
            _order,
            quantity="order",
            unit="relative",
            tolerance=1e-7,
            reason="Runge-Kutta steps of 0.015; 256 points stand for a circle to r^256",
        ),
        library(
            "common_pull_order",
            "poisson_flow",
            _order,
            against=common_pull.order,
            scale=lambda start: 1 + 0 * start,
            reason="absolute: rounding of a few operations",
        ),
    ),
}
