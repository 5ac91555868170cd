"""Time of one step of SGD on n attracted pairs, against a pass over the memory it must touch.

Run it with ``python -m tests.benchmarks.pair_forces``; it needs the extra ``bench``. ``--n`` and
``--dimension`` change the sizes.

Three yardsticks, all jitted: a pass that reads both clouds and writes both in place (their
negative); a copy into arrays that are there already; and a copy into new memory, which also pays
for the system's handing out of fresh pages.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory.losses import attraction_gradient
from normtheory.particles import State, System, forces, init, optimizers, run, sampling
from normtheory.particles._chunk import chunk
from normtheory.particles._pairs import attraction_step, by_blocks, default_pairs
from normtheory.particles._run import NEVER
from tests.benchmarks._report import machine, show, table
from tests.benchmarks._timing import milliseconds

RATE = 0.02

in_place = partial(jax.jit, donate_argnums=(0, 1))


@in_place
def negative(a: jax.Array, b: jax.Array) -> Any:
    """Read two clouds and write two, in place."""
    return -a, -b


@in_place
def ours(a: jax.Array, b: jax.Array) -> Any:
    """One step; the loss comes with it."""
    return attraction_step(a, b, RATE)


@in_place
def unfused(a: jax.Array, b: jax.Array) -> Any:
    """The same step from the gradient of :mod:`normtheory.losses`, over whole clouds."""
    g_1, g_2 = attraction_gradient(a, b)
    return a - RATE * len(a) * g_1, b - RATE * len(b) * g_2


@partial(jax.jit, donate_argnums=(2, 3), keep_unused=True)
def copy_over(a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array) -> Any:
    """Copy a and b over c and d."""
    return jnp.copy(a), jnp.copy(b)


copy = jax.jit(lambda a, b: (jnp.copy(a), jnp.copy(b)))

STEPS = 10, 30  # of two runs, whose difference is that of steps alone
FEW = 2, 12  # of the general step, which is slow

SETTINGS: dict[str, dict[str, Any]] = {
    "plain SGD": {},
    "weight decay": {"weight_decay": 1e-9},
    "momentum": {"optimizer": optimizers.momentum(0.9)},
    "minibatches of 8192 pairs": {"sampling": sampling.minibatch(8192)},
}

call = jax.jit(chunk, static_argnames=("slots", "blocks"))


def seconds_of_a_run(system: System, state: State, steps: int) -> float:
    """Wall time of a run that records its loss at both ends."""
    begin = time.perf_counter()
    jax.block_until_ready(run(system, state, steps, chunk_steps=steps).state)
    return time.perf_counter() - begin


def seconds_of_a_call(system: System, state: State, steps: int, *, blocks: bool) -> float:
    """Wall time of the compiled part of a run without records."""
    begin = time.perf_counter()
    grid = (np.int32(x) for x in (NEVER, steps, NEVER))
    jax.block_until_ready(call(system, state, (), (), *grid, slots=1, blocks=blocks))
    return time.perf_counter() - begin


def both_ways(a: jax.Array, b: jax.Array, rounds: int) -> str:
    """A step of a run by blocks and by the general way, in turn, under every setting."""
    rows = []
    for name, settings in SETTINGS.items():
        system = System(forces.attraction(), RATE * len(a), **settings).cast(a.dtype)
        state = init(system, a, b)
        assert by_blocks(system, state)
        times: dict[tuple[bool, int], list[float]] = {}
        for _ in range(rounds + 1):  # the first compiles
            for blocks in (True, False):
                for steps in FEW:
                    found = seconds_of_a_call(system, state, steps, blocks=blocks)
                    times.setdefault((blocks, steps), []).append(found)
        best = {key: min(found[1:]) for key, found in times.items()}
        fast, slow = (
            (best[blocks, FEW[1]] - best[blocks, FEW[0]]) / (FEW[1] - FEW[0])
            for blocks in (True, False)
        )
        rows.append([name, milliseconds(fast), milliseconds(slow), f"{slow / fast:.1f}"])
    return table(["a step of `particles.run`", "by blocks, ms", "general, ms", "ratio"], rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--n", type=int, default=10**6)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--few-rounds", type=int, default=5, help="of the general step")
    asked = parser.parse_args()
    n, d = asked.n, asked.dimension
    a, b = (
        jax.random.normal(key, (n, d), jnp.float32) for key in jax.random.split(jax.random.key(0))
    )
    fresh = "a copy of both clouds into new memory"
    ways = {
        "a pass that reads and writes both clouds in place": negative,
        fresh: copy,
        "`attraction_step`, in place, with the loss": ours,
        "`attraction_gradient` and a step, whole clouds": unfused,
    }
    over = "a copy of both clouds over others"
    times: dict[str, list[float]] = {name: [] for name in (*ways, over)}
    spare = -a, -b
    system = System(forces.attraction(), RATE * n)
    state = init(system, a, b)
    runs: dict[int, list[float]] = {steps: [] for steps in STEPS}
    for _ in range(asked.rounds + 1):  # the first compiles
        for name, way in ways.items():
            begin = time.perf_counter()
            out = jax.block_until_ready(way(a, b))
            times[name].append(time.perf_counter() - begin)
            a, b = out[:2]
        begin = time.perf_counter()
        spare = jax.block_until_ready(copy_over(a, b, *spare))
        times[over].append(time.perf_counter() - begin)
        for steps, found in runs.items():
            found.append(seconds_of_a_run(system, state, steps))
    best = {name: min(found[1:]) for name, found in times.items()}
    short, long = (min(found[1:]) for found in runs.values())
    best["a step of `particles.run`"] = (long - short) / (STEPS[1] - STEPS[0])
    touched, copied, copied_over = next(iter(best.values())), best[fresh], best[over]
    traffic = 4 * 4 * n * d
    show(
        machine("jax"),
        f"n = {n:,} pairs, d = {d}, float32, {default_pairs(n, d, jnp.float32)} pairs a block, "
        f"least of {asked.rounds} rounds; {traffic / 1e9:.3g} GB are read and written.",
        "",
        table(
            ["one step", "ms", "GB/s", "/ in place", "/ copy over", "/ copy to new"],
            [
                [name, milliseconds(t), f"{traffic / t / 1e9:.1f}", f"{t / touched:.2f}",
                 f"{t / copied_over:.2f}", f"{t / copied:.2f}"]
                for name, t in best.items()
            ],
        ),
        "",
        both_ways(a, b, asked.few_rounds),
    )  # fmt: skip


if __name__ == "__main__":
    main()
