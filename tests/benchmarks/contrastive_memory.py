"""Most memory a process holds for one contrastive value and gradient, everything counted.

Run it with ``python -m tests.benchmarks.contrastive_memory``; PyTorch needs the extra ``torch``.
Every cell is a fresh process, whose largest resident size includes Python and all imports.
"""

from __future__ import annotations

import argparse

from simulations.scaling import measure
from tests.benchmarks._report import machine, show, table

WAYS = {
    "streamed": "normtheory, streamed",
    "dense": "normtheory, n × n",
    "torch": "PyTorch autograd",
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--n", type=int, nargs="+", default=[4096, 16384, 32768, 65536])
    parser.add_argument("--largest-dense", type=int, default=16384)
    asked = parser.parse_args()
    rows = []
    for way, name in WAYS.items():
        for n in asked.n:
            if way == "streamed" or n <= asked.largest_dense:
                (found,) = measure("decoupled", way, (n,), asked.dimension, rounds=1)
                peak = f"{found['peak'] / 1e9:.2f}"
                rows.append([name, f"{n:,}", peak, f"{found['seconds']:.3g}"])
    show(
        machine("jax", "torch"),
        f"decoupled, one value and gradient, d = {asked.dimension}, float32.",
        "",
        table(["way", "n", "largest resident size, GB", "s"], rows),
    )


if __name__ == "__main__":
    main()
