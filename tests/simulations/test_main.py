"""``python -m simulations``: one clear line for a mistake, the right exit status, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

from simulations import _store, norm_effect
from simulations.__main__ import _keep_inputs, main
from simulations._store import ROOT


def outcome(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and what was said about it; nothing may go to standard output."""
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    said = capsys.readouterr()
    assert said.out == ""
    return status, said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: name"),
        (["nope"], "argument name: invalid choice: 'nope' (choose from "),
        (["norm_effect", "--nope", "3"], "unrecognized arguments: --nope 3"),
        (["norm_effect", "--points", "3"], "unrecognized arguments: --points 3"),
        (["norm_effect", "--pairs", "2.5"], "argument --pairs: invalid int value: '2.5'"),
        (["norm_effect", "--pairs", str(10**400)], "argument --pairs: invalid int value: '1000000"),
        (["norm_effect", "--seed", str(2**63)], "argument --seed: invalid int value: '9223372"),
        (["\x1b[31m\n"], r"argument name: invalid choice: '\x1b[31m\n' (choose from "),
        (["--\x1b[31m\n"], "the following arguments are required: name"),
        (["norm_effect", "--\x1b[31m\n"], r"unrecognized arguments: --\x1b[31m\n"),
        (["norm_effect", "--norms", "1,x"], "argument --norms: invalid comma-separated float"),
        (["norm_effect", "--norms=-1"], "norms: expected finite numbers > 0, got -1.0"),
        (["norm_effect", "--pairs", "0"], "pairs: expected finite numbers > 0, got 0"),
        (["norm_effect", "--tolerance", "2"], "tolerance: expected a number in (0, 2), got 2.0"),
        (["norm_effect", "--dimension", "3"], "dimension: expected an integer >= 4, got 3"),
        (["weight_decay", "--weight-decay", "11"], "learning_rate * weight_decay: expected < 1"),
    ],
)
def test_a_mistake_gets_one_line_and_status_two(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], results: Path
) -> None:
    smoke = ["--smoke"] if arguments else []
    status, said = outcome([*arguments, *smoke], capsys)
    assert status == 2
    assert said.startswith(f"simulations: {message}")
    assert said.count("\n") == 1
    assert not list(results.glob("*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["--help"]) == 1
    assert capsys.readouterr().err == "simulations: No space left on device\n"


def test_what_the_user_named_is_printed_and_not_obeyed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"device": "\x1b[2J", "notes": "a \x1b[2J note", "outcome": "an \x1b[2J\noutcome"}
    found = xr.Dataset(attrs=words)
    monkeypatch.setattr(_store, "result", lambda *_, **__: found)
    assert main(["norm_effect", "--smoke"]) == 0
    said = capsys.readouterr()
    assert said.err == "simulations: a \\x1b[2J note\n"
    assert said.out.splitlines()[-3:] == ["", "an \\x1b[2J", "outcome"]
    assert "\x1b" not in said.out


def test_a_result_takes_the_place_of_nothing_it_is_computed_from() -> None:
    settings = norm_effect.Settings()
    for file in ("simulations/published.json", "simulations/norm_effect.py", "normtheory/flow.py"):
        with pytest.raises(ValueError, match="expected another file than the input"):
            _keep_inputs("norm_effect", settings, ROOT / file, None)
    _keep_inputs("norm_effect", settings, ROOT / "simulations" / "new.nc", None)


def test_the_result_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["norm_effect", "--smoke"]) == 0
    assert "closed_form" in capsys.readouterr().out


def test_json_is_strict_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["norm_effect", "--smoke", "--json", "--norms", "0.5,1,2"]) == 0

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    result = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert result["coords"]["norm"]["data"] == [0.5, 1.0, 2.0]
    assert result["data_vars"]["published"]["data"] == [None, None, None]
    assert result["attrs"]["experiment"] == "norm_effect"


def test_output_is_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "result.nc"
    assert main(["norm_effect", "--smoke", "--norms", "1,3", "--output", str(path)]) == 0
    assert xr.load_dataset(path).norm.values.tolist() == [1.0, 3.0]
    assert capsys.readouterr().out.endswith(f"\n\nwritten to {path}\n")
    status, said = outcome(["norm_effect", "--smoke", "--output", "result.csv"], capsys)
    assert status == 2
    assert "result.csv: expected a name that ends in .nc" in said


def test_force_runs_again(capsys: pytest.CaptureFixture[str], results: Path) -> None:
    main(["norm_effect", "--smoke"])
    (path,) = results.iterdir()
    written = path.stat().st_mtime_ns
    main(["norm_effect", "--smoke"])
    assert path.stat().st_mtime_ns == written
    main(["norm_effect", "--smoke", "--force"])
    assert path.stat().st_mtime_ns > written


def test_a_folder_that_cannot_be_written_is_status_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    status, said = outcome(
        ["norm_effect", "--smoke", "--output", str(tmp_path / "file" / "result.nc")], capsys
    )
    assert status == 1
    assert said.startswith("simulations: ")
    assert str(tmp_path / "file") in said
    assert said.count("\n") == 1


def test_an_interrupted_run_is_status_130(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(settings: norm_effect.Settings) -> xr.Dataset:
        raise KeyboardInterrupt

    monkeypatch.setattr(norm_effect, "run", interrupt)
    assert outcome(["norm_effect", "--smoke"], capsys) == (
        130,
        "simulations: interrupted; nothing was written\n",
    )
    assert not list(results.glob("*"))


@pytest.mark.slow
def test_help_has_an_example_and_the_settings() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "simulations", "norm_effect", "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "example: python -m simulations norm_effect" in answer.stdout
    assert "--learning-rate VALUE" in answer.stdout
    assert "default 10.0" in answer.stdout
