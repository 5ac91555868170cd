"""Scaling: time of order n for pairs and n² for InfoNCE, and memory that is never of order n²."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from figures import BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from figures._captions import count, settings

STYLES = {
    "streamed": ("streamed", BLUE, "o"),
    "dense": ("whole arrays", GREEN, "s"),
    "torch": ("PyTorch autograd", VERMILION, "^"),
    "optax": ("JAX autograd, optax", ORANGE, "v"),
}
GIGABYTES = (0.25, 0.5, 1, 2, 4, 8)
TITLES = {"pairs": "n pairs", "info_nce": "InfoNCE"}


def draw(result: xr.Dataset) -> Figure:
    """Time above and memory below, pairs on the left and InfoNCE on the right.

    Args:
        result: of the experiment ``scaling``.

    Returns:
        The figure.
    """
    figure, axes = plt.subplots(2, 2, figsize=(PAGE, 4.4), sharex="col", sharey="row")
    for column, (force, title) in enumerate(TITLES.items()):
        upper, lower = axes[:, column]
        for way in STYLES:
            one = select(result, force, way)
            if one.sizes["run"]:
                _lines(upper, lower, one, way, force)
        upper.set(xscale="log", yscale="log", title=title)
        lower.set(xscale="log", yscale="log", xlabel="number of particles n")
        upper.legend(loc="upper left")
    axes[0, 0].set_ylabel("time of one step [s]")
    axes[1, 0].set_ylabel("largest resident size [GB]")
    # Room for the legends above the lines.
    low, high = axes[0, 0].get_ylim()
    axes[0, 0].set_ylim(low, high * (high / low) ** 0.75)
    for axis in axes[1]:
        axis.set_yticks(GIGABYTES, [f"{x:g}" for x in GIGABYTES])
        axis.yaxis.set_minor_locator(NullLocator())
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of which sizes."""
    s = settings(result)
    return (
        "Time of one step, (a) of n pairs under SGD and (b) of value and gradient of InfoNCE, and "
        "(c), (d) the largest resident size of the process, against the number of particles; "
        f"d = {s.dimension}, seed {s.seed}, on this machine ({result.attrs['device']}). A time is "
        f"the least of {count(s.rounds, 'call')}, and every size is measured once, so there are no "
        "bars; exponents are fitted over the larger half of the sizes. A way that stops early "
        "needs more memory or time than it was given."
    )


def _lines(upper: Axes, lower: Axes, one: xr.Dataset, way: str, force: str) -> None:
    name, color, marker = STYLES[way]
    if one.sizes["run"] > 1:
        name += f", $n^{{{exponent(one)[0]:.2f}}}$"
    else:
        name += f", at n = {int(one.n[0]):,} only"
    upper.plot(one.n, one.seconds, marker=marker, ms=3.5, color=color, lw=1.1, label=name)
    lower.plot(one.n, one.peak_memory / 1e9, marker=marker, ms=3.5, color=color, lw=1.1)


def select(result: xr.Dataset, force: str, way: str) -> xr.Dataset:
    """The runs of one force and one way, by number of particles."""
    chosen = (result.force == force) & (result.way == way)
    return result.isel(run=np.flatnonzero(chosen.values)).sortby("n")


def exponent(one: xr.Dataset) -> tuple[float, float]:
    """Cost exponent over the larger half of the sizes, and its standard error (nan without one).

    The larger half, because a fixed cost of some calls hides the law at small sizes.
    """
    if one.sizes["run"] < 2:
        return float("nan"), float("nan")
    late = one.isel(run=slice(min(one.sizes["run"] // 2, one.sizes["run"] - 2), None))
    x, y = np.log(late.n.values), np.log(late.seconds.values)
    if len(x) < 3:
        return float(np.polyfit(x, y, 1)[0]), float("nan")
    slope, covariance = np.polyfit(x, y, 1, cov=True)
    return float(slope[0]), float(np.sqrt(covariance[0, 0]))


def rows(result: xr.Dataset) -> list[Row]:
    """Cost exponents of the streamed way, against 1 for pairs and 2 for InfoNCE."""
    lines = []
    for force, expected in (("pairs", 1.0), ("info_nce", 2.0)):
        slope, error = exponent(select(result, force, "streamed"))
        shown = "" if np.isnan(error) else f" (± {error:.2f})"
        lines.append(Row(f"cost exponent, {TITLES[force]}{shown}", None, expected, slope))
    return lines
