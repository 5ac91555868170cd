"""Runs the cases in a process of its own: ``devices FILE`` or ``process FILE PORT INDEX FOLDER``.

How many devices a CPU pretends to have, and which processes belong together, JAX wants to know
before it starts.
"""

from __future__ import annotations

import json
import math
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from normtheory import _spread
from normtheory.losses import LOSSES
from normtheory.particles import (
    System,
    _chunk,
    _run,
    checkpoint,
    devices,
    forces,
    init,
    run,
    step,
    sweep,
)
from normtheory.particles._state import precision
from tests.normtheory.particles.compiling import counted
from tests.normtheory.particles.spread_cases import (
    IN_PROCESSES,
    LONG,
    OPTIONS,
    STEPS,
    N,
    cases,
    clouds,
    simulated,
    specs,
    swept,
    told,
)

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


def message(act: Callable[[], Any]) -> str:
    """What an error says."""
    try:
        act()
    except (ValueError, FloatingPointError, checkpoint.CheckpointError) as error:
        return str(error)
    return ""


def spread(name: str) -> dict[str, Any]:
    """A case, split over all devices of all processes."""
    system, dtype = cases()[name]
    start = devices.shard(init(system, *clouds(dtype), seed=1))
    first = run(system, start, STEPS - 1, **OPTIONS)
    with counted() as compiled:
        done = run(system, first.state, STEPS, history=first.records, **OPTIONS)
    return {
        **told(done),
        "specs": [specs(start), specs(done.state)],
        "dtypes": [str(x.dtype) for x in jax.tree.leaves(done.state)],
        "compiled": compiled[0],
    }


def sizes(system: System, state: Any) -> dict[str, int]:
    """Numbers in the largest array of a compiled chunk, and in the largest that is sent.

    Floats alone count: JAX 0.12 gives every device the whole n × n mask of the dense form.
    """
    with precision(state.dtype), _spread.on_devices_of(state):
        numbers = np.int32(2**30), np.int32(3), np.int32(3)
        compiled = jax.jit(_chunk.chunk, static_argnames="slots").lower(
            system.cast(state.dtype), state, (), (), *numbers, slots=1
        )
        program = compiled.compile().as_text() or ""

    def largest(lines: list[str]) -> int:
        shapes = re.findall(r"\bf(?:32|64)\[([\d,]+)\]", "\n".join(lines))
        return max((math.prod(map(int, shape.split(","))) for shape in shapes), default=0)

    lines = program.splitlines()
    sent = r"all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter"
    return {
        "held": largest(lines),
        "sent": largest([line for line in lines if re.search(rf"\b({sent})(-start)?\(", line)]),
    }


def losses() -> dict[str, float]:
    """Losses in blocks on split clouds against themselves on one device: the largest difference."""
    mesh = devices.mesh()
    z, y = (x.astype(np.float32) for x in clouds())
    queue = np.random.default_rng(0).standard_normal((19, z.shape[1])).astype(np.float32)
    arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "nt_xent": ((z, y), {"temperature": 0.2}),
        "siglip": ((z, y), {"temperature": 0.2, "bias": -1.0}),
        "moco": ((z, y, queue), {"temperature": 0.2}),
    }
    found = {}
    for name, (given, options) in arguments.items():
        split = [jax.device_put(x, devices.rows(mesh)) if len(x) == N else x for x in given]
        split = [x if isinstance(x, jax.Array) else jax.numpy.asarray(x) for x in split]
        differentiate = LOSSES[name].value_and_gradient
        one = differentiate(*(jax.numpy.asarray(x) for x in given), block=5, **options)
        many = differentiate(*split, block=5, **options)
        pairs = zip(jax.tree.leaves(one), jax.tree.leaves(many), strict=True)
        found[name] = max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)
    return found


