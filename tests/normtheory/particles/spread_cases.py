"""Runs that are made on one device, on eight and in two processes, and compared as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory.cli._simulate import execute
from normtheory.particles import (
    Run,
    State,
    System,
    devices,
    forces,
    init,
    observables,
    optimizers,
    run,
    sampling,
    stop,
    sweep,
    trained,
)

N, D, STEPS = 48, 4, 9
LONG = 400
"""Steps enough for chunks whose length the clock decides."""
LENGTHS = observables.observable(
    "lengths", lambda view: jnp.sum(view.positions[0] ** 2, axis=-1), dims=("row",)
)
"""One number a particle: a record that is not a scalar, and has to be whole on every device."""
OPTIONS: dict[str, Any] = {"record": ("loss", LENGTHS), "record_every": 4}


IN_PROCESSES = ("pairs, minibatches, momentum", "InfoNCE, dense", "InfoNCE, streamed")
"""Cases that two processes run; eight devices run all."""


def clouds(dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((2, N, D)).astype(dtype)


def cases() -> dict[str, tuple[System, Any]]:
    """Systems and the dtype of their particles, by name."""
    contrast = forces.loss("info_nce", temperature=0.3, symmetric=True)
    blocks = forces.loss("info_nce", temperature=0.3, symmetric=True, block=5)
    labels = forces.loss("supcon", clouds=0, labels=np.arange(N) % 5, temperature=0.3, block=4)
    batches = sampling.minibatch(13, np.arange(1.0, N + 1))
    return {
        "pairs, minibatches, momentum": (
            System(
                forces.attraction(),
                2.0,
                optimizers.momentum(0.9),
                weight_decay=0.01,
                gradscale=0.5,
                sampling=batches,
            ),
            np.float64,
        ),
        "InfoNCE, dense": (System(contrast, 1.0, optimizers.adam()), np.float64),
        # Of 24 rows each of 8 devices has 3, so that blocks of 5 are cut short.
        "InfoNCE, streamed": (
            System(
                blocks,
                1.0,
                fresh=(),
                sampling=sampling.minibatch(24, replace=False),
                trained={"temperature": trained.option(0.1, learned="log")},
            ),
            np.float64,
        ),
        "mixture, some rows, fresh partners": (
            System(
                forces.mixture((1.0, forces.attraction()), (0.5, labels)),
                1.0,
                optimizers.momentum(0.9),
                sampling=sampling.bernoulli(0.5),
                fresh=(1,),
            ),
            np.float32,
        ),
    }


@cache
def simulated(devices: str) -> Any:
    """A run from a configuration, on one device or on all."""
    cloud = {"n": 16, "dimension": 4}
    config = {
        "clouds": [cloud, cloud],
        "force": {"name": "attraction"},
        "system": {"learning_rate": 1.0},
        "run": {"max_steps": 5, "devices": devices},
    }
    return execute(config, resume=False, progress=False)


def swept(rates: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0), **options: Any) -> dict[str, Any]:
    """Five runs of eleven steps or fewer, with minibatches."""
    system, _ = cases()["pairs, minibatches, momentum"]
    found = sweep(
        system,
        tuple(clouds()),
        {"learning_rate": rates},
        11,
        stop=stop.mean_cosine(0.5),
        **{"record_every": 4, **options},
    )
    return {"steps": found.steps.values.tolist(), "loss": found.loss.values.tolist()}


def plain(name: str) -> dict[str, Any]:
    """A case without a mesh."""
    system, dtype = cases()[name]
    return told(run(system, init(system, *clouds(dtype), seed=1), STEPS, **OPTIONS))


def told(done: Run) -> dict[str, Any]:
    """What a run came to, as JSON takes it; processes of a mesh call it together."""
    state = devices.gathered(done.state)
    records = {name: x.astype(np.float64).tolist() for name, x in done.records.items()}
    return {"state": [x.astype(np.float64).tolist() for x in jax.tree.leaves(state)], **records}


def specs(state: State) -> list[list[str]]:
    """How the leaves of a state lie: names of the mesh axis by array axis."""
    return [list(x.sharding.spec) for x in jax.tree.leaves(state)]
