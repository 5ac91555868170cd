"""Weight decay: one equilibrium norm and angular step from every start; a fixed pair bursts."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from figures._captions import count, settings

COLOURS = (BLUE, GREEN, ORANGE, VERMILION)


def draw(result: xr.Dataset) -> Figure:
    """Norm and turn against the step for fresh partners, and the norm of a fixed pair.

    Args:
        result: of the experiment ``weight_decay``.

    Returns:
        The figure.
    """
    figure, (norm, turn, pair) = plt.subplots(1, 3, figsize=(PAGE, 2.5))
    for i, start in enumerate(result.start.values):
        one, color = result.sel(start=start), COLOURS[i % len(COLOURS)]
        norm.plot(one.step[::4], one.norm[::4], "o", ms=2.5, mfc="none", mew=0.7, color=color)
        norm.plot(one.step, one.relaxation, color=color, lw=1, label=f"ρ₀ = {start:g}")
        turn.plot(one.step, one.turn, color=color, lw=1.2)
    line = {"color": BLACK, "lw": 0.9, "ls": "--"}
    norm.axhline(float(result.equilibrium_norm), **line)
    norm.set(yscale="log", ylim=(0.9 * result.norm.min(), 1.15 * result.norm.max()))
    norm.set(xlabel="step", ylabel="norm ρ", title="fresh partners: the norm settles")
    turn.axhline(float(result.equilibrium_turn), **line, label="arccos(1 − γλ)")
    norm.legend()
    ticks = sorted({*result.start.values.tolist(), 1.0})
    norm.set_yticks(ticks, [f"{t:g}" for t in ticks])
    norm.minorticks_off()
    turn.set(
        yscale="log", xlabel="step", ylabel="turn a step (radians)", title="and so does the turn"
    )
    turn.legend()
    root = np.sqrt(result.attrs["learning_rate"])
    pair.plot(result.pair_step, result.pair_norm, color=BLUE, lw=1)
    pair.axhline(float(result.equilibrium_norm), **line, label="ρ* of fresh partners")
    pair.axhline(root, color=VERMILION, lw=0.9, ls=":", label="√γ")
    pair.set(
        xlabel="step",
        ylabel="norm ρ",
        title="a fixed pair bursts",
        ylim=(0, 1.4 * float(result.pair_norm.max())),
    )
    pair.legend(loc="upper right")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many embeddings and steps."""
    s = settings(result)
    return (
        f"SGD with weight decay, γ = {s.learning_rate:g}, λ = {s.weight_decay:g}, "
        f"d = {s.dimension}, seed {s.seed}. (a) Norm of embeddings pulled to fresh random "
        f"directions over {s.steps:,} steps, from {count(len(s.norms), 'starting norm')}: circles "
        f"are the fourth root of the mean of ρ⁴ over {count(s.points, 'embedding')}, lines are "
        "predicted. (b) Their turn in a step. Both are of one run over those embeddings, which is "
        "what curves scatter by, without bands. (c) The norm of one pair that stays together, from "
        f"norm {s.pair_norm:g}, {s.pair_steps:,} steps, exactly. Dashed: the equilibrium of fresh "
        "partners."
    )


def relaxation_time(result: xr.Dataset) -> float:
    """Steps in which ρ⁴ comes e times nearer to its equilibrium, fitted from the largest start."""
    one = result.isel(start=int(np.argmax(result.start.values)))
    distance = (one.norm**4 / result.equilibrium_norm**4 - 1).values
    far = distance > 0.1  # nearer than that the average over points is noise
    return float(-1 / np.polyfit(result.step.values[far], np.log(distance[far]), 1)[0])


def rows(result: xr.Dataset) -> list[Row]:
    """Equilibrium norm and turn over the last third of the run, and the relaxation time."""
    late = result.sel(step=result.step > 2 / 3 * float(result.step[-1]))
    product = result.attrs["learning_rate"] * result.attrs["weight_decay"]
    return [
        Row(
            "equilibrium norm",
            None,
            float(result.equilibrium_norm),
            float((late.norm**4).mean() ** 0.25),
        ),
        Row(
            "equilibrium turn (radians)",
            None,
            float(result.equilibrium_turn),
            float(late.turn.mean()),
        ),
        Row("relaxation time (steps)", None, 1 / (4 * product), relaxation_time(result)),
    ]
