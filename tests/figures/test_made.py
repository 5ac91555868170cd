"""Experiments by several processes: the same results, kept in the same place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import figures
import simulations
from figures import _made
from simulations import _store


@pytest.mark.slow
def test_processes_find_what_this_one_finds(results: Path) -> None:
    smallest = {"phase_diagram": simulations.get("phase_diagram").SMOKE}
    # One item, one process: that several answer in turn is tested with `shared`.
    (found,) = _made.made(("phase_diagram",), smallest, force=False, jobs=2)
    kept = _store.kept("phase_diagram", smallest["phase_diagram"])
    assert kept.parent == results
    assert kept.exists()
    here = simulations.get("phase_diagram").run(smallest["phase_diagram"])
    assert found.name == "phase_diagram"
    assert found.data is not None
    xr.testing.assert_equal(found.data, here)
    assert found.seconds > 0


def test_a_figure_without_an_experiment_needs_no_result() -> None:
    (found,) = _made.made(("step_change",), {}, force=False, jobs=1)
    assert (found.name, found.data, found.missing) == ("step_change", None, None)


def test_what_times_itself_runs_when_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []

    def shared(make: Any, items: Any, processes: int) -> Any:
        assert processes == 3
        for place, item in enumerate(items):
            order.append(("there", item))
            yield place, _made.Made(item[0], None, 1.0)

    def result(name: str, **options: Any) -> None:
        order.append(("here", (name, options["settings"], options["force"])))

    monkeypatch.setattr(_made, "shared", shared)
    monkeypatch.setattr(figures, "result", result)
    names = ("step_change", "scaling", "density")
    found = _made.made(names, {"density": 5, "scaling": 6}, force=True, jobs=3)
    assert [m.name for m in found] == ["step_change", "density", "scaling"]
    assert order == [
        ("there", ("step_change", None, True)),
        ("there", ("density", 5, True)),
        ("here", ("scaling", 6, True)),
    ]


def test_an_extra_that_is_missing_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def result(name: str, **_: Any) -> None:
        if name == "density":
            raise ModuleNotFoundError("no digits")

    monkeypatch.setattr(figures, "result", result)
    found = list(_made.made(("density", "scaling"), {}, force=False, jobs=1))
    assert [str(m.missing) for m in found] == ["no digits", "None"]


def test_a_process_keeps_results_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_made, "use_all_cores", lambda: None)
    make = _made._worker(tmp_path / "elsewhere")
    assert tmp_path / "elsewhere" == _store.RESULTS
    monkeypatch.setattr(figures, "result", lambda name, **options: options)
    assert make(("density", 1, True)).data == {"settings": 1, "force": True}
