"""What figures draw, against plain numpy: curves, marks and maps at their places."""

from __future__ import annotations

import dataclasses
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.container import ErrorbarContainer

import figures
import simulations
from figures import gradient_field, loss_atlas, quartic_growth, scaling, step_change
from simulations._tuned import choices, comparisons, target

from ..simulations.smoke import example
from .test_row_values import half, scrambled, values


def axes_of(name: str, result: xr.Dataset | None) -> list[Axes]:
    picture = figures.draw(figures.get(name), result)
    plt.close(picture)
    return picture.axes


def line(axes: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The one curve of that label."""
    (found,) = [one for one in axes.lines if one.get_label() == label]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def test_the_phase_diagram_has_norms_across_and_rates_upwards() -> None:
    settings = dataclasses.replace(simulations.get("phase_diagram").SMOKE)
    assert settings.norms != settings.learning_rates
    result = example("phase_diagram")
    rng = np.random.default_rng(0)
    result["steps"] = (result.steps.dims, rng.uniform(1, 2, result.steps.shape))
    map_ = axes_of("phase_diagram", result)[0]
    (mesh,) = [c for c in map_.collections if isinstance(c, QuadMesh)]
    shown = np.asarray(mesh.get_array()).reshape(result.steps.shape[::-1])
    np.testing.assert_array_equal(shown, values(result, "steps", "learning_rate", "norm"))
    norm, rate = line(map_, "x = γ/ρ² = 1")
    np.testing.assert_allclose(rate / norm**2, 1)


def test_a_fixed_pair_bursts_at_the_root_of_the_rate() -> None:
    result = example("weight_decay")
    _, y = line(axes_of("weight_decay", result)[2], "√γ")
    assert result.attrs["learning_rate"] != 1
    np.testing.assert_allclose(y**2, result.attrs["learning_rate"])


def test_orange_is_where_the_simple_bound_is_none() -> None:
    curves, region = axes_of("step_change", None)
    c, s = np.linspace(-1, 1, 801), np.sqrt(1 - np.linspace(-1, 1, 801) ** 2)
    for x, color in step_change.RATES:
        at = [k for k, one in enumerate(curves.lines) if one.get_label() == f"x = {x:g}"]
        exact, simple, orange = (
            np.asarray(one.get_ydata(), float) for one in curves.lines[at[0] : at[0] + 3]
        )
        assert curves.lines[at[0]].get_color() == color
        # The cosine after a step of both points of a pair of equal norms, from plain vectors.
        z, y = np.stack([np.ones(801), 0 * c], 1), np.stack([c, s], 1)
        u, v = z + x * (y - c[:, None] * z), y + x * (z - c[:, None] * y)
        after = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
        np.testing.assert_allclose(exact, after - c, atol=1e-12)
        np.testing.assert_array_equal(orange, np.where(exact > simple, simple, np.nan))
    # The border of the region is where the cosine after the step is 0: from -c it is reached by x.
    border = np.asarray(region.collections[-1].get_paths()[0].vertices)
    inner = border[np.abs(border[:, 0]) < 0.9][::20]
    for c0, x0 in np.asarray(inner):
        s0 = np.sqrt(1 - c0**2)
        z, y = np.array([1.0, 0.0]), np.array([c0, s0])
        assert abs((z + x0 * (y - c0 * z)) @ (y + x0 * (z - c0 * y))) < 0.02


def test_the_dashed_circle_has_the_norm_of_the_start() -> None:
    field = axes_of("gradient_field", None)[0]
    (circle,) = [one for one in field.lines if one.get_linestyle() == "--"]
    radius = np.hypot(np.asarray(circle.get_xdata()), np.asarray(circle.get_ydata()))
    np.testing.assert_allclose(radius, np.linalg.norm(gradient_field.START))


def test_the_heavy_ball_stops_seeing_the_norm_at_the_crossover() -> None:
    result = example("optimizers")
    rate, momentum = result.attrs["sgd_rate"], result.attrs["momentum"]
    norm = figures.get("optimizers")._crossover(result)
    assert rate / norm**2 == pytest.approx((1 - np.sqrt(momentum)) ** 2 / 2)


def test_the_thick_part_of_a_line_is_where_the_slope_was_fitted() -> None:
    result = example("loss_atlas")
    one = result.isel(loss=0)
    one["fit_low"], one["fit_high"] = (
        xr.full_like(one[key], value) for key, value in (("fit_low", 0.5), ("fit_high", 5.0))
    )
    picture, axes = plt.subplots()
    loss_atlas._panel(axes, one)
    plt.close(picture)
    thin, thick = axes.lines[:2] if bool(one.obeys) else axes.lines[1:3]
    norm = one.norm.values
    np.testing.assert_array_equal(thin.get_xdata(), norm)
    np.testing.assert_array_equal(
        thick.get_xdata(), norm[(norm > 0.99 * 0.5) & (norm < 1.01 * 5.0)]
    )


def test_the_farthest_slope_may_lie_on_either_side() -> None:
    result = example("loss_atlas")
    slope = result.slope.copy()
    slope[{"loss": 0, "view": 0}] = -1.5
    slope[{"loss": 1, "view": 0}] = -0.8
    result["slope"] = slope
    result["of_directions"] = xr.ones_like(result.of_directions)
    result["slope"] = result.slope.where(abs(result.slope + 1) < 0.6, -1.0)
    assert loss_atlas.rows(result)[0].simulated == -1.5


def test_the_sweep_shows_points_that_no_rate_was_chosen_on() -> None:
    result = scrambled("gradscale_training")
    sweep, every, rare = axes_of("gradscale_training", result)
    chosen = values(result, "chosen_on", "power", "rate", "run", "step")[..., -1].mean(axis=-1)
    for k in range(result.sizes["power"]):
        final = values(result, "accuracy", "power", "rate", "run", "step")[k, ..., -1]
        best = int(chosen[k].argmax())
        for axes, expected in (
            (sweep, final),
            (every, values(result, "accuracy", "power", "rate", "step", "run")[k, best]),
            (rare, values(result, "rare", "power", "rate", "step", "run")[k, best]),
        ):
            bars: Any = [c for c in axes.containers if isinstance(c, ErrorbarContainer)][k]
            np.testing.assert_allclose(
                np.asarray(bars.lines[0].get_ydata(), float), expected.mean(axis=1)
            )
            segments = bars.lines[2][0].get_segments()
            ends = np.array([[float(y) for y in s[:, 1]] for s in segments])
            halves = [half(one) for one in expected]
            np.testing.assert_allclose((ends[:, 1] - ends[:, 0]) / 2, halves)
    for axes, name in ((every, "accuracy"), (rare, "rare")):
        end = values(result, name, "power", "rate", "run", "step")[..., -1]
        gain = end[1, chosen[1].argmax()] - end[0, chosen[0].argmax()]
        said, _ = axes.texts  # and the letter of the panel
        assert said.get_text() == f"p = 1 gains {gain.mean():+.3f} ± {half(gain):.3f}"


def test_the_slope_printed_is_that_of_the_recursion() -> None:
    result = scrambled("gradscale")
    legend = axes_of("gradscale", result)[0].get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    for k, power in enumerate(result.power.values):
        slope, error = (float(result[f"recursion_exponent{end}"][k]) for end in ("", "_error"))
        assert texts[k] == f"p = {power:g}: slope {slope:.3f} ± {error:.3f}"


def test_memory_is_in_gigabytes_and_an_exponent_has_its_error() -> None:
    rng = np.random.default_rng(0)
    n = 2.0 ** np.arange(8, 16)
    one = xr.Dataset(
        {
            "n": ("run", n),
            "seconds": ("run", 1e-6 * n**1.5 * np.exp(0.1 * rng.standard_normal(8))),
            "peak_memory": ("run", 3e9 * np.arange(1, 9)),
        }
    )
    slope, error = scaling.exponent(one)
    late = slice(4, None)
    x, y = np.log(n[late]), np.log(one.seconds.values[late])
    fitted = np.polynomial.Polynomial.fit(x, y, 1).convert()
    left = y - fitted(x)
    # The textbook error of a slope: s/√Σ(x - x̄)², s² = Σ left²/(n - 2).
    expected = np.sqrt((left @ left) / 2 / ((x - x.mean()) ** 2).sum())
    assert slope == pytest.approx(fitted.coef[1])
    assert error == pytest.approx(expected)
    picture, (upper, lower) = plt.subplots(1, 2)
    scaling._lines(upper, lower, one, "streamed", "pairs")
    plt.close(picture)
    np.testing.assert_allclose(np.asarray(lower.lines[0].get_ydata(), float), 3.0 * np.arange(1, 9))


def test_growth_in_batches_is_told_for_coherent_gradients_and_exponents_with_their_error() -> None:
    result = scrambled("quartic_growth")
    rows = quartic_growth.rows(result)
    late = result.step.values >= result.step.values[-1] / 10
    fourth = values(result, "fourth_power", "step", "frequency")[late]
    slopes = np.polyfit(np.log(result.step.values[late]), np.log(fourth) / 4, 1)[0]
    error = slopes.std(ddof=1) / len(slopes) ** 0.5
    assert rows[0].quantity == f"exponent of norm growth (± {error:.4f})"
    coherent = result.sel(gradients="coherent").batch_fourth_power.values
    expected = (coherent[1:] / coherent[0]) ** 0.25
    assert [row.simulated for row in rows[-len(expected) :]] == pytest.approx(expected.tolist())


def test_panels_of_decay_show_what_their_axes_say() -> None:
    result = scrambled("weight_decay_training")
    panels = axes_of("weight_decay_training", result)
    names = {
        "mean embedding norm, held out": "norm",
        "norm of all weights": "weight_norm",
        "10-NN accuracy, held out": "accuracy",
    }
    assert {axes.get_ylabel() for axes in panels} == set(names)
    for axes in panels:
        shown = values(result, names[axes.get_ylabel()], "decay", "run", "step").mean(axis=1)
        for one, expected in zip(axes.lines, shown, strict=True):
            np.testing.assert_allclose(np.asarray(one.get_ydata(), float), expected)


def test_curves_are_of_test_images_and_the_dotted_line_is_where_steps_are_counted() -> None:
    result = scrambled("interventions")
    curves, accuracy, speed, early = axes_of("interventions", result)
    here = result.isel(encoder=0, objective=0, length=0)
    found = choices(here, "speed")
    assert len(found) == 4
    for (c, p), choice in found.items():
        step, mean = line(curves, f"c = {c:g}, p = {p:g}")
        np.testing.assert_allclose(step, [0, 2, 4, 6, 8])
        np.testing.assert_allclose(mean, choice.curve.mean(axis=0))
    dotted = [one for one in curves.lines if one.get_linestyle() == ":"]
    levels = [float(np.asarray(one.get_ydata(), float)[0]) for one in dotted]
    assert levels == pytest.approx([target(here), target(here, "early")])
    for axes, measure in ((accuracy, "accuracy"), (speed, "speed"), (early, "early")):
        for marker, paper in (("o", False), ("s", True)):
            gains = [one.gain for one in comparisons(result, paper=paper) if one.measure == measure]
            shown = [
                float(np.asarray(one.get_ydata(), float)[0])
                for one in axes.lines
                if one.get_marker() == marker
            ]
            np.testing.assert_allclose(shown, gains if measure == "accuracy" else np.exp(gains))
