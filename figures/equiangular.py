"""An umbrella opens: clouds of any size keep to the angle of one pair, from collapse to simplex."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from figures._captions import count, listed, settings
from figures._letters import SAME

COLOURS = (BLUE, VERMILION, GREEN, ORANGE)
SHOWN = 16  # points of a run that are drawn, evenly over its steps


def draw(result: xr.Dataset) -> Figure:
    """Three points that open; the angle of clouds and of a pair; InfoNCE's steps.

    Args:
        result: of the experiment ``equiangular``.

    Returns:
        The figure.
    """
    figure = plt.figure(figsize=(PAGE, 4.6))
    frames = result.sizes["frame"]
    grid = figure.add_gridspec(2, 2 * frames, height_ratios=(1, 1.5))
    for k in range(frames):
        place, label = grid[0, 2 * k : 2 * k + 2], SAME if k else ""
        axes: Any = figure.add_subplot(place, projection="3d", label=label)
        _umbrella(axes, result.points.isel(frame=k).values)
        axes.set_title(f"ψ = {np.rad2deg(float(result.frame[k])):.0f}°")
    opening = figure.add_subplot(grid[1, :frames])
    step = result.step.values
    every = max(1, len(step) // SHOWN)
    opening.plot(step, np.rad2deg(result.pair_angle), color=BLACK, lw=1, label="one pair")
    for k, n in enumerate(result.n.values):
        # Each size begins elsewhere, or the points would lie on each other.
        places = slice(k * every // result.sizes["n"], None, every)
        angle = np.rad2deg(result.angle.sel(n=n).values)
        opening.plot(
            step[places], angle[places], "o", mfc="none", color=COLOURS[k % 4], label=f"n = {n}"
        )
    opening.set(xlabel="step", ylabel="angle ψ of the cloud", yticks=(0, 45, 90, 135, 180))
    opening.legend(loc="lower right")
    contrast = figure.add_subplot(grid[1, frames:])
    scale = 1 / result.temperature.values
    places = np.arange(len(scale))
    contrast.bar(places - 0.2, result.closed_form, 0.38, color=BLUE, label="closed form")
    contrast.bar(places + 0.2, result.counted, 0.38, color=VERMILION, label="counted")
    contrast.set_xticks(places, [f"{t:g}" for t in result.temperature.values])
    contrast.set(xlabel="temperature τ of InfoNCE", ylabel="steps from ψ = 34° to 143°")
    contrast.legend(loc="upper left")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many points."""
    s = settings(result)
    return (
        "Clouds in which any two points are at the same angle ψ. (a) Three points on their way "
        "from collapse to the simplex. (b) The angle of clouds of "
        f"n = {listed(s.sizes)} points (d = n, norm {s.norm:g}) over {count(s.steps, 'step')} "
        f"under uniformity (t = {s.sharpness:g}), and of one pair. (c) Steps of "
        f"n = {s.contrast_size} points under InfoNCE between two angles, counted and by the closed "
        f"form. Nothing is random but how clouds are turned in space (seed {s.seed}): one run "
        "each, no bars."
    )


def _umbrella(axes: Any, points: np.ndarray) -> None:
    """Three directions from the origin, seen along their mean and a little from the side."""
    mean = points.sum(axis=0)
    up = mean / np.linalg.norm(mean) if np.linalg.norm(mean) > 1e-9 else _normal(points)
    first = points[0] - (points[0] @ up) * up
    first /= np.linalg.norm(first)
    basis = np.stack([first, np.cross(up, first), up])
    for point in points @ basis.T:
        axes.plot(*zip((0, 0, 0), point, strict=True), color=BLUE, lw=1.4)
        axes.scatter(*point, color=BLUE, s=12, depthshade=False)
    axes.set(xlim=(-0.7, 0.7), ylim=(-0.7, 0.7), zlim=(-0.2, 1.0))
    axes.set_box_aspect((1, 1, 0.85))
    axes.view_init(elev=24, azim=-70)
    axes.set_axis_off()


def _normal(points: np.ndarray) -> np.ndarray:
    """A unit vector across a plane of three points."""
    across = np.cross(points[0], points[1])
    return across / np.linalg.norm(across)


def rows(result: xr.Dataset) -> list[Row]:
    """Angles of all sizes in the middle of the run against the pair's; InfoNCE's steps."""
    middle = int(abs(result.pair_angle.values - np.pi / 2).argmin())
    pair = float(result.pair_angle[middle])
    angles = [
        Row(
            f"angle of {n} points at step {middle}, degrees",
            None,
            float(np.rad2deg(pair)),
            float(np.rad2deg(result.angle.sel(n=n)[middle])),
        )
        for n in result.n.values
    ]
    steps = [
        Row(
            f"steps of InfoNCE, τ = {t:g}",
            None,
            float(result.closed_form.sel(temperature=t)),
            float(result.counted.sel(temperature=t)),
        )
        for t in result.temperature.values
    ]
    return angles + steps
