"""Two powers of GradScale, each at its own rate."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from simulations import gradscale_training
from simulations.gradscale_training import best_rate

from .smoke import example, smoke


@pytest.mark.slow
def test_both_powers_start_alike() -> None:
    start = smoke("gradscale_training").chosen_on.isel(step=0)
    np.testing.assert_array_equal(start.sel(power=0.0), start.sel(power=1.0))


def test_every_power_is_trained_with(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, seen = gradscale_training.SMOKE, []
    right = np.zeros((3, 2, 2, 100), bool)
    monkeypatch.setattr(gradscale_training, "start", lambda recipe, *_: seen.append(recipe))

    def train(runs: object, points: object, sampler: object, recipe: object, **_: object) -> tuple:
        seen.append(recipe)
        return None, list(right), None

    monkeypatch.setattr(gradscale_training, "train", train)
    gradscale_training.run(settings)
    assert seen == [settings.recipe(power) for power in (0.0, 0.0, 1.0, 1.0)]
    assert settings.recipe(0.0) != settings.recipe(1.0)


def test_the_rate_is_chosen_at_the_end_on_the_points_to_choose_on() -> None:
    result = example("gradscale_training")
    result["chosen_on"][:] = 0.5
    result["chosen_on"].loc[{"power": 0.0, "rate": 1e-2, "step": 20}] = 0.9
    result["chosen_on"].loc[{"power": 1.0, "rate": 1e-3, "step": 20}] = 0.9
    result["accuracy"][:] = 1 - result.chosen_on
    assert best_rate(result).values.tolist() == [1e-2, 1e-3]


@pytest.mark.slow
def test_accuracies_are_shares() -> None:
    result = smoke("gradscale_training")
    for name in ("accuracy", "rare", "chosen_on"):
        assert ((result[name] >= 0) & (result[name] <= 1)).all()
    # Four classes. False alarms: below 1e-12 (0.94 ± 0.04, of 30 seeds).
    assert float(result.accuracy.max()) > 0.5


def test_a_rate_that_was_better_on_the_way_is_not_chosen() -> None:
    result = example("gradscale_training")
    assert result.sizes["step"] >= 3
    assert result.rate.values.tolist() == [1e-3, 1e-2]
    result["chosen_on"][:] = 0.5
    result["chosen_on"].loc[{"rate": 1e-2}] = 0.9
    result["chosen_on"].loc[{"rate": 1e-2, "step": 20}] = 0.1
    assert best_rate(result).values.tolist() == [1e-3, 1e-3]
    # Nor one that is best in one run alone.
    result["chosen_on"].loc[{"rate": 1e-2, "step": 20, "run": 0}] = 0.7
    assert best_rate(result).values.tolist() == [1e-3, 1e-3]


@pytest.mark.parametrize("frequencies", [(1.0, 4.0), (4.0, 1.0)])
def test_accuracies_are_those_of_the_points_and_classes_they_are_said_to_be_of(
    monkeypatch: pytest.MonkeyPatch, frequencies: tuple[float, float]
) -> None:
    settings = dataclasses.replace(gradscale_training.SMOKE, frequencies=frequencies)
    # Two classes of each frequency: 10 or 40 points, in their order.
    sizes = [10 if f == 1 else 40 for f in frequencies for _ in range(2)]
    labels = np.repeat(np.arange(4), sizes)
    rare = np.flatnonzero(np.repeat(frequencies, 2) == 1)
    right = np.zeros((3, 2, 2, 100), bool)  # look, rate, run, point
    right[0, ..., ::2] = True  # at first those to choose on
    right[1] = labels == rare[0]  # then one rare class
    right[2] = ~np.isin(labels, rare)  # at last the frequent ones
    monkeypatch.setattr(gradscale_training, "_one_power", lambda *_: list(right))
    found = gradscale_training.run(settings).transpose("step", ...)
    for name, expected in (
        ("chosen_on", [1, 0.1, 0.8]),
        ("accuracy", [0, 0.1, 0.8]),
        ("rare", [0, 0.5, 0]),
    ):
        wanted = np.broadcast_to(np.reshape(expected, (3, 1, 1, 1)), (3, 2, 2, 2))
        np.testing.assert_allclose(found[name], wanted, rtol=1e-15, err_msg=name)