def on_devices() -> dict[str, Any]:
    """One process with eight devices."""
    z, y = clouds()
    dense = System(forces.loss("info_nce", temperature=0.3, symmetric=True), 1.0)
    blocks = System(forces.loss("info_nce", temperature=0.3, symmetric=True, block=3), 1.0)
    start = init(dense, z, y)
    pairs = System(forces.attraction(), 1.0)
    centres = System(forces.loss("normface", labels=np.arange(N) % 3), 1.0)
    short = devices.shard(init(centres, z, y[:3]))
    mine = jax.make_mesh((8,), ("mine",), axis_types=(jax.sharding.AxisType.Auto,))
    elsewhere = jax.device_put(
        z.astype(np.float32), jax.NamedSharding(mine, jax.sharding.PartitionSpec("mine"))
    )
    zero = z.copy()
    zero[37] = 0
    with jax.enable_x64(True):
        zeros = [jax.device_put(x, devices.rows()) for x in (zero, y)]
    tiny = z.astype(np.float32)
    tiny[37] *= np.float32(1e-30)
    wild = System(forces.attraction(), 1e15)
    with tempfile.TemporaryDirectory() as folder:
        system, _ = cases()["pairs, minibatches, momentum"]
        begin = init(system, z, y, seed=1)
        checkpoint.run(folder, system, devices.shard(begin), STEPS - 3, **OPTIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", checkpoint.CheckpointWarning)  # of other devices
            read = checkpoint.load(folder, system, begin)
        assert read is not None
        resumed = run(system, devices.shard(read.state), STEPS, history=read.records, **OPTIONS)
        again = checkpoint.run(folder, system, devices.shard(begin), STEPS, resume=True, **OPTIONS)
    return {
        "cases": {name: spread(name) for name in cases()},
        "losses": losses(),
        "commanded": simulated("all").attrs["devices"],
        "commanded loss": simulated("all").loss.values.tolist(),
        # On all five devices that five runs have use for, and in two lanes on each of two.
        "sweeps": [swept(), swept(devices=jax.devices()[:2], memory=40_000)],
        "programs": {
            "dense on one": sizes(dense, start),
            "dense": sizes(dense, devices.shard(start)),
            "streamed": sizes(blocks, devices.shard(start)),
        },
        "centres": [specs(short), specs(step(centres, short))],
        "attributes": run(pairs, devices.shard(init(pairs, z, y)), 1).dataset.attrs["devices"],
        "resumed": [told(resumed), told(again)],
        "resumed specs": [specs(resumed.state), specs(again.state)],
        "errors": {
            "rows": message(lambda: devices.shard(init(pairs, z[:45], y[:45]))),
            "elsewhere": message(lambda: init(pairs, elsewhere, elsewhere)),
            "zero": message(lambda: init(pairs, *zeros)),
            "not finite": message(
                lambda: run(wild, devices.shard(init(wild, tiny, y.astype(np.float32))), 9)
            ),
        },
    }


def sweeps(index: int, folder: Path) -> dict[str, Any]:
    """A sweep by two processes, one alone, one that is stopped and resumed, and what is refused."""
    two: dict[str, Any] = {"memory": 40_000}  # lanes on a device, in a part as in the whole
    whole = {**two, "record_every": 2}
    stopped = {**whole, "folder": folder, "every": 1}
    alone = {"devices": jax.local_devices()}
    wild = System(forces.attraction(), 1.0)
    tiny = (clouds() * 1e-30).astype(np.float32)
    save, written = checkpoint.Arrays.save, []

    def interrupted(self: Any, arrays: Any) -> None:
        save(self, arrays)
        written.append(self.number)
        if len(written) == 3:
            raise KeyboardInterrupt

    checkpoint.Arrays.save = interrupted
    try:
        swept(**stopped)
    except KeyboardInterrupt:
        resumed = swept(**stopped, resume=True)
    checkpoint.Arrays.save = save
    return {
        "together": swept(**two),
        "alone": swept(**two, **alone),
        "few": swept(rates=[2.0]),
        "resumed": resumed,
        "whole": swept(**whole),
        "saved": written,
        "places": sorted(path.name for path in folder.iterdir()),
        "errors": {
            "infinite": message(
                lambda: sweep(wild, tuple(tiny), {"learning_rate": [1.0, 1e15]}, 9)
            ),
            "rates": message(lambda: swept(rates=[0.5, 1.0 + index])),
            "devices": message(lambda: swept(devices=jax.devices()[2 - 2 * index :][:2])),
            "one": message(lambda: swept(**stopped, **alone, resume=True)),
            "earlier": message(lambda: swept(**stopped)),
            "rates saved": message(lambda: swept(rates=[0.5, 1.0], **stopped, resume=True)),
        },
    }


def on_processes(port: str, index: int, folder: str) -> dict[str, Any]:
    """One of two processes, with two devices each."""
    address = f"127.0.0.1:{port}"
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        address, 2, index, coordinator_bind_address=address if index == 0 else None
    )
    name = "pairs, minibatches, momentum"
    system, _ = cases()[name]
    z, y = clouds()

    # From parts: no process forms more than its own rows.
    with jax.enable_x64(True):
        parts = [
            jax.make_array_from_callback(x.shape, devices.rows(), lambda rows, x=x: x[rows])
            for x in (z, y)
        ]
    pieces = init(system, *parts, seed=1)
    clock = time.perf_counter
    if index == 1:  # a process whose seconds are long would take other steps in a chunk
        _run.time = SimpleNamespace(perf_counter=lambda: 1e6 * clock())  # pyright: ignore
    long = run(system, pieces, LONG, **OPTIONS).steps
    own = clouds() + index
    pairs = System(forces.attraction(), 1.0)
    return {
        "cases": {name: spread(name) for name in IN_PROCESSES},
        "sweeps": sweeps(index, Path(folder)),
        "parts": told(run(system, pieces, STEPS, **OPTIONS)),
        "parts specs": specs(pieces),
        "own clocks": long,
        "own rows": sum(len(x.data) for x in pieces.positions[0].addressable_shards),
        "errors": {"seeds": message(lambda: devices.shard(init(pairs, *own)))},
        # A run that a process makes for itself waits for nobody.
        "alone": run(pairs, init(pairs, *own), STEPS + index).steps,
    }


if __name__ == "__main__":
    kind, path, *rest = sys.argv[1:]
    result = on_devices() if kind == "devices" else on_processes(rest[0], int(rest[1]), rest[2])
    Path(path).write_text(json.dumps(result))
