"""Several processes of PyTorch that hold one batch: real ones, each in its own interpreter."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from normtheory.losses import LOSSES
from tests.conftest import ROOT
from tests.helpers import tolerance
from tests.normtheory.losses.plain import expected

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.slow]

if torch.distributed.is_available():
    from tests.normtheory.losses import processes_worker as worker
else:
    pytest.skip("PyTorch without torch.distributed", allow_module_level=True)


def outcomes(folder: Path, world: int) -> list[dict[str, Any]]:
    """Start the ranks at the same time, and read what they found; none outlives the test."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = str(trial.getsockname()[1])
    files = [folder / f"{world}-{rank}.pt" for rank in range(world)]
    command = [sys.executable, "-m", "tests.normtheory.losses.processes_worker"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [*command, str(rank), str(world), port, str(file)],
            env={**environment, "GLOO_SOCKET_IFNAME": "lo"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, file in enumerate(files)
    ]
    try:
        said = [process.communicate(timeout=1800)[0] for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    for process in started:
        assert process.returncode == 0, "\n\n".join(said)
    return [torch.load(file, weights_only=False) for file in files]


@pytest.fixture(scope="module", params=[2, 3])
def found(request: pytest.FixtureRequest, tmp_path_factory: Any) -> list[dict[str, Any]]:
    """What every rank found."""
    return outcomes(tmp_path_factory.mktemp("ranks"), request.param)


@cache
def whole(name: str) -> Any:
    """The plain definition on the whole batch."""
    clouds, options = worker.drawn(name)
    return expected(LOSSES[name], clouds, options)


def joined(found: list[dict[str, Any]], kind: str, name: str) -> tuple[Any, list[Any], Any]:
    """Values of all ranks, gradients with the rows put together, derivatives of options."""
    loss = LOSSES[name]
    ranks = [one[kind][name] for one in found]
    gradients = []
    for index, cloud in enumerate(loss.clouds):
        parts = [rank["clouds"][index] for rank in ranks]
        if parts[0] is None:
            gradients.append(None)
        elif cloud.rows == "n":
            gradients.append(np.concatenate(parts))
        else:  # all ranks hold it, and get the whole gradient
            for other in parts[1:]:
                np.testing.assert_allclose(other, parts[0], rtol=1e-13, atol=1e-15)
            gradients.append(parts[0])
    return [rank["value"] for rank in ranks], gradients, [rank["options"] for rank in ranks]


# In units of the largest number of a gradient: the order of sums differs, as between blocks, and
# terms of up to steepness 25 cancel.
LIMIT = 16 * tolerance("gradient")


@pytest.mark.parametrize("kind", ["dense", "blocks"])
@pytest.mark.parametrize("name", LOSSES)
def test_several_processes_are_one(found, kind, name):
    if kind == "blocks" and not LOSSES[name].all_pairs:
        assert name not in found[0][kind]
        return
    values, gradients, options = joined(found, kind, name)
    wanted = whole(name)
    np.testing.assert_allclose(values, wanted.value, rtol=LIMIT)
    for index, exact in enumerate(wanted.clouds):
        if index in LOSSES[name].trained:
            off = abs(gradients[index] - exact).max()
            assert off <= LIMIT * abs(exact).max(), LOSSES[name].clouds[index].name
        else:
            assert gradients[index] is None
    for of_rank in options:
        assert set(of_rank) == set(wanted.options)
        for key, exact in wanted.options.items():
            assert of_rank[key] == pytest.approx(exact, rel=LIMIT, abs=LIMIT), key


@pytest.mark.parametrize("name", worker.SMALL)
def test_a_small_temperature(found, name):
    values, gradients, options = joined(found, "small", name)
    loss = LOSSES[name]
    clouds, given = worker.drawn(name)
    given["temperature"] = worker.SMALL[name]
    wanted, exact = loss.value_and_gradient(*clouds, **given)  # of numpy, tested by itself
    np.testing.assert_allclose(values, wanted, rtol=500 * LIMIT)
    for one, other in zip(gradients, exact, strict=True):
        assert abs(one - other).max() <= 500 * LIMIT * abs(other).max()
    by_temperature = loss.option_gradient("temperature", *clouds, **given)
    for of_rank in options:
        assert of_rank["temperature"] == pytest.approx(by_temperature, rel=500 * LIMIT)


@pytest.mark.parametrize("name", worker.trained(1))
def test_a_step_of_distributed_data_parallel_is_that_of_the_whole_batch(found, name):
    alone = worker.averaged(name, 0, 1)
    assert any(abs(g).max() > 1e-3 for g in alone["gradients"].values())
    for rank in found:
        one = rank["averaged"][name]
        factor = len(found) if name == "by hand" else 1
        assert one["value"] == pytest.approx(factor * alone["value"], rel=1e-12)
        for key, exact in alone["gradients"].items():
            np.testing.assert_allclose(
                one["gradients"][key], exact, rtol=1e-10, atol=1e-12, err_msg=key
            )


def test_a_batch_is_judged_as_a_whole(found):
    for rank in found:
        assert rank["errors"][0] == "labels: expected at least one class with two points"


def test_an_error_of_one_rank_reaches_all(found):
    told = "ranks [1] of the group refused their part of the batch; see there"
    for index, rank in enumerate(found):
        zero, shapes = rank["errors"][1:]
        if index == 1:
            assert zero == "z row 0 is zero: a zero vector has no direction"
            assert shapes.endswith("expected the same d")
        else:
            assert (zero, shapes) == (told, told)
