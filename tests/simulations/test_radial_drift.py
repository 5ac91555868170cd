"""What is measured is the pull and the push of a step, and what it implies is the claim's norm."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

import figures
from figures import radial_drift as figure
from simulations import radial_drift
from simulations.encoders.models import Mlp
from simulations.radial_drift import LAYERS, SMOKE, displaced, kept, together

from .smoke import example, smoke

pytest.importorskip("mlxtend")


def test_every_layer_keeps_its_share() -> None:
    assert LAYERS == 3
    np.testing.assert_allclose(kept(0.5, np.array([0.2, 1.0])), [0.9 * 0.9 * 0.9, 0.125])


def test_a_step_is_taken_apart_into_decay_pull_and_push() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2, 5, 3))
    across = np.cross(z, rng.standard_normal(3))  # orthogonal to z
    norm = np.linalg.norm(z, axis=-1, keepdims=True)
    pull, push = rng.standard_normal((2, 5, 1)), 2.0
    xi = push * across / np.linalg.norm(across, axis=-1, keepdims=True)
    keep, rate = np.array([0.9, 0.7]), 0.3
    after = keep[:, None, None] * z + rate * (pull * z / norm + xi) / norm
    radial, square = displaced(z, after, rate, keep)
    np.testing.assert_allclose(radial, pull[..., 0], atol=1e-12)
    np.testing.assert_allclose(square * norm[..., 0] ** 2, pull[..., 0] ** 2 + push**2)


def test_taken_together_they_give_the_mean_square_after_steps_exactly() -> None:
    rng = np.random.default_rng(1)
    z, steps = rng.standard_normal((6, 4)), rng.standard_normal((7, 6, 4))  # seven batches
    keep, rate = np.array(0.8), 0.4
    square_norm = (z**2).sum(axis=-1)
    seen = [displaced(z, after, rate, keep) for after in steps]
    norm, radial, tangential = together(square_norm, *np.mean(seen, axis=0))
    grown = rate**2 * (radial**2 + tangential**2) / norm**2
    claimed = keep**2 * norm**2 + 2 * keep * rate * radial + grown
    np.testing.assert_allclose(claimed, (steps**2).sum(axis=-1).mean())


@pytest.mark.slow
def test_decay_reaches_an_embedding_once_a_layer() -> None:
    network: Any = Mlp((5, *(4,) * (LAYERS - 1), 3), biases=False)(np.random.default_rng(0))
    x = np.linspace(-1, 2, 5, dtype=np.float32)
    shrunk: Any = jax.tree.map(lambda w: 0.9 * w, network)
    np.testing.assert_allclose(shrunk(x), 0.9**LAYERS * network(x), rtol=1e-5)
    rate, result = SMOKE.learning_rate, smoke("radial_drift")
    keep = (1 - rate * np.array(SMOKE.decays)) ** LAYERS
    np.testing.assert_allclose(1 - rate * result.decay_rate, keep, rtol=1e-12)


@pytest.mark.slow
def test_implied_norms_are_those_of_the_claim() -> None:
    result, rate = smoke("radial_drift"), SMOKE.learning_rate
    keep = 1 - rate * result.decay_rate
    for implied, radial in (("implied", result.radial), ("without_pull", 0 * result.radial)):
        root = np.sqrt(radial**2 + (1 - keep**2) * result.tangential**2)
        expected = np.sqrt(rate * (keep * radial + root) / (1 - keep**2))
        found = result[implied].transpose(*expected.dims)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.slow
def test_what_is_seen_at_the_end_is_that_of_the_single_embeddings() -> None:
    result = smoke("radial_drift")
    last = result.isel(step=-1)
    mean_square = (result.single_norm**2).mean("embedding")
    np.testing.assert_allclose(last.norm**2, mean_square)
    np.testing.assert_allclose(last.radial, result.single_pull.mean("embedding"), atol=1e-12)
    np.testing.assert_array_equal(last.inwards, (result.single_pull < 0).mean("embedding"))


@pytest.mark.slow
def test_all_decays_start_from_the_same_networks_and_see_the_same_batches() -> None:
    first = smoke("radial_drift").isel(step=0)
    one, other = (first.isel(decay=k) for k in range(2))
    np.testing.assert_array_equal(one.norm, other.norm)
    # Between them is the decay of one step, which is taken out to first order.
    np.testing.assert_allclose(one.tangential, other.tangential, rtol=5e-3)


@pytest.mark.slow
def test_looks_now_and_then_are_those_of_their_steps() -> None:
    every = smoke("radial_drift")
    found = radial_drift.run(dataclasses.replace(SMOKE, records=2))
    assert found.step.values.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(found.norm, every.norm[..., ::2])


def test_records_that_do_not_divide_the_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a divisor of the 4 steps, got 3"):
        dataclasses.replace(SMOKE, records=3)


def test_too_large_a_decay_and_too_many_images_are_refused() -> None:
    with pytest.raises(ValueError, match="decays: expected less than 1 over the learning rate"):
        radial_drift.Settings(decays=(10.0,))
    with pytest.raises(ValueError, match="expected at most the 5000 digits together"):
        radial_drift.Settings(fit=4900, shown=200)


def test_rows_compare_the_second_half_and_the_shares_are_those_of_a_step() -> None:
    result = example("radial_drift")
    rng = np.random.default_rng(2)
    for name in ("norm", "implied", "without_pull", "radial", "tangential"):
        result[name] = (result[name].dims, rng.uniform(1, 2, result[name].shape))
    steps = result.step.values
    late = steps >= steps[-1] / 2
    assert 0 < late.sum() < len(steps)
    rows = {row.quantity: row for row in figure.rows(result)}
    for k, decay in enumerate(SMOKE.decays):
        means = [result[n].values[k][:, late].mean() for n in ("norm", "implied", "without_pull")]
        both, alone = (rows[f"norm by {by}, λ = {decay:g}"] for by in ("D and s", "s alone"))
        assert (both.simulated, both.predicted) == pytest.approx(means[:2])
        assert (alone.simulated, alone.predicted) == pytest.approx(means[::2])
    found = figure.shares(result)
    keep = 1 - SMOKE.learning_rate * result.decay_rate
    after = (1 + found["growth"] - found["pull"] - found["decay"]) * result.norm**2
    pushed = SMOKE.learning_rate**2 * (result.radial**2 + result.tangential**2) / result.norm**2
    claimed = keep**2 * result.norm**2 + 2 * keep * SMOKE.learning_rate * result.radial + pushed
    np.testing.assert_allclose(after, claimed.transpose(*after.dims))


def test_the_picture_shows_means_over_runs_and_single_embeddings() -> None:
    result = example("radial_drift")
    axes: Any = figures.draw(figure, result).axes
    norms, changes, single = axes
    norm = norms.lines[0].get_ydata()
    np.testing.assert_allclose(norm, result.norm.isel(decay=0).mean("run"))
    (marks, *_), *_ = norms.containers
    np.testing.assert_allclose(marks.get_ydata(), result.implied.isel(decay=0).mean("run"))
    growth = figure.shares(result.isel(decay=-1))["growth"].mean("run")
    np.testing.assert_allclose(changes.lines[0].get_ydata(), growth)
    shown = [len(line.get_xdata()) for line in single.lines[:2]]
    inwards = int((result.single_pull.isel(decay=-1) < 0).sum())
    assert shown == [inwards, SMOKE.runs * SMOKE.shown - inwards]
