"""Rows of the closing table against plain numpy, on results whose every number is another."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import figures

from ..simulations.smoke import example


def scrambled(name: str) -> xr.Dataset:
    """The smallest result of an experiment, its numbers replaced by random ones in (1, 2)."""
    result = example(name)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for key, variable in result.data_vars.items():
        if variable.dtype.kind == "f":
            result[key] = (variable.dims, rng.uniform(1, 2, variable.shape))
    return result


def by_name(name: str, result: xr.Dataset) -> dict[str, figures.Row]:
    rows = figures.get(name).rows(result)
    found = {row.quantity: row for row in rows}
    assert len(found) == len(rows)
    return found


def values(result: xr.Dataset, name: str, *dims: str) -> np.ndarray:
    return result[name].transpose(*dims).values


def half(x: np.ndarray) -> float:
    """Half of Student's 95 % interval of a mean, as scipy has it."""
    low, high = stats.t.interval(0.95, len(x) - 1, x.mean(), stats.sem(x))
    return (high - low) / 2


def test_weight_decay_training() -> None:
    result = scrambled("weight_decay_training")
    rows = by_name("weight_decay_training", result)
    for text, name in (("mean embedding norm", "norm"), ("accuracy", "accuracy")):
        last = values(result, name, "decay", "run", "step")[..., -1].mean(axis=1)
        for decay, expected in zip(result.decay.values, last, strict=True):
            row = rows[f"{text}, λ = {decay:g}"]
            assert row.simulated == pytest.approx(expected)


def test_gradscale_training() -> None:
    result = scrambled("gradscale_training")
    result["chosen_on"].loc[{"power": 0, "rate": 1e-2}] += 1
    result["chosen_on"].loc[{"power": 1, "rate": 1e-3}] += 1
    rows = by_name("gradscale_training", result)
    chosen, accuracy, rare = (
        values(result, name, "power", "rate", "run", "step")[..., -1].mean(axis=-1)
        for name in ("chosen_on", "accuracy", "rare")
    )
    for k, power in enumerate(result.power.values):
        best = int(chosen[k].argmax())
        expected = (result.rate.values[best], accuracy[k, best], rare[k, best])
        for text, number in zip(
            ("chosen rate", "accuracy at it", "of rare classes"), expected, strict=True
        ):
            assert rows[f"{text}, p = {power:g}"].simulated == pytest.approx(float(number))
    for text, name in (("accuracy", "accuracy"), ("accuracy of rare classes", "rare")):
        end = values(result, name, "power", "rate", "run", "step")[..., -1]
        gain = end[1, chosen[1].argmax()] - end[0, chosen[0].argmax()]
        row = rows[f"{text} gained by p = 1 (± {half(gain):.3f})"]
        assert row.simulated == pytest.approx(gain.mean())


def test_equiangular() -> None:
    result = scrambled("equiangular")
    rows = by_name("equiangular", result)
    pair, angle = values(result, "pair_angle", "step"), values(result, "angle", "n", "step")
    middle = int(abs(pair - np.pi / 2).argmin())
    assert 0 < middle < len(pair) - 1
    expected = {
        f"angle of {n} points at step {middle}, degrees": (pair[middle], one[middle])
        for n, one in zip(result.n.values, angle, strict=True)
    }
    for name, (predicted, simulated) in expected.items():
        row = rows.pop(name)
        assert row.predicted == pytest.approx(np.rad2deg(predicted))
        assert row.simulated == pytest.approx(np.rad2deg(simulated))
    counts = zip(result.temperature.values, result.closed_form, result.counted, strict=True)
    for temperature, predicted, simulated in counts:
        row = rows.pop(f"steps of InfoNCE, τ = {temperature:g}")
        assert (row.predicted, row.simulated) == (float(predicted), float(simulated))
    assert not rows


def test_modality_gap_has_the_runs_that_a_slope_is_known_of() -> None:
    result = scrambled("modality_gap")
    result["exponent"].loc[{"run": "AdamW"}] = np.nan
    rows = by_name("modality_gap", result)
    for run in ("norm 1", "norm 2", "random start"):
        one, row = result.sel(run=run), rows.pop(f"slope of the gap, {run}")
        assert (row.predicted, row.simulated) == (float(one.exponent), float(one.slope))
    assert not rows


