"""Most memory a process holds for one value and gradient of a contrastive loss, all counted.

Run it with ``python -m tests.benchmarks.contrastive_memory``; PyTorch needs the extra ``torch``.
Every cell is a fresh process, whose largest resident size includes Python and all imports.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks._report import machine, show, table

WAYS = {
    "numpy": "numpy, `decoupled_gradient`, in blocks",
    "jax": "JAX, `decoupled.value_and_gradient`, in blocks",
    "torch": "PyTorch, forward and backward, in blocks",
    "jax-dense": "JAX, n × n",
    "torch-dense": "PyTorch, forward and backward, n × n",
}


def peak() -> int:
    """Largest resident size of this process since its start, in bytes.

    Not ``ru_maxrss``, which a child takes over from the process that it was forked from.
    """
    status = Path("/proc/self/status").read_text()
    return 1024 * next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM"))


def cell(way: str, n: int, d: int) -> dict[str, Any]:
    """One value and gradient in this process."""
    import numpy as np

    import normtheory as nt

    z = np.random.default_rng(0).standard_normal((2, n, d), dtype=np.float32)
    library, _, dense = way.partition("-")
    options: dict[str, Any] = {"temperature": 0.5, "block": None if dense else "auto"}
    begin = time.perf_counter()
    if library == "numpy":
        nt.losses.decoupled_gradient(*z, **options)
    elif library == "jax":
        import jax

        jax.block_until_ready(
            nt.losses.LOSSES["decoupled"].value_and_gradient(*map(jax.numpy.asarray, z), **options)
        )
    else:
        import torch  # pyright: ignore[reportMissingImports]

        leaves = [torch.tensor(x, requires_grad=True) for x in z]
        nt.losses.LOSSES["decoupled"](*leaves, **options).backward()
    return {"peak": peak(), "seconds": time.perf_counter() - begin}


def measured(way: str, n: int, d: int) -> dict[str, Any]:
    """The same in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.contrastive_memory"]
    command += ["--cell", way, "--n", str(n), "--dimension", str(d)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--n", type=int, nargs="+", default=[4096, 16384, 32768, 65536])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--largest-dense", type=int, default=4096)
    parser.add_argument("--cell", choices=list(WAYS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.cell:
        sys.stdout.write(json.dumps(cell(asked.cell, asked.n[0], asked.dimension)))
        return
    rows = []
    for way in asked.ways:
        for n in asked.n:
            if "dense" not in way or n <= asked.largest_dense:
                found = measured(way, n, asked.dimension)
                rows.append(
                    [WAYS[way], f"{n:,}", f"{found['peak'] / 1e9:.2f}", f"{found['seconds']:.3g}"]
                )
    show(
        machine("jax", "torch"),
        f"decoupled, τ = 0.5, one value and gradient, d = {asked.dimension}, float32; the time "
        "includes compiling.",
        "",
        table(["way", "n", "largest resident size, GB", "s"], rows),
    )


if __name__ == "__main__":
    main()
