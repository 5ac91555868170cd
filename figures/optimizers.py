"""Steps to converge against the norm for SGD, heavy ball, Adam and AdamW, with local exponents."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import normtheory as nt
from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, PURPLE, VERMILION, Row
from figures._captions import count, settings

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE)
MARKERS = ("o", "s", "^", "v", "D")


def _sgd(result: xr.Dataset) -> np.ndarray:
    """The closed form of the flow for random pairs, under SGD."""
    return nt.random_pair_steps(
        int(result.attrs["dimension"]),
        result.norm.values,
        result.attrs["sgd_rate"],
        tolerance=result.attrs["tolerance"],
    )


def _crossover(result: xr.Dataset) -> float:
    """Norm at which γ/ρ² = (1 - √α)²/2: a heavy ball stops seeing the norm below it."""
    return float(np.sqrt(2 * result.attrs["sgd_rate"]) / (1 - np.sqrt(result.attrs["momentum"])))


def draw(result: xr.Dataset) -> Figure:
    """Steps, and the exponents between neighbouring norms with their spread over starts.

    Args:
        result: of the experiment ``optimizers``.

    Returns:
        The figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 3.0))
    norm, inverse = result.norm.values, 1 - result.attrs["momentum"]
    crossover = _crossover(result)
    left.plot(norm, _sgd(result), color=BLACK, lw=0.8, label="flow, ∝ ρ²")
    slow = norm >= crossover
    left.plot(
        norm[slow],
        inverse * _sgd(result)[slow],
        color=BLACK,
        lw=0.8,
        ls="--",
        label="flow at γ/(1 − α)",
    )
    for optimizer, colour, marker in zip(result.optimizer.values, COLOURS, MARKERS, strict=True):
        steps = result.steps.sel(optimizer=optimizer)
        exponent = result.exponent.sel(optimizer=optimizer)
        style = {"color": colour, "marker": marker, "ms": 3, "lw": 1}
        left.errorbar(
            norm,
            steps.mean("start"),
            steps.std("start", ddof=1),
            label=optimizer,
            ls="none",
            elinewidth=0.8,
            **{**style, "lw": 0},
        )
        right.errorbar(
            result.interval_norm,
            exponent.mean("start"),
            exponent.std("start", ddof=1),
            capsize=2,
            elinewidth=0.8,
            **style,
        )
    left.set(yscale="log", xlabel="embedding norm ρ", ylabel="steps to converge")
    left.legend(loc="upper left", ncols=1)
    for level in (0, 1, 2):
        right.axhline(level, color=BLACK, lw=0.6, ls=":")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.axvline(crossover, color=VERMILION, lw=0.8, ls="--")
        axes.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
        axes.minorticks_off()
        axes.set_xlim(norm.min() / 1.1, norm.max() * 1.1)
    right.set(xlabel="embedding norm ρ", ylabel="exponent d log steps / d log ρ")
    right.annotate(
        "γ/ρ² = (1 − √α)²/2",
        (crossover, right.get_ylim()[0]),
        xytext=(-3, 4),
        textcoords="offset points",
        ha="right",
        color=VERMILION,
        fontsize=7,
    )
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many pairs and starts."""
    s = settings(result)
    return (
        f"{s.pairs} random pairs attract each other until their mean cosine is within "
        f"{s.tolerance:g} of 1, d = {s.dimension}. (a) Steps at {s.points} norms, means over "
        f"{count(s.starts, 'start')}; (b) the exponent between neighbouring norms. Bars, where "
        "larger than the marks, are the standard deviation over starts. Black lines are the closed "
        "form of the flow, solid at the rate γ of SGD, dashed at γ/(1 − α) of the heavy ball; the "
        "red line is the norm below which that no longer sees the norm. Rates "
        f"γ = {s.sgd_rate:g} of SGD and heavy ball (α = {s.momentum:g}), {s.adam_rate:g} of Adam "
        f"(ε = {s.adam_epsilon:g} where it has one) and AdamW (λ = {s.weight_decay:g}); "
        f"seed {s.seed}."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """Steps at the largest norm, where closed forms hold, and exponents there."""
    steps = result.steps.isel(norm=-1).mean("start")
    last = result.exponent.isel(interval=-1).mean("start")
    flow = float(_sgd(result)[-1])
    inverse = 1 - result.attrs["momentum"]
    norm = float(result.norm[-1])
    found = [
        Row(f"steps of SGD at norm {norm:g}", None, flow, float(steps.sel(optimizer="SGD"))),
        Row(
            f"steps of heavy ball at norm {norm:g}",
            None,
            inverse * flow,
            float(steps.sel(optimizer="heavy ball")),
        ),
    ]
    return found + [
        Row(f"exponent of {name} at the largest norms", None, 2.0, float(last.sel(optimizer=name)))
        for name in ("SGD", "heavy ball")
    ]
