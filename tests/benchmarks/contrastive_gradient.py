"""Time of one value and gradient of a contrastive loss, against its matrix products and PyTorch.

Run it with ``python -m tests.benchmarks.contrastive_gradient``; it needs the extras ``torch`` and
``bench``. ``--n``, ``--dimension``, ``--block`` and ``--rounds`` change the sizes.

The yardstick are the three products that no closed form can do without, U Vᵀ, W V and Wᵀ U, once
as a user would write them (n × n matrices, jitted) and once in the blocks of the streamed code.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from normtheory.losses._core import product
from normtheory.particles._stream import streamed
from normtheory.particles._stream_blocks import default_block, over_rows

from normtheory.losses import LOSSES
from tests.benchmarks._report import machine, show, table
from tests.benchmarks._timing import in_turn, milliseconds

TAU = 0.1


@jax.jit
def dense_products(u: jax.Array, v: jax.Array, w: jax.Array) -> Any:
    """U Vᵀ, W V and Wᵀ U."""
    return product(u, v.T), product(w, v), product(w.T, u)


@partial(jax.jit, static_argnums=2)
def blocked_products(u: jax.Array, v: jax.Array, block: int) -> Any:
    """The same three, with a block of U Vᵀ in the place of a block of W."""

    def step(carried: jax.Array, _: jax.Array, u: jax.Array) -> Any:
        w = product(u, v.T)
        return carried + product(u.T, w), (product(w, v),)

    return over_rows(step, (u,), jnp.zeros_like(v.T), block)


def torch_step(z_1: np.ndarray, z_2: np.ndarray) -> Callable[[], Any]:
    """InfoNCE by PyTorch autograd: normalise, one product, cross-entropy, backward."""
    u, v = (torch.tensor(z, requires_grad=True) for z in (z_1, z_2))
    target = torch.arange(len(z_1))

    def step() -> Any:
        u.grad = v.grad = None
        a, b = (torch.nn.functional.normalize(z, dim=-1) for z in (u, v))
        torch.nn.functional.cross_entropy(a @ b.T / TAU, target).backward()
        return u.grad

    return step


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--n", type=int, default=4096)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--block", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    n, d = asked.n, asked.dimension
    block = asked.block or default_block(n, np.float32)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    z_1, z_2 = np.random.default_rng(0).standard_normal((2, n, d)).astype(np.float32)
    u, v = jnp.asarray(z_1), jnp.asarray(z_2)
    w = jnp.asarray(np.random.default_rng(1).standard_normal((n, n)).astype(np.float32))

    def ready(function: Callable[..., Any], *arrays: Any, **options: Any) -> Callable[[], Any]:
        return lambda: jax.block_until_ready(function(*arrays, **options))

    def ours(name: str, **options: Any) -> Callable[[], Any]:
        compiled = jax.jit(partial(streamed, name, block=block, temperature=TAU, **options))
        return ready(compiled, (u, v))

    def dense(u: jax.Array, v: jax.Array) -> Any:
        loss = LOSSES["info_nce"]
        return loss.value(u, v, temperature=TAU), loss.gradient(u, v, temperature=TAU)

    ways = {
        "three matrix products, n × n": ready(dense_products, u, v, w),
        "three matrix products, in blocks": ready(blocked_products, u, v, block),
        "streamed, `info_nce`": ours("info_nce"),
        "streamed, `decoupled`": ours("decoupled"),
        "streamed, `clip` (four products)": ours("clip"),
        "streamed, `nt_xent` (12: 2n views)": ours("nt_xent"),
        "dense, `info_nce`": ready(jax.jit(dense), u, v),
        "PyTorch autograd, InfoNCE": torch_step(z_1, z_2),
    }
    times = in_turn(ways, asked.rounds)
    products, in_blocks, *_ = times.values()
    torch_time = times["PyTorch autograd, InfoNCE"]
    flops = 6.0 * n * n * d
    show(
        machine("jax", "torch"),
        f"n = {n}, d = {d}, float32, {block} rows a block, least of {asked.rounds} rounds; "
        f"the three products are {flops / 1e9:.3g} GFLOP, in blocks "
        f"{flops / in_blocks / 1e9:.3g} GFLOP/s.",
        "",
        table(
            ["value and both gradients", "ms", "/ products n × n", "/ in blocks", "PyTorch / it"],
            [
                [name, milliseconds(t), f"{t / products:.2f}", f"{t / in_blocks:.2f}",
                 f"{torch_time / t:.2f}"]
                for name, t in times.items()
            ],
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
