"""Several devices and several processes: real ones, each in its own interpreter."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from normtheory.particles import State, System, devices, forces, init, run
from tests.conftest import ROOT
from tests.normtheory.particles import spread_cases
from tests.normtheory.particles.spread_cases import IN_PROCESSES, LONG, D, N, cases, clouds

# In eps, of numbers up to 100: nine steps, with sums in another order (measured: 30 at most, where
# Adam divides by the root of its second moment). A row drawn differently is off by 0.01 and more.
_TOLERANCE = 256


@cache
def on_one_device(name: str) -> dict[str, Any]:
    return spread_cases.plain(name)


def outcomes(folder: Path, count: int, *calls: list[str]) -> list[dict[str, Any]]:
    """Start workers at the same time, and read what they found."""
    files = [folder / f"{k}.json" for k in range(len(calls))]
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
        # Level 0 compiles in half of the time; what is tested is how work is divided.
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={count} "
        "--xla_backend_optimization_level=0",
    }
    module = "tests.normtheory.particles.spread_worker"
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", module, kind, str(file), *rest],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for file, (kind, *rest) in zip(files, calls, strict=True)
    ]
    try:
        said = [process.communicate(timeout=1800)[0] for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    for process in started:
        assert process.returncode == 0, "\n\n".join(said)
    return [json.loads(file.read_text()) for file in files]


def assert_same(found: dict[str, Any], wanted: dict[str, Any], dtype: Any = np.float64) -> None:
    """The numbers of two runs agree to rounding, all of state and records."""
    tolerance = _TOLERANCE * float(np.finfo(dtype).eps)
    assert found.keys() >= wanted.keys() >= {"state", "step", "loss", "lengths"}
    assert len(found["state"]) == len(wanted["state"])
    pairs = list(zip(found["state"], wanted["state"], strict=True))
    pairs += [(found[name], wanted[name]) for name in wanted if name != "state"]
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def assert_cases(found: dict[str, dict[str, Any]]) -> None:
    """Every case has the numbers of one device, and has stayed in shards."""
    for name, one in found.items():
        _, dtype = cases()[name]
        assert_same(one, on_one_device(name), dtype)
        before, after = one["specs"]
        assert before == after
        assert before[:2] == [["rows"]] * 2
        assert one["dtypes"][:2] == [np.dtype(dtype).name] * 2
        assert one["compiled"] == 0, name
    # Both moments of Adam lie as the clouds do; its count, the step and the key are everywhere.
    adam = found["InfoNCE, dense"]["specs"][1]
    assert adam == [["rows"]] * 2 + [[]] + [["rows"]] * 4 + [[]] * 2


@pytest.mark.slow
def test_one_against_eight_devices(tmp_path):
    (found,) = outcomes(tmp_path, 8, ["devices"])
    assert found["cases"].keys() == cases().keys()
    assert_cases(found["cases"])
    for name, difference in found["losses"].items():
        assert difference < 1e-5, name

    # A configuration asks for all of them in a word.
    assert (found["commanded"], spread_cases.simulated("all").attrs["devices"]) == (8, 1)
    expected = spread_cases.simulated("one").loss.values
    np.testing.assert_allclose(found["commanded loss"], expected, rtol=1e-12)

    alone = spread_cases.swept(devices=jax.devices()[:1])
    for one in found["sweeps"]:
        assert one["steps"] == alone["steps"]
        np.testing.assert_allclose(one["loss"], alone["loss"], rtol=1e-12)
    assert len(set(alone["steps"])) > 1

    # Nobody holds or sends n²; on one device the dense form does hold it.
    programs = found["programs"]
    assert programs["dense on one"] == {"held": N * N, "sent": 0}
    assert programs["dense"]["held"] <= N * N // 8
    assert programs["dense"]["sent"] <= N * D
    assert programs["streamed"]["held"] <= N * D
    assert 0 < programs["streamed"]["sent"] <= N * D

    # Three class centres can't be split over eight devices: they are whole everywhere.
    before, after = found["centres"]
    assert before == after
    assert before[:2] == [["rows"], []]
    assert found["attributes"] == 8

    # A checkpoint of eight devices goes on: read on one and split, or read in shards.
    for resumed, specs in zip(found["resumed"], found["resumed specs"], strict=True):
        assert_same(resumed, on_one_device("pairs, minibatches, momentum"))
        assert specs == found["cases"]["pairs, minibatches, momentum"]["specs"][1]

    errors = found["errors"]
    assert errors["rows"] == (
        "clouds[0]: expected rows that divide by the 8 devices, got 45; leave out 5 of them or "
        "add 3"
    )
    assert errors["elsewhere"].startswith("clouds[0]: lies on several devices in its own way")
    assert errors["zero"] == "clouds[0] row 37 is zero: a zero vector has no direction"
    assert errors["not finite"].startswith("clouds[0] row 37 is not finite at step ")


def assert_sweeps(found: dict[str, Any], index: int, folder: Path) -> None:
    """What a process has of the sweeps that two make together: all, and to the bit."""
    assert found["together"] == found["alone"]
    assert found["few"]["steps"] == [found["alone"]["steps"][2]]
    # Interrupted after the third checkpoint, each process goes on to its own fourth.
    assert found["saved"][:4] == [1, 2, 3, 4]
    np.testing.assert_array_equal(found["resumed"]["loss"], found["whole"]["loss"])
    assert found["places"] == ["process-0", "process-1"]
    newest = f"step-{found['saved'][-1]:010}.npz"
    other = "process 1: " if index == 0 else ""
    assert found["errors"] == {
        "infinite": f"{other}the run at learning_rate 1e+15 is not finite: the steps are too large",
        "rates": "sweep: expected the same one in all processes, but process 1 comes with another "
        "than process 0: run one script with one seed",
        "devices": "devices: expected those of process "
        f"{index} alone or of all 2 processes, got those of {1 - index}",
        "one": f"{folder} is of several processes: resume the sweep with as many",
        "earlier": f"{folder}/process-{index} holds {newest} of an earlier run: resume that, or "
        "choose another folder",
        "rates saved": f"{folder}/process-{index}/{newest} is of a run with other settings: lanes: "
        "4 there and 1 here; over learning_rate: [0.5, 1.0, 2.0, 4.0, 8.0] there and [0.5, 1.0] "
        "here",
    }


@pytest.mark.slow
def test_one_against_two_processes(tmp_path):
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = str(trial.getsockname()[1])
    both = outcomes(
        tmp_path, 2, *(["process", port, str(k), str(tmp_path / "sweep")] for k in range(2))
    )
    for index, found in enumerate(both):
        assert tuple(found["cases"]) == IN_PROCESSES
        assert_cases(found["cases"])
        assert_same(found["parts"], on_one_device("pairs, minibatches, momentum"))
        assert found["parts specs"] == [["rows"]] * 4 + [[]] * 2
        assert found["own rows"] == N // 2
        assert found["errors"]["seeds"] == (
            "state: expected the same one in all processes, but process 1 comes with another than "
            "process 0: draw its clouds with one seed"
        )
        assert found["own clocks"] == LONG
        assert found["alone"] == spread_cases.STEPS + index
        assert_sweeps(found["sweeps"], index, tmp_path / "sweep")
    # Bit for bit the same in both: neither decides anything for itself.
    assert both[0]["cases"] == both[1]["cases"]


def test_a_mesh_of_one_device():
    system = System(forces.attraction(), 1.0)
    start = init(system, *clouds(), seed=1)
    alone = run(system, start, 5)
    done = run(system, devices.shard(start, devices.mesh(jax.devices()[:1])), 5)
    back = devices.gathered(done.state)
    assert all(isinstance(x, np.ndarray) for x in jax.tree.leaves(back))
    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(alone.state), strict=True):
        np.testing.assert_array_equal(one, other)
    # Gathered, it is a state like any other.
    assert run(system, back, 6).steps == 6


@pytest.mark.parametrize(
    ("place", "bad", "text"),
    [
        ([3, 5], 0.0, "row 3 is zero"),
        ([3, 5], np.nan, "row 3 is not finite"),
        ((3, 1), np.inf, "row 3 is not finite"),
    ],
)
def test_the_first_bad_row_of_a_spread_cloud_is_named(place, bad, text):
    z, y = (x.astype(np.float32) for x in clouds())
    z[place] = bad
    there = devices.rows(devices.mesh(jax.devices()[:1]))
    with pytest.raises(ValueError, match=rf"^clouds\[0\] {text}"):
        init(System(forces.attraction(), 1.0), *jax.device_put((z, y), there))


@pytest.mark.parametrize("row", [0, 1, 4])
@pytest.mark.parametrize(
    ("value", "message"), [(0.0, "is zero: a zero vector has no direction"), (np.inf, "is not")]
)
def test_a_bad_row_of_a_spread_cloud_is_named_wherever_it_is(row, value, message):
    system = System(forces.attraction(), 1.0)
    z, y = (np.asarray(x, np.float32).copy() for x in clouds())
    start = init(system, z, y)
    y[row] = value
    broken = State((z, y), start.optimizer, start.step, start.key)
    spread = devices.shard(broken, devices.mesh(jax.devices()[:1]))
    with pytest.raises(ValueError, match=rf"clouds\[1\] row {row} {message}"):
        run(system, spread, 1)


def test_what_is_no_mesh_or_state_is_refused():
    system = System(forces.attraction(), 1.0)
    start = init(system, *clouds())
    with pytest.raises(TypeError, match=r"mesh: expected a jax.sharding.Mesh, got int"):
        devices.shard(start, 8)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"state: expected a State from init, got ndarray"):
        devices.shard(clouds()[0])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"devices: expected at least one"):
        devices.mesh([])
