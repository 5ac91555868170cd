"""``python -m figures``: pictures and a table from nothing, one clear line for a mistake."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_pdf import pdfRepr
from matplotlib.figure import Figure
from PIL import Image

import figures
import normtheory
import simulations
from figures.__main__ import main
from figures._made import Made
from simulations._store import ROOT

from ..helpers import HOSTILE
from ..simulations.smoke import example


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiments whose smallest results are there at once."""
    for name in simulations.names():
        result = example(name)
        monkeypatch.setattr(simulations.get(name), "run", lambda settings, r=result: r.copy())


@pytest.mark.slow
@pytest.mark.usefixtures("ready")
def test_all_figures_are_written_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--smoke", "--output", str(tmp_path / "new" / "figures")]) == 0
    said = capsys.readouterr().out
    written = sorted((tmp_path / "new" / "figures").iterdir())
    assert [p.name for p in written] == sorted(
        f"{name}.{kind}"
        for name in figures.names()
        for kind in ("pdf", "png", "gif")
        if kind != "gif" or hasattr(figures.get(name), "animate")
    )
    for path in written:
        assert path.stat().st_size > 5_000
        start = {".pdf": b"%PDF", ".png": b"\x89PNG", ".gif": b"GIF89a"}[path.suffix]
        assert path.read_bytes().startswith(start)
    for name in figures.names():
        assert f"{name}.png, .pdf" in said
    compared = [n for n in simulations.names() if hasattr(figures.get(n), "rows")]
    for row in (r for n in compared for r in figures.get(n).rows(example(n))):
        assert row.quantity in said
    assert re.search(r"published +predicted +simulated +deviation", said)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures of a figure that needs no experiment."""
    folder = tmp_path_factory.mktemp("drawn")
    assert main(["step_change", "--smoke", "--output", str(folder)]) == 0
    return folder


def test_a_saved_picture_is_fit_for_print(drawn: Path, tmp_path: Path) -> None:
    pdf = (drawn / "step_change.pdf").read_bytes()
    assert b"/Type3" not in pdf  # bitmap-like fonts, which journals refuse
    assert b"CreationDate" not in pdf
    png = (drawn / "step_change.png").read_bytes()
    width = int.from_bytes(png[16:20], "big")
    assert width == pytest.approx(300 * figures.PAGE, abs=2)
    # Drawn again, whatever somebody else's settings are, it is the same, byte for byte.
    with rc_context(HOSTILE):
        assert main(["step_change", "--output", str(tmp_path)]) == 0
    for kind, found in (("pdf", pdf), ("png", png)):
        assert (tmp_path / f"step_change.{kind}").read_bytes() == found


@pytest.mark.parametrize("name", [pytest.param("gradscale", marks=pytest.mark.slow), "step_change"])
def test_a_picture_alone_says_what_it_is_and_how_it_is_drawn_again(
    name: str, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    experiment, given = name in simulations.names(), []
    if experiment:
        result = example(name)
        monkeypatch.setattr(
            simulations.get(name), "run", lambda s: given.append(s) or result.copy()
        )
        assert main([name, "--smoke", "--output", str(first)]) == 0
    else:
        first = drawn
    with Image.open(first / f"{name}.png") as picture:
        said: dict[Any, str] = picture.info
    assert said["Title"] == name
    assert said["Software"] == f"normtheory {normtheory.__version__}"
    assert said["Description"] == figures.caption(name, *([example(name)] if experiment else []))
    pdf = (first / f"{name}.pdf").read_bytes()
    for key, text in (
        ("Title", name),
        ("Subject", said["Description"]),
        ("Keywords", said["Comment"]),
        ("Creator", said["Software"]),
    ):
        assert b"/" + key.encode() + b" " + pdfRepr(text) in pdf
    # The command needs no --smoke and nothing else, and gives the same files byte for byte.
    python, option, module, *arguments = shlex.split(said["Comment"])
    assert (python, option, module) == ("python", "-m", "figures")
    if not experiment:  # and that it is the same file then is tested above
        assert arguments == [name]
        return
    assert main([*arguments, "--force", "--output", str(again)]) == 0
    assert given == [simulations.get(name).SMOKE] * 2
    for kind in ("png", "pdf"):
        path = f"{name}.{kind}"
        assert (first / path).read_bytes() == (again / path).read_bytes()


@pytest.fixture
def unsaved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written where only what is said counts."""
    monkeypatch.setattr("figures.__main__.save", lambda *_: None)


