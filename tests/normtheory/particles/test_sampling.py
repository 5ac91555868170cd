"""Minibatches, rows with their own probability, and partners drawn anew."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.losses import LOSSES
from normtheory.particles import (
    State,
    System,
    forces,
    init,
    observables,
    optimizers,
    run,
    sampling,
    step,
)

N, D = 6, 8


def clouds(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, N, D))


def counts(made: Any, draws: int = 4000) -> np.ndarray:
    """How often each row is drawn."""
    keys = jax.random.split(jax.random.key(0), draws)
    draw = jax.vmap(lambda key: made.draw(key, N, np.float32))
    found = np.asarray(jax.jit(draw, compiler_options={"xla_backend_optimization_level": 0})(keys))
    if found.dtype == bool:
        return found.sum(axis=0)
    return np.bincount(found.ravel(), minlength=N)


FREQUENCIES = np.array([1.0, 2.0, 0.0, 4.0, 8.0, 0.0])


def test_rows_are_drawn_with_their_frequencies():
    drawn = counts(sampling.minibatch(5, FREQUENCIES))
    share = FREQUENCIES / FREQUENCIES.sum()
    error = 5.5 * np.sqrt(share * (1 - share) / 20_000)  # False alarms: 2e-7 (four shares).
    assert (np.abs(drawn / 20_000 - share) <= error).all()
    assert drawn[2] == drawn[5] == 0
    assert (np.abs(counts(sampling.minibatch(5)) / 20_000 - 1 / N) < 0.02).all()


def test_without_replacement_a_row_comes_once():
    made = sampling.minibatch(4, FREQUENCIES, replace=False)
    assert counts(made, 500).tolist() == [500, 500, 0, 500, 500, 0]
    # The first of a batch of one has the given frequencies.
    one, share = counts(sampling.minibatch(1, FREQUENCIES, replace=False)) / 4000, FREQUENCIES / 15
    error = 5.5 * np.sqrt(share * (1 - share) / 4000)  # False alarms: 2e-7 (four shares).
    assert (np.abs(one - share) <= error).all()


def test_a_million_rows_keep_their_frequencies():
    # In float32 the shares of single rows would be off by several percent.
    weights = np.ones(1_000_000)
    bounds = np.diff(sampling.minibatch(1, weights).cumulative.astype(np.int64))
    assert np.abs(bounds / 2**31 * 1e6 - 1).max() < 1e-3


def test_bernoulli_draws_every_row_with_its_own_probability():
    probability = np.array([0.0, 0.1, 0.5, 0.9, 1.0, 0.3])
    share = counts(sampling.bernoulli(probability)) / 4000
    error = 5.5 * np.sqrt(probability * (1 - probability) / 4000)
    assert (np.abs(share - probability) <= error).all()  # False alarms: 2e-7 (four shares).
    assert share[0] == 0
    assert share[4] == 1


def moved(system: System, steps: int = 1) -> tuple[np.ndarray, ...]:
    """Which rows of each cloud are not where they were."""
    state = init(system, *clouds())
    for _ in range(steps):
        state = step(system, state)
    return tuple(
        (np.asarray(z) != y).any(axis=-1) for z, y in zip(state.positions, clouds(), strict=True)
    )


@pytest.mark.parametrize("optimizer", [None, optimizers.adam()], ids=["sgd", "adam"])
def test_rows_that_are_not_drawn_stay(optimizer):
    # False alarms: 1e-12 (one of four rows isn't drawn in 100 draws).
    weights = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    system = System(
        forces.attraction(),
        1.0,
        optimizer,
        weight_decay=0.1,
        sampling=sampling.minibatch(20, weights),
    )
    for rows in moved(system, 5):
        assert rows.tolist() == (weights > 0).tolist()


def test_rows_that_are_not_drawn_decay_if_asked_to():
    made = sampling.minibatch(8, np.array([1.0, 1.0, 0.0, 1.0, 0.0, 1.0]), lazy=False)
    system = System(forces.attraction(), 1.0, weight_decay=0.1, sampling=made)
    assert all(rows.all() for rows in moved(system))


def test_bernoulli_leaves_the_memory_of_rows_that_stay():
    system = System(
        forces.attraction(),
        1.0,
        optimizers.momentum(),
        sampling=sampling.bernoulli(np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])),
    )
    state = step(system, init(system, *clouds()))
    for trace in jax.tree.leaves(state.optimizer):
        assert np.asarray(trace).any(axis=-1).tolist() == [False, True] * 3


def test_a_batch_with_a_row_twice_gives_it_both_gradients():
    only = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    # A decay, though of 0, and as many rows as above: nothing is compiled anew.
    drawn = sampling.minibatch(20, only)
    system = System(forces.attraction(), 0.3, weight_decay=0.0, sampling=drawn)
    state = step(system, init(system, *clouds()))
    z, y = clouds()
    cosine = nt.cosine_gradient(z[1], y[1])  # a mean over twenty copies of one pair
    np.testing.assert_allclose(state.positions[0][1], z[1] + 0.3 * cosine, rtol=1e-14)


def test_labels_follow_the_batch():
    labels = np.array([0, 1, 2, 0, 1, 2])
    prototypes = np.random.default_rng(1).standard_normal((3, D))
    z, _ = clouds()
    only = np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    force = forces.loss("normface", labels=labels, scale=2.0)
    drawn = System(force, 0.3, sampling=sampling.minibatch(1, only), frozen=(1,))
    one = step(drawn, init(drawn, z, prototypes)).positions[0]
    slope, _ = LOSSES["normface"].gradient(z, prototypes, labels=labels, scale=2.0)  # of a mean
    np.testing.assert_allclose(one[2], z[2] - 0.3 * N * slope[2], rtol=1e-14)


def test_a_sum_over_a_batch_counts_the_rows_of_the_batch():
    only = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    z, y = clouds()
    system = System(forces.attraction(), 0.3, reduction="sum", sampling=sampling.minibatch(4, only))
    done = run(system, init(system, z, y), 1)
    cosine = nt.cosine_gradient(z[1], y[1])  # once for each of four copies
    np.testing.assert_allclose(done.state.positions[0][1], z[1] + 4 * 0.3 * cosine, rtol=1e-14)
    expected = -4 * nt.cosine_similarity(z[1], y[1])
    assert done.records["loss"][0] == pytest.approx(expected, rel=1e-13)


def _lean(z: Any, *, weight: Any) -> Any:
    return jnp.mean(weight * z[:, 0] / jnp.linalg.norm(z, axis=-1))


def test_weights_of_the_rows_of_a_function_follow_the_batch():
    weight = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    z, _ = clouds()
    for row in (1, 4):
        only = np.eye(N)[row]
        force = forces.function(_lean, rows=("weight",), weight=weight)
        system = System(force, 0.3, sampling=sampling.minibatch(3, only))
        found = step(system, init(system, z)).positions[0]
        # A mean over three copies of one row: the gradient of its first component.
        norm = np.linalg.norm(z[row])
        slope = (np.eye(D)[0] - z[row, 0] / norm**2 * z[row]) / norm
        expected = z.copy()
        expected[row] -= 0.3 * weight[row] * slope
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)


def test_a_batch_of_all_rows_without_replacement_is_the_full_batch():
    drawn = System(forces.attraction(), 0.5, sampling=sampling.minibatch(N, replace=False))
    found = step(drawn, init(drawn, *clouds())).positions
    z, y = clouds()
    pull = np.stack([nt.cosine_gradient(z, y), nt.cosine_gradient(y, z)])
    np.testing.assert_allclose(np.stack(found), clouds() + 0.5 / N * pull, rtol=1e-13)


def growth(coherent: bool) -> tuple[float, float]:
    """Mean ρ² gained in one step by a row that comes 64 times; what one gradient alone gains."""
    only = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    made = sampling.minibatch(64, only)
    system = System(forces.attraction(), 64.0, sampling=made, fresh=(1,), coherent=coherent)
    z, y = clouds()
    state = init(system, z, y)

    def row(k: Any) -> Any:
        at = State(state.positions, state.optimizer, k, state.key)
        return step(system, at).positions[0][1]

    with jax.enable_x64(True):
        rows = np.asarray(jax.jit(jax.vmap(row))(np.arange(40, dtype=np.int32)))
    gained = np.sum(rows**2, axis=-1) - np.sum(z[1] ** 2)
    return float(gained.mean()), (D - 1) / D / float(np.sum(z[1] ** 2))


@pytest.mark.slow
def test_fresh_partners_differ_within_a_batch_unless_coherent():
    # 64 gradients of size sin φ/ρ add up to 64² of it where they agree, to 64 where they don't.
    # False alarms: 3e-8 (χ² of 40 steps in seven dimensions).
    apart, unit = growth(coherent=False)
    together, _ = growth(coherent=True)
    assert 0.6 < apart / (64 * unit) < 1.6
    assert 0.6 < together / (64**2 * unit) < 1.6


def _ratio(view: Any) -> Any:
    """Norm of a fresh row over its norm in the state, and a component of its direction."""
    drawn, kept = view.norms[1], jnp.linalg.norm(view.state.positions[1], axis=-1)
    return jnp.stack([jnp.max(drawn / kept), view.directions[1][0, 0]])


RATIO = observables.observable("ratio", _ratio, dims=("what",))


def test_fresh_clouds_change_at_every_step_and_keep_their_norms():
    system = System(forces.attraction(), 1.0, fresh=(1,))
    state = init(system, *clouds())
    one, again, other = (
        run(system, init(system, *clouds(), seed=seed), 50, record=RATIO, record_every=1)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one.state.positions[0], again.state.positions[0])
    assert not np.array_equal(one.state.positions[0], other.state.positions[0])
    assert np.array_equal(one.state.positions[1], state.positions[1])
    np.testing.assert_allclose(one.records["ratio"][:, 0], 1, rtol=1e-14)
    cosine = one.records["ratio"][:, 1]
    assert len(set(cosine.tolist())) == 51  # partners change at every step
