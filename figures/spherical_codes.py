"""Uniformity finds the best known spherical codes from random starts.

At any temperature nothing but rounding and the optimizer's tolerance is left of five codes; the
antiprism is best at τ → 0 alone.
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
from figures._captions import count, settings
from figures._letters import named
from simulations.spherical_codes import ANTIPRISM, EXCESS

COLOURS = (BLUE, GREEN, ORANGE, PURPLE, VERMILION, SKY)
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
    figure = plt.figure(figsize=(PAGE, 5.3))
    names = [str(name) for name in result.code.values]
    shown = [name for name in DRAWN if name in names]
    above, below = figure.add_gridspec(2, 1, height_ratios=(1.2, 1))
    pictures = above.subgridspec(1, max(len(shown), 1))
    for k, name in enumerate(shown):
        axes = figure.add_subplot(pictures[k])
        points = result.position.values[result.code_of.values == name]
        points = points[:, : int(result.dimension.sel(code=name))]
        _picture(axes, points, _colour(result, name))
        axes.set_title(f"{name}, {_size(result, name)}")
    ends, cooling = below.subgridspec(1, 2)
    _ends(figure.add_subplot(ends), result)
    _cooling(figure.add_subplot(cooling), result)
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many starts."""
    s = settings(result)
    drawn = sum(name in DRAWN for name in result.code.values)
    codes = (
        f"{named(drawn)} Codes that were found, in the plane in which their symmetry turns "
        "them; lines join nearest neighbours. "
        if drawn
        else ""
    )
    return (
        f"Uniformity from {count(s.starts, 'random start')} of every code (n points in R^d, as "
        f"written at each), cooled over {count(len(s.temperatures), 'temperature')} by at most "
        f"{s.iterations} iterations of L-BFGS each, seed {s.seed}. {codes}"
        f"{named(1, drawn)} The end of every start: how far its cosines are from the known ones; "
        "below the dashed line it has reached the code. "
        f"{named(1, drawn + 1)} By how much the largest cosine of the best start is too large, "
        "against temperature; for the antiprism, which is best at τ → 0 alone, with what is "
        f"predicted. What is below {SMALLEST:g} is drawn there. Every start is shown in "
        f"{named(1, drawn)}, one in {named(1, drawn + 1)}: there are no means, and no bars."
    )


def _colour(result: xr.Dataset, name: str) -> str:
    return COLOURS[list(result.code.values).index(name) % len(COLOURS)]


def _size(result: xr.Dataset, name: str) -> str:
    """Points of a code and its space."""
    points, dimension = (int(result[key].sel(code=name)) for key in ("points", "dimension"))
    return f"{points} in R" + "⁰¹²³⁴⁵⁶⁷⁸⁹"[dimension]


def _picture(axes: Any, points: np.ndarray, colour: str) -> None:
    """Points in the plane of their symmetry, nearest neighbours joined."""
    first, second = _neighbours(points)
    flat = points @ plane(points)
    radius = np.linalg.norm(flat, axis=1)
    x, y = flat[radius.argmax()] / radius.max() ** 2
    flat = flat @ np.array([[y, x], [-x, y]])  # one of the outermost on top, at 1
    edges = np.stack([flat[first], flat[second]], axis=1)
    width = min(0.7, 4 / len(edges) ** 0.5)
    axes.add_collection(LineCollection(list(edges), colors="0.6", lw=width, zorder=1))
    axes.plot(*flat.T, "o", ms=8 / len(points) ** 0.25, mew=0, color=colour)
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
    axes.axis("off")