def test_scaling_is_of_the_streamed_way() -> None:
    n = 2.0 ** np.arange(4, 8)
    kinds = [("pairs", "streamed", 1.1), ("pairs", "dense", 3.0)]
    kinds += [("info_nce", "streamed", 2.2), ("info_nce", "dense", 4.0)]
    result = xr.Dataset(
        {"seconds": ("run", np.concatenate([n**slope for *_, slope in kinds]))},
        coords={
            "n": ("run", np.tile(n, 4)),
            "force": ("run", np.repeat([force for force, *_ in kinds], 4)),
            "way": ("run", np.repeat([way for _, way, _ in kinds], 4)),
        },
    )
    rows = figures.get("scaling").rows(result)
    assert [row.simulated for row in rows] == pytest.approx([1.1, 2.2])
    assert [row.predicted for row in rows] == [1, 2]


def test_cut_init() -> None:
    result = scrambled("cut_init")
    rows = by_name("cut_init", result)
    chosen = values(result, "chosen_on", "kind", "cut", "rate", "run").mean(axis=-1)
    tuned = values(result, "tuned", "kind", "cut", "rate", "run")
    agreement = values(result, "agreement", "kind", "decay", "cut", "run")
    (cut,) = result.cut.values[1:]
    ends = 0
    for i, kind in enumerate(result.kind.values):
        best = chosen[i].argmax(axis=1)
        gain = tuned[i, 1, best[1]] - tuned[i, 0, best[0]]
        # Both rates of this grid are its ends.
        label = f"accuracy gained by c = {cut:g} at tuned rates, {kind} (± {half(gain):.3f})"
        row = rows[f"{label}, rate at the grid's end"]
        ends += 1
        assert row.simulated == pytest.approx(gain.mean())
        row = rows[f"cos(cut by {cut:g}, rate × c²), {kind}"]
        assert row.simulated == pytest.approx(agreement[i, 0, 1].mean())
        assert row.predicted == (1.0 if kind == "no biases" else None)
    assert ends == 3


def test_a_best_rate_at_the_end_for_one_of_two_cuts_is_told() -> None:
    result = scrambled("cut_init").isel(rate=[0, 1, 0]).assign_coords(rate=[0.1, 0.2, 0.3])
    shape = ("kind", "cut", "rate", "run")
    best = np.zeros((3, 2, 3, 2))
    best[:, 0, 1], best[:, 1, 2] = 1, 1  # uncut in the middle, cut at the end
    result["chosen_on"] = (shape, best)
    told = [q for q in by_name("cut_init", result) if q.startswith("accuracy")]
    assert all(q.endswith(", rate at the grid's end") for q in told)
    best[:, 1, 2], best[:, 1, 1] = 0, 1
    result["chosen_on"] = (shape, best)
    told = [q for q in by_name("cut_init", result) if q.startswith("accuracy")]
    assert not any("grid's end" in q for q in told)


def test_phase_diagram() -> None:
    result = example("phase_diagram")
    rng = np.random.default_rng(0)
    for name in ("steps", "flow"):
        result[name] = (result[name].dims, rng.uniform(1, 2, result[name].shape))
    rows = list(by_name("phase_diagram", result).values())
    rate = (result.learning_rate / result.norm**2).transpose("norm", "learning_rate").values
    assert rows
    for row in rows:
        x = float(row.quantity.removeprefix("steps at x = "))
        (place,) = np.argwhere(abs(rate / x - 1) < 5e-3)[:1]
        steps, flow = (values(result, n, "norm", "learning_rate") for n in ("steps", "flow"))
        assert row.simulated == pytest.approx(steps[tuple(place)])
        assert row.predicted == pytest.approx(flow[tuple(place)])


def test_weight_decay() -> None:
    result = scrambled("weight_decay")
    rows = by_name("weight_decay", result)
    late = np.asarray(result.step.values > 2 / 3 * result.step.values[-1])
    assert 0 < late.sum() < len(late) / 2
    norm, turn = (values(result, n, "step", "start")[late] for n in ("norm", "turn"))
    assert rows["equilibrium norm"].simulated == pytest.approx((norm**4).mean() ** 0.25)
    assert rows["equilibrium turn (radians)"].simulated == pytest.approx(turn.mean())
    assert rows["equilibrium norm"].predicted == float(result.equilibrium_norm)
    assert rows["equilibrium turn (radians)"].predicted == float(result.equilibrium_turn)


