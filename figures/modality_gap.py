"""The modality gap against CLIP's learned scale: slopes −κ, a quarter at twice the norm."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from figures._captions import listed, settings

COLOURS = (BLUE, VERMILION, GREEN, ORANGE)
SMALLEST = 1e-3  # of a gap that is drawn


def _is_norm(name: str) -> bool:
    return name.startswith("norm ")


def draw(result: xr.Dataset) -> Figure:
    """The symmetric state at every norm; a random start and AdamW.

    Args:
        result: of the experiment ``modality_gap``.

    Returns:
        The figure.
    """
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.9), sharey=True)
    names = [str(name) for name in result.run.values]
    groups = ([n for n in names if _is_norm(n)], [n for n in names if not _is_norm(n)])
    for axes, group in zip(panels, groups, strict=True):
        for k, name in enumerate(group):
            one = result.sel(run=name)
            colour = COLOURS[k % len(COLOURS)]
            slope = f", slope {float(one.slope):.2f}" if np.isfinite(one.exponent) else ""
            shown = np.where(one.gap >= SMALLEST, one.gap, np.nan)
            style = {"mfc": "none", "color": colour, "label": f"{name}{slope}"}
            axes.plot(one.scale, shown, "o", **style)
            if np.isfinite(one.exponent):
                axes.plot(one.scale, one.predicted, color=colour, lw=1)
        axes.plot([], [], color=BLACK, lw=1, label="predicted")
        axes.set(xscale="log", yscale="log", xlabel="learned scale b = 1/τ")
        ticks = [t for t in (1, 2, 5, 10) if t <= float(result.scale.max())]
        axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes.minorticks_off()
        axes.set_ylim(SMALLEST, 1.2)
        axes.legend(loc="lower left")
    panels[0].set(ylabel="modality gap", title="symmetric state")
    panels[1].set(title="other starts, other optimizers")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many pairs and steps."""
    s = settings(result)
    return (
        f"The gap between two modalities of {s.pairs} pairs (d = {s.pairs + 2}) against the scale "
        f"that CLIP's loss learns with them, full batch, {s.steps:,} steps of SGD, γ of the "
        f"logarithm of the scale {s.scale_rate:g}, seed {s.seed}. (a) From the symmetric state, at "
        f"norms {listed(s.norms)}. (b) From a random start, and with AdamW on the embeddings. "
        "Marks are measured, lines are predicted; slopes are fitted. One run each, without bars: "
        "in (a) it obeys the law step by step whatever the seed."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """Slope of the gap in the scale for every run by SGD."""
    return [
        Row(
            f"slope of the gap, {name}",
            None,
            float(result.exponent.sel(run=name)),
            float(result.slope.sel(run=name)),
        )
        for name in result.run.values
        if np.isfinite(result.exponent.sel(run=name))
    ]
