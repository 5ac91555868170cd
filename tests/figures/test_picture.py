"""A picture of any result in one call: what its panels show is what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from PIL import Image

import figures
import normtheory as nt
from figures.__main__ import main

LEVELS = [0.0, 0.25, 0.5, 0.75, 1.0]
STEPS = np.array([0, 5, 10])


def recorded() -> xr.Dataset:
    """Two clouds whose norms have known quantiles, a loss, and what no panel can hold."""
    levels = np.arange(30.0).reshape(3, 2, 5)
    return xr.Dataset(
        {
            "loss": ("step", [3.0, 2.0, 1.0], {"long_name": "the loss", "units": "nats"}),
            "norms": (("step", "cloud", "quantile"), levels),
            "positions": (("step", "row", "axis"), np.zeros((3, 50, 4))),
            "once": ("row", np.zeros(50)),
        },
        coords={"step": STEPS, "quantile": LEVELS},
    )


def test_a_panel_a_variable_with_what_was_recorded() -> None:
    axes: list[Any] = figures.picture(recorded()).axes
    loss, norms = axes
    assert (loss.get_title(), loss.get_xlabel(), loss.get_ylabel()) == ("the loss", "step", "nats")
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), np.c_[STEPS, [3, 2, 1]])
    medians = [line.get_ydata() for line in norms.lines]
    np.testing.assert_array_equal(medians, [[2, 12, 22], [7, 17, 27]])
    low, inner = (band.get_paths()[0].vertices[:, 1] for band in norms.collections[:2])
    assert (low.min(), low.max()) == (0, 24)
    assert (inner.min(), inner.max()) == (1, 23)
    assert [text.get_text() for text in norms.get_legend().get_texts()] == ["cloud 0", "cloud 1"]


def test_panels_have_letters_that_the_caption_names() -> None:
    data = recorded().assign_attrs(seed=3, steps=10)
    letters = [axes.texts[0].get_text() for axes in figures.picture(data).axes]
    assert letters == ["a", "b"]
    assert figures.picture_caption(data) == (
        "Recorded over steps: (a) the loss; (b) norms. Lines are medians; bands are between the "
        "quantiles 0 and 1, and 0.25 and 0.75. steps 10, seed 3."
    )
    assert figures.picture_caption(data[["loss"]]) == (
        "Recorded over steps: the loss. steps 10, seed 3."
    )


def test_pairs_are_bands_over_the_ensemble() -> None:
    start = np.linspace(0.5, 1.5, 5)
    pairs = nt.simulate_pairs(start, 1.0, 2.0, 0.05, record_every=10)
    axes: list[Any] = figures.picture(pairs).axes
    angle, first, second = axes
    assert angle.get_ylabel() == "rad"
    assert angle.lines[0].get_ydata()[0] == 1.0  # the median of the start
    assert pairs.trajectory is not None
    for panel, norms in ((first, pairs.trajectory.norm_i), (second, pairs.trajectory.norm_j)):
        np.testing.assert_allclose(panel.lines[0].get_ydata(), np.median(norms, axis=1))


def test_a_file_is_drawn_and_the_result_of_an_experiment_as_its_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = recorded().drop_vars("once").assign_attrs(config='{"run": {}}', seed=3, steps=10)
    data.to_netcdf(tmp_path / "run.nc")
    assert main(["--of", str(tmp_path / "run.nc"), "--output", str(tmp_path / "drawn")]) == 0
    assert {p.name for p in (tmp_path / "drawn").iterdir()} == {"run.png", "run.pdf"}
    assert "run.png, .pdf" in capsys.readouterr().out
    with Image.open(tmp_path / "drawn" / "run.png") as picture:
        assert picture.info["Title"] == "run"
        assert picture.info["Description"] == figures.picture_caption(data)
        assert picture.info["Comment"] == '{"run": {}}'
    module = figures.get("norm_effect")
    monkeypatch.setattr(module, "draw", lambda data: f"own figure of {data.attrs['experiment']}")
    monkeypatch.setattr("figures.plt.close", lambda picture: None)
    monkeypatch.setattr("figures._letters.letter", lambda picture: None)
    own = data.assign_attrs(experiment="norm_effect")
    assert figures.picture(own) == "own figure of norm_effect"


def test_what_cannot_be_drawn_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TypeError, match=r"expected a Run, .* got ndarray"):
        figures.picture(np.zeros(3))
    with pytest.raises(ValueError, match="with record_every"):
        figures.picture(nt.simulate_pairs(1.0, 1.0, 1.0, 0.05))
    recorded()[["once"]].to_netcdf(tmp_path / "once.nc")
    assert main(["--of", str(tmp_path / "once.nc")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "text.nc").write_text("no NetCDF")
    assert main(["--of", str(tmp_path / "text.nc")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_settings_of_the_one_figure_reach_its_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def result(name: str, settings: object, **rest: object) -> None:
        seen.append((name, settings))
        raise RuntimeError("enough")

    monkeypatch.setattr("simulations._store.result", result)
    assert main(["norm_effect", "--norms", "1,2", "--learning-rate", "3"]) == 1
    name, settings = seen[0]
    assert (name, settings.norms, settings.learning_rate) == ("norm_effect", (1.0, 2.0), 3.0)
    assert settings.pairs == 500
    assert main(["norm_effect", "--smoke", "--norms", "4"]) == 1
    assert (seen[1][1].norms, seen[1][1].pairs) == ((4.0,), 50)
    assert main(["norm_effect", "gradscale", "--norms", "1"]) == 2  # whose settings?
