"""InfoNCE spreads a cluster over the sphere: small norms first, large ones (ρ₂/ρ₁)² later."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from figures import BLUE, PAGE, VERMILION
from figures._captions import listed, settings
from figures._letters import SAME, named

COLOURS = (BLUE, VERMILION)
FRAMES_SHOWN = 4
FRAMES_MOVING = 60


def draw(result: xr.Dataset) -> Figure:
    """The spheres at a few steps, one row a norm; below, uniformity against steps and time.

    Args:
        result: of the experiment ``uniformity``.

    Returns:
        The figure.
    """
    figure = plt.figure(figsize=(PAGE, 5.2))
    count = result.sizes["start_norm"]
    grid = figure.add_gridspec(count + 1, 2 * FRAMES_SHOWN, height_ratios=[1] * count + [1.15])
    steps = result.step.values
    frames = _spread(steps, FRAMES_SHOWN, 16)
    for row in range(count):
        run = result.isel(start_norm=row)
        for column, frame in enumerate(frames):
            place = grid[row, 2 * column : 2 * column + 2]
            axes = figure.add_subplot(place, label=SAME if column else "")
            _sphere(axes, COLOURS[row % 2])(run.directions.isel(step=frame).values)
            if row == 0:
                axes.set_title(f"step {steps[frame]}")
            if column == 0:
                axes.text(-1.25, 0, f"norm {float(run.start_norm):g}", rotation=90, va="center")
    half = FRAMES_SHOWN
    against_steps = figure.add_subplot(grid[count, :half])
    against_time = figure.add_subplot(grid[count, half:], sharey=against_steps)
    for row in range(count):
        run = result.isel(start_norm=row)
        norm = float(run.start_norm)
        style: dict[str, Any] = {"color": COLOURS[row % 2], "label": f"norm {norm:g}"}
        against_steps.plot(steps[1:], run.uniformity[1:], **style)
        dashed = "--" if row else "-"
        against_time.plot(steps[1:] / norm**2, run.uniformity[1:], ls=dashed, **style)
    against_steps.set(xlabel="step", ylabel="uniformity loss", xscale="log")
    against_time.set(xlabel="step / ρ²", xscale="log")
    against_time.tick_params(labelleft=False)
    against_steps.legend()
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many particles."""
    s = settings(result)
    many = len(s.norms)
    return (
        f"{s.pairs} pairs on the sphere, d = 3, start in a cluster (von Mises-Fisher, "
        f"concentration {s.concentration:g}) and move under InfoNCE at temperature "
        f"{s.temperature:g}, SGD at γ = {s.learning_rate:g}, {s.steps:,} steps, seed {s.seed}. "
        f"{named(many)} First views at norms {listed(s.norms)}; faint ones are behind. "
        f"{named(1, many)} Uniformity of the first views against the step and {named(1, many + 1)} "
        "against the step over ρ². One run a norm, all from the same directions, so there are no "
        "bands."
    )


def animate(result: xr.Dataset) -> FuncAnimation:
    """Both spheres side by side, all recorded steps.

    Args:
        result: of the experiment ``uniformity``.

    Returns:
        The animation.
    """
    figure, axes = plt.subplots(1, result.sizes["start_norm"], figsize=(5.0, 2.8), squeeze=False)
    put = []
    for row, one in enumerate(axes[0]):
        put.append(_sphere(one, COLOURS[row % 2]))
        # At a height of its own, or it would be looked for anew in every frame.
        one.set_title(f"norm {float(result.start_norm[row]):g}", y=1.0)
    label = figure.text(0.5, 0.03, "", ha="center")
    # All frames are laid out alike.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")

    def show(frame: int) -> list[Any]:
        for row, points in enumerate(put):
            points(result.directions.isel(start_norm=row, step=frame).values)
        label.set_text(f"step {int(result.step[frame])}")
        return []

    frames = _spread(result.step.values, FRAMES_MOVING, 1)
    return FuncAnimation(figure, show, frames=frames, interval=100)


def _spread(steps: np.ndarray, count: int, first: float) -> list[int]:
    """Places of the start, the end, and of steps between that are even in their logarithm."""
    wanted = [0, *np.geomspace(max(first, steps[1]), steps[-1], count - 1)]
    return [int(np.argmin(abs(steps - step))) for step in wanted]


def _sphere(axes: Any, colour: str) -> Any:
    """An empty sphere seen from above the equator; returns what puts points (n, 3) on it."""
    axes.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), aspect="equal")
    axes.axis("off")
    axes.add_patch(Circle((0, 0), 1, facecolor="0.95", edgecolor="0.6", lw=0.6))
    tilt = np.deg2rad(35)
    angle = np.linspace(0, 2 * np.pi, 200)
    equator = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)
    x, y, depth = _seen(equator, tilt)
    for side, width in ((depth < 0, 0.3), (depth >= 0, 0.6)):
        axes.plot(np.where(side, x, np.nan), np.where(side, y, np.nan), color="0.6", lw=width)
    behind = axes.scatter([], [], s=3, color=colour, alpha=0.25, lw=0)
    before = axes.scatter([], [], s=5, color=colour, lw=0)

    def put(points: np.ndarray) -> None:
        x, y, depth = _seen(points, tilt)
        for artist, side in ((behind, depth < 0), (before, depth >= 0)):
            artist.set_offsets(np.stack([x[side], y[side]], axis=-1))

    return put


def _seen(points: np.ndarray, tilt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right, up and towards the eye, for an eye that looks down by ``tilt`` radians."""
    x, y, z = np.moveaxis(points, -1, 0)
    return x, z * np.cos(tilt) + y * np.sin(tilt), z * np.sin(tilt) - y * np.cos(tilt)
