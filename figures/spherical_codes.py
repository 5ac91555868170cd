"""Uniformity finds the best known spherical codes from random starts, at every low temperature.

Above, points that were found, each where the symmetry of the code turns it in the plane: lines join
nearest neighbours. Below left, the end of every start: how far its cosines are from the known ones;
those below the line have reached the code. Below right, by how much the largest cosine of the best
start is too large: the antiprism is reached at τ → 0 alone, along the line that is predicted.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy import stats

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, PURPLE, SKY, VERMILION, Row
from simulations.spherical_codes import ANTIPRISM, EXCESS

COLOURS = (BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION)
DRAWN = ("icosahedron", "600-cell", "E8")
REACHED = 1e-6  # of a deviation from the known cosines
SMALLEST = 1e-12  # of a deviation that is drawn


def draw(result: xr.Dataset) -> Figure:
    """Codes that were found, where starts end, and what a temperature above 0 leaves.

    Args:
        result: of the experiment ``spherical_codes``.

    Returns:
        The figure.
    """
    figure = plt.figure(figsize=(PAGE, 4.9))
    names = [str(name) for name in result.code.values]
    shown = [name for name in DRAWN if name in names]
    columns = max(len(shown), 1)
    grid = figure.add_gridspec(2, 6, height_ratios=(1.15, 1))
    for k, name in enumerate(shown):
        width = 6 // columns
        axes = figure.add_subplot(grid[0, width * k : width * (k + 1)])
        points = result.position.values[result.code_of.values == name]
        points = points[:, : int(result.dimension.sel(code=name))]
        _picture(axes, points, COLOURS[names.index(name) % len(COLOURS)])
        axes.set_title(f"{name}, {len(points)} points in R{_raised(points.shape[1])}")
    _ends(figure.add_subplot(grid[1, :3]), result)
    _cooling(figure.add_subplot(grid[1, 3:]), result)
    return figure


def _raised(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _picture(axes: Any, points: np.ndarray, colour: str) -> None:
    """Points in the plane of their symmetry, nearest neighbours joined."""
    cosines = points @ points.T
    np.fill_diagonal(cosines, -1)
    first, second = np.nonzero(np.triu(cosines > cosines.max() - 1e-3))
    flat = points @ plane(points)
    edges = np.stack([flat[first], flat[second]], axis=1)
    width = min(0.6, 30 / len(edges) ** 0.5 / 30)
    axes.add_collection(LineCollection(list(edges), colors="0.6", lw=width, zorder=1))
    axes.plot(*flat.T, "o", ms=2.5, color=colour)
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
    axes.axis("off")


def plane(points: np.ndarray) -> np.ndarray:
    """Two orthonormal columns (d, 2): the plane that a code's symmetry of highest order turns.

    Mirrors across the points of the 600-cell and of E8 make their symmetries. Of the mirrors, the
    simple ones move a single point from one side of a general plane to the other; their product is
    a Coxeter element, and turns its plane by the least angle. The mirrors of the icosahedron are
    those of its edges. Where there is no such system, the first principal axes.
    """
    roots = points
    if points.shape[1] == 3:
        cosines = points @ points.T
        sums = points[:, None] + points[None]
        nearest = abs(cosines - np.sort(cosines, axis=1)[:, -2:-1]) < 1e-3
        roots = sums[nearest]
        roots = roots / np.linalg.norm(roots, axis=1, keepdims=True)
        roots = np.unique(np.round(roots, 6), axis=0)
    d = points.shape[1]
    # A direction that no root is orthogonal to, the same for every code of a dimension.
    height = roots @ np.random.default_rng(0).standard_normal(d)
    above = roots[height > 0]
    mirrored = height[height > 0] - 2 * above @ above.T * height[height > 0][:, None]
    simple = above[(mirrored < 0).sum(axis=1) == 1]
    if len(simple) != d:
        return np.linalg.svd(points, full_matrices=False)[2][:2].T
    element = np.eye(d)
    for root in simple:
        element = element - 2 * np.outer(element @ root, root)
    turns, vectors = np.linalg.eig(element)
    angles = np.angle(turns)
    slowest = vectors[:, np.where(angles > 1e-6, angles, np.inf).argmin()]
    return np.linalg.qr(np.stack([slowest.real, slowest.imag], axis=1))[0]


def _known(result: xr.Dataset) -> list[str]:
    """Codes that are best at every temperature."""
    return [str(name) for name in result.code.values if name != ANTIPRISM]


def _reached(result: xr.Dataset, name: str) -> int:
    """Starts that end at the code."""
    return int((result.deviation.sel(code=name).isel(temperature=-1) <= REACHED).sum())


def _ends(axes: Any, result: xr.Dataset) -> None:
    """The end of every start, side by side for every code."""
    names, starts = _known(result), result.sizes["start"]
    beside = np.linspace(-0.3, 0.3, starts) if starts > 1 else np.zeros(1)
    for k, name in enumerate(names):
        ends = result.deviation.sel(code=name).isel(temperature=-1)
        colour = COLOURS[list(result.code.values).index(name) % len(COLOURS)]
        axes.plot(k + beside, np.maximum(ends, SMALLEST), "o", mfc="none", ms=3, color=colour)
        axes.text(k, 3, f"{_reached(result, name)} of {starts}", ha="center", fontsize=7)
    axes.axhline(REACHED, color="0.4", lw=1, ls="--")
    axes.set(yscale="log", ylim=(SMALLEST / 3, 20), ylabel="distance from known cosines")
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_xticks(range(len(names)), [name.replace("-", "-\n") for name in names])
    axes.set_xlabel("starts that reach the code")


def _cooling(axes: Any, result: xr.Dataset) -> None:
    """Excess of the largest cosine over the known one against temperature."""
    temperature = result.temperature.values
    for k, name in enumerate(result.code.values):
        one = result.sel(code=name)
        best = one.isel(start=int(one.deviation.isel(temperature=-1).argmin()))
        excess = np.maximum(abs(best.largest - best.known), SMALLEST)
        colour = COLOURS[k % len(COLOURS)]
        axes.plot(temperature, excess, "o", mfc="none", color=colour, label=name)
    if ANTIPRISM in result.code.values:
        axes.plot(temperature, EXCESS * temperature, color=BLACK, lw=1, label="predicted")
    axes.set(xscale="log", yscale="log", ylim=(SMALLEST / 3, 20))
    axes.set_xticks(temperature, [f"{t:g}" for t in temperature])
    axes.minorticks_off()
    axes.set(xlabel="temperature τ", ylabel="excess of the largest cosine")
    axes.legend(loc="upper left", ncols=2)


def rows(result: xr.Dataset) -> list[Row]:
    """The largest cosine of the best start against the known one; how many starts reach it.

    The antiprism's is the excess over the known one at the lowest temperature.
    """
    found = []
    lowest = result.isel(temperature=-1)
    starts = result.sizes["start"]
    for name in _known(result):
        one = lowest.sel(code=name)
        best = one.isel(start=int(one.deviation.argmin()))
        found.append(
            Row(
                f"largest cosine, {name}", None, float(best.known), float(best.largest), REACHED
            )
        )
        reached = _reached(result, name)
        low, high = stats.binomtest(reached, starts).proportion_ci(method="wilson")
        text = f"share of starts that reach it, {name} ({low:.2f} to {high:.2f})"
        found.append(Row(text, None, None, reached / starts))
    if ANTIPRISM in result.code.values:
        one = lowest.sel(code=ANTIPRISM)
        excess = one.largest - one.known
        found.append(
            Row(
                f"excess of the largest cosine, {ANTIPRISM}, τ = {float(one.temperature):g}",
                None,
                EXCESS * float(one.temperature),
                float(excess.min()),
                REACHED,
            )
        )
    return found
