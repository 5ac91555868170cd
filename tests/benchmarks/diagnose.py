"""Most memory and time of ``normtheory diagnose`` on a million embeddings, for each kind of file.

Run it with ``python -m tests.benchmarks.diagnose``; it needs the extra ``formats`` and 2 GB of disk
for files of its own, which it removes. Every cell is the whole command in a fresh process, Python
and all imports counted. The labels are in a file beside the embeddings.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.benchmarks._report import machine, show, table

SUFFIXES = ("npy", "npz", "safetensors", "parquet")
OPTIONS = ("--learning-rate", "0.5", "--batch-size", "256", "--reduction", "mean")
CLASSES = 1000


def embeddings(n: int, dimension: int) -> np.ndarray:
    """Uniform directions around log-normal norms, (n, dimension) float32."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((n, dimension), dtype=np.float32)
    z *= np.exp(rng.normal(0, 0.3, (n, 1))).astype(np.float32)
    return z


def write(path: Path, n: int, dimension: int) -> None:
    """Write the embeddings in the format of the suffix."""
    z = embeddings(n, dimension)
    if path.suffix == ".npy":
        np.save(path, z)
    elif path.suffix == ".npz":
        np.savez(path, embeddings=z)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file({"embeddings": z}, path)
    else:
        import pyarrow
        import pyarrow.parquet

        column = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(z.ravel()), dimension)
        pyarrow.parquet.write_table(pyarrow.table({"embeddings": column}), path)


_MEASURE = """
import os, subprocess, sys, time
begin = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_maxrss, time.perf_counter() - begin)
"""


def run(*command: str) -> tuple[float, float]:
    """Most resident bytes and seconds of a command in a process of its own.

    A process starts with the size of the one that started it, so a small one stands in between.
    """
    call = [sys.executable, "-c", _MEASURE, sys.executable, "-m", *command]
    said = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True).stdout
    exit_status, peak, seconds = map(float, said.split())
    if exit_status:
        raise RuntimeError(f"{' '.join(command)}: exit status {exit_status:.0f}")
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * peak, seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--n", type=int, default=10**6)
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--write", type=Path, help="write this file and end")
    asked = parser.parse_args()
    n, dimension = asked.n, asked.dimension
    if asked.write is not None:
        write(asked.write, n, dimension)
        return
    size = ("--n", str(n), "--dimension", str(dimension))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labelled = {f"{CLASSES:,} classes": np.arange(n) % CLASSES, "all different": np.arange(n)}
        ways: dict[str, tuple[str, ...]] = {"none": ()}
        for i, (way, labels) in enumerate(labelled.items()):
            np.save(folder / f"labels{i}.npy", labels)
            ways[way] = ("--labels", str(folder / f"labels{i}.npy"))
        for suffix in SUFFIXES:
            path = folder / f"z.{suffix}"
            run("tests.benchmarks.diagnose", "--write", str(path), *size)
            for way, options in ways.items():
                peak, seconds = run("normtheory", "diagnose", str(path), *OPTIONS, *options)
                kind = f"`.{suffix}`" + (", mapped" if suffix == "npy" else "")
                rows.append([kind, way, f"{peak / 1e9:.2f}", f"{seconds:.3g}"])
            path.unlink()
    show(
        machine("numpy", "scipy", "safetensors", "pyarrow"),
        f"{n:,} embeddings, d = {dimension}, float32: {4e-9 * n * dimension:.2f} GB.",
        "",
        table(["file", "labels", "largest resident size, GB", "s"], rows),
    )


if __name__ == "__main__":
    main()