def _neighbours(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the shortest edges."""
    cosines = np.triu(points @ points.T, 1)
    first, second = np.nonzero(cosines > cosines.max() - 1e-3)
    return first, second


def plane(points: np.ndarray) -> np.ndarray:
    """Two orthonormal columns (d, 2): the plane in which a code's symmetry turns it least.

    The symmetries of E8 and the 600-cell are made by mirrors across their points, those of the
    icosahedron by mirrors across the middles of its edges. Where that is so, the plane is that of a
    Coxeter element; else it is that of the first principal axes.
    """
    first, second = _neighbours(points)
    middles = points[first] + points[second]
    for roots in (points, middles / np.linalg.norm(middles, axis=1, keepdims=True)):
        element = _coxeter_element(roots)
        nearest = (points @ element @ points.T).max(axis=1)
        if (nearest > 1 - 1e-6).all():
            turns, vectors = np.linalg.eig(element)
            angles = np.angle(turns)
            slowest = vectors[:, np.where(angles > 1e-6, angles, np.inf).argmin()]
            return np.linalg.qr(np.stack([np.real(slowest), np.imag(slowest)], axis=1))[0]
    return np.linalg.svd(points, full_matrices=False)[2][:2].T


def _coxeter_element(roots: np.ndarray) -> np.ndarray:
    """Product of the simple mirrors of a root system, in any order; zero where it is none.

    Mirrored, a simple root of unit length is the only one that leaves its side of a general plane.
    """
    d = roots.shape[1]
    height = roots @ np.random.default_rng(0).standard_normal(d)
    above, height = roots[height > 0], height[height > 0]
    mirrored = height - 2 * (above @ above.T) * height[:, None]
    simple = above[(mirrored < 0).sum(axis=1) == 1]
    element = np.eye(d)
    for root in simple:
        element = element - 2 * np.outer(element @ root, root)
    return element if len(simple) == d else np.zeros((d, d))


def _known(result: xr.Dataset) -> list[str]:
    """Codes that are best at every temperature."""
    return [str(name) for name in result.code.values if name != ANTIPRISM]


def _reached(result: xr.Dataset, name: str) -> int:
    """Starts that end at the code."""
    return int((result.deviation.sel(code=name).isel(temperature=-1) <= REACHED).sum())


def _best(one: xr.Dataset) -> xr.Dataset:
    """The start of a code that ends nearest to it."""
    return one.isel(start=int(one.deviation.isel(temperature=-1).values.argmin()))


def _ends(axes: Any, result: xr.Dataset) -> None:
    """The end of every start, side by side for every code."""
    names, starts = _known(result), result.sizes["start"]
    sizes = [_size(result, name) for name in names]
    beside = np.linspace(-0.3, 0.3, starts)
    for k, name in enumerate(names):
        ends = result.deviation.sel(code=name).isel(temperature=-1)
        style = {"mfc": "none", "ms": 3, "color": _colour(result, name)}
        axes.plot(k + beside, np.maximum(ends, SMALLEST), "o", **style)
        axes.text(k, 4, f"{_reached(result, name)} of {starts}", ha="center", fontsize=7)
    axes.axhline(REACHED, color="0.4", lw=1, ls="--")
    axes.set(yscale="log", ylim=(SMALLEST / 3, 40), xlim=(-0.5, len(names) - 0.5))
    short = [name.replace("s-p", "s-\np") for name in names]
    axes.set_xticks(
        range(len(names)), [f"{s}\n{size}" for s, size in zip(short, sizes, strict=True)]
    )
    axes.set(xlabel="code", ylabel="distance from known cosines")
    axes.set_title("starts that reach the code")


def _cooling(axes: Any, result: xr.Dataset) -> None:
    """Excess of the largest cosine over the known one against temperature."""
    temperature = result.temperature.values
    for name in _known(result):
        one = _best(result.sel(code=name))
        excess = np.maximum(abs(one.largest - one.known), SMALLEST)
        axes.plot(temperature, excess, "o", mfc="none", color=_colour(result, name))
    if ANTIPRISM in result.code.values:
        one = _best(result.sel(code=ANTIPRISM))
        style = {"mfc": "none", "color": _colour(result, ANTIPRISM)}
        axes.plot(temperature, one.largest - one.known, "o", label="square antiprism", **style)
        axes.plot(temperature, EXCESS * temperature, color=BLACK, lw=1, label="predicted for it")
    axes.plot([], [], "o", mfc="none", color=BLACK, label="the others, in their colours")
    axes.set(xscale="log", yscale="log", ylim=(SMALLEST / 3, 40))
    axes.set_xticks(temperature, [f"{t:g}" for t in temperature])
    axes.minorticks_off()
    axes.set(xlabel="temperature τ", ylabel="excess of the largest cosine")
    axes.set_title("what is left as τ → 0")
    axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.51))


def rows(result: xr.Dataset) -> list[Row]:
    """Of every code the largest cosine of the best start, and how many starts reach the code.

    Shares come with their 95 % interval (Wilson's). The antiprism's row is the excess of its
    largest cosine over the known one.
    """
    found = []
    starts = result.sizes["start"]
    for name in _known(result):
        best = _best(result.sel(code=name))
        known, largest = float(best.known), float(best.largest[-1])
        found.append(Row(f"largest cosine, {name}", None, known, largest, REACHED))
        reached = _reached(result, name)
        low, high = stats.binomtest(reached, starts).proportion_ci(method="wilson")
        text = f"share of {starts} starts that reach it, {name} ({low:.2f} to {high:.2f})"
        found.append(Row(text, None, None, reached / starts))
    if ANTIPRISM in result.code.values:
        best = _best(result.sel(code=ANTIPRISM)).isel(temperature=-1)
        temperature, excess = float(best.temperature), float(best.largest - best.known)
        text = f"excess of the largest cosine, {ANTIPRISM}, τ = {temperature:g}"
        found.append(Row(text, None, EXCESS * temperature, excess, REACHED))
    return found
