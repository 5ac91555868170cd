"""Rare classes end with smaller norms, on average; a single network often says otherwise."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from simulations.class_imbalance import ordered
from simulations.encoders.measures import interval

COLOURS = (BLUE, GREEN, ORANGE, VERMILION)


def share(result: xr.Dataset, frequency: float) -> str:
    """The share of a class among all points, such as 8/15."""
    return f"{frequency:g}/{float(result.frequency.sum()):g}"


def draw(result: xr.Dataset) -> Figure:
    """Norm against epoch by frequency, growth in every run, and single networks.

    Args:
        result: of the experiment ``class_imbalance``.

    Returns:
        The figure.
    """
    figure, (time, end, single) = plt.subplots(1, 3, figsize=(PAGE, 2.6))
    norm = result.norm.mean("assignment")
    balanced = result.balanced.mean("frequency")
    for i, frequency in enumerate(result.frequency.values):
        color, one = COLOURS[i % len(COLOURS)], norm.sel(frequency=frequency)
        time.plot(one.epoch, one.mean("run"), color=color, label=share(result, frequency))
        published = float(result.published.sel(frequency=frequency))
        if np.isfinite(published):
            time.plot(50, published, "o", mfc="none", color=color, clip_on=False)
    time.plot(balanced.epoch, balanced.mean("run"), color=BLACK, ls="--", lw=0.9, label="all equal")
    time.set(xlabel="epoch", ylabel="mean norm, held-out points")
    time.set_title("mean over runs (○ paper's plot)")
    low, high = time.get_ylim()
    time.set_ylim(low, high + 0.35 * (high - low))
    time.legend(ncols=2, loc="upper left", title="share of points")
    last = norm.isel(epoch=-1)
    growth = last - norm.isel(epoch=0)
    growth = growth - growth.mean("frequency")
    for run in growth.run.values:
        end.plot(growth.frequency, growth.sel(run=run), "-", color="0.7", lw=0.8)
    end.errorbar(
        growth.frequency,
        growth.mean("run"),
        interval(growth.transpose("run", "frequency").values),
        fmt="o-",
        color=BLUE,
        capsize=2,
    )
    count = int(ordered(last).sum())
    end.set(xlabel="class frequency", ylabel="growth of the norm, minus its mean", xscale="log")
    end.set_title(f"norms ordered in {count} of {growth.sizes['run']} runs")
    ticks = result.frequency.values
    end.set_xticks(ticks, [f"{t:g}" for t in ticks])
    end.minorticks_off()
    nets = result.norm.isel(epoch=-1)
    for i, frequency in enumerate(ticks):
        values = np.sort(nets.sel(frequency=frequency).values.ravel())
        rank = np.arange(1, len(values) + 1) / len(values)
        single.plot(values, rank, color=COLOURS[i % len(COLOURS)])
    single.set(xlabel="mean norm of the class", ylabel="share of networks below")
    single.set_title(f"ordered in {100 * float(ordered(nets).mean()):.0f} % of networks")
    return figure


def rows(result: xr.Dataset) -> list[Row]:
    """Norms at the end, and the share of runs in which they are ordered by frequency."""
    last = result.norm.mean("assignment").isel(epoch=-1)
    found = []
    for frequency in result.frequency.values[::-1]:
        published = float(result.published.sel(frequency=frequency))
        found.append(
            Row(
                f"norm of the class with {share(result, frequency)} of the points",
                published if np.isfinite(published) else None,
                None,
                float(last.sel(frequency=frequency).mean()),
            )
        )
    found.append(Row("runs ordered by frequency (share)", None, None, float(ordered(last).mean())))
    nets = result.norm.isel(epoch=-1)
    found.append(Row("single networks ordered (share)", None, None, float(ordered(nets).mean())))
    return found
