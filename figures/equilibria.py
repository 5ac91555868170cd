"""Five optimizers settle where closed forms say: the way there, the turn, and how exactly."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, PURPLE, VERMILION, Row
from figures._captions import count, settings

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE)
MARKERS = ("o", "s", "^", "v", "D")
SHOWN = 14  # points of a run that are drawn, evenly over the way


def _steps(number: int) -> str:
    return "1 step" if number == 1 else f"{number} steps"


def draw(result: xr.Dataset) -> Figure:
    """The way to the equilibrium norm, the turn within so many steps, and what laws are off by.

    Args:
        result: of the experiment ``equilibria``.

    Returns:
        The figure.
    """
    figure, (way, turn, off) = plt.subplots(1, 3, figsize=(PAGE, 2.9))
    optimizers = result.optimizer.values
    # At its end nothing is left to see: half of the way.
    step = result.step[: (result.sizes["step"] + 1) // 2]
    every = max(1, len(step) // SHOWN)
    for k, name in enumerate(optimizers):
        one, style = result.sel(optimizer=name), {"color": COLOURS[k], "mfc": "none", "mew": 0.8}
        # Each begins elsewhere, or marks would lie on each other.
        places = slice(k * every // len(optimizers), len(step), every)
        for start in result.start.values:
            law = one.law_ratio.sel(start=start)[: len(step)]
            way.plot(step, law, color=BLACK, lw=0.7)
            marks = one.ratio.sel(start=start)[places]
            way.plot(step[places], marks, MARKERS[k], ms=3.5, **style)
        turn.plot(result.later, np.rad2deg(one.law_turn), color=BLACK, lw=0.7)
        few = one.isel(later=slice(k % 3, None, 3))  # three laws are one
        turn.plot(few.later, np.rad2deg(few.turn), MARKERS[k], ms=3.5, label=str(name), **style)
        bars = np.rad2deg(few.turn_interval)
        turn.errorbar(few.later, np.rad2deg(few.turn), bars, fmt="none", ecolor=COLOURS[k], lw=0.8)
    way.set(xlabel="step", ylabel="norm ρ/ρ*", yscale="log", title="the way there")
    ticks = sorted({*result.start.values.tolist(), 1.0})
    way.set_yticks(ticks, [f"{t:g}" for t in ticks])
    way.minorticks_off()
    turn.plot([], [], color=BLACK, lw=0.7, label="predicted")
    turn.set(xscale="log", yscale="log", xlabel="steps apart", ylabel="turn (degrees)")
    turn.set_title("turn in equilibrium")
    turn.legend(loc="lower right")
    _deviations(off, result)
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many embeddings and steps."""
    s = settings(result)
    burn_in, late = s.burn_in * s.lag, s.blocks * s.lag
    points = s.points * len(s.starts)
    return (
        f"Embeddings pulled to fresh random directions, {s.points} for every start, "
        f"d = {s.dimension}; decay takes {s.share:g} of a length in a step under every optimizer; "
        f"seed {s.seed}. (a) Root mean square norm over that of the equilibrium, by start, in the "
        f"first half of {burn_in:,} steps of one run. (b) Turn between looks so many steps apart, "
        f"in the {late:,} steps after those. Marks in (a) have no bars: what is left of chance in "
        "equilibrium is in (c); bars of (b), where larger than the marks, and of (c) are 95 % "
        f"intervals (Student's t), of norms over all {points} embeddings and of turns over "
        f"{count(s.blocks, 'block')} of {s.lag} steps. Lines are predicted; the grey band is ± 1 %."
    )


def _deviations(axes: Axes, result: xr.Dataset) -> None:
    """What is measured over what is predicted, in per cent, with 95 % intervals."""
    names = [str(name) for name in result.optimizer.values]
    places = np.arange(len(names))[::-1]
    shown = [
        ("norm", result.norm, result.norm_interval, result.law_norm, BLUE, "o"),
        *(
            (
                f"turn, {_steps(n)}",
                *(result[key].sel(later=n) for key in ("turn", "turn_interval", "law_turn")),
                colour,
                marker,
            )
            for n, colour, marker in zip(
                result.later.values[[0, -1]], (VERMILION, GREEN), ("s", "^"), strict=True
            )
        ),
    ]
    axes.axvspan(-1, 1, color="0.93", lw=0)
    axes.plot([0, 0], [-0.5, len(names) - 0.5], color=BLACK, lw=0.7)
    for k, (label, found, half, law, colour, marker) in enumerate(shown):
        axes.errorbar(
            100 * (found / law - 1).values,
            places + 0.22 * (1 - k),
            xerr=100 * (half / law).values,
            fmt=marker,
            ms=3.5,
            color=colour,
            elinewidth=1,
            label=label,
        )
    labels = [f"{name}\nρ* = {float(result.law_norm.sel(optimizer=name)):.2f}" for name in names]
    axes.set_yticks(places, labels)
    axes.set(ylim=(-1.9, len(names) - 0.4), xlabel="measured − predicted (%)", ylabel="optimizer")
    axes.set_title("both, against their laws")
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower center", ncols=1)


def rows(result: xr.Dataset) -> list[Row]:
    """Norms and turns with their intervals, and steps until half of the way is done."""
    found = []
    for name in result.optimizer.values:
        one = result.sel(optimizer=name)
        half = float(one.norm_interval)
        found.append(
            Row(
                f"norm, {name} (± {half:.2g})",
                None,
                float(one.law_norm),
                float(one.norm),
            )
        )
        for n in result.later.values[[0, -1]]:
            there = one.sel(later=n)
            turn, half, law = (
                float(np.rad2deg(there[key])) for key in ("turn", "turn_interval", "law_turn")
            )
            text = f"turn in {_steps(n)}, degrees, {name} (± {half:.2g})"
            found.append(Row(text, None, law, turn))
        for start in result.start.values:
            there = one.sel(start=start)
            text = f"steps until half-way from {start:g} ρ*, {name}"
            found.append(Row(text, None, float(there.law_half), float(there.half)))
    return found
