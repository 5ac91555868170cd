"""Wrong partners set the best temperature, in proportion to the margin, and the floor of the loss.

Left the expected loss at the first margin, its minimum where the claim puts it; middle the
temperature that is best for labels drawn, right the loss there, means over draws with their 95 %
intervals, which are mostly smaller than the marks. Pluses: embeddings that were trained from a
random start together with the temperature. Lines are predicted.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, SKY, VERMILION, Row
from simulations.encoders.measures import interval

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
        best.plot(noise, one.predicted, color=BLACK, lw=1)
        _marks(best, one, "best", k)
        _marks(floor, one, "least", k)
    floor.plot(noise, result.floor, color=BLACK, lw=1, zorder=1)
    floor.plot(noise, result.trained_loss, "+", color=BLACK, ms=4, label="trained embeddings")
    best.set(ylabel="best temperature τ*", xlabel="rate ε of wrong partners")
    floor.set(ylabel="loss there, nats", xlabel="rate ε of wrong partners")
    for axes in (best, floor):
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(noise, [f"{e:g}" for e in noise])
        axes.minorticks_off()
    ticks = np.array([0.02, 0.05, 0.1, 0.2, 0.5, 1.0])
    low, high = result.predicted.min() / 1.3, result.predicted.max() * 1.6
    ticks = ticks[(ticks >= float(low)) & (ticks <= float(high))]
    best.set_yticks(ticks, [f"{t:g}" for t in ticks])
    best.set_ylim(low, high)
    best.legend(loc="upper left")
    handles, labels = floor.get_legend_handles_labels()
    floor.legend(handles[-1:], labels[-1:], loc="upper left")
    return figure


def _curves(axes: Any, result: xr.Dataset) -> None:
    """Expected loss against temperature; rings where and how low its minima are predicted."""
    predicted = result.predicted.isel(margin=0)
    for k, noise in enumerate(result.noise.values):
        colour = COLOURS[k % len(COLOURS)]
        axes.plot(result.temperature, result.curve.isel(noise=k), color=colour, label=f"ε = {noise:g}")
        at = {"color": BLACK, "mfc": colour, "ms": 5, "zorder": 3}
        axes.plot(float(predicted[k]), float(result.floor[k]), "o", **at)
    axes.set(xscale="log", yscale="log", xlabel="temperature τ", ylabel="expected loss, nats")
    ticks = [t for t in (0.03, 0.1, 0.3, 1.0) if result.temperature[0] <= t <= result.temperature[-1]]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_title(f"margin Δ = {float(result.margin[0]):g}")
    axes.legend(loc="lower right")


def _marks(axes: Any, one: xr.Dataset, name: str, k: int) -> None:
    """Means over draws at every rate, in its colour, with the mark of the margin."""
    mark, size = MARKS[k % len(MARKS)]
    for j, noise in enumerate(one.noise.values):
        draws = one[name].isel(noise=j).values
        label = f"Δ = {float(one.margin):g}" if j == 0 else None
        style = {"color": COLOURS[j % len(COLOURS)], "mfc": "none", "ms": size, "label": label}
        axes.errorbar(noise, draws.mean(), interval(draws), fmt=mark, **style)


def rows(result: xr.Dataset) -> list[Row]:
    """Best temperature and loss at every rate, at the first margin; loss of trained embeddings."""
    found = []
    for noise in result.noise.values:
        one = result.sel(noise=noise)
        first = one.isel(margin=0)
        for text, name, predicted in (
            ("best temperature", "best", first.predicted),
            ("loss at it", "least", one.floor),
        ):
            draws = first[name].values
            found.append(
                Row(
                    f"{text}, ε = {noise:g}",
                    None,
                    float(predicted),
                    float(draws.mean()),
                    float(interval(draws)),
                )
            )
        found.append(
            Row(
                f"loss of trained embeddings, ε = {noise:g}",
                None,
                float(one.floor),
                float(one.trained_loss),
                TRAINED * float(one.floor),
            )
        )
    return found
