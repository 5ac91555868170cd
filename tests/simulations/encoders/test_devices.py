"""Runs spread over devices give what they give on one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulations.encoders.data import LatentClasses, SameClassPairs
from simulations.encoders.devices import over_runs, place
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import NewLearner, Objective
from simulations.encoders.training import Recipe, embed, start, train
from tests.conftest import ROOT

DEVICES = 3
# Two for every device; fewer than two for the last; fewer runs than devices.
COUNTS = (6, 5, 2)


def compute() -> dict[str, np.ndarray]:
    """A little training of several numbers of runs, and a function of shared and own data."""
    found = {}
    recipe = Recipe(Objective("nt_xent"), momentum=0.9)
    for many in COUNTS:
        points, held_out = LatentClasses((1.0, 2.0), 60, 4, 6, 0.3)(0, many)
        runs = start(
            recipe,
            NewLearner(Mlp((6, 8, 3))),
            [(0, r) for r in range(many)],
            0.1 * np.arange(1, many + 1),
        )
        trained, _, seen, loss = train(
            runs,
            points,
            SameClassPairs(8),
            recipe,
            steps=4,
            records=2,
            look=lambda state, x=held_out.x: np.asarray(embed(state.learner, x, shared=False)),
            shared=False,
        )
        found[f"embeddings {many}"], found[f"losses {many}"] = np.stack(seen), loss
        for i, leaf in enumerate(jax.tree.leaves(trained)):
            found[f"leaf {i} of {many}"] = np.asarray(leaf)
        numbers, data = jnp.arange(many), (jnp.arange(4), jnp.arange(many) ** 2)
        numbers, data = place(numbers, data, (True, False))
        found[f"sums {many}"] = np.asarray(
            jax.jit(lambda n, d: over_runs(lambda a, b: a + b[0] + b[1], n, d, (True, False)))(
                numbers, data
            )
        )
        split = jax.jit(lambda n: over_runs(lambda a, _: jax.random.key(a), n, (), True))
        found[f"keys {many}"] = np.asarray(jax.random.key_data(split(numbers)))
    return found


def save(file: str) -> None:
    """What several devices give, for the test in another process."""
    assert jax.local_device_count() == DEVICES
    np.savez(file, allow_pickle=False, **compute())


@pytest.mark.slow
def test_devices_change_no_number(tmp_path: Path) -> None:
    file = tmp_path / "found.npz"
    call = f"from tests.simulations.encoders.test_devices import save; save({str(file)!r})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", call],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(DEVICES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wanted = compute()
    with np.load(file) as found:
        assert set(found) == set(wanted)
        for name, array in wanted.items():
            # A product of another shape may sum in another order, four steps of which were
            # measured to be equal to the bit; a wrong run is off by 0.1.
            np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    for many in COUNTS:
        sums = np.arange(many)[:, None] + np.arange(4) + np.arange(many)[:, None] ** 2
        np.testing.assert_array_equal(wanted[f"sums {many}"], sums)
