"""``normtheory simulate`` in several processes: real ones, each with its own interpreter."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
import xarray as xr

from normtheory import cli
from normtheory.cli import _processes
from normtheory.cli import _simulate as simulate
from normtheory.particles._processes import Share
from tests.conftest import ROOT

RUN = """
seed = 1
[[clouds]]
n = 8
dimension = 4
[[clouds]]
norm = 2.0
[force]
name = "attraction"
[system]
learning_rate = 0.5
[run]
max_steps = 30
record_every = 10
"""
SWEEP = (
    RUN
    + """
[sweep]
learning_rate = [0.5, 1.0, 2.0]
norm = [1.0, 2.0]
"""
)


def started(devices: int, *arguments: object, **variables: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} "
        "--xla_backend_optimization_level=0",
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "normtheory", "simulate", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(*processes: subprocess.Popen[str]) -> list[tuple[int, str, str]]:
    """Exit status and both streams of every process."""
    try:
        said = [process.communicate(timeout=600) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [(p.returncode, *streams) for p, streams in zip(processes, said, strict=True)]


def address() -> str:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{trial.getsockname()[1]}"


@pytest.mark.slow
def test_two_processes_make_one_sweep_to_the_bit(tmp_path):
    file, both, one = tmp_path / "sweep.toml", tmp_path / "both.nc", tmp_path / "one.nc"
    file.write_text(SWEEP)
    names = {"JAX_NUM_PROCESSES": "2", "JAX_COORDINATOR_ADDRESS": address()}
    (alone,) = ended(started(2, file, "--json", "--output", one))
    assert alone[0] == 0, alone
    first, second = ended(
        *(
            started(1, file, "--json", "--output", path, **names, JAX_PROCESS_ID=str(k))
            for k, path in enumerate((both, tmp_path / "second.nc"))
        )
    )
    assert (first[0], second[0]) == (0, 0), (first, second)
    # JSON and nothing else from the first process, nothing from the other.
    assert json.loads(first[1]) == json.loads(alone[1])
    assert second[1] == ""
    assert sorted(path.name for path in tmp_path.glob("*.nc")) == ["both.nc", "one.nc"]
    with xr.open_dataset(both) as found, xr.open_dataset(one) as wanted:
        xr.testing.assert_identical(found, wanted)


@pytest.mark.slow
def test_two_processes_make_one_run_on_all_their_devices(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(RUN)
    options = ["--processes", 2, "--coordinator", address(), "--json", "--process-id"]
    first, second = ended(*(started(2, file, *options, k) for k in range(2)))
    assert (first[0], second[0], second[1]) == (0, 0, ""), (first, second)
    found = json.loads(first[1])
    assert found["devices"] == 4
    wanted = simulate.execute(simulate.config(file, []), resume=False, progress=False)
    np.testing.assert_allclose(found["data"]["loss"]["values"], wanted.loss, rtol=1e-12)


@pytest.mark.slow
def test_processes_with_two_configurations_are_refused(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(RUN)
    options = ["--processes", 2, "--coordinator", address(), "--process-id"]
    for status, out, err in ended(
        *(started(1, file, "--set", f"seed={k}", *options, k) for k in range(2))
    ):
        assert (status, out) == (2, "")
        assert (
            "normtheory: configuration: expected the same one in all processes, but process 1 "
            "comes with another than process 0: give all the same file and settings" in err
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--process-id 0", "--process-id: expected --processes too"),
        ("--coordinator a:1", "--coordinator: expected --processes too"),
        ("--processes two", "--processes: expected a number >= 1 or auto, got two"),
        ("--processes 0", "--processes: expected a number >= 1 or auto, got 0"),
        ("--processes 2", "--process-id: expected one of 0 to 1, got none"),
        ("--processes 2 --process-id 2", "--process-id: expected one of 0 to 1, got 2"),
        ("--processes 2 --process-id 1", "--coordinator: missing, expected HOST:PORT of process 0"),
        (
            "--processes 2 --process-id 1 --coordinator here",
            "--coordinator: expected HOST:PORT, got here",
        ),
        ("--processes auto --coordinator :1", "--coordinator: expected HOST:PORT, got :1"),
    ],
)
def test_what_does_not_name_the_processes_is_bad_usage(capsys, options, message):
    with pytest.raises(SystemExit) as stop:
        cli.main(["simulate", "no.toml", *options.split()])
    assert stop.value.code == 2
    assert capsys.readouterr() == ("", f"normtheory: {message}\n")


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ("auto", (None, None, None, None), "auto: no cluster that says all, give a number; no"),
        (
            "2 --process-id 0 --coordinator 127.0.0.1:9",
            ("127.0.0.1:9", 2, 0, "127.0.0.1:9"),
            "2: no",
        ),
        ("2 --process-id 0 --coordinator host:9", ("host:9", 2, 0, None), "2: no"),
        ("2 --process-id 1 --coordinator 127.0.0.1:9", ("127.0.0.1:9", 2, 1, None), "2: no"),
    ],
)
def test_what_jax_is_told(capsys, monkeypatch, options, given, message):
    def initialize(*arguments: object, coordinator_bind_address: str | None) -> None:
        assert (*arguments, coordinator_bind_address) == given
        raise ValueError("no")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    with pytest.raises(SystemExit) as stop:
        cli.main(["simulate", "no.toml", "--processes", *options.split()])
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"normtheory: --processes {message}\n"


def test_standard_output_is_kept_for_the_result(capfd):
    with _processes.output_kept(Share(0, 2)):
        os.write(1, b"of a library")
    os.write(1, b"result")
    assert capfd.readouterr() == ("result", "of a library")
