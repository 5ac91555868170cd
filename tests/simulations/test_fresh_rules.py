"""What optax's rules do to embeddings against fresh partners, point by point."""

from __future__ import annotations

import numpy as np
import optax
import pytest

from simulations._fresh_rules import Plan, run_rules

RATE, REST = 0.5, 0.9
NORMS = np.array([3.0, 5.0])
ADAM = optax.chain(optax.scale_by_adam(0.5, 0.9, 1e-30), optax.scale(-0.1))
PLANS = {
    "dense": Plan(optax.sgd(RATE), NORMS),
    "lazy": Plan(optax.sgd(RATE), NORMS, lazy=True, rest=REST),
    "dense Adam": Plan(ADAM, NORMS),
    "lazy Adam": Plan(ADAM, NORMS, lazy=True),
}
FREQUENCY = np.array([0.6, 0.2])
STEPS = 300


@pytest.fixture(scope="module")
def steps():
    """Blocks of one step: ρ² of every point before every step, shape (plan, group, point, step)."""
    return run_rules(PLANS, 4, 8, blocks=STEPS, lag=1, seed=3, frequency=FREQUENCY)


def test_embeddings_begin_at_their_norms(steps):
    np.testing.assert_allclose(
        steps.point_square[..., 0], np.broadcast_to(NORMS[:, None] ** 2, (4, 2, 4))
    )


def test_gradients_are_of_the_cosine_and_as_frequent_as_said(steps):
    square = steps.point_square[0]
    gained = np.diff(square, axis=-1)
    seen = gained > 0
    assert (gained[~seen] == 0).all()
    # ρ'² = ρ² + γ² sin²φ/ρ².
    squared_sine = gained * square[..., :-1] / RATE**2
    assert (squared_sine <= 1 + 1e-9).all()
    for group in range(2):
        found = squared_sine[group][seen[group]]
        # False alarms: 1e-7 (six standard errors). Variance 2(d−1)/(d²(d+2)) of a squared cosine.
        error = np.sqrt(14 / 640 / len(found))
        assert found.mean() == pytest.approx(1 - 1 / 8, abs=6 * error)
        spread = np.sqrt(FREQUENCY[group] * (1 - FREQUENCY[group]) / seen[group].size)
        assert seen[group].mean() == pytest.approx(FREQUENCY[group], abs=6 * spread)
    # Every point has luck of its own, and all rules the same.
    assert len({tuple(row) for row in seen.reshape(8, -1)}) == 8
    lazy = steps.point_square[1]
    rests = np.isclose(lazy[..., 1:], REST**2 * lazy[..., :-1], rtol=1e-12, atol=0)
    np.testing.assert_array_equal(rests, ~seen)


def test_at_rest_lazy_rules_leave_embeddings_alone_and_dense_ones_do_not(steps):
    still = np.diff(steps.point_square[0], axis=-1) == 0
    dense, lazy = (np.diff(x, axis=-1) == 0 for x in steps.point_square[2:])
    np.testing.assert_array_equal(lazy, still)
    begun = np.cumsum(~still, axis=-1) > 0
    assert not dense[begun].any()
    # A lazy embedding takes the same steps as one that is always seen, only later: its first, of
    # Adam, has the size η in every coordinate.
    first = np.argmax(~still, axis=-1)
    for group, point in np.ndindex(first.shape):
        k = first[group, point]
        for plan in (2, 3):
            before, after = steps.point_square[plan, group, point, k : k + 2]
            assert np.sqrt(after) == pytest.approx(np.sqrt(before), abs=0.1 * np.sqrt(8))


def test_correction_of_the_bias_counts_visits_and_not_steps():
    # Whenever it comes, the first step of Adam has the size η in every coordinate. False alarms:
    # 2e-11 (of 40 points each is seen in 80 steps).
    plan = Plan(ADAM, np.full(40, 5.0), lazy=True)
    seen = run_rules({"": plan}, 1, 8, blocks=80, lag=1, seed=3, frequency=np.full(40, 0.3))
    moved = seen.moved[0, :, :, 0]
    first = np.argmax(moved > 0, axis=1)
    assert first.max() > 2
    np.testing.assert_allclose(moved[np.arange(40), first], 0.1**2 * 8, rtol=1e-9)


def test_the_distance_moved_is_that_of_the_block(steps):
    gained = np.diff(steps.point_square[0], axis=-1).mean(axis=1)
    # A gradient is orthogonal to its embedding.
    np.testing.assert_allclose(steps.moved[0, :, :-1, 0], gained, rtol=1e-9)
    np.testing.assert_allclose(steps.square, steps.point_square.mean(axis=2), rtol=1e-12)
    longer = run_rules({"dense": PLANS["dense"]}, 3, 200, blocks=4, lag=5, seed=1)
    assert longer.square.shape == (1, 2, 20)
    assert longer.moved.shape == (1, 2, 4, 5)
    blocks = longer.square.reshape(1, 2, 4, 5)
    np.testing.assert_allclose(longer.point_square.mean(axis=2), blocks.mean(axis=-1), rtol=1e-12)
    # In many dimensions steps hardly know each other: their squares add up, anew in every block.
    one = RATE**2 / blocks
    np.testing.assert_allclose(longer.moved, np.cumsum(one, axis=-1), rtol=0.25)
    np.testing.assert_allclose(
        longer.moved[..., 0], np.diff(longer.square, axis=-1)[..., ::5], rtol=1e-9
    )


def test_the_seed_decides(steps):
    sgd = {"dense": PLANS["dense"]}
    other = run_rules(sgd, 4, 8, blocks=2, lag=1, seed=4, frequency=FREQUENCY)
    assert (other.point_square[0, ..., 1] != steps.point_square[0, ..., 1]).any()


@pytest.mark.slow
def test_points_apart_are_the_same_points(steps):
    two = {name: PLANS[name] for name in ("dense", "lazy Adam")}
    apart = run_rules(two, 4, 8, blocks=STEPS, lag=1, seed=3, frequency=FREQUENCY, apart=True)
    np.testing.assert_allclose(apart.point_square, steps.point_square[[0, 3]], rtol=1e-12)
    assert apart.square.size == apart.moved.size == 0
