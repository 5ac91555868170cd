"""Output that is full, gone, or of another encoding costs no result and shows no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def command(*arguments: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess:
    """Run the command in a process of its own, with a redirection if one is given."""
    line = " ".join([f'"{sys.executable}" -m normtheory', *arguments, shell])
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, env=os.environ | environment, timeout=1800
    )


PREDICT = ("predict", "--norm 2", "--learning-rate 0.1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [PREDICT, pytest.param(("--help",), marks=pytest.mark.slow)])
def test_a_full_disk_is_one_line(arguments: tuple[str, ...]) -> None:
    done = command(*arguments, shell="> /dev/full")
    assert done.returncode == 1
    assert done.stderr.decode().strip().splitlines() == ["normtheory: No space left on device"]


@pytest.mark.slow
def test_json_is_ascii_whatever_the_output_can_show() -> None:
    done = command(*PREDICT, "--json", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "ρ" in json.loads(done.stdout)["effective_learning_rate"]["formula"]


@pytest.mark.slow
def test_without_a_standard_error_there_is_a_report(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", np.random.default_rng(0).standard_normal((60, 4)))
    done = command("diagnose", str(tmp_path / "z.npy"), "--json", shell="2>&-")
    assert done.returncode == 0
    assert json.loads(done.stdout)