def test_encoder_drift() -> None:
    result = scrambled("encoder_drift")
    rng = np.random.default_rng(3)
    signs = rng.choice([-1.0, 1.0, 1.0], result.radial_real.shape)
    result["radial_real"] = result.radial_real * xr.DataArray(signs, dims=result.radial_real.dims)
    rows = by_name("encoder_drift", result)
    across = ("width", "run", "embedding")
    batch, real = (values(result, n, *across) for n in ("radial_batch", "radial_real"))
    for k in (0, -1):
        w = result.width.values[k]
        for text, x in (("batch displacement, |cos| at", batch), ("a real step, |cos| at", real)):
            expected = np.sqrt((x[k] ** 2).mean(axis=-1)).mean()
            assert rows[f"{text} width {w}"].simulated == pytest.approx(expected)
        shrinks = rows[f"share of norms it shrinks, width {w}"].simulated
        assert shrinks == pytest.approx((real[k] < 0).mean())
    worst = rows["|⟨W, ∇W⟩| / lengths, worst layer, no biases"]
    assert worst.simulated == pytest.approx(result.weight_alignment.values.max())
    for what in ("weight", "embedding"):
        row = rows[f"relative growth of squared {what}s"]
        grown, orthogonal = (
            values(result, f"{what}_{n}", "trained_width", "run", "step")[-1, :, -1].mean()
            for n in ("growth", "orthogonal")
        )
        assert (row.simulated, row.predicted) == (pytest.approx(grown), pytest.approx(orthogonal))


def test_optimizers() -> None:
    result = scrambled("optimizers")
    rows = by_name("optimizers", result)
    steps = values(result, "steps", "optimizer", "norm", "start")[:, -1].mean(axis=-1)
    exponent = values(result, "exponent", "optimizer", "interval", "start")[:, -1].mean(axis=-1)
    norm = float(result.norm[-1])
    for name in ("SGD", "heavy ball"):
        place = result.optimizer.values.tolist().index(name)
        assert rows[f"steps of {name} at norm {norm:g}"].simulated == pytest.approx(steps[place])
        row = rows[f"exponent of {name} at the largest norms"]
        assert row.simulated == pytest.approx(exponent[place])
    sgd, ball = (rows[f"steps of {n} at norm {norm:g}"].predicted for n in ("SGD", "heavy ball"))
    assert sgd is not None
    # A momentum β multiplies the rate by 1/(1 - β).
    assert ball == pytest.approx((1 - result.attrs["momentum"]) * sgd)


def test_interventions() -> None:
    result = scrambled("interventions")
    rows = by_name("interventions", result)
    across = ("cut", "power", "place", "run", "look")
    here = result.isel(encoder=0, objective=0, length=0)
    validation, test = (values(here, n, *across) for n in ("validation", "test"))
    paper = values(here, "paper_test", "cut", "power", "run", "look")
    best = validation[..., -1].mean(axis=-1).argmax(axis=-1)
    tuned = np.take_along_axis(test[..., -1], best[..., None, None], 2)[:, :, 0]
    place = "MLP, SimCLR, 8 steps"
    assert rows["raw pixels, accuracy"].simulated == pytest.approx(result.raw.values.mean())
    untrained = rows[f"{place}: untrained, accuracy"].simulated
    assert untrained == pytest.approx(test[0, 0, best[0, 0], :, 0].mean())
    uncut = rows[f"{place}: c = 1, p = 0, accuracy"].simulated
    assert uncut == pytest.approx(tuned[0, 0].mean())
    for at, final in (("tuned rates", tuned), ("the paper's rate", paper[..., -1])):
        for (c, p), where in (((3, 0), (1, 0)), ((1, 1), (0, 1))):
            gain = final[where] - final[0, 0]
            start = f"{place}, c = {c}, p = {p}: accuracy gained at {at} (± {half(gain):.3f}, "
            (row,) = [r for name, r in rows.items() if name.startswith(start)]
            assert row.simulated == pytest.approx(gain.mean())
    at_end = float(np.isin(best, (0, 2)).sum())  # of three places
    row = rows["best rates for accuracy at the end of their grid"]
    assert row.simulated == at_end
