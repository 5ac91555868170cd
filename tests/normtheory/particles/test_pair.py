"""Two particles against the exact step map of a pair, over 500 steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import normtheory as nt
from normtheory.particles import System, forces, init, run

STEPS, RATE = 500, 5e-3

# The roundings of 500 steps, a few eps each, added up at their worst; measured: below 1e-14.
TOLERANCE = STEPS * 4 * np.finfo(np.float64).eps

ANGLES = np.array([0.3, 1.2, 2.2, 3.0])
NORMS_I = np.array([1.0, 0.8, 5.0, 3.0])
NORMS_J = np.array([1.5, 0.8, 0.5, 7.0])


def pairs_of_particles(dimension: int = 7) -> tuple[np.ndarray, np.ndarray]:
    z, y = nt.sphere.pairs_at_angle(np.random.default_rng(1), ANGLES, dimension)
    return NORMS_I[:, None] * z, NORMS_J[:, None] * y


def worst_difference(rate: float, exact_rate: float, steps: int = STEPS, **options: Any) -> float:
    """Largest difference of angles (radians) and norms (relative) at four times."""
    repel, stop = bool(options.get("repel")), bool(options.get("stop_gradient"))
    power, decay = options.get("gradscale"), options.get("weight_decay")
    system = System(
        forces.repulsion() if repel else forces.attraction(),
        rate,
        reduction="sum",  # every pair sees the rate itself
        gradscale=power,
        weight_decay=decay,
        frozen=(1,) if stop else (),
    )
    z, y = pairs_of_particles()
    state = init(system, z, y)
    pair = nt.PairState(nt.angle(z, y), NORMS_I, NORMS_J)
    worst = 0.0
    for k in range(1, 5):
        state = run(system, state, k * steps // 4, record=()).state
        for _ in range(steps // 4):
            pair = nt.pair_step(pair, exact_rate, **options)
        z, y = state.positions
        worst = max(
            worst,
            np.abs(nt.angle(z, y) - pair.angle).max(),
            np.abs(np.linalg.norm(z, axis=-1) / pair.norm_i - 1).max(),
            np.abs(np.linalg.norm(y, axis=-1) / pair.norm_j - 1).max(),
        )
    return float(worst)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"repel": True},
        {"gradscale": 1.0, "weight_decay": 1e-2, "stop_gradient": True},
    ],
    ids=str,
)
def test_two_particles_follow_the_step_map(options):
    assert worst_difference(RATE, RATE, **options) < TOLERANCE


def test_a_rate_off_by_a_millionth_is_seen():
    assert worst_difference(RATE, RATE * (1 + 1e-6)) > 10 * TOLERANCE
