"""Time of the value and all gradients of losses of all pairs, side by side in one run.

Run it with ``python -m tests.benchmarks.losses``; it needs the extra ``torch``. ``--n``,
``--dimension``, ``--rounds``, ``--losses`` and ``--threads`` change the sizes. Rows of lightly,
pytorch-metric-learning and open_clip are there if these can be imported.

The yardstick are the three products that no closed form can do without, U Vᵀ, W V and Wᵀ U, in the
blocks of the library at hand; for NT-Xent and SupCon U = V is all that the loss is given.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

import normtheory as nt
from normtheory.losses._door import default_block
from tests.benchmarks._report import machine, show, table
from tests.benchmarks._timing import in_turn, milliseconds

Call = Callable[[], Any]

OPTIONS: dict[str, dict[str, Any]] = {
    "info_nce": {"temperature": 0.1},
    "clip": {"temperature": 0.07},
    "siglip": {"temperature": 0.1, "bias": -10.0},
    "nt_xent": {"temperature": 0.5},
    "supcon": {"temperature": 0.1},
}
TRAINED = {"clip": ("temperature",), "siglip": ("temperature", "bias")}
CLASSES = 64
MODULES = ("lightly", "pytorch_metric_learning", "open_clip")


def plain(name: str) -> Callable[..., Any]:
    """The usual definition in PyTorch, of clouds as they are and options as tensors."""

    def normal(*clouds: Any) -> list[Any]:
        return [functional.normalize(z, dim=-1) for z in clouds]

    def info_nce(z_1: Any, z_2: Any, temperature: Any) -> Any:
        u, v = normal(z_1, z_2)
        return functional.cross_entropy(u @ v.T / temperature, torch.arange(len(u)))

    def clip(z_1: Any, z_2: Any, temperature: Any) -> Any:
        u, v = normal(z_1, z_2)
        logits, target = u @ v.T / temperature, torch.arange(len(u))
        both = functional.cross_entropy(logits, target), functional.cross_entropy(logits.T, target)
        return sum(both) / 2

    def siglip(z_1: Any, z_2: Any, temperature: Any, bias: Any) -> Any:
        u, v = normal(z_1, z_2)
        signs = 2 * torch.eye(len(u)) - 1
        return -functional.logsigmoid(signs * (u @ v.T / temperature + bias)).sum() / len(u)

    def nt_xent(z_1: Any, z_2: Any, temperature: Any) -> Any:
        (u,) = normal(torch.cat([z_1, z_2]))
        logits = u @ u.T / temperature
        logits = logits.masked_fill(torch.eye(len(u), dtype=torch.bool), -float("inf"))
        return functional.cross_entropy(logits, torch.arange(len(u)).roll(len(z_1)))

    def supcon(z: Any, labels: Any, temperature: Any) -> Any:
        (u,) = normal(z)
        other = ~torch.eye(len(u), dtype=torch.bool)
        logits = u @ u.T / temperature
        log_p = logits - logits.masked_fill(~other, -float("inf")).logsumexp(1, keepdim=True)
        positive = (labels[:, None] == labels[None, :]) & other
        count = positive.sum(1)
        return -((log_p * positive).sum(1) / count.clamp(min=1))[count > 0].mean()

    return locals()[name]


def by_torch(loss: Callable[..., Any], clouds: Any, options: dict[str, Any], trained: Any) -> Call:
    """Forward and backward with leaves for the clouds and the trained options."""
    leaves = [torch.tensor(z, requires_grad=True) for z in clouds]
    given = {k: torch.tensor(x, requires_grad=k in trained) for k, x in options.items()}

    def step() -> Any:
        for leaf in (*leaves, *(given[k] for k in trained)):
            leaf.grad = None
        loss(*leaves, **given).backward()
        return leaves[0].grad

    return step


def by_jax(name: str, clouds: Any, options: dict[str, Any], block: Any) -> Call:
    """``jax.value_and_grad``, jitted, with respect to the clouds and the trained options."""
    trained = {k: jnp.float32(options[k]) for k in TRAINED.get(name, ())}
    fixed = {k: jnp.asarray(x) for k, x in options.items() if k not in trained}

    def of_all(clouds: Any, trained: Any) -> Any:
        return nt.losses.LOSSES[name](*clouds, **fixed, **trained, block=block)

    compiled = jax.jit(jax.value_and_grad(of_all, (0, 1)))
    given = tuple(map(jnp.asarray, clouds))
    return lambda: jax.block_until_ready(compiled(given, trained))


def jax_products(u: np.ndarray, v: np.ndarray, block: int) -> Call:
    """Three products in blocks, a block of U Vᵀ in the place of a block of W."""
    d = u.shape[1]

    @jax.jit
    def products(u: Any, v: Any) -> Any:
        def step(carried: Any, u: Any) -> Any:
            w = jnp.matmul(u, v.T, precision="highest")
            rows = jnp.matmul(w, v, precision="highest")
            return carried + jnp.matmul(u.T, w, precision="highest"), rows

        return jax.lax.scan(step, jnp.zeros_like(v.T), u.reshape(-1, block, d))

    given = jnp.asarray(u), jnp.asarray(v)
    return lambda: jax.block_until_ready(products(*given))


def torch_products(u: np.ndarray, v: np.ndarray, block: int) -> Call:
    """The same in PyTorch."""
    rows, columns = torch.tensor(u), torch.tensor(v)

    def step() -> Any:
        carried, found = torch.zeros_like(columns.T), []
        for start in range(0, len(rows), block):
            part = rows[start : start + block]
            w = part @ columns.T
            carried += part.T @ w
            found.append(w @ columns)
        return carried, torch.cat(found)

    return step


def released(name: str, labels: Any) -> dict[str, tuple[Callable[..., Any], tuple[str, ...]]]:
    """What others release for a loss: name of a row -> call and the options that it trains."""
    found: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {}
    has = {m for m in MODULES if importlib.util.find_spec(m) is not None}
    tau = OPTIONS[name]["temperature"]
    unit = functional.normalize
    if "lightly" in has and name == "nt_xent":
        from lightly.loss import NTXentLoss  # pyright: ignore[reportMissingImports]

        ours = NTXentLoss(temperature=tau)
        found["lightly, `NTXentLoss`"] = (lambda a, b, **_: ours(a, b)), ()
    if "pytorch_metric_learning" in has and name in ("nt_xent", "supcon"):
        from pytorch_metric_learning import losses  # pyright: ignore[reportMissingImports]

        if name == "nt_xent":
            pml = losses.NTXentLoss(temperature=tau)
            both = torch.arange(len(labels)).repeat(2)
            found["pytorch-metric-learning, `NTXentLoss`"] = (
                (lambda a, b, **_: pml(torch.cat([a, b]), both)),
                (),
            )
        else:
            sup = losses.SupConLoss(temperature=tau)
            found["pytorch-metric-learning, `SupConLoss`"] = (
                (lambda z, **_: sup(z, torch.as_tensor(labels))),
                (),
            )
    if "open_clip" in has and name in ("clip", "siglip"):
        loss = open_clip_losses()
        if name == "clip":
            clip = loss.ClipLoss()
            found["open_clip, `ClipLoss`"] = (
                (lambda a, b, temperature: clip(unit(a), unit(b), 1 / temperature)),
                TRAINED["clip"],
            )
        else:
            chunked = "chunk_size" in inspect.signature(loss.SigLipLoss).parameters
            for chunk in (0, CHUNK) if chunked else (0,):
                sig = loss.SigLipLoss(**({"chunk_size": chunk} if chunk else {}))

                def siglip(a: Any, b: Any, temperature: Any, bias: Any, sig: Any = sig) -> Any:
                    return sig(unit(a), unit(b), 1 / temperature, bias)

                shown = f", `chunk_size={chunk}`" if chunk else ""
                found[f"open_clip, `SigLipLoss`{shown}"] = siglip, TRAINED["siglip"]
    return found


CHUNK = 1024
"""Rows of a chunk of open_clip's SigLIP."""


