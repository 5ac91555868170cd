"""The class-imbalance training, two ways: a plain PyTorch loop, and one compiled JAX program.

Run it with ``python -m tests.benchmarks.class_imbalance``; it needs the extra ``torch``. The
PyTorch loop is what one would write: a batch, NT-Xent by `cross_entropy` of all similarities,
`backward`, SGD; five runs one after another. Both train on the same points, with the same numbers
of steps, pairs and units, in float32.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import jax
import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from simulations.class_imbalance import Settings
from simulations.encoders.data import Points, SameClassPairs
from simulations.encoders.training import Run, advance, embed, start
from tests.benchmarks._report import machine, show, table

SETTINGS = Settings()
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


def jax_runs(points: Points, state: Run) -> Run:
    """All runs in JAX, to the end."""
    trained, losses = advance(
        state,
        points,
        0,
        steps=SETTINGS.steps,
        recipe=SETTINGS.recipe(),
        sample=SameClassPairs(SETTINGS.batch // 2),
        shared=False,
    )
    losses.block_until_ready()
    return trained


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _class_norms(norm: np.ndarray, labels: np.ndarray) -> str:
    return ", ".join(f"{norm[:, labels == k].mean():.2f}" for k in np.unique(labels))


def main() -> None:
    """Print the table."""
    s = SETTINGS
    points, held_out = s.worlds(s.frequencies)(s.seed, s.runs)
    seeds = [(s.seed, r) for r in range(s.runs)]
    state = start(s.recipe(), s.learner, seeds, s.learning_rate)
    first = _seconds(lambda: jax_runs(points, state))
    thread_counts = sorted({1, torch.get_num_threads()})
    torch_times: dict[int, list[float]] = {threads: [] for threads in thread_counts}
    jax_times, encoders = [], []
    # In turn, so that whatever else the machine does meets all of them.
    for _ in range(ROUNDS):
        for threads in thread_counts:
            torch.set_num_threads(threads)
            begin = time.perf_counter()
            encoders = [torch_run(points, r) for r in range(s.runs)]
            torch_times[threads].append(time.perf_counter() - begin)
        jax_times += [_seconds(lambda: jax_runs(points, state)) for _ in range(3)]
    fastest = {threads: min(times) for threads, times in torch_times.items()}
    ours, best = min(jax_times), min(fastest.values())
    rows = [
        [f"PyTorch, {k} thread{'s' if k > 1 else ''}", f"{t:.2f} s", f"{best / t:.2g}"]
        for k, t in fastest.items()
    ]
    rows.append(["JAX, one program", f"{ours:.3f} s", f"{best / ours:.1f}"])
    rows.append(["JAX, with compiling it", f"{first:.2f} s", f"{best / first:.1f}"])
    labels = np.asarray(held_out.labels[0])
    z = embed(jax_runs(points, state).learner, held_out.x, shared=False)
    with torch.no_grad():
        theirs = np.stack(
            [
                encoder(torch.tensor(np.asarray(held_out.x[r]))).norm(dim=-1).numpy()
                for r, encoder in enumerate(encoders)
            ]
        )
    show(
        machine("numpy", "jax", "equinox", "optax", "torch"),
        f"{s.runs} runs of {s.steps} steps, {s.batch} points in a batch, "
        f"{s.data_dimension}-{s.hidden}-{s.dimension} encoder; least of {ROUNDS} rounds (JAX: of "
        f"{3 * ROUNDS}). The ratio is to the faster PyTorch.",
        f"Compiling took {first - ours:.2f} s once.",
        "",
        table(["five runs", "time", "times faster"], rows),
        f"Mean norms of held-out points by class, rarest first: PyTorch "
        f"{_class_norms(theirs, labels)}; JAX "
        f"{_class_norms(np.linalg.norm(np.asarray(z), axis=-1), labels)}.",
    )


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", False)
    main()
