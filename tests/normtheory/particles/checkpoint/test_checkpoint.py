"""Checkpoints: what is on the disk at any moment, and what comes back from it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

from normtheory.particles import (
    Run,
    State,
    System,
    checkpoint,
    forces,
    init,
    optimizers,
    run,
    sampling,
    stop,
)
from normtheory.particles.checkpoint import CheckpointError, CheckpointWarning, _sums

N, D = 12, 6
OPTIONS: dict[str, Any] = {"record": ("loss", "norms"), "record_every": 5, "chunk_steps": 7}


def clouds(dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((2, N, D)).astype(dtype)


def eventful(**changes: Any) -> System:
    """Everything that a run remembers or draws."""
    settings: dict[str, Any] = {
        "optimizer": optimizers.adam(),
        "weight_decay": 0.01,
        "sampling": sampling.minibatch(5, np.arange(1.0, N + 1)),
        "fresh": (1,),
    }
    return System(forces.attraction(), 1.0, **{**settings, **changes})


def start(system: System, dtype: Any = np.float64) -> State:
    return init(system, *clouds(dtype), seed=7)


def same_bits(one: Run | checkpoint.Checkpoint, other: Run) -> None:
    pairs = zip(jax.tree.leaves(one.state), jax.tree.leaves(other.state), strict=True)
    for a, b in pairs:
        assert a.dtype == b.dtype
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert list(one.records) == list(other.records)
    for name in one.records:
        assert one.records[name].tobytes() == other.records[name].tobytes(), name


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """Two checkpoints, of steps 35 and 40."""
    folder = tmp_path_factory.mktemp("saved")
    system = eventful()
    checkpoint.run(folder, system, start(system), 40, every=1, **OPTIONS)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """The same, to be spoilt."""
    return Path(shutil.copytree(saved, tmp_path / "checkpoints"))


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_two_files_with_their_sums_and_nothing_else(saved):
    assert names(saved) == [
        "step-0000000035.npz",
        "step-0000000035.npz.sha256",
        "step-0000000040.npz",
        "step-0000000040.npz.sha256",
    ]
    for path in saved.glob("*.sha256"):
        # The sums are those of another program.
        subprocess.run(["sha256sum", "-c", path.name], cwd=saved, check=True, capture_output=True)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
def test_a_resumed_run_has_the_same_bits(tmp_path, dtype):
    system = eventful()
    whole = run(system, start(system, dtype), 60, **OPTIONS)
    for last in (0, 13, 60):
        done = checkpoint.run(
            tmp_path, system, start(system, dtype), last, resume=True, every=2, **OPTIONS
        )
        assert done.steps == last
    same_bits(done, whole)
    found = checkpoint.load(tmp_path, system, start(system, dtype))
    assert found is not None
    assert found.steps == 60
    same_bits(found, whole)
    kinds = [type(x) for x in jax.tree.leaves(found.state)]
    assert kinds == [type(x) for x in jax.tree.leaves(whole.state)]


def test_every_so_many_chunks_and_at_the_end(tmp_path):
    system = eventful()
    seen = []
    checkpoint.run(
        tmp_path,
        system,
        start(system),
        40,
        every=4,
        keep=5,
        on_chunk=lambda now: seen.append(now.steps),
        **OPTIONS,
    )
    assert seen == [7, 14, 21, 28, 35, 40]
    assert [_sums.step_of(p) for p in _sums.listed(tmp_path)] == [40, 28]


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


def without_sums(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").unlink()


def with_bad_sums(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").write_bytes(b"\xff\x00")


def with_empty_sums(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").write_text("")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "spoil", [flipped, truncated, without_sums, with_bad_sums, with_empty_sums, emptied]
)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(folder, spoil):
    system = eventful()
    spoil(folder / "step-0000000040.npz")
    with pytest.warns(CheckpointWarning, match=r"step-0000000040\.npz: damaged checkpoint passed"):
        done = checkpoint.run(folder, system, start(system), 60, resume=True, every=1, **OPTIONS)
    same_bits(done, run(system, start(system), 60, **OPTIONS))
    # It is out of the way, and no longer counts among those that are kept.
    kept = ["damaged-step-0000000040.npz", "step-0000000056.npz", "step-0000000060.npz"]
    assert [x for x in names(folder) if x.endswith(".npz")] == kept


def test_where_all_are_damaged_that_is_an_error_and_nothing_is_touched(folder):
    system = eventful()
    for path in folder.glob("*.npz"):
        flipped(path)
    before = names(folder)
    with (
        pytest.warns(CheckpointWarning),
        pytest.raises(CheckpointError, match=r"all checkpoints in .* are damaged: step-0000000040"),
    ):
        checkpoint.run(folder, system, start(system), 60, resume=True, **OPTIONS)
    assert names(folder) == before


def test_whatever_is_on_the_disk_when_it_dies_a_whole_checkpoint_is_there(
    saved, folder, tmp_path, monkeypatch
):
    """Copies of the folder before every change to its names, each as a dead process leaves it."""
    system = eventful()
    found = checkpoint.load(saved, system, start(system))
    assert found is not None
    copies: list[tuple[str, Path]] = []

    def watch(module: Any, name: str) -> None:
        original = getattr(module, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            copies.append((name, tmp_path / f"copy{len(copies)}"))
            shutil.copytree(folder, copies[-1][1])
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, watched)

    for module, name in ((os, "replace"), (os, "fsync"), (Path, "unlink"), (Path, "write_text")):
        watch(module, name)
    checkpoint.run(folder, system, start(system), 48, resume=True, every=1, **OPTIONS)
    monkeypatch.undo()
    assert {"replace", "fsync", "unlink", "write_text"} == {name for name, _ in copies}
    reached = []
    for _, copy in copies:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a moment without damage is a moment without warnings
            whole = checkpoint.latest(copy)
        assert whole is not None
        damages = [_sums.damage(p) for p in _sums.listed(copy)]
        assert damages in ([None, None], [None, None, None])
        reached.append(_sums.step_of(whole))
    assert reached == sorted(reached)
    assert set(reached) == {40, 47, 48}


@contextmanager
def small_disk(size: int):
    """Files can't grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 70, 1000, 3000])
