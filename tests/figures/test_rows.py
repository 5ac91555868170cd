"""The closing table says what is in the result, and nothing else."""

from __future__ import annotations

import dataclasses
import statistics

import numpy as np
import pytest

import figures
import simulations
from figures import (
    Row,
    class_imbalance,
    density,
    gradient_field,
    gradscale,
    loss_atlas,
    norm_effect,
    quartic_growth,
    weight_decay,
)
from figures.__main__ import table
from normtheory.losses import DISOBEDIENT

from ..simulations.smoke import example


def test_norm_effect() -> None:
    result = example("norm_effect")
    result["published"] = ("norm", [1.0, np.nan, 3.0])
    rows = norm_effect.rows(result)
    assert [r.published for r in rows] == [1.0, None, 3.0]
    assert [r.predicted for r in rows] == result.closed_form.mean("start").values.tolist()
    assert [r.simulated for r in rows] == result.recursion.mean("start").values.tolist()
    assert [r.quantity for r in rows] == [f"steps at norm {r}" for r in ("0.5", "1", "2")]


def test_opposite_halves() -> None:
    result = example("opposite_halves")
    middle, end = figures.get("opposite_halves").rows(result)
    assert middle.simulated == float(result.recursion.isel(weight=3).mean())
    assert end.simulated == float(result.recursion.isel(weight=6).mean())
    assert end.predicted == float(result.closed_form.isel(weight=6).mean())
    assert "1.5" in middle.quantity or "1.6" in middle.quantity


def test_gradscale() -> None:
    result = example("gradscale")
    rows = gradscale.rows(result)
    assert [r.predicted for r in rows] == [2, 1, 0]
    assert [r.simulated for r in rows] == result.sgd_exponent.values.tolist()
    for row, error in zip(rows, result.sgd_exponent_error.values, strict=True):
        assert f"(± {error:.3f})" in row.quantity


def test_quartic_growth_of_an_exact_law() -> None:
    result = example("quartic_growth")
    # A law with another exponent and another dependence on the frequency must show as such.
    result["fourth_power"] = result.step**2.0 * result.frequency**2
    result["batch_fourth_power"] = 0 * result.batch_predicted + result.frequency**4
    exponent, fourth, *both = quartic_growth.rows(result)
    ratios, coherent = both[:3], both[3:]
    assert [r.simulated for r in coherent] == pytest.approx([2, 4, 8])
    exact = result.batch_predicted.sel(gradients="coherent").values
    assert [r.predicted for r in coherent] == pytest.approx((exact[1:] / exact[0]) ** 0.25)
    assert exponent.predicted == 0.25
    assert exponent.simulated == pytest.approx(0.5)
    assert fourth.simulated == float(result.step[-1]) ** 2
    assert fourth.predicted == float(result.predicted[-1, 0])
    assert [r.predicted for r in ratios] == pytest.approx([2**0.25, 4**0.25, 8**0.25])
    assert [r.simulated for r in ratios] == pytest.approx([2**0.5, 4**0.5, 8**0.5])


def test_quartic_growth_errors() -> None:
    result = example("quartic_growth")
    result["fourth_power_error"] = 0.04 * result.fourth_power
    norm, error = quartic_growth._class_ratios(result)
    np.testing.assert_allclose(error[1:] / norm[1:], np.sqrt(2) * 0.01)
    assert error[0] == 0


def test_weight_decay() -> None:
    result = example("weight_decay")
    norm, turn, time = weight_decay.rows(result)
    assert norm.predicted == float(result.equilibrium_norm)
    assert turn.predicted == float(result.equilibrium_turn)
    assert time.predicted == pytest.approx(50)
    result["norm"], result["turn"] = 1.5 * result.norm, 2 * result.turn
    other_norm, other_turn, _ = weight_decay.rows(result)
    assert other_norm.simulated == pytest.approx(1.5 * (norm.simulated or 0))
    assert other_turn.simulated == pytest.approx(2 * (turn.simulated or 0))


def test_relaxation_time_of_an_exact_law() -> None:
    result = example("weight_decay")
    settled = result.equilibrium_norm**4
    far = np.exp(-result.step / 123) * (result.start**4 - settled)
    result["norm"] = (settled + far) ** 0.25
    assert weight_decay.relaxation_time(result) == pytest.approx(123)


