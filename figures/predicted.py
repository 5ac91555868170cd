"""Trainings beside what ``nt.predict`` says of them: errors of norm, turn and steps, by optimizer.

What does not depend on the size of the gradient has filled and open marks in one place. All
numbers, and where encoders depart and why, are on the page that ``python -m figures --predicted
FILE`` writes.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, PURPLE, VERMILION, Row
from figures._captions import count, settings

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE)
MARKERS = ("o", "s", "^", "v", "D")
PANELS = {"norm": "norm", "turn": "turn in a step", "steps": "steps to equilibrium"}
LINEAR = 10  # per cent, up to which the axis is linear
TICKS = (-100, -10, 0, 10, 100, 1000)


def percent(result: xr.Dataset, quantity: str, kind: str) -> xr.DataArray:
    """What is measured over what was predicted, less 1, in per cent."""
    return 100 * (result[quantity] / result[f"{quantity}_{kind}"] - 1)


def draw(result: xr.Dataset) -> Figure:
    """A row for everything that turns, a panel for every quantity.

    Args:
        result: of the experiment ``predicted``.

    Returns:
        The figure.
    """
    subjects = [str(name) for name in result.subject.values]
    height = 1.1 + 0.32 * len(subjects)
    figure, panels = plt.subplots(1, len(PANELS), figsize=(PAGE, height), sharey=True)
    places = np.arange(len(subjects))[::-1]
    for axes, (quantity, title) in zip(panels, PANELS.items(), strict=True):
        _panel(axes, result, quantity, places)
        axes.set(title=title, xlabel="measured − predicted (%)")
    panels[0].set_yticks(places, [name.replace(": ", ":\n", 1) for name in subjects])
    panels[0].set_ylabel("training: what turns")
    for k, name in enumerate(result.optimizer.values):
        panels[0].plot([], [], MARKERS[k], color=COLOURS[k], ms=3.2, label=str(name))
    panels[0].plot([], [], "o", color=BLACK, mfc="none", ms=3.2, label="by the numbers alone")
    figure.legend(loc="outside lower center", ncols=6, columnspacing=1.0, handletextpad=0.1)
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many runs and steps."""
    s = settings(result)
    late = s.blocks * s.lag
    return (
        "Trainings beside what predict says of them, by optimizer: how far measured numbers are "
        "from predicted ones, (a) norms, (b) turns in a step, (c) steps to equilibrium. Filled "
        "marks are predicted with the measured size of the gradient, open ones from the numbers "
        f"of the run alone. Batches of {s.pairs} pairs, temperature {s.temperature:g}, "
        f"d = {s.dimension}, {s.burn_in * s.lag + late:,} steps of which the last {late:,} are "
        f"measured; marks are over {count(s.runs, 'run')}, too few for an interval, so there are "
        f"no bars: by how much runs differ is on the page of predictions. Seed {s.seed}."
    )


def _panel(axes: Any, result: xr.Dataset, quantity: str, places: np.ndarray) -> None:
    axes.axvline(0, color=BLACK, lw=0.7)
    for place in places[:-1]:
        axes.axhline(place - 0.5, color="0.85", lw=0.5)
    optimizers = result.optimizer.values
    for k, name in enumerate(optimizers):
        style: dict[str, Any] = {"color": COLOURS[k], "ms": 3.2, "mew": 0.7, "ls": "none"}
        at = places + 0.7 * (0.5 - (k + 0.5) / len(optimizers))
        for kind, fill in (("numbers", "none"), ("slope", COLOURS[k])):
            shown = percent(result, quantity, kind).sel(optimizer=name)
            axes.plot(shown, at, MARKERS[k], mfc=fill, **style)
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=1.0)
    axes.set_ylim(-0.5, len(places) - 0.5)
    low, high = axes.get_xlim()
    ticks = [t for t in TICKS if low <= t <= high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="x", labelsize=6.5)
    axes.grid(visible=False, axis="y")


def rows(result: xr.Dataset) -> list[Row]:
    """Norms and turns, as predicted with the measured size of the gradient."""
    found = []
    for subject in result.subject.values:
        for name in result.optimizer.values:
            one = result.sel(subject=subject, optimizer=name)
            for quantity in ("norm", "turn"):
                text = f"{PANELS[quantity]}, {name}, {subject}"
                predicted = float(one[f"{quantity}_slope"])
                found.append(Row(text, None, predicted, float(one[quantity])))
    return found
