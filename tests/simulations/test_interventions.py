"""Cut-initialisation and GradScale over time: who is compared with whom, and on which images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from simulations import interventions
from simulations._tuned import (
    HARMS,
    HELPS,
    NONE,
    PAPER_RATE,
    UNRESOLVED,
    choices,
    comparisons,
    judge,
    target,
)
from simulations.encoders.data import half_size
from simulations.encoders.models import BatchNorm
from simulations.interventions import (
    GRID,
    SMOKE,
    _Case,
    _one_case,
    _World,
    _world,
)

from .smoke import smoke

pytest.importorskip("mlxtend")

BASE = np.array([0.2, 0.4, 0.6, 0.8])
NOISE = np.array([-0.01, 0.0, 0.02])


@pytest.fixture
def result() -> xr.Dataset:
    """Three rates; the middle one is best on validation images, the last one on test images.

    Validation accuracies rise from 0.2 to 0.8 in three looks, 0.1 less at the first rate and 0.05
    less at the last. Test accuracies are those of validation and what the run adds.
    """
    dims = ("encoder", "objective", "length", "power", "cut", "place", "run", "look")
    less = np.array([0.1, 0.0, 0.05])[:, None, None] * np.array([0, 1, 1, 1])
    validation = np.broadcast_to(BASE - less, (1, 1, 1, 2, 2, 3, 3, 4)).copy()
    test = validation + NOISE[:, None]
    test[..., 2, :, :] += 0.15
    rate = np.broadcast_to([0.1, 0.2, 0.3], (1, 1, 1, 2, 2, 3))
    paper = test[..., 0, :, :] + 0.03
    return xr.Dataset(
        {
            "rate": (dims[:6], rate),
            "validation": (dims, validation),
            "test": (dims, test),
            "paper_test": ((*dims[:5], *dims[6:]), paper),
            "paper_validation": ((*dims[:5], *dims[6:]), paper),
            "raw": ("run", np.full(3, 0.9)),
        },
        coords={
            "encoder": ["MLP"],
            "objective": ["SimCLR"],
            "length": [30],
            "power": [0.0, 1.0],
            "cut": [1.0, 3.0],
            "place": range(3),
            "run": range(3),
            "look": [0, 1 / 3, 2 / 3, 1],
        },
    )


def one(result: xr.Dataset) -> xr.Dataset:
    return result.isel(encoder=0, objective=0, length=0)


def found(result: xr.Dataset, measure: str, *, paper: bool = False) -> dict:
    every = comparisons(result, paper=paper)
    return {(c.cut, c.power): c for c in every if c.measure == measure}


def test_the_target_is_nine_tenths_of_the_way_from_untrained_to_the_best(
    result: xr.Dataset,
) -> None:
    assert target(one(result)) == pytest.approx(0.2 + 0.9 * 0.6)
    result.validation.loc[{"cut": 3.0, "power": 1.0, "place": 2, "look": 1}] = 1.0
    assert target(one(result)) == pytest.approx(0.2 + 0.9 * 0.8)
    result.validation.loc[{"cut": 3.0, "look": 0}] = 0.0  # the way begins at the uncut networks
    result.test[:] = 0.0  # nothing of it is known from test images
    assert target(one(result)) == pytest.approx(0.2 + 0.9 * 0.8)


def test_rates_are_chosen_on_validation_and_judged_on_test(result: xr.Dataset) -> None:
    for by in ("accuracy", "speed"):
        choice = choices(one(result), by)[3.0, 1.0]
        assert (choice.rate, choice.inside) == (0.2, True)
        np.testing.assert_allclose(choice.accuracy, 0.8 + NOISE)
        # To 0.74 from 0.6 at step 20, with what the run adds.
        np.testing.assert_allclose(choice.steps, 20 + 10 * (0.74 - 0.6 - NOISE) / 0.2)


def test_the_rate_for_speed_may_be_another_than_that_for_accuracy(result: xr.Dataset) -> None:
    result.validation.loc[{"cut": 3.0, "power": 0.0, "place": 2}] = [[0.2, 0.76, 0.76, 0.75]] * 3
    assert choices(one(result), "accuracy")[3.0, 0.0].rate == 0.2
    fast = choices(one(result), "speed")[3.0, 0.0]
    assert (fast.rate, fast.inside) == (0.3, False)


def test_early_steps_are_those_to_nine_tenths_of_the_best_accuracy_itself(
    result: xr.Dataset,
) -> None:
    assert target(one(result), "early") == pytest.approx(0.72)
    result.validation[..., 0, :, 1] = 0.75  # there early, and then falls
    result.test[..., 0, :, :] += 0.05
    early = choices(one(result), "early")[1.0, 1.0]
    assert early.rate == 0.1
    np.testing.assert_allclose(early.steps, 20 + 10 * (0.72 - 0.55 - NOISE) / 0.2)


def test_at_the_papers_rate_nothing_is_chosen(result: xr.Dataset) -> None:
    choice = choices(one(result), "accuracy", paper=True)[1.0, 0.0]
    assert choice.rate == PAPER_RATE["SimCLR"] == pytest.approx(0.6**2)
    assert PAPER_RATE["SimSiam"] == pytest.approx(0.2**2)
    np.testing.assert_allclose(choice.accuracy, 0.7 + 0.03 + NOISE)


def test_differences_are_paired_by_seed(result: xr.Dataset) -> None:
    change = np.array([0.03, 0.04, 0.06])
    curve = result.test.loc[{"cut": 3.0, "power": 0.0, "place": 1}]
    result.test.loc[{"cut": 3.0, "power": 0.0, "place": 1}] = curve + xr.DataArray(
        change, dims="run"
    )
    gain = found(result, "accuracy")[3.0, 0.0]
    assert gain.gain == pytest.approx(change.mean())
    low, high = stats.t.interval(0.95, 2, change.mean(), stats.sem(change))
    assert gain.half == pytest.approx((high - low) / 2)
    # Of the two that are decided on, the other has no difference: the smaller p counts twice.
    assert gain.p_value == pytest.approx(2 * float(np.asarray(stats.ttest_1samp(change, 0))[1]))
    assert gain.decided
    assert not found(result, "accuracy")[3.0, 1.0].decided
    assert found(result, "accuracy")[1.0, 1.0].decided


def test_fewer_steps_are_a_gain_and_lost_runs_count_as_all_steps(result: xr.Dataset) -> None:
    place = {"cut": 3.0, "power": 0.0, "place": 1}
    result.validation.loc[place] = [[0.2, 0.78, 0.79, 0.8]] * 3
    result.test.loc[place] = np.array([0.2, 0.8, 0.8, 0.8]) + np.zeros((3, 1))
    fast = found(result, "speed")[3.0, 0.0]
    before, after = 20 + 10 * (0.14 - NOISE) / 0.2, 10 * 0.54 / 0.6
    assert fast.gain == pytest.approx(np.log(before / after).mean())
    result.test.loc[{**place, "run": 0}] = 0.3
    lost = found(result, "speed")[3.0, 0.0]
    assert lost.gain == pytest.approx(np.log(before / [30, after, after]).mean())
    assert lost.verdict == UNRESOLVED  # one of three is more than a fifth


def test_a_verdict_follows_from_interval_p_and_margin() -> None:
    def say(gain: float, half: float, p: float, usable: bool = True) -> str:
        return judge(gain, half, p, 0.02, usable=usable)

    assert say(0.05, 0.01, 0.01) == HELPS
    assert say(-0.05, 0.01, 0.01) == HARMS
    assert say(0.05, 0.01, 0.06) == UNRESOLVED
    assert say(0.01, 0.005, 0.001) == NONE
    assert say(-0.01, 0.005, 0.001) == NONE
    assert say(0.01, 0.015, 0.5) == UNRESOLVED
    assert say(0.05, 0.01, 0.01, usable=False) == UNRESOLVED
    assert say(0.0, 0.0, float("nan")) == UNRESOLVED


def fake(best_exponent: float, seen: list[np.ndarray]) -> Callable[..., tuple]:
    """A training whose accuracy is highest at 3 to a power; test accuracies are the worst there."""

    def train(settings, case, world, run, rate):
        seen.append(rate)
        worth = np.exp(-np.abs(np.log(rate) / np.log(3) - best_exponent))
        curve = worth[..., None] * np.ones(settings.records + 1)
        return curve, 1 - curve

    return train


@pytest.mark.parametrize(("best", "moves", "inside"), [(0.0, 0, 1), (0.4, 1, 1), (2.5, 2, 2)])
def test_a_grid_is_moved_until_its_best_rate_lies_inside(
    best: float, moves: int, inside: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    monkeypatch.setattr(interventions, "_train", fake(best, seen))
    settings = dataclasses.replace(SMOKE, lowest=1 / 3, scouted=3, places=3, moves=2)
    nothing: Any = None
    world = _World(nothing, np.zeros(0), np.zeros(0), np.zeros(0))
    out = _one_case(settings, _Case("MLP", "SimCLR", 8, 0.0), [world] * 3)
    scouted, *grids = seen
    np.testing.assert_allclose(scouted[0], [1 / 3, 1, 3])
    assert len(grids) == 2 * (moves + 1)  # two runs each
    for k, grid in enumerate(grids[::2]):
        middle = 3.0 ** (min(round(best), 1) + k / 2)
        np.testing.assert_allclose(grid[1], [middle / GRID, middle, middle * GRID, 0.36])
    assert out["validation"].mean(axis=(2, 3)).argmax(axis=1).tolist() == [inside] * 2
    np.testing.assert_allclose(out["rate"], grids[-1][:, :3])
    np.testing.assert_allclose(out["test"], 1 - out["validation"])
    np.testing.assert_allclose(
        out["paper_test"][0, 0, 0], 1 - np.exp(-abs(np.log(0.36) / np.log(3) - best))
    )


def test_images_to_train_on_to_choose_on_and_to_report_on_are_apart() -> None:
    rng = np.random.default_rng(0)
    images = np.arange(5000, dtype=np.int32).reshape(-1, 1, 1, 1) * np.ones((1, 14, 14, 1), int)
    labels = rng.integers(0, 10, 5000)
    settings = dataclasses.replace(SMOKE, fit=120, lengths=(4,))
    world = _world(settings, images, labels, 1)
    shown, reference = world.images[:, 0, 0, 0], world.reference[:, 0, 0, 0]
    assert len(set(shown.tolist())) == 60 + 40 + 50
    np.testing.assert_array_equal(labels[shown], world.labels)
    assert set(shown[:60].tolist()) <= set(reference.tolist())
    assert not set(shown[60:].tolist()) & set(reference.tolist())
    assert world.batches.view_1.shape == (4, 16, 14, 14, 1)
    again = _world(settings, images, labels, 1)
    np.testing.assert_array_equal(world.batches.view_2, again.batches.view_2)
    assert (world.labels != _world(settings, images, labels, 2).labels).any()


def test_two_by_two_pixels_become_one() -> None:
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    assert half_size(image)[0, ..., 0].tolist() == [[2, 4], [10, 12]]


@pytest.mark.slow
def test_all_begin_alike_but_for_the_cut_and_cut_networks_are_others() -> None:
    result = one(smoke("interventions"))
    for name in ("validation", "test"):
        start = result[name].isel(look=0)
        for c in result.cut.values:
            first = start.sel(cut=c).isel(place=0, power=0, drop=True)
            assert (start.sel(cut=c) == first).all()
    end = result.validation.isel(look=-1)
    assert (end.sel(power=0.0) != end.sel(power=1.0)).any()
    grid = result.rate.values[..., 1:] / result.rate.values[..., :-1]
    np.testing.assert_allclose(grid, 3**0.5)


def test_networks_are_normalised_throughout() -> None:
    def norms(encoder: str, objective: str) -> int:
        learner = SMOKE.learner(encoder, objective)(np.random.default_rng(0))
        is_norm = lambda m: isinstance(m, BatchNorm)  # noqa: E731
        return sum(map(is_norm, jax.tree.leaves(learner, is_leaf=is_norm)))

    assert norms("MLP", "SimCLR") == 2
    assert norms("MLP", "SimSiam") == 2 + 1 + 1  # outputs, and the predictor's hidden layer
    assert norms("convolutional", "SimCLR") == 3 + 1
    assert norms("convolutional", "SimSiam") == 3 + 1 + 1 + 1


def test_the_schedule_belongs_to_the_length() -> None:
    for length, rise in ((160, 16), (640, 64)):
        recipe = SMOKE.recipe("SimCLR", length, 1.0)
        assert (recipe.cosine_steps, recipe.warm_up, recipe.momentum) == (length, rise, 0.9)
        assert float(jnp.asarray(recipe.objective.gradscale)) == 1.0  # pyright: ignore


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoders": ("ViT",)}, "encoders: expected MLP or convolutional, got 'ViT'"),
        ({"objectives": ("DINO",)}, "objectives: expected SimCLR or SimSiam, got 'DINO'"),
        ({"cuts": (3.0,)}, "cuts: expected the first to be 1, got 3"),
        ({"powers": (1.0,)}, "powers: expected the first to be 0, got 1"),
        ({"places": 4}, "places: expected an odd number from 3, got 4"),
        ({"test": 4900}, "expected at most the 5000 digits together"),
        ({"voters": 101}, "voters: expected at most the images to train on"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMOKE, **change)
