"""GradScale: steps to converge against the norm for powers 0, 1, 2, with slopes 2, 1, 0."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, COLUMN, GREEN, VERMILION, Row
from figures._captions import count, settings

COLOURS = (BLUE, VERMILION, GREEN)


def draw(result: xr.Dataset) -> Figure:
    """Steps on logarithmic axes; the slope of the recursion is printed at each line.

    Args:
        result: of the experiment ``gradscale``.

    Returns:
        The figure.
    """
    figure, axes = plt.subplots(figsize=(COLUMN, 2.8))
    norm = result.norm
    for power, color in zip(result.power.values, COLOURS, strict=True):
        one = result.sel(power=power)
        axes.plot(norm, one.closed_form, color=color, lw=1.1)
        axes.plot(norm, one.recursion, "o", mfc="none", color=color)
        axes.plot(norm, one.sgd, "+", ms=6, color=color)
        slope, error = float(one.recursion_exponent), float(one.recursion_exponent_error)
        text = f"p = {power:g}: slope {_measured(slope, error)}"
        axes.plot([], [], color=color, label=text)
    axes.plot([], [], "o", mfc="none", color=BLACK, label="exact recursion")
    axes.plot([], [], "+", ms=6, color=BLACK, label="SGD by autodiff")
    axes.set(xscale="log", yscale="log", xlabel="embedding norm ρ", ylabel="steps to converge")
    ticks = [t for t in (0.5, 1, 2, 4, 8) if float(norm.min()) <= t <= float(norm.max())]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.legend(loc="upper left")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panel shows, of how many pairs."""
    s = settings(result)
    return (
        f"Steps until the mean cosine of {count(s.pairs, 'random pair')} is within {s.tolerance:g} "
        "of 1, by embedding norm, where gradients are multiplied by the p-th power of the norm; "
        f"d = {s.dimension}, γ = {s.learning_rate:g} for one pair at norm 1, seed {s.seed}. Lines "
        "are the closed form, circles the exact recursion, crosses SGD by automatic "
        "differentiation: one ensemble of its own at every norm, so there are no bars; ± is the "
        "standard error of the slope fitted to the recursion."
    )


def _measured(value: float, error: float) -> str:
    return "unknown" if np.isnan(error) else f"{value:.3f} ± {error:.3f}"


def rows(result: xr.Dataset) -> list[Row]:
    """Slope of the steps in the norm for every power, from SGD by autodiff."""
    return [
        Row(
            f"slope with GradScale p = {power:g} (± {error:.3f})",
            None,
            2.0 - float(power),
            float(slope),
        )
        for power, slope, error in zip(
            result.power.values,
            result.sgd_exponent.values,
            result.sgd_exponent_error.values,
            strict=True,
        )
    ]
