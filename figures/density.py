"""Norm against distance to the 10th neighbour: as published, trained on, held out, untrained."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from figures._captions import intervals, settings
from figures._letters import named
from simulations.encoders.measures import interval

COLOURS = (BLUE, GREEN, ORANGE, VERMILION)
KINDS = (("overall", "all points"), ("within_classes", "within classes"))
STAGES = (("new", BLACK, "o", "before training"), ("trained", BLUE, "s", "trained"))


def draw(result: xr.Dataset) -> Figure:
    """Points of one network, for every sample, and correlations of all networks.

    Intervals of the means are over networks; what training changes is compared network by network.

    Args:
        result: of the experiment ``density``.

    Returns:
        The figure.
    """
    samples = result["sample"].values
    figure, axes = plt.subplots(2, 2, figsize=(PAGE, 5.0))
    *clouds, right = axes.ravel()
    one = result.sel(stage="trained").isel(run=0)
    for panel, sample in zip(clouds, samples, strict=True):
        these = one.sel(sample=sample)
        for label in np.unique(result.label):
            of_class = these.isel(point=np.flatnonzero(result.label == label))
            panel.plot(
                of_class.distance,
                of_class.norm,
                ".",
                ms=1.5,
                color=COLOURS[int(label) % len(COLOURS)],
                label=f"class {int(label) + 1}",
                rasterized=True,
            )
        panel.set_title(f"{sample}: ρ = {float(these.overall):.2f}")
        panel.set(xlabel="distance to the 10th neighbour", ylabel="norm, one network")
        panel.yaxis.set_major_locator(MaxNLocator(4))  # the layout must know its labels
    clouds[0].legend(markerscale=4)
    for k, (name, points) in enumerate(KINDS):
        for j, (stage, color, mark, text) in enumerate(STAGES):
            values = result[name].sel(stage=stage).transpose("run", "sample").values
            x = np.arange(len(samples)) + 0.2 * (2 * k + j - 1.5)
            right.errorbar(
                x,
                values.mean(axis=0),
                interval(values),
                fmt=mark,
                color=color,
                mfc="none" if k else color,
                ms=4,
                capsize=2,
                label=f"{text}, {points}",
            )
    right.axhline(0, color="0.7", lw=0.9)
    right.set(
        ylabel="rank correlation ρ",
        xlabel="points shown; change by training, all points",
        ylim=(-1, 0.75),
    )
    right.set_yticks([-1, -0.5, 0])
    names = []
    for sample in samples:
        gain = by_training(result.overall.sel(sample=sample))
        names.append(f"{sample}\n{gain.mean():+.2f} ± {interval(gain):.2f}")
    right.set_xticks(range(len(samples)), names)
    right.set_title(f"means of {result.sizes['run']} networks, 95 % intervals")
    right.legend(loc="upper center")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many networks and points."""
    s = settings(result)
    samples = result.sizes["sample"]
    return (
        f"Norm of an embedding against its distance to the {s.neighbour}th neighbour. "
        f"{named(samples)} {s.points:,} points in one trained network, by sample, with their rank "
        "correlation ρ. "
        f"{named(1, samples)} Rank correlations of all networks, trained and before training, over "
        "all points and within classes; below, what training changes, network by network. Bars and "
        f"± are {intervals(s.runs, 'network')}. {s.classes} latent classes, data of "
        f"{s.data_dimension} dimensions, d = {s.dimension}, {s.epochs} epochs of SGD at rate "
        f"{s.learning_rate:g}, NT-Xent at temperature {s.temperature:g}, batches of {s.batch}, "
        f"seed {s.seed}."
    )


def by_training(correlation: xr.DataArray) -> np.ndarray:
    """What training adds to a correlation, network by network: the same ones at both stages."""
    trained, new = (correlation.sel(stage=stage).values for stage in ("trained", "new"))
    return trained - new


def rows(result: xr.Dataset) -> list[Row]:
    """Mean correlations over networks, overall and within classes, trained and before training."""
    found = []
    for stage, _, _, text in STAGES[::-1]:
        for sample in result["sample"].values:
            for name, points in KINDS:
                values = result[name].sel(stage=stage, sample=sample).values
                label = f"ρ(norm, distance), {sample}, {text}, {points} (± {interval(values):.2f})"
                found.append(Row(label, None, None, float(values.mean())))
    return found
