"""Steps to converge against the embedding norm: they grow with its square."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLUE, COLUMN, GREEN, ORANGE, VERMILION, Row
from figures._captions import count, settings

PUBLISHED = "; and the counts of Draganov et al. (2025)"


def draw(result: xr.Dataset) -> Figure:
    """Published, predicted and simulated steps; below, their deviation from the closed form.

    Args:
        result: of the experiment ``norm_effect``.

    Returns:
        The figure.
    """
    norm = result.norm
    closed = result.closed_form.mean("start")
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(COLUMN, 3.6), sharex=True, height_ratios=(2.4, 1)
    )
    fine = np.geomspace(float(norm.min()), float(norm.max()), 100)
    unit = float(result.random_pairs[-1] / norm[-1] ** 2)
    above.plot(fine, unit * fine**2, color=BLUE, label="closed form, ∝ ρ²")
    above.plot(
        norm,
        result.recursion.mean("start"),
        "o",
        mfc="none",
        color=VERMILION,
        label="exact recursion",
    )
    above.plot(norm, result.sgd.mean("sgd_start"), "+", ms=6, color=GREEN, label="SGD by autodiff")
    above.plot(norm, result.published, "x", ms=4, color=ORANGE, label="Draganov et al. (2025)")
    above.set(xscale="log", yscale="log", ylabel="steps to converge")
    above.legend()
    spread = result.recursion / closed
    below.axhline(0, color=BLUE)
    below.fill_between(
        norm,
        100 * (spread.min("start") - 1),
        100 * (spread.max("start") - 1),
        color=VERMILION,
        alpha=0.2,
        lw=0,
        label=f"{result.sizes['start']} random starts",
    )
    below.plot(norm, 100 * (result.sgd.mean("sgd_start") / closed - 1), "+", ms=6, color=GREEN)
    of_sgd = 100 * (result.sgd / closed - 1)
    ends = np.stack([of_sgd.min("sgd_start"), of_sgd.max("sgd_start")])
    below.plot(np.stack([norm, norm]), ends, color=GREEN, lw=0.8)
    below.plot(norm, 100 * (result.published / closed - 1), "x", color=ORANGE)
    below.set(xlabel="embedding norm ρ", ylabel="deviation (%)", ylim=(-3, 3))
    below.legend(loc="lower right")
    ticks = [t for t in (0.25, 0.5, 1, 2, 4, 10) if float(norm.min()) <= t <= float(norm.max())]
    below.set_xticks(ticks, [f"{t:g}" for t in ticks])
    below.minorticks_off()
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many pairs and starts."""
    s = settings(result)
    known = bool(np.isfinite(result.published).any())
    return (
        f"Steps until the mean cosine of {count(s.pairs, 'random pair')} is within {s.tolerance:g} "
        f"of 1, by embedding norm; d = {s.dimension}, SGD at rate {s.learning_rate:g} on the mean "
        f"loss, seed {s.seed}. (a) The closed form; the exact recursion, mean over "
        f"{count(s.starts, 'start')}; SGD by automatic differentiation, mean over "
        f"{count(s.sgd_starts, 'start')}{PUBLISHED if known else ''}; ranges over starts are in "
        "(b). (b) Deviations from the mean closed form of the starts; the band "
        f"is the range of the recursion over its starts, an upright line that of SGD."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """Steps at every norm."""
    return [
        Row(
            f"steps at norm {float(norm):g}",
            None if np.isnan(published) else float(published),
            float(result.closed_form.sel(norm=norm).mean()),
            float(result.recursion.sel(norm=norm).mean()),
        )
        for norm, published in zip(result.norm, result.published.values, strict=True)
    ]
