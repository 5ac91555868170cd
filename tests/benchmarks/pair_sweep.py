"""The paper's whole norm sweep, three ways: PyTorch autograd, the recursion, the closed form.

Run it with ``python -m tests.benchmarks.pair_sweep``; it needs the extra ``torch``. The PyTorch
loop is what one would write: float32, `cosine_similarity`, a mean, `backward`, SGD.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

import normtheory as nt
from tests.benchmarks._report import machine, show, table

PUBLISHED = json.loads(
    (Path(__file__).resolve().parents[2] / "simulations" / "published.json").read_text("utf-8")
)["norm_effect"]
TOLERANCE = 1e-3
ROUNDS = 3


def torch_loop(z: np.ndarray, y: np.ndarray, norm: float, rate: float) -> int:
    """Count the steps of SGD until the mean cosine is within the tolerance of 1."""
    u = torch.tensor(norm * z, dtype=torch.float32, requires_grad=True)
    v = torch.tensor(norm * y, dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.SGD([u, v], lr=rate)
    steps = 0
    while True:
        cosine = torch.nn.functional.cosine_similarity(u, v).mean()
        if cosine.item() >= 1 - TOLERANCE:
            return steps
        optimizer.zero_grad()
        (-cosine).backward()
        optimizer.step()
        steps += 1


def timed(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median of the wall times of some calls, in seconds, and the last result."""
    times, result = [], None
    for _ in range(repeats):
        begin = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - begin)
    return statistics.median(times), result


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore", nt.FlowApproximationWarning)  # norm 1/4: x = 0.32
    n, d, rate = PUBLISHED["pairs"], PUBLISHED["dimension"], PUBLISHED["learning_rate"]
    rng = np.random.default_rng(0)
    z, y = nt.sphere.uniform(rng, n, d), nt.sphere.uniform(rng, n, d)
    norms = np.array(PUBLISHED["norm"], dtype=float)[:, None]
    gamma = nt.pair_rate(rate, n, "mean")

    def recursion() -> np.ndarray:
        return nt.simulate_pairs(angle, norms, norms, gamma, tolerance=TOLERANCE).steps

    def closed_form() -> np.ndarray:
        return nt.steps_to_converge(
            angle, norms, norms, gamma, tolerance=TOLERANCE, ensemble_axis=-1
        )

    angle_time, angle = timed(lambda: nt.angle(z, y), 50)
    first_time, _ = timed(recursion, 1)
    closed_form()  # so that nothing is imported or allocated for the first time
    thread_counts = sorted({1, torch.get_num_threads()})
    loop_times: dict[int, list[float]] = {threads: [] for threads in thread_counts}
    recursion_times, closed_times, counts = [], [], []
    # In turn, so that whatever else the machine does meets all of them.
    for _ in range(ROUNDS):
        for threads in thread_counts:
            torch.set_num_threads(threads)
            seconds, counts = timed(
                lambda: [torch_loop(z, y, float(norm), rate) for norm in norms[:, 0]], 1
            )
            loop_times[threads].append(seconds)
            recursion_times.append(timed(recursion, 5)[0])
            closed_times.append(timed(closed_form, 100)[0])
    loop = {threads: statistics.median(times) for threads, times in loop_times.items()}
    recursion_time, closed_time = map(statistics.median, (recursion_times, closed_times))
    steps, closed = recursion(), closed_form()
    threads, loop_time = min(loop.items(), key=lambda item: item[1])

    rows = [
        [f"PyTorch autograd, float32, {k} thread{'s' if k > 1 else ''}", _duration(seconds),
         f"{loop_time / seconds:.2g}"]
        for k, seconds in loop.items()
    ]  # fmt: skip
    rows += [
        ["`simulate_pairs`, float64", _duration(recursion_time),
         f"{loop_time / recursion_time:.0f}"],
        ["`steps_to_converge`, float64, all norms in one call",
         _duration(closed_time), f"{loop_time / closed_time:.0f}"],
    ]  # fmt: skip
    show(
        machine("numpy", "jax", "scipy", "torch"),
        f"{len(norms)} norms, {n} pairs, d = {d}, rate {rate:g} on a mean, tolerance {TOLERANCE}; "
        f"the ratio is to the faster PyTorch run ({threads} thread{'s' if threads > 1 else ''}).",
        f"Compiling `simulate_pairs` took {_duration(first_time - recursion_time)} once; "
        f"the angles of the start take {_duration(angle_time)}.",
        "",
        table(["the whole sweep", "time", "times faster"], rows),
        table(
            ["norm", "published", "PyTorch", "`simulate_pairs`", "`steps_to_converge`"],
            [
                [f"{norm:g}", published, count, int(step), f"{flow:.1f}"]
                for norm, published, count, step, flow in zip(
                    norms[:, 0], PUBLISHED["steps"], counts, steps, closed, strict=True
                )
            ],
        ),
    )


if __name__ == "__main__":
    main()
