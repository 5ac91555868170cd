"""Bands and bars are the intervals and ranges that captions say they are."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

import figures
from figures._bands import mean_and_interval

from ..simulations.smoke import example
from .test_row_values import half, scrambled, values


def axes_of(name: str, result: xr.Dataset) -> list[Any]:
    picture = figures.draw(figures.get(name), result)
    plt.close(picture)
    return picture.axes


def band(axes: Axes, k: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of a band at each of its places."""
    corners = np.asarray(axes.collections[k].get_paths()[0].vertices, dtype=float)
    places = np.unique(corners[:, 0])
    ends = [corners[corners[:, 0] == x, 1] for x in places]
    return np.array([y.min() for y in ends]), np.array([y.max() for y in ends])


def bars(axes: Axes, k: int = 0) -> np.ndarray:
    """Ends of the upright bars, shape (places, 2)."""
    found: Any = [c for c in axes.containers if isinstance(c, ErrorbarContainer)][k]
    return np.array([segment[:, 1] for segment in found.lines[2][0].get_segments()])


@pytest.mark.parametrize("ends", [(None, None), (0.0, 1.0)])
def test_a_mean_has_the_interval_of_students_t(ends: tuple[Any, Any]) -> None:
    runs = np.array([[0.1, 0.5], [0.3, 0.6], [0.2, 1.0]])
    picture, axes = plt.subplots()
    over = xr.DataArray(runs.T, dims=("step", "run"), coords={"step": [0, 10]})
    mean_and_interval(axes, over, ends=ends, color=figures.BLUE)
    plt.close(picture)
    mean = runs.mean(axis=0)
    np.testing.assert_allclose(np.asarray(axes.lines[0].get_ydata(), float), mean)
    width = 4.302653 * runs.std(axis=0, ddof=1) / np.sqrt(3)  # t of two degrees of freedom
    low, high = mean - width, mean + width
    assert low.min() < 0 or high.max() > 1
    if ends == (0.0, 1.0):
        low, high = np.clip([low, high], 0, 1)
    np.testing.assert_allclose(band(axes), [low, high], rtol=1e-5)


def test_norms_by_class_have_the_interval_over_worlds() -> None:
    result = scrambled("class_imbalance")
    course = result.course.sel(sample="trained on").mean("assignment")
    one = values(course.to_dataset(name="x"), "x", "frequency", "epoch", "run")[0]
    low, high = band(axes_of("class_imbalance", result)[0])
    np.testing.assert_allclose((high - low) / 2, [half(x) for x in one])


def test_the_range_of_sgd_is_that_of_its_starts() -> None:
    result = example("norm_effect").isel(sgd_start=[0, 0, 0])
    factor = xr.DataArray([1.0, 1.01, 0.98], dims="sgd_start")
    result["sgd"] = (result.sgd * factor).transpose(*result.sgd.dims)
    below = axes_of("norm_effect", result)[1]
    shown = [line for line in below.lines if line.get_marker() == "None"][1:]
    over = values(result, "sgd", "norm", "sgd_start")
    over = over / values(result, "closed_form", "norm", "start").mean(axis=1)[:, None]
    assert len(shown) == len(over)
    for line, one in zip(shown, 100 * (over - 1), strict=True):
        np.testing.assert_allclose(np.asarray(line.get_ydata()), [one.min(), one.max()])


def test_the_band_of_the_curve_is_the_range_over_starts() -> None:
    result = example("opposite_halves")
    rng = np.random.default_rng(0)
    drawn = rng.uniform(90, 110, result.closed_form.shape)
    result["closed_form"] = (result.closed_form.dims, drawn)
    angle = values(result, "start_angle", "weight", "start").mean(axis=1)
    over = values(result, "closed_form", "weight", "start")[np.argsort(angle)]
    low, high = band(axes_of("opposite_halves", result)[0])
    np.testing.assert_allclose([low, high], [over.min(axis=1), over.max(axis=1)])


def test_steps_of_optimizers_have_their_standard_deviation() -> None:
    result = example("optimizers")
    rng = np.random.default_rng(0)
    result["steps"] = (result.steps.dims, rng.uniform(10, 20, result.steps.shape))
    over = values(result, "steps", "optimizer", "norm", "start")
    left = axes_of("optimizers", result)[0]
    for k, one in enumerate(over):
        ends = bars(left, k)
        np.testing.assert_allclose(ends.mean(axis=1), one.mean(axis=1))
        np.testing.assert_allclose(np.ptp(ends, axis=1) / 2, one.std(axis=1, ddof=1))


def test_the_fourth_power_has_two_standard_errors() -> None:
    result = example("quartic_growth")
    fourth = values(result, "fourth_power", "frequency", "step")
    error = values(result, "fourth_power_error", "frequency", "step")
    left = axes_of("quartic_growth", result)[0]
    for k, (mean, one) in enumerate(zip(fourth, error, strict=True)):
        # d(x^¼) = x^¼ dx/(4x).
        np.testing.assert_allclose(
            np.ptp(bars(left, k), axis=1), 4 * one / (4 * mean) * mean**0.25, rtol=1e-6
        )


def test_turns_have_their_interval_in_degrees() -> None:
    result = example("equilibria")
    turn = axes_of("equilibria", result)[1]
    for k in range(result.sizes["optimizer"]):
        one = result.isel(optimizer=k, later=slice(k % 3, None, 3))
        wanted = np.rad2deg(2 * one.turn_interval.values)
        np.testing.assert_allclose(np.ptp(bars(turn, k), axis=1), wanted, rtol=1e-6)


def test_controls_of_cut_networks_have_their_interval() -> None:
    result = scrambled("cut_init")
    over = values(result, "control_accuracy", "kind", "decay", "cut", "step", "run")
    kind = [*result.kind.values].index("biases")
    accuracy = axes_of("cut_init", result)[1]
    for k, one in enumerate(over[kind, 0]):
        ends = bars(accuracy, k)
        np.testing.assert_allclose(ends.mean(axis=1), one.mean(axis=1))
        np.testing.assert_allclose(np.ptp(ends, axis=1) / 2, [half(x) for x in one])
