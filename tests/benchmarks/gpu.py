"""Rates of the two large forces on whatever JAX runs on, as a fraction of the measured peak.

Run it with ``python -m tests.benchmarks.gpu``. Full size on an accelerator (InfoNCE n = 262,144,
d = 128; pairs n = 10⁷, d = 64), small on a CPU; ``--n``, ``--dimension``, ``--pairs``, ``--block``
and ``--precision`` change that. The peak of arithmetic is that of one large product of square
matrices in float32 at the same precision, the peak of memory that of a pass in place, both in the
same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from normtheory.particles._stream import streamed
from normtheory.particles._stream_blocks import default_block

from normtheory.particles._pairs import attraction_step
from tests.benchmarks._report import machine, show, table
from tests.benchmarks._timing import in_turn, milliseconds
from tests.benchmarks.pair_forces import RATE, negative

LOSSES = {"info_nce": 3, "decoupled": 3, "clip": 4}
"""Name -> matrix products of n × n × d."""


def best_in_place(step: Callable[..., Any], a: jax.Array, b: jax.Array, rounds: int) -> Any:
    """Least time of a step that consumes its clouds, and the last clouds."""
    times = []
    for _ in range(rounds + 1):  # the first compiles
        begin = time.perf_counter()
        a, b, *_ = jax.block_until_ready(step(a, b))
        times.append(time.perf_counter() - begin)
    return min(times[1:]), a, b


def main() -> None:
    """Print the tables."""
    on_cpu = jax.default_backend() == "cpu"
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--n", type=int, default=4096 if on_cpu else 262_144)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=10**5 if on_cpu else 10**7)
    parser.add_argument("--matrix", type=int, default=2048 if on_cpu else 16_384)
    parser.add_argument("--block", type=int, default=None)
    parser.add_argument("--precision", default="highest", choices=["default", "high", "highest"])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    n, d = asked.n, asked.dimension
    block = asked.block or default_block(n, jnp.float32)
    normal = lambda i, *shape: jax.random.normal(jax.random.key(i), shape, jnp.float32)  # noqa: E731

    u, v, square = normal(0, n, d), normal(1, n, d), normal(2, asked.matrix, asked.matrix)
    multiply = jax.jit(partial(jnp.matmul, precision=asked.precision))
    ways = {"peak": lambda: jax.block_until_ready(multiply(square, square))}
    for name in LOSSES:
        compiled = jax.jit(partial(streamed, name, block=block, precision=asked.precision))
        ways[name] = partial(lambda f: jax.block_until_ready(f((u, v))), compiled)
    times = in_turn(ways, asked.rounds)
    peak = 2.0 * asked.matrix**3 / times["peak"]
    rows = [[f"product of {asked.matrix:,} × {asked.matrix:,} matrices",
             milliseconds(times["peak"]), f"{peak / 1e12:.3g}", "1"]]  # fmt: skip
    for name, products in LOSSES.items():
        rate = 2.0 * products * n * n * d / times[name]
        rows.append([f"streamed `{name}`, n = {n:,}, d = {d}", milliseconds(times[name]),
                     f"{rate / 1e12:.3g}", f"{rate / peak:.2f}"])  # fmt: skip

    width = 64
    a, b = normal(3, asked.pairs, width), normal(4, asked.pairs, width)
    touched, a, b = best_in_place(negative, a, b, asked.rounds)
    step = jax.jit(partial(attraction_step, learning_rate=RATE), donate_argnums=(0, 1))
    stepped, *_ = best_in_place(step, a, b, asked.rounds)
    traffic = 16 * asked.pairs * width
    memory = [
        [name, milliseconds(t), f"{traffic / t / 1e9:.3g}", f"{touched / t:.2f}"]
        for name, t in (
            ("pass in place", touched),
            (f"`attraction_step`, {asked.pairs:,} pairs, d = {width}", stepped),
        )
    ]
    device = jax.devices()[0]
    show(
        machine("jax"),
        f"{device.platform}, {device.device_kind}; float32, precision {asked.precision}, {block} "
        f"rows a block, least of {asked.rounds} rounds.",
        "",
        table(["value and gradient", "ms", "TFLOP/s", "of the peak"], rows),
        table(["step of SGD", "ms", "GB/s", "of a pass in place"], memory),
    )


if __name__ == "__main__":
    main()
