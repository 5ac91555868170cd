"""Weight decay in an encoder: norms of embeddings and weights, and accuracy."""

from __future__ import annotations

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures import BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from figures._bands import mean_and_interval
from figures._captions import intervals, settings

COLOURS = (BLUE, GREEN, ORANGE, VERMILION)


def draw(result: xr.Dataset) -> Figure:
    """Norms and accuracy against the step for every decay.

    Args:
        result: of the experiment ``weight_decay_training``.

    Returns:
        The figure.
    """
    figure, panels = plt.subplots(1, 3, figsize=(PAGE, 2.6))
    for axes, name, title in zip(
        panels,
        ("norm", "weight_norm", "accuracy"),
        ("mean embedding norm, held out", "norm of all weights", "10-NN accuracy, held out"),
        strict=True,
    ):
        for i, decay in enumerate(result.decay.values):
            values = result[name].sel(decay=decay)
            color = COLOURS[i % len(COLOURS)]
            mean_and_interval(axes, values, color=color, label=f"λ = {decay:g}")
        axes.set(xlabel="step", ylabel=title)
    panels[0].set_yscale("log")
    shown = panels[0].get_ylim()
    panels[0].set_yticks([0.1, 0.2, 0.5, 1, 2, 5], ["0.1", "0.2", "0.5", "1", "2", "5"])
    panels[0].set_ylim(shown)
    panels[0].minorticks_off()
    panels[2].legend(loc="lower right")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many networks and points."""
    s = settings(result)
    return (
        "A bias-free encoder under weight decay λ: (a) mean norm of held-out embeddings, (b) norm "
        f"of all weights, (c) accuracy of a vote of {s.neighbours} neighbours. Lines are means, "
        f"bands {intervals(s.runs, 'network')}, each with a world of its own: {s.classes} latent "
        f"classes, {s.points:,} points to train on and as many held out, d = {s.dimension}, "
        f"batches of {s.batch}, {s.steps:,} steps of SGD at rate {s.learning_rate:g}, NT-Xent at "
        f"temperature {s.temperature:g}, seed {s.seed}."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """Norms and accuracy at the end."""
    found = []
    for decay in result.decay.values:
        last = result.sel(decay=decay).isel(step=-1).mean("run")
        found += [
            Row(f"mean embedding norm, λ = {decay:g}", None, None, float(last.norm)),
            Row(f"accuracy, λ = {decay:g}", None, None, float(last.accuracy)),
        ]
    return found
