"""What runs and flows keep."""

from __future__ import annotations

from typing import Any

import normtheory as nt
from normtheory.claims import common_pull
from normtheory.verify._library._check import LibraryCheck, library


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


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
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
