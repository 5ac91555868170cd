"""Rows of a pair are those of the closed forms, written out here by hand, or of runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import normtheory as nt


def _values(**settings) -> dict[str, Any]:
    return {row.name: row.value for row in nt.predict(**settings)}


def test_the_published_toy_run_in_closed_form():
    found = _values(norm=10.0, learning_rate=10.0, batch_size=500, reduction="mean", dimension=20)
    assert found["pair_rate"] == 0.02
    assert found["effective_learning_rate"] == pytest.approx(2e-4)
    # Draganov et al. 2025: 9662 steps at norm 10 (simulations/published.json).
    assert found["random_pair_steps"] == pytest.approx(9662, rel=0.005)
    expected = 100 / 0.04 * math.log(1 / math.tan(math.acos(1 - 1e-3) / 2))
    assert found["steps_to_converge"] == pytest.approx(expected, rel=1e-12)
    assert found["next_norm"] == pytest.approx(math.hypot(10, 0.02 / 10), rel=1e-15)


def test_a_frozen_partner_halves_the_speed_and_has_no_rate():
    both = _values(norm=2.0, learning_rate=0.01)
    one = _values(norm=2.0, learning_rate=0.01, stop_gradient=True)
    assert one["steps_to_converge"] == pytest.approx(2 * both["steps_to_converge"])
    assert one["stability"] == pytest.approx(both["stability"] / 2)


@pytest.mark.parametrize(
    ("norm", "norm_j", "stop_gradient", "good"),
    [
        (1.0, None, False, False),
        (4.0, None, False, True),
        # x = 0.5/16 of one point, 0.5 of the other.
        (4.0, 1.0, False, False),
        (1.0, 4.0, False, False),
        # A point that does not move has no rate.
        (4.0, 1.0, True, True),
        (1.0, 4.0, True, False),
    ],
)
def test_a_rate_beyond_the_flow_is_marked_whichever_point_has_it(norm, norm_j, stop_gradient, good):
    found = nt.predict(norm, 0.5, norm_j=norm_j, stop_gradient=stop_gradient)
    assert found["steps_to_converge"].warning == ("" if good else "a rough guide: x > 0.1")


def test_stability_is_the_sum_of_both_rates():
    # 0.5/1² + 0.5/4²
    assert _values(norm=1.0, norm_j=4.0, learning_rate=0.5)["stability"] == 0.53125
    assert _values(norm=4.0, norm_j=1.0, learning_rate=0.5)["stability"] == 0.53125
    # GradScale of power 1: 0.5/1 + 0.5/4.
    found = _values(norm=1.0, norm_j=4.0, learning_rate=0.5, gradscale=1.0)
    assert found["stability"] == 0.625


@pytest.mark.parametrize(
    ("changes", "printed"),
    [
        ({}, True),
        ({"norm_j": 2.0}, True),
        ({"norm_j": 3.0}, False),
        ({"stop_gradient": True}, False),
        ({"dimension": 4}, True),
        ({"dimension": 3}, False),
        ({"dimension": None}, False),
    ],
)
def test_steps_of_random_pairs_are_for_equal_norms_in_more_than_three_dimensions(changes, printed):
    found = _values(**{"norm": 2.0, "learning_rate": 0.01, "dimension": 8, **changes})
    assert ("random_pair_steps" in found) is printed
    if printed:
        d = changes.get("dimension", 8)
        expected = 4 / 0.04 * math.log(2 * (d - 1) / ((d - 3) * 1e-3))
        assert found["random_pair_steps"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("rate", "alpha", "word"),
    # x_i + x_j = γ/2: 1 and 2 for SGD, (1-√α)² = 0.04 and 2(1+α) = 3.28 for α = 0.64.
    [
        (1.9, None, "stable"),
        (2.1, None, "stable, overshoots"),
        (3.9, None, "stable, overshoots"),
        (4.1, None, "unstable"),
        (0.079, 0.64, "stable"),
        (0.081, 0.64, "stable, overshoots"),
        (6.55, 0.64, "stable, overshoots"),
        (6.57, 0.64, "unstable"),
    ],
)
def test_stable_in_a_word(rate, alpha, word):
    optimizer = "sgd" if alpha is None else "momentum"
    found = nt.predict(2.0, rate, optimizer=optimizer, momentum=alpha)
    assert found["stability"].word == word
    assert found["stability"].warning.startswith("unstable: the angle grows") is (
        word == "unstable"
    )
    assert found["largest_rate"].value == pytest.approx(4 if alpha is None else 2 * 2 * 1.64)


def test_the_largest_rate_is_the_optimizers():
    # A mean over 8 pairs at temperature 0.5: a pair sees η·2/8.
    numbers = {"batch_size": 8, "reduction": "mean", "temperature": 0.5}
    found = nt.predict(2.0, 1.0, **numbers)
    assert found["pair_rate"].value == 0.25
    assert found["largest_rate"].value == pytest.approx(16)
    assert nt.predict(2.0, 15.9, **numbers)["stability"].word == "stable, overshoots"
    assert nt.predict(2.0, 16.1, **numbers)["stability"].word == "unstable"
    assert nt.predict(2.0, 1.0, batch_size=8, reduction="sum", scale=2.0)["pair_rate"].value == 2


def _heavy_ball_steps(rate: float, alpha: float, tolerance: float) -> int:
    """Updates of two vectors in a plane, from a right angle, until the cosine is there."""
    z, y, v, w = *np.eye(2), np.zeros(2), np.zeros(2)
    for step in range(100_000):
        r, q = np.sqrt(z @ z), np.sqrt(y @ y)
        c = z @ y / (r * q)
        if c >= 1 - tolerance:
            return step
        v, w = alpha * v + (y / q - c * z / r) / r, alpha * w + (z / r - c * y / q) / q
        z, y = z + rate * v, y + rate * w
    raise AssertionError


def test_momentum_takes_a_share_of_the_steps_while_they_are_small():
    crossing = (1 - math.sqrt(0.5)) ** 2 / 2
    settings: dict[str, Any] = {"optimizer": "momentum", "momentum": 0.5}
    small = nt.predict(1.0, crossing / 10, **settings)["steps_to_converge"]
    assert small.value == pytest.approx(_heavy_ball_steps(crossing / 10, 0.5, 1e-3), rel=0.01)
    assert small.warning == ""
    near = nt.predict(1.0, 0.9 * crossing, **settings)["steps_to_converge"]
    assert near.value == pytest.approx(_heavy_ball_steps(0.9 * crossing, 0.5, 1e-3), rel=0.13)
    assert near.warning == "a rough guide: near (1-√α)²"


def test_beyond_the_crossover_only_the_pace_near_the_end_is_known():
    norms = [1.0, 100.0]
    found = nt.predict(norms, 0.1, optimizer="momentum", momentum=0.81, dimension=8)
    for name in ("steps_to_converge", "random_pair_steps"):
        none, some = found[name].value
        assert none is None
        # A fifth of the 1.9e5 steps of SGD.
        assert some > 3e4
        assert "momentum alone sets the pace" in found[name].warning
    assert found["contraction"].value[0] == pytest.approx(0.9)
    # Near 1 - (x_i + x_j)/(1 - α).
    assert found["contraction"].value[1] == pytest.approx(1 - 2e-5 / 0.19, abs=1e-7)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "lion"])
def test_steps_of_one_size_have_a_pace_and_no_count(optimizer):
    found = nt.predict([1.0, 4.0], 0.01, optimizer=optimizer, batch_size=8, reduction="mean")
    assert found["pace"].value == (0.01, 0.0025)
    for name in ("steps_to_converge", "stability", "largest_rate"):
        assert found[name].value is None
        assert optimizer in found[name].validity
    for name in ("pair_rate", "effective_learning_rate", "next_angle"):
        assert name not in found
    scaled = nt.predict(1.0, 0.01, optimizer=optimizer, gradscale=1.0)
    assert scaled["pace"].value is None
    assert "no theory is known" in scaled["pace"].validity


def test_a_step_of_lion_turns_by_no_more_than_its_length():
    found = nt.predict([1.0, 0.01], 0.01, optimizer="lion", dimension=25)
    # The whole step across the embedding: tan is longer, sin the most where it may shrink.
    z, step = np.array([1.0, 0.0]), 0.05
    around = np.linspace(0, 2 * math.pi, 100_001)
    moved = z[:, None] + step * np.array([np.cos(around), np.sin(around)])
    most = np.abs(np.arctan2(moved[1], moved[0])).max()
    assert found["largest_angular_step"].value == pytest.approx((most, math.pi), rel=1e-6)