def open_clip_losses() -> Any:
    """The file of open_clip's losses alone: the package wants torchvision, its losses don't."""
    spec = importlib.util.find_spec("open_clip")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "loss.py"
    own = importlib.util.spec_from_file_location("open_clip_losses", path)
    assert own is not None
    assert own.loader is not None
    module = importlib.util.module_from_spec(own)
    own.loader.exec_module(module)
    return module


def rows_of(name: str, n: int, d: int, rounds: int) -> tuple[list[list[str]], str]:
    """The rows of one loss, and how large the blocks were."""
    rng = np.random.default_rng(0)
    clouds = tuple(rng.standard_normal((2, n, d)).astype(np.float32))
    labels = np.arange(n) % min(CLASSES, n // 2)
    options = dict(OPTIONS[name])
    extra: dict[str, Any] = {}
    if name == "supcon":
        clouds, extra = clouds[:1], {"labels": labels}
    u = np.concatenate(clouds) if name == "nt_xent" else clouds[0]
    v = u if name in ("nt_xent", "supcon") else clouds[1]
    ours = nt.losses.LOSSES[name]
    trained = TRAINED.get(name, ())
    # Products want equal blocks: the greatest power of two within the default.
    block = {
        lib: 1 << (default_block(len(v), array, lib).bit_length() - 1)
        for lib, array in (("JAX", jnp.asarray(v)), ("PyTorch", torch.tensor(v)))
    }
    autograd = f"PyTorch autograd, `{name}`"
    ways: dict[str, Call] = {
        "JAX, three products": jax_products(u, v, min(block["JAX"], len(u))),
        "PyTorch, three products": torch_products(u, v, min(block["PyTorch"], len(u))),
        autograd: by_torch(plain(name), clouds, {**options, **extra}, trained),
    }
    for size in ("auto", None):
        suffix = "in blocks" if size else "dense"
        ways[f"normtheory, JAX, `{name}`, {suffix}"] = by_jax(
            name, clouds, {**options, **extra}, size
        )

        def closed(*z: Any, size: Any = size, **given: Any) -> Any:
            return ours(*z, **given, block=size)

        ways[f"normtheory, PyTorch, `{name}`, {suffix}"] = by_torch(
            closed, clouds, {**options, **extra}, trained
        )
    lacking: list[list[str]] = []
    for label, (call, theirs) in released(name, labels).items():
        way = by_torch(call, clouds, {k: options[k] for k in options}, theirs)
        try:
            way()
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            lacking.append([label, "out of memory", "", ""])
        else:
            ways[label] = way
    times = in_turn(ways, rounds)
    rows: list[list[str]] = []
    for label, t in times.items():
        library = "JAX" if "JAX" in label else "PyTorch"
        products = times[f"{library}, three products"]
        rows.append([label, milliseconds(t), f"{t / products:.2f}", f"{times[autograd] / t:.2f}"])
    return (
        rows + lacking,
        f"{block['JAX']} (JAX) and {block['PyTorch']} (PyTorch) rows a block of products",
    )


def main() -> None:
    """Print a table for every loss and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--n", type=int, nargs="+", default=[4096, 16384])
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--losses", nargs="+", default=list(OPTIONS), choices=list(OPTIONS))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    cores = len(os.sched_getaffinity(0))
    missing = [m for m in MODULES if importlib.util.find_spec(m) is None]
    show(
        machine("jax", "torch"),
        f"d = {asked.dimension}, float32, {asked.threads} threads for PyTorch and {cores} cores "
        f"for JAX, least of {asked.rounds} rounds in turn.",
        f"Not installed: {', '.join(missing) or 'nothing'}.",
        "",
    )
    for name in asked.losses:
        for n in asked.n:
            rows, blocks = rows_of(name, n, asked.dimension, asked.rounds)
            show(
                f"{name}, n = {n:,}; {blocks}:",
                "",
                table(["value and all gradients", "ms", "/ products", "autograd / it"], rows),
            )


if __name__ == "__main__":
    main()