@pytest.mark.usefixtures("unsaved")
def test_json_is_the_closing_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = example("quartic_growth")
    monkeypatch.setattr(simulations.get("quartic_growth"), "run", lambda settings: result.copy())
    assert main(["quartic_growth", "--smoke", "--json", "--output", str(tmp_path)]) == 0
    rows = json.loads(capsys.readouterr().out)
    expected = figures.get("quartic_growth").rows(example("quartic_growth"))
    assert [r["simulated"] for r in rows] == [r.simulated for r in expected]
    assert [r["deviation"] for r in rows] == [r.deviation for r in expected]
    assert [(r["within"], r["verdict"]) for r in rows] == [(r.within, r.verdict) for r in expected]


@pytest.mark.usefixtures("unsaved")
def test_force_runs_the_experiment_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, result = [], example("gradscale")
    monkeypatch.setattr(
        simulations.get("gradscale"),
        "run",
        lambda settings: runs.append(settings) or result.copy(),
    )
    command = ["gradscale", "--smoke", "--output", str(tmp_path)]
    main(command)
    main(command)
    assert len(runs) == 1
    main([*command, "--force"])
    assert len(runs) == 2
    main(["gradscale", "--output", str(tmp_path)])
    assert runs[-1] == simulations.get("gradscale").Settings()


def test_list_names_every_figure_and_draws_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--list", "--output", str(tmp_path / "none")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(figures.names())
    assert all(len(line.split()) > 4 for line in lines)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "figures: no figure 'nope'; there are: class_imbalance, confidence,"),
        (["--nope"], "figures: unrecognized arguments: --nope"),
        (["--output"], "figures: argument --output: expected one argument"),
    ],
)
def test_a_mistake_gets_one_line_and_status_two(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr()
    assert status == 2
    assert said.err.startswith(message)
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["--list"]) == 1
    assert capsys.readouterr().err == "figures: No space left on device\n"


def test_a_folder_that_cannot_be_written_is_status_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["step_change", "--output", str(tmp_path / "file" / "figures")]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("figures: ")
    assert str(tmp_path / "file") in said.err
    assert said.err.count("\n") == 1


