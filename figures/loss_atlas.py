"""The loss atlas: gradient norm against embedding norm for every loss, with its slope.

Panels of losses that do not obey are hatched and marked with a cross. Barlow Twins and W-MSE
normalise over the batch, and so pass the first test, all rows at one norm; the ε-guarded cosine
obeys above its ε = 1e-8.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import BLACK, BLUE, PAGE, VERMILION, Row
from figures._captions import settings
from figures._letters import named

COLUMNS, LARGE = 5, 2
"""Of the grid, and of the panel of those that obey."""

_CORNERS = ((0.96, 0.95, "right", "top"), (0.04, 0.05, "left", "bottom"),
            (0.96, 0.05, "right", "bottom"), (0.04, 0.95, "left", "top"))  # fmt: skip


def draw(result: xr.Dataset) -> Figure:
    """One panel for all losses that obey, and one for each that doesn't, on the same axes.

    Args:
        result: of the experiment ``loss_atlas``.

    Returns:
        The figure.
    """
    obeys = result.obeys.values.astype(bool)
    together, others = result.isel(loss=obeys), result.isel(loss=~obeys)
    count = others.sizes["loss"]
    # The large panel leaves room beside it for two lines of panels.
    beside = 2 * (COLUMNS - LARGE)
    lines = 2 + math.ceil(max(0, count - beside) / COLUMNS)
    figure = plt.figure(figsize=(PAGE, 1.5 * lines + 0.75))
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.03, wspace=0.02, hspace=0.02)
    grid = figure.add_gridspec(lines, COLUMNS)
    large = figure.add_subplot(grid[:2, :LARGE])
    _limit(large, result)
    _together(large, together)
    cells = [(line, c) for line in range(2) for c in range(LARGE, COLUMNS)]
    cells += [(line, c) for line in range(2, lines) for c in range(COLUMNS)]
    for index, (line, column) in zip(range(count), cells, strict=False):
        axes = figure.add_subplot(grid[line, column], sharex=large, sharey=large)
        _panel(axes, others.isel(loss=index))
        below = cells.index((line + 1, column)) if (line + 1, column) in cells else count
        axes.tick_params(labelbottom=below >= count, labelleft=False)
    large.set(xlabel="embedding norm", ylabel="gradient norm, relative to that at norm 1")
    figure.legend(handles=_legend(), loc="outside upper center", ncols=4, handlelength=2.6)
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many points."""
    s = settings(result)
    others = int((result.obeys == 0).sum())
    obedient = "losses that obey, whose lines fall on one another"
    which = f"{named(1)} The {obedient}. {named(others, 1)} Those that do not, each by its name."
    return (
        "Length of the gradient, over that at norm 1, against the embedding norm, for every loss "
        f"of the library: a cloud of {s.points} points each, d = {s.dimension}, seed {s.seed}. "
        "Solid: all rows get the norm; dashed: one row gets it, the others keep norm 1. "
        f"{which if others else f'All are {obedient}.'} A loss of directions has slope −1 either "
        "way (grey); the printed slope is fitted where the line is thick. Gradients are exact and "
        "of one cloud, so there are no bars."
    )


def _together(axes: Axes, obedient: xr.Dataset) -> None:
    """Losses that obey: their lines fall on one another, so their names are listed."""
    names = obedient.loss.values.tolist()
    for index in range(len(names)):
        _lines(axes, obedient.isel(loss=index), BLUE)
    slope = obedient.slope.values
    ends = (f"{x:.2f}".replace("-", "−") for x in (slope.min(), slope.max()))
    low, high = ends if len(names) else ("", "")
    said = f"slope {low}" if low == high else f"slopes {low} to {high}"
    axes.set_title(f"{len(names)} losses obey: {said}", color=BLUE, pad=3, fontsize=7)
    half = math.ceil(len(names) / 2)
    for x, some in ((0.03, names[:half]), (0.36, names[half:])):
        axes.text(x, 0.03, "\n".join(some), transform=axes.transAxes, va="bottom", fontsize=6.5,
                  linespacing=1.1)  # fmt: skip


def _limit(axes: Axes, result: xr.Dataset) -> None:
    """Logarithmic axes of all panels, not far beyond the law, with ticks every few decades."""
    seen = result.gradient.values
    seen = seen[np.isfinite(seen) & (seen > 0)]
    axes.set(xscale="log", yscale="log")
    axes.set(xlim=(float(result.norm[0]), float(result.norm[-1])))
    law = 1 / result.norm.values  # a softmax that saturates falls by hundreds of decades: cut off
    axes.set(ylim=(max(seen.min(), law.min() * 1e-6) / 10, min(seen.max(), law.max() * 1e6) * 10))
    for axis in (axes.xaxis, axes.yaxis):
        low, high = (math.log10(x) for x in sorted(axis.get_view_interval()))
        step = 6 if high - low > 12 else 2
        ticks = step * np.arange(math.ceil(low / step), math.floor(high / step) + 1)
        axis.set_ticks([10.0**t for t in ticks])
        axis.set_ticks([], minor=True)