def test_loss_atlas() -> None:
    result = example("loss_atlas")
    result["slope"].loc[{"loss": "siglip", "view": "own"}] = -0.5
    obedient, *others = loss_atlas.rows(result)
    assert obedient.simulated == -0.5
    assert obedient.predicted == -1
    assert len(others) == 2 * len(DISOBEDIENT)
    common, own = (r for r in others if "vicreg" in r.quantity)
    assert (common.predicted, own.predicted) == (3, 0)
    assert [common.simulated, own.simulated] == pytest.approx(
        result.slope.sel(loss="vicreg").values, abs=1e-6
    )


def test_slopes_are_printed_once_where_both_views_agree() -> None:
    one = example("loss_atlas").sel(loss="clip")
    assert loss_atlas.slopes(one) == "slope −1.00"
    one["slope"] = ("view", [3.0, -0.001])
    assert loss_atlas.slopes(one) == "all rows 3.00\none row 0.00"


def test_deviation_is_that_of_the_published_number_where_there_is_one() -> None:
    assert Row("", 110.0, 100.0, 90.0).deviation == pytest.approx(0.1)
    assert Row("", None, 100.0, 90.0).deviation == pytest.approx(-0.1)
    assert Row("", None, 0.0, 90.0).deviation is None
    assert Row("", None, None, 90.0).deviation is None
    assert Row("", None, 100.0, None).deviation is None


def test_rows_that_say_how_closely_numbers_agree_are_judged() -> None:
    close, far = Row("a", None, 1.0, 0.9, 0.11), Row("b", None, 1.0, 1.2, 0.11)
    assert (close.verdict, far.verdict) == ("agrees", "differs")
    assert Row("", None, 1.0, 1.0).verdict is None
    assert Row("", None, None, 1.0, 0.1).verdict is None
    header, _, first, second, third = table([close, far, Row("c", 1.0, None, 1.0)]).splitlines()
    assert header.split()[-2:] == ["within", "verdict"]
    assert first.split()[-2:] == ["0.11", "agrees"]
    assert second.split()[-2:] == ["0.11", "differs"]
    assert third.split() == ["c", "1", "1"]


def test_a_deviation_that_rounds_to_nothing_has_no_minus() -> None:
    assert table([Row("a", None, -2.0, -2.0 + 1e-9)]).split()[-2:] == ["+0.00", "%"]
    assert table([Row("a", None, 2.0, 2.0 - 2e-4)]).split()[-2:] == ["-0.01", "%"]


def test_table_is_laid_out_in_columns() -> None:
    text = table([Row("steps", 9662.0, 9641.9, 9642.1), Row("slope", None, 0.25, 0.2491)])
    header, rule, steps, slope = text.splitlines()
    assert header.split() == ["published", "predicted", "simulated", "deviation"]
    assert set(rule) == {"-", " "}
    assert steps.split() == ["steps", "9662", "9642", "9642", "+0.21", "%"]
    assert slope.split() == ["slope", "0.25", "0.2491", "-0.36", "%"]
    assert len(steps) == len(slope) == len(header)


def test_trajectory_leaves_its_circle_outward_and_turns_to_the_target() -> None:
    points = gradient_field.trajectory(gradient_field.START, 0.8, 6)
    norms = np.linalg.norm(points, axis=-1)
    assert (np.diff(norms) > 0).all()
    assert (np.diff(points @ gradient_field.TARGET / norms) > 0).all()
    steps = np.diff(points, axis=0)
    np.testing.assert_allclose((steps * points[:-1]).sum(axis=-1), 0, atol=1e-15)


def test_class_imbalance() -> None:
    result = example("class_imbalance")
    result["published"] = ("frequency", [1.0, 1.5])
    rng = np.random.default_rng(1)
    values = rng.uniform(size=result.norm.shape)
    result["norm"] = (result.norm.dims, values)
    rows = class_imbalance.rows(result)
    of_class, shares, spreads = rows[:2], rows[2:5], rows[5:]
    trained = values[:, 0]  # variant, assignment, run, frequency
    expected = trained[0].mean(axis=(0, 1))
    assert [r.simulated for r in of_class] == pytest.approx(expected[::-1].tolist())
    assert [r.published for r in of_class] == [1.5, 1.0]
    assert [r.quantity.split()[-4] for r in of_class] == ["8/9", "1/9"]
    single = trained[0, ..., 1] - trained[0, ..., 0]
    assert (single > 0).mean() != (single.mean(axis=1) > 0).mean()  # a mean says something else
    assert shares[0].simulated == pytest.approx((single > 0).mean())
    # A mean of two takes one of two networks of each of two worlds: four equally likely means.
    four = (single[:, None, 0] + single[None, :, 1]) / 2
    for row, share in zip(shares[1:], ((four > 0).mean(), (four >= 0.5).mean()), strict=True):
        assert row.simulated == pytest.approx(share, abs=6 * 0.5 / class_imbalance.DRAWS**0.5)
    assert [r.published for r in spreads] == [0.5] + [None] * (len(values) - 1)
    worlds = (trained[..., 1] - trained[..., 0]).mean(axis=1)  # variant, run
    assert [r.simulated for r in spreads] == pytest.approx(worlds.mean(axis=1).tolist())
    # 95 % of two values: t(1) = 12.71 times |a - b|/2.
    half = 12.706 * abs(worlds[:, 0] - worlds[:, 1]) / 2
    for row, width, name in zip(spreads, half, result.variant.values, strict=True):
        assert row.quantity == f"spread, {name} (± {width:.2f})"


