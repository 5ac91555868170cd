"""Over which norms and temperatures the losses of released packages obey, in float32.

Run it with ``python -m tests.benchmarks.released_losses``; docs/released_losses.md says what it
needs. A package that is missing is left out, and the first line shows it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

import normtheory as nt
from tests.benchmarks._released import RELEASED, Released
from tests.benchmarks._report import machine, show, table

TEMPERATURES = (0.5, 0.1, 0.02, 0.01)
SEARCH = (1e-15, 1e15)
"""Norms over which the range is looked for: their squares are float32 numbers."""
PAIRS, DIMENSION = 16, 8
COLDEST = 1e-3
WRONG = 0.01
"""A gradient is off if a row is, by more than this part of the longest row."""
SMALLEST = 1e-30
"""Gradients below this are too near to the end of float32 to be judged."""

_MODULES = {"pytorch-metric-learning": "pytorch_metric_learning"}


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(_MODULES.get(package, package)) is not None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the remarks of other people's packages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def norm_range(loss: Released, temperature: float | None) -> str:
    """The range of norms over which a loss obeys to 1 %, in words.

    The cloud is both views (or embeddings and prototypes) one below the other, so that every row
    that is trained has to obey, and no row may feel the norm of another.
    """

    def of_cloud(z: Any) -> Any:
        return loss.call(z[:PAIRS], z[PAIRS:], temperature)

    try:
        with quiet():
            found = nt.testing.valid_norm_range(
                of_cloud,
                n=2 * PAIRS,
                dimension=DIMENSION,
                backend=loss.library,
                dtype="float32",
                search=SEARCH,
            )
    except ValueError as error:
        return refusal(str(error))
    return in_words(*found)


def refusal(message: str) -> str:
    """What the kit refused a loss for, in a word or two; raises what is no finding."""
    if "gradient is zero" in message:
        return "zero gradient"
    if "gradient is not finite" in message or "returned nan" in message:
        return "NaN"
    if "returned inf" in message or "returned -inf" in message:
        return "infinite"
    raise ValueError(message)


def in_words(low: float, high: float) -> str:
    """A range of norms: nowhere, everywhere, from, up to, or both ends."""
    if np.isnan(low):
        return "nowhere"
    # A minus sign: at a hyphen a browser would break the line.
    first, last = (f"{x:.1e}".replace("-", "−") for x in (low, high))
    if low == 0:
        return "everywhere" if high == np.inf else f"≤ {last}"
    return f"≥ {first}" if high == np.inf else f"{first} to {last}"


def batches() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Two views, float32, of batches that are solved, or as hard as can be."""
    rng = np.random.default_rng(0)

    def views(centres: np.ndarray, partners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # A few degrees apart: exactly parallel and opposite rows have no gradient at all.
        first, second = (x + 0.02 * rng.standard_normal(x.shape) for x in (centres, partners))
        return first.astype(np.float32), second.astype(np.float32)

    axes = np.eye(DIMENSION)
    opposite = np.stack([axes[0], -axes[0]])
    exactly = opposite.astype(np.float32)
    return {
        "two opposite points, each seen twice": (exactly, exactly.copy()),
        "solved, two opposite pairs": views(opposite, opposite),
        "solved, orthogonal pairs": views(axes, axes),
        "positives orthogonal, negatives parallel": views(axes, np.roll(axes, 1, axis=0)),
    }


Gradient = Callable[[float, type], np.ndarray]


def gradient_of(loss: Released, z: np.ndarray, partner: np.ndarray) -> Gradient:
    """The gradient at z as a function of temperature and dtype, as float64 numpy."""
    compiled = jax.jit(jax.grad(lambda z, p, t: loss.call(z, p, t)))

    def by_jax(temperature: float, dtype: type) -> np.ndarray:
        context = jax.enable_x64(True) if dtype is np.float64 else contextlib.nullcontext()
        with context:
            g = compiled(z.astype(dtype), partner.astype(dtype), dtype(temperature))
            return np.asarray(g, np.float64)

    def by_torch(temperature: float, dtype: type) -> np.ndarray:
        import torch  # pyright: ignore[reportMissingImports]

        leaf = torch.tensor(z.astype(dtype), requires_grad=True)
        # The temperature that float32 has, in float64 too.
        value = loss.call(leaf, torch.tensor(partner.astype(dtype)), temperature)
        (g,) = torch.autograd.grad(value, leaf)
        return g.double().numpy()

    return by_jax if loss.library == "jax" else by_torch


def state(found: np.ndarray, exact: np.ndarray) -> str:
    """What a float32 gradient is beside the float64 one: right, off, zero or NaN."""
    if not np.isfinite(found).all():
        return "NaN"
    size = np.linalg.norm(exact, axis=1).max()
    if not np.isfinite(size) or size < SMALLEST:
        return "right"  # nothing to hold against it
    if not found.any():
        return "zero"
    return "off" if np.linalg.norm(found - exact, axis=1).max() > WRONG * size else "right"


def failures(gradient: Gradient) -> str:
    """From which temperature down a gradient is off, zero or NaN, each where it first is."""

    def at(temperature: float) -> str:
        with quiet():
            rounded = float(np.float32(temperature))
            return state(gradient(rounded, np.float32), gradient(rounded, np.float64))

    grid = np.geomspace(0.5, COLDEST, 55)
    seen = [at(float(t)) for t in grid]
    found = []
    for bad in ("off", "zero", "NaN"):
        if bad not in seen:
            continue
        first = seen.index(bad)
        cold = float(grid[first])
        warm = float(grid[first - 1]) if first else cold
        while warm / cold > 1.003:
            middle = float(np.sqrt(warm * cold))
            warm, cold = (warm, middle) if at(middle) == bad else (middle, cold)
        found.append(f"{bad} from {cold:.3g}")
    return ", ".join(found) or "right"


def grouped(rows: list[list[str]]) -> list[list[str]]:
    """The rows with the name of a package in the first of its rows only."""
    seen = [None, *(row[0] for row in rows)]
    return [
        ["" if row[0] == before else row[0], *row[1:]]
        for before, row in zip(seen, rows, strict=False)
    ]


def range_tables(losses: list[Released]) -> tuple[str, str]:
    """The Markdown tables of norm ranges: losses with a temperature, and those without."""
    tempered = [
        [loss.package, f"`{loss.name}`", *(norm_range(loss, t) for t in TEMPERATURES)]
        for loss in losses
        if loss.tempered
    ]
    others = [
        [loss.package, f"`{loss.name}`", norm_range(loss, None)]
        for loss in losses
        if not loss.tempered
    ]
    header = ["package", "loss", *(f"τ = {t:g}" for t in TEMPERATURES)]
    plain = table(["package", "loss", "obeys at norms"], grouped(others))
    return table(header, grouped(tempered)), plain


def stability_table(losses: list[Released]) -> str:
    """The Markdown table of what happens to the gradient as the temperature falls."""
    rows = [
        [
            loss.package,
            f"`{loss.name}`",
            *(failures(gradient_of(loss, *views)) for views in batches().values()),
        ]
        for loss in losses
        if loss.tempered
    ]
    return table(["package", "loss", *batches()], grouped(rows))


def main() -> None:
    """Print the tables."""
    packages = list(dict.fromkeys(loss.package for loss in RELEASED))
    missing = [name for name in packages if not installed(name)]
    losses = [loss for loss in RELEASED if loss.package not in missing]
    versions = [name for name in packages if name not in missing and name != "normtheory"]
    show(
        machine("jax", *versions) + (f"; not installed: {', '.join(missing)}" if missing else ""),
        "",
        *range_tables(losses),
        stability_table(losses),
    )


if __name__ == "__main__":
    main()
