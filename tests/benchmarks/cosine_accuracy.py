"""How many awkward gradients four ways of computing them get wrong.

Run it with ``python -m tests.benchmarks.cosine_accuracy``; it needs the extras ``torch`` and
``bench``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax  # pyright: ignore[reportMissingImports]
import torch  # pyright: ignore[reportMissingImports]

import normtheory as nt
from tests.awkward import Batch, batches
from tests.benchmarks._report import machine, show, table
from tests.exact import gradient_error
from tests.helpers import DTYPES, precision, tolerance, underflow


def _naive(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(ŷ - cos ẑ)/‖z‖ as it stands in a paper."""
    norm_z = np.linalg.norm(z, axis=-1, keepdims=True)
    norm_y = np.linalg.norm(y, axis=-1, keepdims=True)
    cosine = (z * y).sum(-1, keepdims=True) / (norm_z * norm_y)
    return (y / norm_y - cosine * z / norm_z) / norm_z


def _torch(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    leaf = torch.tensor(z, requires_grad=True)
    torch.nn.functional.cosine_similarity(leaf, torch.tensor(y), dim=-1).sum().backward()
    assert leaf.grad is not None
    return leaf.grad.numpy()


def _optax(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    with precision(z.dtype):
        total = lambda z: optax.losses.cosine_similarity(z, y).sum()  # noqa: E731
        return np.asarray(jax.jit(jax.grad(total))(z))


def _autodiff(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    with precision(z.dtype):
        total = lambda z: nt.cosine_similarity(z, jax.numpy.asarray(y)).sum()  # noqa: E731
        return np.asarray(jax.jit(jax.grad(total))(z))


WAYS: dict[str, tuple[Callable[[Any, Any], np.ndarray], str]] = {
    "normtheory, `cosine_gradient` (numpy)": (nt.cosine_gradient, "numpy"),
    "normtheory, `jax.grad` of `cosine_similarity`": (_autodiff, "jax"),
    "PyTorch, autograd of `cosine_similarity`": (_torch, "torch"),
    "optax, `jax.grad` of `cosine_similarity`": (_optax, "jax"),
    "the formula as it stands (numpy)": (_naive, "numpy"),
}


def judge(batch: Batch, found: np.ndarray, library: str) -> np.ndarray:
    """Count rows: all, above 4 eps, above 64 eps, not finite, silent zeros."""
    dtype = batch.z.dtype.type
    finite = np.asarray(np.isfinite(found).all(axis=-1))
    shown = np.where(finite[:, None], found, 0)
    with np.errstate(over="ignore"):  # a gradient that is off by the whole range
        error = gradient_error(shown, batch.exact, underflow(library, dtype))
    zero = finite & ~found.any(axis=-1) & (batch.exact.size > 0)
    return np.array(
        [
            len(found),
            (~finite | (error > tolerance("gradient_99", dtype))).sum(),
            (~finite | (error > tolerance("gradient", dtype))).sum(),
            (~finite).sum(),
            zero.sum(),
        ]
    )


def main() -> None:
    """Print the table."""
    rows = []
    for dtype in DTYPES:
        for name, (gradient, library) in WAYS.items():
            count = np.zeros(5, dtype=int)
            for batch in batches(dtype):
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    found = gradient(batch.z, batch.y)
                count += judge(batch, found, library)
            total, *bad = count
            shares = [f"{n} ({100 * n / total:.1f} %)" for n in bad]
            rows.append([name, dtype.__name__, total, *shares])
    header = [
        "gradient of the cosine", "dtype", "cases", "above 4 eps", "above 64 eps", "NaN or inf",
        "silent zero",
    ]  # fmt: skip
    show(machine("numpy", "jax", "torch", "optax"), "", table(header, rows))


if __name__ == "__main__":
    main()
