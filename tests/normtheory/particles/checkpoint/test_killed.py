"""Real processes, killed while they run: what they leave goes on to the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from normtheory.cli import _output
from normtheory.cli import _simulate as simulate

CONFIG = """
seed = 3
[[clouds]]
n = 24
dimension = 5
norm = { low = 0.5, high = 2.0 }
[[clouds]]
[force]
name = "attraction"
[system]
learning_rate = 0.3
weight_decay = 1e-3
[optimizer]
name = "momentum"
[sampling]
size = 8
[run]
max_steps = 1500
record = ["loss", "norms"]
record_every = 100
chunk_steps = 6
[checkpoint]
folder = "checkpoints"
every = 1
"""


def newest(folder: Path) -> str:
    return max((p.name for p in folder.glob("step-*.npz")), default="")


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_in_the_same_bits(tmp_path):
    """Three times, each at a moment nobody chose, then to the end."""
    (tmp_path / "run.toml").write_text(CONFIG)
    folder, moments = tmp_path / "checkpoints", random.Random()  # no seed: that is the point
    command = [sys.executable, "-m", "normtheory", "simulate", "run.toml", "--resume"]
    reached = []
    for _ in range(3):
        before = newest(folder)
        process = subprocess.Popen(command, cwd=tmp_path, env=_path())
        while newest(folder) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.2))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        reached.append(newest(folder))
    assert len(set(reached)) == 3  # each of them got on
    done = subprocess.run(
        [*command, "--output", "run.nc"], cwd=tmp_path, capture_output=True, text=True, env=_path()
    )
    assert (done.returncode, done.stderr) == (0, "")
    settings = ["checkpoint.every=1000000", f'checkpoint.folder="{tmp_path / "whole"}"']
    whole = simulate.execute(simulate.config(tmp_path / "run.toml", settings), resume=False)
    end = "step-0000001500.npz"
    with np.load(folder / end) as one, np.load(tmp_path / "whole" / end) as other:
        assert one.files == other.files
        for name in one.files:
            assert one[name].tobytes() == other[name].tobytes(), name
    # The file too, but for where the checkpoints were.
    _output.write(whole, tmp_path / "whole.nc")
    with xr.open_dataset(tmp_path / "run.nc") as one, xr.open_dataset(tmp_path / "whole.nc") as two:
        assert one.equals(two)
        assert one.sizes["step"] == 16


def _path() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[4])
    return {**os.environ, "PYTHONPATH": root}
