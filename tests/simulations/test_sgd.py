"""The SGD that the theory is measured against, itself against plain loops of numpy."""

from __future__ import annotations

import numpy as np
import pytest

import normtheory as nt
from normtheory import sphere
from simulations._fresh import run_fresh
from simulations._sgd import steps_of_sgd


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_steps_of_sgd_are_those_of_a_loop(power: float) -> None:
    rng = np.random.default_rng(0)
    z, y = 1.5 * sphere.uniform(rng, 10, 5), 0.8 * sphere.uniform(rng, 10, 5)
    counted = steps_of_sgd(z[None], y[None], 1.0, tolerance=1e-3, gradscale=power)
    k = 0
    while nt.cosine_similarity(z, y).mean() < 1 - 1e-3:
        scale_z = np.linalg.norm(z, axis=-1, keepdims=True) ** power
        scale_y = np.linalg.norm(y, axis=-1, keepdims=True) ** power
        step_z = 0.1 * scale_z * nt.cosine_gradient(z, y)
        step_y = 0.1 * scale_y * nt.cosine_gradient(y, z)
        z, y, k = z + step_z, y + step_y, k + 1
    assert counted.tolist() == [k]
    assert k > 5


def test_sgd_gives_up() -> None:
    z = np.array([[[1.0, 0.0]]])
    assert steps_of_sgd(z, -z, 0.1, tolerance=1e-3, max_steps=7).tolist() == [7]


def test_recording_more_often_changes_no_number() -> None:
    often = run_fresh(np.ones(5), 0.1, np.arange(20), dimension=4, seed=3, probability=0.5)
    rarely = run_fresh(np.ones(5), 0.1, np.array([7, 19]), dimension=4, seed=3, probability=0.5)
    np.testing.assert_array_equal(rarely.norm, often.norm[[7, 19]])
    np.testing.assert_array_equal(rarely.turn, often.turn[[7, 19]])


def test_a_fresh_step_is_the_step_of_the_theory() -> None:
    rate, decay = 0.3, 0.2
    run = run_fresh(np.full(2000, 1.3), rate, np.arange(4), dimension=6, seed=0, weight_decay=decay)
    before, after, turn = run.norm[:-1], run.norm[1:], run.turn[:-1]
    along, across = (1 - rate * decay) * before, after * np.sin(turn)
    # A decayed embedding and a step across it are the sides of a right triangle.
    np.testing.assert_allclose(np.hypot(along, across), after, rtol=1e-12)
    sine = across * before / rate
    assert (sine <= 1 + 1e-12).all()
    # False alarms: 1e-7. A squared cosine has the variance 2(d-1)/(d²(d+2)).
    assert abs((sine**2).mean() - 5 / 6) < 5.5 * np.sqrt(10 / 288 / sine.size)


def test_probability_is_the_chance_of_an_update() -> None:
    chance = np.repeat([0.1, 0.7], 200)
    run = run_fresh(np.ones(400), 0.1, np.arange(30), dimension=4, seed=0, probability=chance)
    moved = (run.turn > 0).reshape(30, 2, 200).mean(axis=(0, 2))
    expected = np.array([0.1, 0.7])
    error = np.sqrt(expected * (1 - expected) / 6000)
    assert (abs(moved - expected) < 5.5 * error).all()  # False alarms: 8e-8.


def test_another_seed_is_another_start_and_other_partners() -> None:
    def go(seed: int) -> np.ndarray:
        return run_fresh(np.full(50, 1.3), 0.3, np.arange(4), dimension=6, seed=seed).turn

    one, again, other = go(0), go(0), go(1)
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()
