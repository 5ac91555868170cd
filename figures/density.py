"""Norm against distance to the 10th neighbour, trained on and held out, with its control."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILION, Row

COLOURS = (BLUE, GREEN, ORANGE, VERMILION)


def draw(result: xr.Dataset) -> Figure:
    """Points of one trained network in two panels, and correlations of all networks.

    Args:
        result: of the experiment ``density``.

    Returns:
        The figure.
    """
    figure, axes = plt.subplots(1, 3, figsize=(PAGE, 2.7))
    *clouds, right = axes
    one = result.sel(stage="trained").isel(run=0)
    for panel, sample in zip(clouds, result.sample.values, strict=True):
        for label in np.unique(result.label):
            these = one.sel(sample=sample).isel(point=np.flatnonzero(result.label == label))
            color = COLOURS[int(label) % len(COLOURS)]
            panel.plot(these.distance, these.norm, ".", ms=1.5, color=color, rasterized=True)
        value, low, high = one.sel(sample=sample).spearman.values
        panel.set_title(f"{sample}, one network:\nρ = {value:.2f} [{low:.2f}, {high:.2f}]")
        panel.set(xlabel="distance to the 10th neighbour", ylabel="norm")
    marks = (("new", BLACK, "o"), ("trained", BLUE, "s"))
    for i, sample in enumerate(result.sample.values):
        for j, (stage, color, mark) in enumerate(marks):
            for k, name in enumerate(("spearman", "within_classes")):
                values = (
                    result[name].sel(sample=sample, stage=stage).transpose("run", "part").values
                )
                x = i + 0.2 * (2 * k + j - 1.5) + np.linspace(-0.04, 0.04, len(values))
                bars = [values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]]
                label = f"{stage}, {('all points', 'within classes')[k]}" if i == 0 else None
                style = {"mfc": "none" if k else color, "ms": 3, "lw": 0.7}
                right.errorbar(
                    x, values[:, 0], np.abs(bars), fmt=mark, color=color, label=label, **style
                )
    right.axhline(0, color="0.7", lw=0.9)
    right.set(ylabel="rank correlation ρ", xlabel="points", ylim=(-1.05, 1.05))
    right.set_yticks([-1, -0.5, 0, 0.5])
    right.set_xticks(range(result.sizes["sample"]), result.sample.values)
    right.set_title("all networks, 95 % intervals")
    right.legend(loc="upper center")
    return figure


def rows(result: xr.Dataset) -> list[Row]:
    """Mean correlations over networks, and the share of networks whose interval is below 0.

    Then, on held-out points, before training, and within classes before and after it.
    """
    found = []
    trained = result.sel(stage="trained")
    for sample in result.sample.values:
        one = trained.sel(sample=sample).spearman
        below = float((one.sel(part="high") < 0).mean())
        found.append(
            Row(
                f"ρ(norm, distance), {sample} (below 0 in {100 * below:.0f} %)",
                None,
                None,
                float(one.sel(part="value").mean()),
            )
        )
    held_out = result.sel(sample="held out", part="value").mean("run")
    for label, name, stage in (
        ("the same before training, held out", "spearman", "new"),
        ("within classes before training, held out", "within_classes", "new"),
        ("within classes, held out", "within_classes", "trained"),
    ):
        found.append(Row(label, None, None, float(held_out[name].sel(stage=stage))))
    return found
