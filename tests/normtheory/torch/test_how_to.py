"""What the page on PyTorch shows runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

PAGE = (ROOT / "docs" / "how-to" / "train-in-pytorch.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
SCRIPTS = [block for block in BLOCKS if "init_process_group" in block]


def test_the_blocks_run_one_after_the_other():
    assert len(BLOCKS) >= 6
    assert len(SCRIPTS) == 1
    names: dict[str, object] = {"__name__": "page"}
    for block in BLOCKS:
        if block not in SCRIPTS:
            exec(compile(block, "train-in-pytorch.md", "exec"), names)


def test_the_names_of_the_table_are_there():
    import normtheory.torch as modules

    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)", row.split("|")[1])}
    assert named == set(modules.__all__) - {"Watch", "shared", "sinkhorn", "watch"}


@pytest.mark.slow
def test_the_script_runs_on_two_processes(tmp_path: Path):
    (tmp_path / "ddp.py").write_text(SCRIPTS[0])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, "ddp.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^2 processes, loss \d\.\d{4}$", done.stdout, re.M), done.stdout