def test_density() -> None:
    result = example("density")
    rng = np.random.default_rng(0)
    for name in ("overall", "within_classes"):
        result[name] = (result[name].dims, rng.uniform(-1, 1, result[name].shape))
    rows = density.rows(result)
    assert len(rows) == 12
    for stage, text in (("trained", "trained"), ("new", "before training")):
        for sample in result["sample"].values:
            for name, points in (("overall", "all points"), ("within_classes", "within classes")):
                of_runs = result[name].sel(stage=stage, sample=sample).values
                # Student's t of two degrees of freedom.
                half = 4.3027 * statistics.stdev(of_runs) / 3**0.5
                wanted = f"ρ(norm, distance), {sample}, {text}, {points} (± {half:.2f})"
                (row,) = [r for r in rows if r.quantity == wanted]
                assert row.simulated == pytest.approx(statistics.mean(of_runs))
    # Of the same networks at both stages: the interval is that of their differences.
    *_, panel = density.draw(result).axes
    for label in panel.get_xticklabels():
        sample, change = label.get_text().split("\n")
        trained, new = (result.overall.sel(sample=sample, stage=s) for s in ("trained", "new"))
        change_of = trained.values - new.values
        half = 4.3027 * statistics.stdev(change_of) / 3**0.5
        assert change == f"{statistics.mean(change_of):+.2f} ± {half:.2f}"


def test_near_the_antipode_all_curves_have_the_same_abscissa() -> None:
    result = example("opposite_halves")
    picture = figures.draw(figures.get("opposite_halves"), result)
    at = {
        str(line.get_label()): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
        for line in picture.axes[1].lines
    }
    x, steps = at["exact recursion, one pair"]
    np.testing.assert_allclose(x, np.pi - result.few_angles)
    curve_x, curve = at["closed form, one pair"]
    order = np.argsort(curve_x)
    # The recursion lies on its own curve, to the first order in the rate and the grid of the curve.
    np.testing.assert_allclose(np.interp(x, curve_x[order], curve[order]), steps, rtol=0.05)


def test_settings_given_beside_smoke_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    kept = figures._store.result
    monkeypatch.setattr(
        figures._store,
        "result",
        lambda name, settings, **more: given.append(settings) or kept(name, settings, **more),
    )
    mine = dataclasses.replace(simulations.get("gradscale").SMOKE, seed=7)
    figures.result("gradscale", smoke=True, settings=mine)
    figures.result("gradscale", smoke=True)
    assert given == [mine, simulations.get("gradscale").SMOKE]


def test_deviations_are_in_per_cent_of_the_mean_closed_form() -> None:
    result = example("norm_effect")
    rng = np.random.default_rng(0)
    # Starts whose closed forms differ, which those of one norm hardly do.
    shape = result.closed_form.shape
    result["closed_form"] = (result.closed_form.dims, 100 * rng.uniform(0.9, 1.1, shape))
    picture = figures.draw(norm_effect, result)
    below = picture.axes[1]
    closed = result.closed_form.mean("start").values
    (sgd,) = [line for line in below.lines if line.get_marker() == "+"]
    expected = 100 * (result.sgd.mean("sgd_start").values / closed - 1)
    np.testing.assert_allclose(np.asarray(sgd.get_ydata()), expected)
    (band,) = below.collections
    shown = np.asarray(band.get_paths()[0].vertices)
    spread = 100 * (result.recursion.transpose("norm", "start").values / closed[:, None] - 1)
    assert shown[:, 1].min() == pytest.approx(spread.min())
    assert shown[:, 1].max() == pytest.approx(spread.max())


def test_there_is_no_share_of_a_number_that_may_be_zero() -> None:
    assert Row("", None, 0.01, 0.05, within=0.1).deviation is None
    assert Row("", None, -0.01, 0.05, within=0.1).deviation is None
    assert Row("", None, 1.0, 1.05, within=0.1).deviation == pytest.approx(0.05)