def test_interruption_while_saving_leaves_no_half_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def half(self: Figure, path: str, **options: object) -> None:
        Path(path).write_bytes(b"\x89PNG half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", half)
    assert main(["step_change", "--output", str(tmp_path)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_starts_from_a_clone() -> None:
    command = [sys.executable, "-m", "figures", "--list"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("class_imbalance ")
    assert answer.stderr == ""


@pytest.mark.slow
def test_the_command_draws_from_a_clone(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "figures", "gradient_field", "--output", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "gradient_field.png, .pdf" in answer.stdout
    assert answer.stderr == ""  # no bar where nobody watches
    assert (tmp_path / "gradient_field.png").exists()


@pytest.mark.usefixtures("unsaved")
def test_what_an_experiment_cannot_do_is_one_line_and_json_has_no_nan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = figures.get("gradscale")
    bad = [figures.Row("x", None, 1.0, x) for x in (float("nan"), float("inf"))]
    monkeypatch.setattr(module, "rows", lambda result: bad)
    arguments = ["gradscale", "--smoke", "--json", "--output", str(tmp_path)]
    assert main(arguments) == 0
    for row in json.loads(capsys.readouterr().out, parse_constant=pytest.fail):
        assert (row["predicted"], row["simulated"], row["deviation"]) == (1.0, None, None)

    def stopped(name: str, **more: object) -> None:
        raise RuntimeError("not converged after 10 steps")

    monkeypatch.setattr(figures, "result", stopped)
    assert main(["gradscale", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "figures: not converged after 10 steps\n"


@pytest.mark.usefixtures("unsaved")
def test_quick_figures_come_first_and_the_time_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = {"class_imbalance": 50, "norm_effect": 70, "gradscale": 20}
    for name, value in seconds.items():
        monkeypatch.setattr(simulations.get(name), "SECONDS", value)
    names = ("class_imbalance", "gradient_field", "gradscale", "norm_effect")
    monkeypatch.setattr(figures, "names", lambda: names)
    there = tmp_path / "kept.nc"
    there.touch()
    kept = {"class_imbalance": there}  # has run before
    monkeypatch.setattr("simulations._store.kept", lambda name, _: kept.get(name, tmp_path / name))
    made: list[str] = []
    monkeypatch.setattr(figures, "result", lambda name, **_: made.append(name))
    monkeypatch.setattr(figures, "draw", lambda *_: Figure())
    options = ["--output", str(tmp_path), "--jobs", "1"]
    assert main(options) == 0
    assert made == ["class_imbalance", "gradient_field", "gradscale", "norm_effect"]
    # One second to draw each, and the two experiments that haven't run.
    assert "4 figures, about 1.6 minutes on two cores" in capsys.readouterr().out
    made.clear()
    kept.clear()
    assert main([*options, "--json"]) == 0
    assert made == ["gradient_field", "gradscale", "class_imbalance", "norm_effect"]
    assert "minutes" not in capsys.readouterr().out
    made.clear()
    assert main([*options, "norm_effect", "gradscale"]) == 0
    assert made == ["norm_effect", "gradscale"]


@pytest.mark.usefixtures("unsaved")
def test_a_first_look_is_drawn_from_quick_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = simulations.get("gradscale")
    quick = dataclasses.replace(module.Settings(), seed=5)
    monkeypatch.setattr(module, "QUICK", quick, raising=False)
    monkeypatch.setattr(module, "QUICK_SECONDS", 100, raising=False)
    monkeypatch.setattr(figures, "names", lambda: ("gradient_field", "gradscale", "uniformity"))
    monkeypatch.setattr("simulations._store.kept", lambda *_: tmp_path / "none")
    monkeypatch.delattr(simulations.get("uniformity"), "QUICK", raising=False)
    made = {}
    monkeypatch.setattr(
        figures, "result", lambda name, settings, **_: made.update({name: settings})
    )
    monkeypatch.setattr(figures, "draw", lambda *_: Figure())
    monkeypatch.setattr("figures.__main__.animate", lambda *_: None)
    assert main(["--quick", "--jobs", "1", "--output", str(tmp_path)]) == 0
    full = simulations.get("uniformity")
    assert made["gradscale"] == quick
    assert made["uniformity"] == full.Settings()  # quick as it is
    said = capsys.readouterr().out
    assert f"3 figures, about {(3 + 100 + full.SECONDS) / 60:.1f} minutes" in said
    assert "Drawn from fewer runs; without --quick the figures are those of the site." in said
    options = ["gradscale", "--quick", "--jobs", "1", "--output", str(tmp_path)]
    assert main([*options, "--learning-rate", "0.25"]) == 0
    assert made["gradscale"] == dataclasses.replace(quick, learning_rate=0.25)
    assert main(["--quick", "--smoke", "--output", str(tmp_path)]) == 2
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.usefixtures("unsaved")
def test_the_table_is_in_the_order_of_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["weight_decay", "gradscale"]
    ended = [Made(name, example(name), 1.0) for name in reversed(names)]
    monkeypatch.setattr("figures.__main__.made", lambda *_, **__: iter(ended))
    assert main([*names, "--smoke", "--json", "--output", str(tmp_path)]) == 0
    said = [row["quantity"] for row in json.loads(capsys.readouterr().out)]
    assert said == [row.quantity for n in names for row in figures.get(n).rows(example(n))]


def test_many_experiments_run_on_the_cores_and_few_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr("figures.__main__.made", lambda *_, jobs, **__: asked.append(jobs) or ())
    monkeypatch.setattr("simulations._store.kept", lambda *_: tmp_path / "none")
    monkeypatch.setattr(simulations.get("gradscale"), "SECONDS", 100)
    for cores, more in ((3, []), (16, []), (16, ["--smoke"]), (16, ["--jobs", "7"])):
        monkeypatch.setattr("figures.__main__.cores", lambda n=cores: n)
        assert main(["gradscale", "--output", str(tmp_path), *more]) == 0
    assert asked == [3, 4, 1, 7]
    assert main(["gradscale", "--jobs", "0"]) == 2
    assert len(asked) == 4
