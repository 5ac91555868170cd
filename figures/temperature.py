"""Wrong partners set the best temperature, in proportion to the margin, and the loss's floor."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure
from scipy import stats

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, SKY, VERMILION, Row
from figures._captions import intervals, settings
from simulations.encoders.measures import interval

TRAINED = 1e-6  # of the floor, to which training must come

COLOURS = (BLUE, SKY, GREEN, ORANGE, VERMILION)  # of rates of wrong partners
MARKS = (("o", 8), ("s", 5), ("^", 3))  # of margins: one fits into the other


def draw(result: xr.Dataset) -> Figure:
    """Loss against temperature; best temperature and floor against noise.

    Args:
        result: of the experiment ``temperature``.

    Returns:
        The figure.
    """
    figure, (curves, best, floor) = plt.subplots(1, 3, figsize=(PAGE, 2.7))
    _curves(curves, result)
    noise = result.noise.values
    for k, margin in enumerate(result.margin.values):
        one = result.sel(margin=margin)
        best.plot(result.rate, one.predicted_line, color=BLACK, lw=1)
        _marks(best, one, "best", k)
        _marks(floor, one, "least", k)
        mark, size = MARKS[k % len(MARKS)]
        label = f"margin Δ = {margin:g}"
        best.plot([], [], mark, color=BLACK, mfc="none", ms=size, label=label)
    floor.plot(result.rate, result.floor_line, color=BLACK, lw=1)
    trained = {"color": BLACK, "ms": 11, "mew": 0.7, "label": "trained embeddings"}
    floor.plot(noise, result.trained_loss, "+", **trained)
    best.set(ylabel="best temperature τ*", xlabel="rate ε of wrong partners")
    floor.set(ylabel="loss there, nats", xlabel="rate ε of wrong partners")
    for axes in (best, floor):
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(noise, [f"{e:g}" for e in noise])
        axes.minorticks_off()
        axes.legend(loc="upper left")
    low, high = float(result.predicted.min()) / 1.3, 2.2 * float(result.predicted.max())
    ticks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if low <= t <= high]
    best.set_yticks(ticks, [f"{t:g}" for t in ticks])
    best.set_ylim(low, high)
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many pairs and draws."""
    s = settings(result)
    return (
        f"{s.pairs} pairs whose partner is wrong at rate ε, seed {s.seed}. (a) Expected loss at "
        f"margin {s.margins[0]:g} by temperature, exactly; dots are where the claim puts its "
        f"minima. (b) The temperature that is best for {s.labels:,} partners that were drawn, (c) "
        f"the loss there: means; bars, where larger than the marks, are "
        f"{intervals(s.draws, 'draw')}. Pluses: embeddings "
        f"(d = {s.pairs + 2}) trained with the temperature from a random start, one run each. "
        "Black lines are predicted."
    )


def _curves(axes: Any, result: xr.Dataset) -> None:
    """Expected loss against temperature; rings where and how low its minima are predicted."""
    predicted = result.predicted.isel(margin=0)
    for k, noise in enumerate(result.noise.values):
        colour = COLOURS[k % len(COLOURS)]
        label = f"ε = {noise:g}"
        axes.plot(result.temperature, result.curve.isel(noise=k), color=colour, label=label)
        at = {"color": BLACK, "mfc": colour, "ms": 5, "zorder": 3}
        axes.plot(float(predicted[k]), float(result.floor[k]), "o", **at)
    axes.set(xscale="log", yscale="log", xlabel="temperature τ", ylabel="expected loss, nats")
    low, high = result.temperature.values[[0, -1]]
    ticks = [t for t in (0.03, 0.1, 0.3, 1.0) if low <= t <= high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_ylim(top=30 * float(result.curve[-1, -1]))  # room for the legend
    axes.set_title(f"margin Δ = {float(result.margin[0]):g}")
    axes.legend(loc="upper right")


def _marks(axes: Any, one: xr.Dataset, name: str, k: int) -> None:
    """Means over draws at every rate, in its colour, with the mark of the margin."""
    mark, size = MARKS[k % len(MARKS)]
    for j, noise in enumerate(one.noise.values):
        draws = one[name].isel(noise=j).values
        colour = COLOURS[j % len(COLOURS)]
        style = {"color": colour, "mfc": "none", "ms": size}
        axes.errorbar(noise, draws.mean(), interval(draws), fmt=mark, **style)


def rows(result: xr.Dataset) -> list[Row]:
    """Best temperature and loss there at the first margin, loss of trained embeddings, by rate.

    Means over draws may be as far from the claim as intervals go that hold together in 95 %.
    """
    found = []
    draws = result.sizes["draw"]
    level = 0.05 / (2 * result.sizes["noise"])
    for noise in result.noise.values:
        one = result.isel(margin=0).sel(noise=noise)
        for text, measured, predicted in (
            ("best temperature", one.best, one.predicted),
            ("loss at it", one.least, one.floor),
        ):
            half = float(stats.t.ppf(1 - level / 2, draws - 1) * stats.sem(measured))
            mean = float(measured.mean())
            found.append(Row(f"{text}, ε = {noise:g}", None, float(predicted), mean, half))
        floor, loss = float(one.floor), float(one.trained_loss)
        text = f"loss of trained embeddings, ε = {noise:g}"
        found.append(Row(text, None, floor, loss, TRAINED * floor))
    return found
