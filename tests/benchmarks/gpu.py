"""Rates of InfoNCE and SigLIP in blocks, as a share of the products' rate measured in the same run.

Run it with ``python -m tests.benchmarks.gpu`` on an accelerator: n = 65,536 and 262,144, d = 128 or
768, JAX and PyTorch, clouds in float32 and bfloat16 (their sums in float32). ``--tiny`` runs all of
it on a CPU, to know that it runs. The peak is that of one float32 product of square matrices.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import torch  # pyright: ignore[reportMissingImports]

import normtheory as nt
from tests.benchmarks._report import machine, show, table
from tests.benchmarks._timing import in_turn, milliseconds

LOSSES = ("info_nce", "siglip")
PRODUCTS = 3
"""Of n × n × d, that a one-sided loss needs."""
TYPES = ("float32", "bfloat16")
Call = Callable[[], Any]


def by_jax(name: str, n: int, d: int, dtype: str) -> Call:
    """Value and both gradients with JAX."""
    z = [jax.random.normal(jax.random.key(i), (n, d)).astype(dtype) for i in range(2)]
    found = jax.jit(partial(nt.losses.LOSSES[name].value_and_gradient, block="auto"))
    return lambda: jax.block_until_ready(found(*z))


def by_torch(name: str, n: int, d: int, dtype: str, device: str) -> Call:
    """Forward and backward with PyTorch."""
    kind = getattr(torch, dtype)
    z = [torch.randn(n, d, device=device).to(kind).requires_grad_() for _ in range(2)]

    def step() -> None:
        for x in z:
            x.grad = None
        nt.losses.LOSSES[name](*z, block="auto").backward()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def product(library: str, size: int, device: str) -> Call:
    """One product of square matrices, float32 at full precision."""
    if library == "JAX":
        x = jax.random.normal(jax.random.key(0), (size, size))
        multiply = jax.jit(partial(jnp.matmul, precision="highest"))
        return lambda: jax.block_until_ready(multiply(x, x))
    y = torch.randn(size, size, device=device)

    def step() -> None:
        torch.matmul(y, y)
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def memory(library: str, device: str) -> str:
    """Most memory of the device so far in GB: JAX's since its start, PyTorch's since a reset."""
    if library == "JAX":
        seen = jax.devices()[0].memory_stats() or {}
        return f"{seen['peak_bytes_in_use'] / 1e9:.2f}" if "peak_bytes_in_use" in seen else "–"
    return f"{torch.cuda.max_memory_allocated() / 1e9:.2f}" if device == "cuda" else "–"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--libraries", nargs="+", default=["JAX", "PyTorch"])
    asked = parser.parse_args()
    sizes, widths, square = (65_536, 262_144), (128, 768), 16_384
    if asked.tiny:
        sizes, widths, square = (128,), (8,), 64
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = False
    rows = []
    for library in asked.libraries:
        peak = 2.0 * square**3 / in_turn({"": product(library, square, device)}, asked.rounds)[""]
        rows.append(
            [f"{library}, product of {square:,} × {square:,}", "", f"{peak / 1e12:.3g}", 1, ""]
        )
        for name in LOSSES:
            for n in sizes:
                for d in widths:
                    for dtype in TYPES:
                        if device == "cuda":
                            torch.cuda.reset_peak_memory_stats()
                        call = (
                            by_jax(name, n, d, dtype)
                            if library == "JAX"
                            else by_torch(name, n, d, dtype, device)
                        )
                        t = in_turn({"": call}, asked.rounds)[""]
                        rate = 2.0 * PRODUCTS * n * n * d / t
                        rows.append(
                            [f"{library}, `{name}`, n = {n:,}, d = {d}, {dtype}", milliseconds(t),
                             f"{rate / 1e12:.3g}", f"{rate / peak:.2f}", memory(library, device)]
                        )  # fmt: skip
    show(
        machine("jax", "torch"),
        f"JAX on {jax.devices()[0].device_kind}, PyTorch on {device}; least of {asked.rounds} "
        "rounds.",
        "",
        table(["value and gradients", "ms", "TFLOP/s", "of the peak", "GB"], rows),
    )


if __name__ == "__main__":
    main()
