"""Rates of a pair against runs of its exact step, and of heavy ball written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from normtheory import PairState, pair_step, stability

OPTIONS = [
    {},
    {"gradscale": 1.0},
    {"stop_gradient": True},
    {"gradscale": 1.5, "stop_gradient": True},
]


def _factor(norm_i: float, norm_j: float, rate: float, **options: Any) -> float:
    """What one step multiplies a small angle by."""
    after = pair_step(PairState(1e-6, norm_i, norm_j), rate, **options)
    return float(after.angle) / 1e-6


@pytest.mark.parametrize("options", OPTIONS)
def test_the_angle_is_multiplied_as_predicted(options: dict[str, Any]) -> None:
    for rate in (0.1, 0.7, 2.5):
        found = float(stability.contraction(1.3, 0.6, rate, **options))
        assert found == pytest.approx(_factor(1.3, 0.6, rate, **options), abs=1e-9)


@pytest.mark.parametrize("options", OPTIONS)
def test_just_below_the_largest_rate_the_angle_falls(options: dict[str, Any]) -> None:
    limit = float(stability.largest_rate(1.3, 0.6, **options))
    assert _factor(1.3, 0.6, 0.999 * limit, **options) < 1
    assert _factor(1.3, 0.6, 1.001 * limit, **options) > 1
    assert _factor(1.3, 0.6, limit / 2, **options) == pytest.approx(0, abs=1e-9)
    assert float(stability.fastest_rate(1.3, 0.6, **options)) == pytest.approx(limit / 2)


def _heavy_ball(norm_i: float, norm_j: float, rate: float, momentum: float) -> float:
    """Mean factor of the opening over many linearised steps of both points."""
    angle, speed, total = 1.0, 0.0, 0.0
    for step in range(4000):
        speed = momentum * speed - rate * (norm_i**-2 + norm_j**-2) * angle
        angle = angle + speed
        size = np.hypot(angle, speed)
        angle, speed = angle / size, speed / size
        total += np.log(size) if step >= 2000 else 0
    return float(np.exp(total / 2000))


@pytest.mark.parametrize("share", [0.3, 1.5, 5.0])
def test_momentum_sets_the_pace_from_the_fastest_rate_on(share: float) -> None:
    fastest = float(stability.fastest_rate(2.0, 0.7, momentum=0.64))
    found = float(stability.contraction(2.0, 0.7, share * fastest, momentum=0.64))
    assert found == pytest.approx(_heavy_ball(2.0, 0.7, share * fastest, 0.64), rel=1e-3)
    assert (found == pytest.approx(0.8)) == (share > 1)
    limit = float(stability.largest_rate(2.0, 0.7, momentum=0.64))
    assert float(stability.contraction(2.0, 0.7, limit, momentum=0.64)) == pytest.approx(1)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_best_rate_aligns_in_one_step(options: dict[str, Any]) -> None:
    rate = float(stability.best_rate(1.2, 3.0, **options))
    assert float(pair_step(PairState(1.2, 3.0, 3.0), rate, **options).angle) < 1e-14


def test_a_pair_too_fast_ends_as_far_below_as_it_began_above() -> None:
    state, x = PairState(0.01, 1.0, 1.0), 1.02
    for _ in range(3000):
        state = pair_step(state, x)
    settled = float(stability.settled_rate(x))
    assert x / float(state.norm_i) ** 2 == pytest.approx(settled, abs=2e-3)
    angle = float(stability.oscillation_angle(1.7))
    after = pair_step(PairState(angle, 2.0, 2.0), 1.7, gradscale=2.0)
    assert [float(v) for v in after] == pytest.approx([angle, 3.4, 3.4])


def test_norms_far_apart_neither_overflow_nor_lose_the_smaller_one() -> None:
    assert float(stability.largest_rate(1e-150, 1e150)) == pytest.approx(2e-300)
    found = stability.largest_rate(np.ones((2, 1), "f4"), np.ones(3, "f4"))
    assert found.shape == (2, 3)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stability.contraction(1.0, 1.0, 0.0), "learning_rate: expected"),
        (lambda: stability.contraction(0.0, 1.0, 1.0), "norm_i: expected"),
        (lambda: stability.largest_rate(1.0, -1.0), "norm_j: expected"),
        (lambda: stability.largest_rate(1.0, 1.0, momentum=1.0), "momentum: expected"),
        (lambda: stability.fastest_rate(1.0, 1.0, momentum=-0.1), "momentum: expected"),
        (lambda: stability.best_rate(np.pi, 1.0), "cos.angle.: expected"),
        (lambda: stability.best_rate(2.0, 1.0, stop_gradient=True), "with stop_gradient: expected"),
        (lambda: stability.settled_rate(0.9), "effective_rate: expected"),
        (lambda: stability.oscillation_angle(0.9), "learning_rate: expected"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
