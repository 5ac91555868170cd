"""What holds for every experiment: named dimensions, units, and a command that runs it again."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import figures
import simulations
from simulations import _store
from simulations.__main__ import main
from simulations._settled import QUANTITIES

from .smoke import DEAR, cases, example, smoke

EVERY = pytest.mark.parametrize("name", simulations.names())
RUN = pytest.mark.parametrize("name", cases(simulations.names()))

# A second run of these compiles for long.
LONG = DEAR | {"density", "loss_atlas", "temperature", "weight_decay", "weight_decay_training"}
AGAIN = pytest.mark.parametrize("name", cases(simulations.names(), LONG))

# One command is read, run and kept like another: of three, the run is among the shortest.
SHORT = {"norm_effect", "phase_diagram", "uniformity"}
RERUN = pytest.mark.parametrize("name", cases(simulations.names(), {*simulations.names()} - SHORT))


def test_the_experiments_are_there() -> None:
    wanted = {
        "gradscale",
        "loss_atlas",
        "norm_effect",
        "quartic_growth",
        "opposite_halves",
        "weight_decay",
    }
    assert wanted <= set(simulations.names())
    assert set(simulations.names()) <= set(figures.names())  # the same word names its figure


def test_an_unknown_experiment_is_refused_with_the_known_names() -> None:
    with pytest.raises(ValueError, match=r"no experiment 'nope'; there are: class_imbalance, .*"):
        simulations.get("nope")


@RUN
def test_result_has_named_dimensions_and_units(name: str) -> None:
    result = smoke(name)
    for key in result.variables:
        variable = result[key]
        assert not [d for d in variable.dims if str(d).startswith("dim_")]
        assert variable.attrs.get("units") or key in variable.dims, f"{key} has no unit"
    allowed_gaps = {"published"}
    if name == "confidence":  # nothing is correlated where answers are few, as in its smallest run
        allowed_gaps |= {"spearman", "correlation"}
    if name == "modality_gap":  # AdamW has no law
        allowed_gaps |= {"predicted", "exponent", "followed"}
    if name == "predicted":  # for some rows there is no theory, and some norms never settle
        of_rows = {f"{q}_{by}" for q in QUANTITIES for by in ("numbers", "slope")}
        allowed_gaps |= {*of_rows, "steps", "floor_aligned", "implied", "pull"}
    for key, variable in result.data_vars.items():
        assert key in allowed_gaps or np.isfinite(variable).all(), f"{key} is not finite"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DEAR))
def test_a_result_that_is_kept_is_as_the_smallest_run_has_it(name: str) -> None:
    """But for its numbers; if not, `python -m tests.simulations.smoke` makes it anew."""
    kept, found = example(name), smoke(name)
    assert kept.sizes == found.sizes
    assert set(kept.attrs) == set(found.attrs)
    assert json.loads(kept.attrs["settings"]) == json.loads(found.attrs["settings"])
    assert list(kept.variables) == list(found.variables)
    for key, variable in found.variables.items():
        assert (kept[key].dims, kept[key].dtype) == (variable.dims, variable.dtype), key
        assert kept[key].attrs == variable.attrs, key
        if key in found.dims:
            assert kept[key].equals(found[key]), key


@EVERY
def test_settings_are_frozen(name: str) -> None:
    module = simulations.get(name)
    for settings in (module.Settings(), module.SMOKE, simulations.quick(name)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            settings.seed = 1


@EVERY
def test_every_size_knows_about_how_long_it_takes(name: str) -> None:
    module = simulations.get(name)
    assert simulations.seconds(name, module.SMOKE) == 0
    assert simulations.seconds(name, module.Settings()) == module.SECONDS > 0
    quick = simulations.quick(name)
    if quick == module.Settings():
        assert module.SECONDS <= 10  # of nothing for a first look more than a few seconds
    else:
        assert simulations.seconds(name, quick) == module.QUICK_SECONDS < module.SECONDS


@RERUN
def test_the_rerun_command_gives_the_same_result(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = smoke(name)
    assert json.loads(first.attrs["settings"]) == json.loads(
        json.dumps(dataclasses.asdict(simulations.get(name).SMOKE))
    )
    assert {"dtype", "device", "versions", "commit", "created"} <= set(first.attrs)
    python, flag, package, *arguments = shlex.split(first.attrs["rerun"])
    assert (python, flag, package) == ("python", "-m", "simulations")
    # Elsewhere and by force: a second computation, not the kept file.
    monkeypatch.setattr(_store, "RESULTS", tmp_path / "elsewhere")
    assert main([*arguments, "--force", "--output", str(tmp_path / "again.nc")]) == 0
    again = xr.load_dataset(tmp_path / "again.nc")
    for changing in ("created", "commit"):
        assert again.attrs.pop(changing)
        assert first.attrs.pop(changing)
    timings = getattr(simulations.get(name), "MEASURED", ())
    xr.testing.assert_identical(again.drop_vars(timings), first.drop_vars(timings))


@AGAIN
def test_another_seed_gives_other_numbers(name: str) -> None:
    module = simulations.get(name)
    if hasattr(module, "MEASURED"):
        pytest.skip("its numbers are timings")
    other = module.run(dataclasses.replace(module.SMOKE, seed=1))
    assert not other.equals(smoke(name))


@EVERY
@pytest.mark.parametrize(
    ("setting", "value"), [("seed", -1), ("dimension", 0), ("learning_rate", float("nan"))]
)
def test_settings_that_are_not_positive_are_refused(name: str, setting: str, value: float) -> None:
    module = simulations.get(name)
    if not hasattr(module.SMOKE, setting):  # nothing is trained there: take another number
        fields = dataclasses.fields(module.SMOKE)
        setting = next(f.name for f in fields if isinstance(f.default, float))
    with pytest.raises(ValueError, match=rf"^{setting}: expected .* got {value}$"):
        dataclasses.replace(module.SMOKE, **{setting: value})
