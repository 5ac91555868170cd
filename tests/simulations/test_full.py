"""``--full``, the size for a GPU, and ``--quick``, for a first look, where there are such."""

from __future__ import annotations

import pytest
import xarray as xr

from simulations import confidence
from simulations.__main__ import main


def test_full_settings_are_used_and_may_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def run(settings: confidence.Settings) -> xr.Dataset:
        seen.append(settings)
        return xr.Dataset()

    monkeypatch.setattr(confidence, "run", run)
    assert main(["confidence", "--full", "--runs", "1", "--force"]) == 0
    (settings,) = seen
    assert (settings.steps, settings.runs) == (confidence.FULL.steps, 1)


def test_a_first_look_takes_the_quick_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    quick = confidence.Settings(steps=7)
    monkeypatch.setattr(confidence, "QUICK", quick, raising=False)
    monkeypatch.setattr(confidence, "run", lambda settings: seen.append(settings) or xr.Dataset())
    assert main(["confidence", "--quick", "--force"]) == 0
    assert seen == [quick]
    assert main(["confidence", "--quick", "--full"]) == 2


def test_others_have_no_such_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["density", "--full"]) == 2
    assert capsys.readouterr().err == "simulations: density has one full size, its default\n"
