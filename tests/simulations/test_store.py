"""When a kept result may stand for a new run: never after anything behind it has changed."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import simulations
from simulations import _store, norm_effect, weight_decay
from simulations._store import ROOT, fingerprint

SMOKE = norm_effect.SMOKE


class Counter:
    """An experiment that counts how often it is run."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, settings: norm_effect.Settings) -> xr.Dataset:
        self.runs += 1
        return xr.Dataset({"seen": ((), float(self.runs), {"units": "1"})})


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counter = Counter()
    monkeypatch.setattr(norm_effect, "run", counter.run)
    return counter


def copy_of_sources(folder: Path) -> Path:
    """The clone's code, without what was computed by it."""
    for package in ("normtheory", "simulations", "figures"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


def test_an_unchanged_result_is_reused(counter: Counter, results: Path) -> None:
    first = _store.result("norm_effect", SMOKE)
    second = _store.result("norm_effect", SMOKE)
    assert counter.runs == 1
    xr.testing.assert_identical(first, second)
    assert [p.name for p in results.iterdir()] == [
        f"norm_effect-{fingerprint('norm_effect', SMOKE)}.nc"
    ]


def test_force_runs_it_again(counter: Counter) -> None:
    _store.result("norm_effect", SMOKE)
    assert float(_store.result("norm_effect", SMOKE, force=True).seen) == 2
    assert counter.runs == 2


def test_without_settings_it_is_the_full_size(counter: Counter) -> None:
    full = _store.result("norm_effect")
    assert json.loads(full.attrs["settings"])["pairs"] == norm_effect.Settings().pairs


def test_another_setting_is_another_result(counter: Counter) -> None:
    _store.result("norm_effect", SMOKE)
    for field in dataclasses.fields(SMOKE):
        value: Any = getattr(SMOKE, field.name)
        other = (*value, 3.0) if isinstance(value, tuple) else value + 1
        changed = dataclasses.replace(SMOKE, **{field.name: other})
        assert fingerprint("norm_effect", changed) != fingerprint("norm_effect", SMOKE), field.name
    _store.result("norm_effect", dataclasses.replace(SMOKE, seed=1))
    assert counter.runs == 2


@pytest.mark.parametrize(
    "path",
    [
        "normtheory/cosine.py",
        "normtheory/pair.py",
        "normtheory/_arrays.py",
        "normtheory/losses/_contrast.py",
        "normtheory/losses/definitions/supcon.py",
        "simulations/_sgd.py",
        "simulations/_store.py",
        "simulations/norm_effect.py",
        "simulations/published.json",
    ],
)
def test_one_changed_byte_is_another_result(path: str, tmp_path: Path) -> None:
    root = copy_of_sources(tmp_path)
    before = fingerprint("norm_effect", SMOKE, root)
    assert before == fingerprint("norm_effect", SMOKE)
    content = bytearray((root / path).read_bytes())
    content[len(content) // 2] ^= 1
    (root / path).write_bytes(content)
    assert fingerprint("norm_effect", SMOKE, root) != before


def test_a_new_source_file_is_another_result(tmp_path: Path) -> None:
    root = copy_of_sources(tmp_path)
    before = fingerprint("norm_effect", SMOKE, root)
    (root / "normtheory" / "new.py").touch()
    after = fingerprint("norm_effect", SMOKE, root)
    assert after != before
    (root / "normtheory" / "particles" / "checkpoint" / "new.py").touch()
    assert fingerprint("norm_effect", SMOKE, root) not in (before, after)


def test_what_a_result_does_not_depend_on_may_change(tmp_path: Path) -> None:
    root = copy_of_sources(tmp_path)
    before = fingerprint("norm_effect", SMOKE, root)
    for path in ("simulations/gradscale.py", "figures/norm_effect.py"):
        (root / path).write_text("# changed\n")
    assert fingerprint("norm_effect", SMOKE, root) == before


def test_what_experiments_share_is_part_of_their_results() -> None:
    # Of other files only helpers and encoders are: an experiment takes nothing from another one.
    taken = re.compile(r"^\s*from simulations(?:\.(\w+)| import (\w+))", re.MULTILINE)
    for name in simulations.names():
        text = (ROOT / "simulations" / f"{name}.py").read_text("utf-8")
        others = {a or b for a, b in taken.findall(text)}
        assert not [o for o in others if not o.startswith("_") and o != "encoders"], name


def test_another_version_of_a_library_is_another_result(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store.result("norm_effect", SMOKE)
    monkeypatch.setattr(_store, "version", lambda name: "0.0.1")
    _store.result("norm_effect", SMOKE)
    assert counter.runs == 2


def test_experiments_with_equal_settings_are_told_apart() -> None:
    assert fingerprint("norm_effect", SMOKE) != fingerprint("gradscale", SMOKE)


@pytest.mark.slow
def test_a_changed_formula_never_draws_an_old_figure(tmp_path: Path) -> None:
    root = copy_of_sources(tmp_path)

    def closing_table() -> list[dict[str, Any]]:
        command = [sys.executable, "-m", "figures", "norm_effect", "--smoke", "--json"]
        answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        return json.loads(answer.stdout)

    def kept() -> list[Path]:
        return sorted((root / "results").glob("*.nc"))

    before = closing_table()
    (only,) = kept()
    written = only.stat().st_mtime_ns
    assert closing_table() == before
    assert [p.stat().st_mtime_ns for p in kept()] == [written]
    with (root / "normtheory" / "flow.py").open("a") as file:
        file.write("\n_old = steps_to_converge\n\n\ndef steps_to_converge(*a, **k):\n")
        file.write("    return 2 * _old(*a, **k)\n")
    after = closing_table()
    assert [row["predicted"] for row in after] == [2 * row["predicted"] for row in before]
    assert len(kept()) == 2


@pytest.mark.parametrize("damage", ["empty", "short", "noise", "holes"])
def test_a_damaged_file_is_computed_anew(damage: str, counter: Counter, results: Path) -> None:
    _store.result("norm_effect", SMOKE)
    (path,) = results.iterdir()
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(
        {
            "empty": b"",
            "short": content[:half],
            "noise": b"not a result" * 100,
            "holes": content[:100] + bytes(len(content) - 100),
        }[damage]
    )
    assert float(_store.result("norm_effect", SMOKE).seen) == 2
    assert float(_store.result("norm_effect", SMOKE).seen) == 2  # and the file is whole again
    assert counter.runs == 2


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_no_file(
    interruption: type[BaseException],
    counter: Counter,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def half(self: xr.Dataset, path: str, **options: Any) -> None:
        Path(path).write_bytes(b"half of a res")
        raise interruption

    monkeypatch.setattr(xr.Dataset, "to_netcdf", half)
    with pytest.raises(interruption):
        _store.result("norm_effect", SMOKE)
    assert list(results.iterdir()) == []


def test_an_interrupted_write_keeps_the_last_whole_file(
    counter: Counter, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store.result("norm_effect", SMOKE)

    def never(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", never)
        with pytest.raises(KeyboardInterrupt):
            _store.result("norm_effect", SMOKE, force=True)
    assert len(list(results.iterdir())) == 1
    assert float(_store.result("norm_effect", SMOKE).seen) == 1


def test_a_folder_that_cannot_be_written_is_found_before_the_work(
    counter: Counter, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        _store.result("norm_effect", SMOKE, folder=tmp_path / "file" / "results")
    assert counter.runs == 0


def test_outside_a_clone_the_commit_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "ROOT", tmp_path)
    assert _store._commit() == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))  # and where there is no git
    assert _store._commit() == "unknown"


def test_a_commit_is_recorded_as_changed_where_files_differ_from_it(
    counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "clone"
    root.mkdir()

    def git(*words: str) -> str:
        name = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
        command = ["git", "-C", str(root), *name, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "--quiet")
    (root / "file").write_text("as committed")
    git("add", "file")
    git("commit", "--quiet", "--no-gpg-sign", "--message", "first")
    commit = git("rev-parse", "HEAD")
    assert len(commit) == 40
    attributes = _store.result("norm_effect", SMOKE).attrs
    monkeypatch.setattr(_store, "ROOT", root)
    assert _store._commit() == commit
    (root / "file").write_text("not as committed")
    assert _store._commit() == f"{commit}-changed"
    git("add", "file")
    assert _store._commit() == f"{commit}-changed"
    git("commit", "--quiet", "--no-gpg-sign", "--message", "second")
    assert _store._commit() == git("rev-parse", "HEAD") != commit
    assert "commit" in attributes


def test_results_say_the_precision_they_were_computed_in() -> None:
    # What trains encoders does so in single precision, and what is timed is too.
    single = {
        "class_imbalance",
        "confidence",
        "cut_init",
        "density",
        "gradscale_training",
        "scaling",
        "weight_decay_training",
    }
    found: dict[str, set[str]] = {"float32": set(), "float64": set()}
    for name in simulations.names():
        settings = simulations.get(name).SMOKE
        found[_store._attributes(name, settings, "key")["dtype"]].add(name)
    assert single <= found["float32"]
    assert {"norm_effect", "weight_decay", "encoder_drift", "uniformity"} <= found["float64"]


def test_a_kept_result_is_what_was_computed(results: Path) -> None:
    first = _store.result("weight_decay", weight_decay.SMOKE)
    second = _store.result("weight_decay", weight_decay.SMOKE)
    xr.testing.assert_identical(first, second)
