"""The class-imbalance training, two ways: a plain PyTorch loop, and one compiled JAX program.

Run it with ``python -m tests.benchmarks.class_imbalance``; it needs the extra ``torch``. The
PyTorch loop is what one would write: a batch, NT-Xent by `cross_entropy` of all similarities,
`backward`, SGD; five runs one after another, or shared out to a process for every core. JAX has a
device for every core (``JAX_NUM_CPU_DEVICES=1`` for one). Both train on the same points, with the
same numbers of steps, pairs and units, in float32.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import jax
import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from simulations._cores import use_all_cores
from simulations.class_imbalance import Settings
from simulations.encoders.data import Points, SameClassPairs
from simulations.encoders.training import Run, embed, start, train
from tests.benchmarks._report import machine, show, table

SETTINGS = Settings(runs=5)
ROUNDS = 3


def nt_xent(z_1: torch.Tensor, z_2: torch.Tensor, temperature: float) -> torch.Tensor:
    """NT-Xent over 2n views, from its definition."""
    z = torch.nn.functional.normalize(torch.cat([z_1, z_2]))
    logits = z @ z.T / temperature
    logits.fill_diagonal_(float("-inf"))
    n = len(z_1)
    partner = torch.arange(2 * n).roll(n)
    return torch.nn.functional.cross_entropy(logits, partner)


def torch_run(points: Points, run: int) -> torch.nn.Module:
    """One training run in PyTorch."""
    torch.manual_seed(run)
    s = SETTINGS
    x = torch.tensor(np.asarray(points.x[run]))
    labels, first, count = (
        torch.tensor(np.asarray(a[run])).long() for a in (points.labels, points.first, points.count)
    )
    encoder = torch.nn.Sequential(
        torch.nn.Linear(s.data_dimension, s.hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(s.hidden, s.dimension),
    )
    optimizer = torch.optim.SGD(encoder.parameters(), lr=s.learning_rate)
    for _ in range(s.steps):
        i = torch.randint(len(x), (s.batch // 2,))
        start_of, size = first[labels[i]], count[labels[i]]
        jump = 1 + (torch.rand(len(i)) * (size - 1)).long()
        j = start_of + (i - start_of + jump) % size
        loss = nt_xent(encoder(x[i]), encoder(x[j]), s.temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder


def torch_norms(points: Points, x: np.ndarray, run: int) -> np.ndarray:
    """Norms of embeddings after a run, in a process that keeps to one core."""
    torch.set_num_threads(1)
    encoder = torch_run(points, run)
    with torch.no_grad():
        return encoder(torch.tensor(x[run])).norm(dim=-1).numpy()


def jax_runs(points: Points, state: Run) -> Run:
    """All runs in JAX, to the end."""
    trained, *_ = train(
        state,
        points,
        SameClassPairs(SETTINGS.batch // 2),
        SETTINGS.recipe(),
        steps=SETTINGS.steps,
        records=1,
        look=lambda _: None,
        shared=False,
    )
    return trained


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{plural if number > 1 else ''}"


def _class_norms(norm: np.ndarray, labels: np.ndarray) -> str:
    return ", ".join(f"{norm[:, labels == k].mean():.2f}" for k in np.unique(labels))


def main() -> None:
    """Print the table."""
    s = SETTINGS
    points, held_out = s.worlds(s.frequencies)(s.seed, s.runs)
    seeds = [(s.seed, r) for r in range(s.runs)]
    state = start(s.recipe(), s.learner, seeds, s.learning_rate)
    first = _seconds(lambda: jax_runs(points, state))
    cores = torch.get_num_threads()
    on_host = Points(*map(np.asarray, points))
    x = np.asarray(held_out.x)
    devices = f"JAX, one program ({_count(jax.local_device_count(), 'core')})"
    times: dict[str, list[float]] = {}
    norms = np.empty(0)
    # Fresh interpreters: a fork of a process that has started JAX may hang.
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        one = partial(torch_norms, on_host, x)
        list(pool.map(one, range(cores)))  # they import PyTorch
        # In turn, so that whatever else the machine does meets all of them.
        for _ in range(ROUNDS):
            for threads in sorted({1, cores}):
                torch.set_num_threads(threads)
                took = _seconds(lambda: [torch_run(points, r) for r in range(s.runs)])
                times.setdefault(f"PyTorch, a loop ({_count(threads, 'thread')})", []).append(took)
            begin = time.perf_counter()
            norms = np.stack(list(pool.map(one, range(s.runs))))
            took = time.perf_counter() - begin
            times.setdefault(f"PyTorch, {_count(cores, 'process', 'es')}", []).append(took)
            took = min(_seconds(lambda: jax_runs(points, state)) for _ in range(3))
            times.setdefault(devices, []).append(took)
    least = {way: min(found) for way, found in times.items()}
    loop, ours = min(t for way, t in least.items() if "loop" in way), least[devices]
    rows = [[way, f"{t:.3f} s", f"{loop / t:.2g}"] for way, t in least.items()]
    rows.append(["JAX, with compiling it", f"{first:.2f} s", f"{loop / first:.2g}"])
    labels = np.asarray(held_out.labels[0])
    z = embed(jax_runs(points, state).learner, held_out.x, shared=False)
    show(
        machine("numpy", "jax", "equinox", "optax", "torch"),
        f"{s.runs} runs of {s.steps} steps, {s.batch} points in a batch, "
        f"{s.data_dimension}-{s.hidden}-{s.dimension} encoder; least of {ROUNDS} rounds (JAX: of "
        f"{3 * ROUNDS}). The ratio is to the faster loop of PyTorch.",
        f"Compiling took {first - ours:.2f} s once.",
        "",
        table(["five runs", "time", "times faster"], rows),
        f"Mean norms of held-out points by class, rarest first: PyTorch "
        f"{_class_norms(norms, labels)}; JAX "
        f"{_class_norms(np.linalg.norm(np.asarray(z), axis=-1), labels)}.",
    )


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", False)
    use_all_cores()
    main()
