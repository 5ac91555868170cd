"""Checkpoints of several processes: orbax-checkpoint, with the sums that it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from normtheory.particles import System, checkpoint, forces, init, optimizers, run
from normtheory.particles.checkpoint import CheckpointError, CheckpointWarning, _checkpoint
from tests.normtheory.particles.checkpoint.test_checkpoint import same_bits

OPTIONS: dict[str, Any] = {"record": ("loss", "norms"), "record_every": 5, "chunk_steps": 7}


@pytest.fixture(autouse=True)
def several(monkeypatch):
    """One process that writes as several do."""
    monkeypatch.setattr(_checkpoint, "_several", lambda: True)


def case() -> tuple[System, Any]:
    z, y = np.random.default_rng(1).standard_normal((2, 16, 4))
    system = System(forces.attraction(), 1.0, optimizers.momentum(0.9))
    return system, init(system, z, y)


def largest(folder: Path) -> Path:
    """The file of a checkpoint with the most bytes: an array of the state."""
    return max((p for p in (folder / "state").rglob("*") if p.is_file()), key=os.path.getsize)


def test_runs_survive_in_folders_too(tmp_path):
    system, begin = case()
    checkpoint.run(tmp_path, system, begin, 20, every=1, **OPTIONS)
    kept = ["step-0000000014", "step-0000000014.sha256", "step-0000000020"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [*kept, "step-0000000020.sha256"]
    for path in tmp_path.glob("*.sha256"):
        subprocess.run(
            ["sha256sum", "-c", path.name], cwd=tmp_path, check=True, capture_output=True
        )
    file = largest(tmp_path / "step-0000000020")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.warns(CheckpointWarning, match="step-0000000020: damaged checkpoint passed over"):
        done = checkpoint.run(tmp_path, system, begin, 40, resume=True, **OPTIONS)
    same_bits(done, run(system, begin, 40, **OPTIONS))
    other = system.with_numbers(learning_rate=2.0)
    with pytest.raises(CheckpointError, match=r"learning_rate: 1\.0 there and 2\.0 here"):
        checkpoint.run(tmp_path, other, begin, 40, resume=True, **OPTIONS)


SHARDED = """
import resource
import sys
from pathlib import Path
import numpy as np
from normtheory.particles import System, checkpoint, devices, forces, init, run
from normtheory.particles.checkpoint import _checkpoint

folder, system = Path(sys.argv[1]), System(forces.attraction(), 1.0)
z, y = np.random.default_rng(0).standard_normal((2, 64, 8)).astype(np.float32)
begin = devices.shard(init(system, z, y))
assert len(begin.positions[0].addressable_shards) == 8
for several in (True, False):
    _checkpoint._several = lambda: several
    place = folder / str(several)
    checkpoint.prepare(place)
    now = run(system, begin, 5)
    checkpoint.save(place, now)
    found = checkpoint.load(place, system, begin)
    for one, other in zip(found.state.positions, now.state.positions, strict=True):
        assert one.sharding == other.sharding
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
print("restored")
# On a full disk orbax leaves threads that go on complaining: nothing for the process of the tests.
_checkpoint._several = lambda: True
resource.setrlimit(resource.RLIMIT_FSIZE, (50, resource.RLIM_INFINITY))
before = sorted((folder / "True").rglob("*"))
try:
    checkpoint.save(folder / "True", run(system, begin, 6))
except checkpoint.CheckpointError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
left = [p for p in sorted((folder / "True").rglob("*")) if "part" not in str(p.relative_to(folder))]
assert left == before
checkpoint.save(folder / "True", run(system, begin, 7))
assert checkpoint.load(folder / "True", system, begin).steps == 7
"""


@pytest.mark.slow
def test_eight_devices_get_their_shards_back_and_a_full_disk_loses_nothing(tmp_path):
    found = subprocess.run(
        [sys.executable, "-c", SHARDED, str(tmp_path)],
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    restored, full = found.stdout.splitlines()
    assert restored == "restored"
    assert full == (
        f"no checkpoint of step 6 in {tmp_path / 'True'}: File too large; step-0000000005 is the "
        "last complete one"
    )