def _panel(axes: Axes, one: xr.Dataset) -> None:
    obeys = bool(one.obeys)
    color = BLUE if obeys else VERMILION
    norm = one.norm.values
    if not obeys:
        axes.patch.set(facecolor="#FCF3EC", edgecolor="#F3E0D2", hatch="////", linewidth=0)
        axes.grid(visible=False)
        axes.plot(norm, 1 / norm, color="0.55", lw=0.8)
    _lines(axes, one, color)
    axes.set_title(f"{'' if obeys else '✗ '}{one.loss.item()}", color=color, pad=3, fontsize=7)
    x, y, ha, va = _emptiest(axes, one)
    text = slopes(one)
    axes.text(x, y, text, transform=axes.transAxes, ha=ha, va=va, fontsize=6.5, linespacing=1.15,
              bbox={"fc": "white" if obeys else "#FCF3EC", "ec": "none", "pad": 1})  # fmt: skip


def _lines(axes: Axes, one: xr.Dataset, color: str) -> None:
    """Both answers of a loss, thick where the slope was fitted."""
    norm = one.norm.values
    styles = {"common": (color, "-", 1.3, 2.6), "own": (BLACK, (0, (3, 1.6)), 0.8, 1.3)}
    for view, (shade, style, thin, thick) in styles.items():
        view_of = one.sel(view=view)
        y = view_of.gradient.where(np.isfinite(view_of.gradient) & (view_of.gradient > 0)).values
        inside = (norm > 0.99 * float(view_of.fit_low)) & (norm < 1.01 * float(view_of.fit_high))
        axes.plot(norm, y, color=shade, ls=style, lw=thin)
        axes.plot(norm[inside], y[inside], color=shade, ls=style, lw=thick)


def slopes(one: xr.Dataset) -> str:
    """What is printed in a panel: one slope where both views agree, else both."""
    common, own = (f"{float(one.slope.sel(view=v)) + 0.0:.2f}" for v in ("common", "own"))
    # A slope of -0.001 is a slope of 0.
    common, own = (s.replace("-0.00", "0.00").replace("-", "−") for s in (common, own))
    return f"slope {common}" if common == own else f"all rows {common}\none row {own}"


def _emptiest(axes: Axes, one: xr.Dataset) -> tuple[float, float, str, str]:
    """The corner with the fewest points of the curves in it."""
    points = np.concatenate(
        [
            np.stack([one.norm.values, one.gradient.sel(view=view).values], axis=1)
            for view in one.view.values
        ]
        + [np.stack([one.norm.values, 1 / one.norm.values], axis=1)]
    )
    points = points[(np.isfinite(points) & (points > 0)).all(axis=1)]
    place = axes.transAxes.inverted().transform(axes.transData.transform(points))
    width, height = 0.66, 0.36

    def crowd(corner: tuple[float, float, str, str]) -> int:
        x, y, _, _ = corner
        near_x = place[:, 0] > 1 - width if x > 0.5 else place[:, 0] < width
        near_y = place[:, 1] > 1 - height if y > 0.5 else place[:, 1] < height
        return int((near_x & near_y).sum())

    return min(_CORNERS, key=crowd)


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=BLUE, lw=2.6, label="all rows, obeys"),
        Line2D([], [], color=VERMILION, lw=2.6, label="all rows, does not obey"),
        Line2D([], [], color=BLACK, lw=1.3, ls=(0, (3, 1.6)), label="one row, others at norm 1"),
        Line2D([], [], color="0.55", lw=0.8, label="slope −1"),
    ]


def rows(result: xr.Dataset) -> list[Row]:
    """The slope farthest from -1 of the losses of directions, and both of each that is not one.

    To six decimals: less is rounding.
    """
    obedient = result.sel(loss=result.of_directions == 1)
    slope = obedient.slope.values
    farthest = float(slope.flat[np.argmax(np.abs(slope + 1))])
    found = [Row(f"slope of {obedient.sizes['loss']} losses of directions", None, -1.0, farthest)]
    for name in result.loss.values[result.of_directions.values == 0]:
        for view, words in (("common", "all rows"), ("own", "one row")):
            one = result.sel(loss=name, view=view)
            found.append(
                Row(
                    f"slope of {name}, {words}",
                    None,
                    float(one.predicted),
                    round(float(one.slope), 6),
                )
            )
    return found