def test_a_full_disk_is_one_line_and_loses_nothing(folder, size):
    system = eventful()
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert min(len(x) for x in before.values()) > 70
    found = checkpoint.load(folder, system, start(system))
    assert found is not None
    now = run(system, found.state, 50, history=found.records, **OPTIONS)
    with small_disk(size), pytest.raises(CheckpointError) as caught:
        checkpoint.save(folder, now)
    message = str(caught.value)
    assert "no checkpoint of step 50" in message
    assert "File too large" in message
    assert "step-0000000040.npz is the last complete one" in message
    assert "\n" not in message
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    done = checkpoint.run(folder, system, start(system), 50, resume=True, **OPTIONS)
    same_bits(done, run(system, start(system), 50, **OPTIONS))


def test_a_folder_that_cannot_be_written_to_is_told_before_the_run(tmp_path):
    def never(now: Run) -> None:
        raise AssertionError(now)

    (tmp_path / "file").write_text("")
    system = eventful()
    with pytest.raises(CheckpointError, match="file/below: Not a directory") as caught:
        checkpoint.run(tmp_path / "file" / "below", system, start(system), 10, on_chunk=never)
    assert "\n" not in str(caught.value)


def test_an_interrupt_while_writing_leaves_the_last_checkpoint(folder, monkeypatch):
    system = eventful()
    before = names(folder)

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    now = run(system, start(system), 50, **OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(folder, now)
    assert names(folder) == before


def test_what_killed_runs_left_is_cleared_away(folder):
    system = eventful()
    (folder / ".step-0000000041-abc.npz").write_bytes(b"half")
    (folder / ".step-0000000041-part").mkdir()
    (folder / "step-0000000041.npz.sha256").write_text("")
    (folder / "mine.txt").write_text("")
    checkpoint.run(folder, system, start(system), 42, resume=True, **OPTIONS)
    assert [x for x in names(folder) if "41" in x or x.startswith(".")] == []
    assert (folder / "mine.txt").exists()


@pytest.mark.parametrize(
    ("changes", "options", "told"),
    [
        ({"weight_decay": 0.02}, {}, "weight_decay: 0.01 there and 0.02 here"),
        ({"weight_decay": None}, {}, "weight_decay: 0.01 there and none here"),
        ({"optimizer": optimizers.adam(b1=0.5)}, {}, "numbers['b1']: 0.9 there and 0.5 here"),
        ({"optimizer": None}, {}, "optimizer.kind: Rule there and none here"),
        ({"reduction": "sum"}, {}, "reduction: mean there and sum here"),
        ({"fresh": (), "frozen": (1,)}, {}, "frozen.0: none there and 1 here"),
        (
            {"sampling": sampling.minibatch(5, np.arange(2.0, N + 2))},
            {},
            "sampling.cumulative: uint32 (12,)",
        ),
        ({}, {"record_every": 4}, "record_every: 5 there and 4 here"),
        ({}, {"record": "loss"}, 'record: ["loss", "norms"] there and ["loss"] here'),
        ({}, {"settings": {"mine": 1}}, None),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(folder, changes, options, told):
    system = eventful(**changes)
    arguments = (folder, system, start(system), 60)
    if told is None:  # what the checkpoint knows nothing of is no difference
        checkpoint.run(*arguments, resume=True, **{**OPTIONS, **options})
        return
    with pytest.raises(CheckpointError, match="a run with other settings") as caught:
        checkpoint.run(*arguments, resume=True, **{**OPTIONS, **options})
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_clouds_and_seeds_are_refused(folder):
    system = eventful()
    z, y = clouds()
    for state, told in (
        (init(system, z, y, seed=8), "key: [0, 7] there and [0, 8] here"),
        (init(system, 2 * z, y, seed=7), "start[0]: float64 (12, 6)"),
        (start(system, np.float32), "start[0]: float64 (12, 6)"),
    ):
        with pytest.raises(CheckpointError) as caught:
            checkpoint.run(folder, system, state, 60, resume=True, **OPTIONS)
        assert told in str(caught.value)


def test_a_state_of_another_dtype_is_refused_also_where_nothing_else_is_compared(folder):
    system = eventful()
    assert checkpoint.load(folder, system, start(system)) is not None
    message = r"positions\[0\]: float64 \(12, 6\) there and float32 \(12, 6\) here"
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(folder, system, start(system, np.float32))


@pytest.mark.parametrize("other", [(1, 0), (0, 2)])
def test_a_rule_about_other_clouds_is_another_run(tmp_path, other):
    z, y = clouds()
    system = System(forces.attraction(clouds=(0, 1)), 1.0)
    begin = init(system, z, y, z - y)

    def go(steps: int, places: tuple[int, int]) -> Run:
        rule = stop.mean_cosine(1e-9, clouds=places)
        return checkpoint.run(tmp_path, system, begin, steps, resume=True, stop=rule)

    go(2, (0, 1))
    with pytest.raises(CheckpointError, match="a run with other settings: mean_cosine"):
        go(4, other)
    assert go(4, (0, 1)).steps == 4


def test_the_end_of_a_run_that_has_converged_is_saved(tmp_path):
    system = System(forces.attraction(), 2.0)
    options: dict[str, Any] = {"stop": stop.mean_cosine(0.1), "chunk_steps": 1}
    done = checkpoint.run(tmp_path, system, start(system), 10_000, every=1000, **options)
    assert done.converged
    assert 0 < done.steps < 1000
    assert [_sums.step_of(p) for p in _sums.listed(tmp_path)] == [done.steps]


@pytest.mark.parametrize("version", [0, 2, 10])
def test_a_checkpoint_of_another_format_is_refused(folder, version):
    path = folder / "step-0000000040.npz"
    found = dict(np.load(path))
    about = json.loads(found["about"].tobytes())
    assert about["format"] == 1
    found["about"] = np.frombuffer(json.dumps({**about, "format": version}).encode(), np.uint8)
    np.savez(path, **found)
    _sums.write_sums(path, {path.name: _sums.digest(path)})
    system = eventful()
    with pytest.raises(CheckpointError, match=rf"npz has format {version}, expected 1"):
        checkpoint.load(folder, system, start(system))


def test_a_folder_of_an_earlier_run_is_not_written_over(folder):
    system = eventful()
    with pytest.raises(CheckpointError, match=r"holds step-0000000040\.npz of an earlier run"):
        checkpoint.run(folder, system, start(system), 60, **OPTIONS)


def test_other_versions_are_a_warning(folder):
    path = folder / "step-0000000040.npz"
    found = dict(np.load(path))
    about = json.loads(found["about"].tobytes())
    about["versions"]["jax"] = "0.0.1"
    found["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(path, **found)
    _sums.write_sums(path, {path.name: _sums.digest(path)})
    system = eventful()
    with pytest.warns(CheckpointWarning, match=r"may differ .* jax: 0\.0\.1 there and"):
        assert checkpoint.load(folder, system, start(system)) is not None


def test_save_and_load_by_hand(tmp_path):
    rule = optax.sgd(1.0, 0.9, accumulator_dtype="bfloat16")
    system = System(forces.attraction(), optimizer=rule)
    z, y = clouds(np.float32)
    begin = init(system, z, y)
    assert "bfloat16" in {str(x.dtype) for x in jax.tree.leaves(begin)}
    assert checkpoint.load(tmp_path / "none", system, begin) is None
    now = run(system, begin, 5)
    checkpoint.prepare(tmp_path)
    path = checkpoint.save(tmp_path, now)
    assert checkpoint.latest(tmp_path) == path
    found = checkpoint.load(tmp_path, system, begin)
    assert found is not None
    same_bits(found, now)
    other = System(forces.repulsion(), optimizer=rule)
    with pytest.raises(CheckpointError, match=r"force\.loss: attraction there and repulsion here"):
        checkpoint.load(tmp_path, other, init(other, z, y))
    with pytest.raises(ValueError, match="every: expected an integer >= 1, got 0"):
        checkpoint.run(tmp_path, system, begin, 5, every=0)
    with pytest.raises(ValueError, match="keep: expected an integer >= 2, got 1"):
        checkpoint.run(tmp_path, system, begin, 5, keep=1)
