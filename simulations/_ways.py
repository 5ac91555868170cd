"""The same loss several ways, in a process of its own: ``python -m simulations._ways JSON``.

A process of its own, because the most memory it has ever held is what is measured.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TAU = 0.1


def _pairs(way: str, z_1: np.ndarray, z_2: np.ndarray, rate: float) -> Callable[[], Any]:
    if way == "torch":
        import torch  # pyright: ignore[reportMissingImports]

        leaves = [torch.tensor(z, requires_grad=True) for z in (z_1, z_2)]
        optimizer = torch.optim.SGD(leaves, lr=rate)

        def step() -> None:
            optimizer.zero_grad()
            (-torch.nn.functional.cosine_similarity(leaves[0], leaves[1]).sum()).backward()
            optimizer.step()

        return step
    import jax

    clouds = [jax.numpy.asarray(z_1), jax.numpy.asarray(z_2)]
    if way == "streamed":
        from normtheory.particles._pairs import attraction_step

        def move(a: Any, b: Any) -> Any:
            return attraction_step(a, b, rate)[:2]
    elif way == "dense":
        from normtheory.losses import attraction_gradient

        def move(a: Any, b: Any) -> Any:
            g_1, g_2 = attraction_gradient(a, b)
            return a - rate * len(a) * g_1, b - rate * len(b) * g_2
    else:
        import optax

        def move(a: Any, b: Any) -> Any:
            total = lambda a, b: -optax.losses.cosine_similarity(a, b).sum()  # noqa: E731
            g_1, g_2 = jax.grad(total, (0, 1))(a, b)
            return a - rate * g_1, b - rate * g_2

    compiled = jax.jit(move, donate_argnums=(0, 1)).lower(*clouds).compile()

    def run() -> None:
        clouds[:] = jax.block_until_ready(compiled(*clouds))

    return run


def _contrast(way: str, name: str, z_1: np.ndarray, z_2: np.ndarray) -> Callable[[], Any]:
    if way == "torch":
        import torch  # pyright: ignore[reportMissingImports]

        u, v = (torch.tensor(z, requires_grad=True) for z in (z_1, z_2))

        def step() -> None:
            u.grad = v.grad = None
            a, b = (torch.nn.functional.normalize(z, dim=-1) for z in (u, v))
            logits = a @ b.T / TAU
            if name == "info_nce":
                loss = torch.nn.functional.cross_entropy(logits, torch.arange(len(a)))
            else:
                own = torch.eye(len(a), dtype=torch.bool)
                others = logits.masked_fill(own, -torch.inf)
                loss = (torch.logsumexp(others, dim=-1) - logits.diagonal()).mean()
            loss.backward()

        return step
    import jax

    clouds = jax.numpy.asarray(z_1), jax.numpy.asarray(z_2)

    def both(a: Any, b: Any) -> Any:
        if way in ("streamed", "dense"):
            from normtheory.losses import LOSSES

            block = "auto" if way == "streamed" else None
            return LOSSES[name].value_and_gradient(a, b, temperature=TAU, block=block)
        import optax

        # optax has NT-Xent only: 2n views, four times as many similarities.
        labels = jax.numpy.tile(jax.numpy.arange(len(a)), 2)
        return jax.value_and_grad(
            lambda a, b: optax.losses.ntxent(jax.numpy.concatenate([a, b]), labels, TAU), (0, 1)
        )(a, b)

    compiled = jax.jit(both).lower(*clouds).compile()
    return lambda: jax.block_until_ready(compiled(*clouds))


def most_memory() -> float:
    """The most memory this process has held, in bytes.

    On Linux not by ``getrusage``, which starts from that of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return 1024.0 * float(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def main(asked: dict[str, Any]) -> list[dict[str, float]]:
    """Time one way at growing sizes, and read the most memory this process has held by then."""
    rng = np.random.default_rng(asked["seed"])
    found = []
    for n in sorted(asked["sizes"]):
        z_1, z_2 = rng.standard_normal((2, n, asked["dimension"]), dtype=np.float32)
        if asked["force"] == "pairs":
            call = _pairs(asked["way"], z_1, z_2, asked["learning_rate"])
        else:
            call = _contrast(asked["way"], asked["force"], z_1, z_2)
        times = []
        for _ in range(asked["rounds"]):
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
        found.append({"n": n, "seconds": min(times), "peak": most_memory()})
        del call
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))))
