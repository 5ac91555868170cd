"""The lessons: they run, with their solutions; each exercise is asked once; nothing is stored."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import ipywidgets
import jupytext
import matplotlib.pyplot as plt
import pytest

import normtheory as nt
from normtheory.course._registry import exercises

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "docs" / "course").glob("[0-9]-*.md"))
SLOW = {
    *("2-any-loss", "3-norms-in-time", "4-many-points", "5-two-modalities"),
    *("6-interventions", "7-confidence", "8-your-model"),
}
"""Lessons that take more than about 3 s of one processor."""
NEEDS_TORCH = {"8-your-model"}
NUMPY_ONLY = {
    *("1-one-pair", "2-any-loss", "3-norms-in-time", "4-many-points", "5-two-modalities"),
}
"""Lessons that need neither JAX nor what normtheory depends on for experiments and commands."""

WITHOUT_JAX = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    names = {"jax", "jaxlib", "equinox", "optax", "xarray", "netCDF4", "typer", "tqdm", "torch"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"no {name} here", name=name)

sys.meta_path.insert(0, Absent())
import jupytext, matplotlib
matplotlib.use("Agg")
names = {"__name__": "__main__"}
for cell in jupytext.read(sys.argv[1]).cells:
    if cell.cell_type == "code":
        exec(cell.source.replace("plt.show()", "plt.close()"), names)
"""


def _name(path: Path) -> str:
    """The name of a lesson's exercises: 1-one-pair.md asks those of one_pair."""
    return path.stem[2:].replace("-", "_")


def _cells(path: Path) -> list[Any]:
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def _solves(cell: Any) -> bool:
    return "solution" in cell.metadata.get("tags", [])


def _move(function: Any, **controls: Any) -> None:
    """Stand in for ``interact``: call it as it starts, and with each control at both ends."""
    ipywidgets.interactive(function, **controls)  # raises where an argument has no control
    start = {name: control.value for name, control in controls.items()}
    function(**start)
    for name, control in controls.items():
        for end in _ends(control):
            function(**start | {name: end})


def _ends(control: Any) -> tuple[Any, Any]:
    if options := getattr(control, "options", None):
        return options[0], options[-1]
    if isinstance(control, ipywidgets.FloatLogSlider):
        return control.base**control.min, control.base**control.max
    return control.min, control.max


def _marked(path: Path) -> Any:
    marks = [pytest.mark.slow] if path.stem in SLOW else []
    marks += [pytest.mark.torch] if path.stem in NEEDS_TORCH else []
    return pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize("path", [_marked(path) for path in LESSONS])
def test_a_lesson_runs_with_its_solutions(path, monkeypatch):
    solved = []

    def check(name: str, answer: Any) -> Any:
        found = nt.course.get(name).feedback(answer)
        assert found.right == _solves(cell), found
        solved.extend([name] * found.right)
        return found

    monkeypatch.setattr(nt.course, "check", check)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    monkeypatch.setattr(ipywidgets, "interact", _move)
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {"__name__": "__main__"}
    with plt.rc_context():
        for number, cell in enumerate(_cells(path)):
            exec(compile(cell.source, f"{path.name}, code cell {number}", "exec"), names)
            plt.close("all")
    assert solved == [f"{_name(path)}.{own}" for own in exercises(_name(path))]


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in LESSONS if p.stem in NUMPY_ONLY], ids=lambda p: p.stem)
def test_a_lesson_runs_without_jax(path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_JAX, path], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_has_what_a_lesson_has(path):
    text = path.read_text()
    own = list(exercises(_name(path)))
    assert len(own) == 3
    for asked in (
        rf'nt\.course\.get\("{_name(path)}\.(\w+)"\)',
        rf'check\("{_name(path)}\.(\w+)", \.\.\.\)',
    ):
        assert re.findall(asked, text) == own
    solutions = [cell.metadata for cell in _cells(path) if _solves(cell)]
    # The first folds them on the page, the second in JupyterLab.
    assert [("hide-cell" in m["tags"], m["jupyter"]["source_hidden"]) for m in solutions] == [
        (True, True)
    ] * 3
    assert len(re.findall(r"widgets\.(?:\w*Slider|Dropdown|ToggleButtons)\(", text)) >= 2
    assert text.count("**Guess") >= 2
    assert "**You will be able to**" in text
    for claim in re.findall(r'nt\.claims\.get\("(\w+)"\)', text) or [""]:
        assert nt.claims.get(claim)
    assert text.partition("## Exercises")[0].count("\n") <= 300  # an hour of class


def test_every_exercise_has_its_lesson():
    assert tuple(map(_name, LESSONS)) == nt.course.lessons()  # in the order of the pages


def test_a_lesson_without_a_place_comes_last(monkeypatch):
    place = sys.modules["normtheory.course.lessons"]  # the function has that name, too
    monkeypatch.setattr(place, "ORDER", ("many_points", "one_pair", "none"))
    found = nt.course.lessons()
    assert found[:2] == ("many_points", "one_pair")
    assert found[2:] == tuple(sorted(found[2:]))
    assert len(found) == len(LESSONS)


def test_every_lesson_installs_the_library_in_the_same_way():
    # But for the extras that one of them needs.
    cells = {
        re.sub(r"normtheory\[[\w,]+\]", "normtheory", _cells(path)[0].source) for path in LESSONS
    }
    assert len(cells) == 1
    assert "pip" in cells.pop()


def test_the_overview_names_each_lesson():
    text = (ROOT / "docs" / "course" / "index.md").read_text()
    for path in LESSONS:
        (row,) = re.findall(rf"^\| \[[^|]*\]\({path.name}\) .*$", text, re.M)
        assert row.rstrip(" |").endswith("| numpy") == (path.stem in NUMPY_ONLY)
        shown = set(re.findall(r'^nt\.claims\.get\("(\w+)"\)', path.read_text(), re.M))
        assert shown == set(re.findall(r"`(\w+)`", row))


def test_no_outputs_are_stored():
    assert not [*(ROOT / "docs").glob("*/*.ipynb")]
    assert {path.suffix for path in LESSONS[0].parent.iterdir()} == {".md"}
