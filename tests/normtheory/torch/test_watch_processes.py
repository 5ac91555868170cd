"""A watch in a real training on two processes: rows of both, recorded once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.slow]

SCRIPT = """
import json, sys, torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from normtheory.torch import watch

distributed.init_process_group("gloo")
rank = distributed.get_rank()
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3))
ddp = DistributedDataParallel(model)
optimizer = torch.optim.AdamW(ddp.parameters(), lr=0.01)
x = torch.arange(60.0).reshape(12, 5).sin()
seen = watch(ddp, optimizer, probe=x, every=2)
mine = x[:8] if rank == 0 else x[8:]
rows = []
for _ in range(3):
    optimizer.zero_grad()
    z = ddp(mine)
    parts = [None, None]
    distributed.all_gather_object(parts, z.detach())
    rows.append(torch.linalg.vector_norm(torch.cat(parts).double(), dim=1).mean().item())
    loss = torch.nn.functional.normalize(z)[:, 0].mean()
    seen.note(loss=float(rank), labels=[rank] * len(mine))
    loss.backward()
    optimizer.step()
json.dump([rows, seen.monitor.records], open(f"{sys.argv[1]}/{rank}.json", "w"))
distributed.destroy_process_group()
"""


def test_rows_of_both_are_counted_and_the_first_records(tmp_path: Path):
    (tmp_path / "ddp.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, "ddp.py", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows, records = json.loads((tmp_path / "0.json").read_text())
    assert json.loads((tmp_path / "1.json").read_text())[1] == []
    assert [record["step"] for record in records] == [0, 1, 2]
    assert [record["norm_mean"] for record in records] == pytest.approx(rows, rel=1e-6)
    assert [record["loss"] for record in records] == [0.5] * 3
    assert {"class_norm_0", "class_norm_1"} <= set(records[0])
    assert records[1]["turn"] > 0
