"""What norms tell of frequency, by optimizer: SGD a fourth root, lazy Adam a root, AdamW S(a)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, PURPLE, VERMILION, Row
from figures._captions import intervals, settings
from normtheory import equilibrium

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE)
MARKERS = ("o", "s", "^", "v", "D")


def draw(result: xr.Dataset) -> Figure:
    """Norms that grow and norms that settle against the frequency; the mean square step of AdamW.

    Args:
        result: of the experiment ``norm_and_frequency``.

    Returns:
        The figure.
    """
    figure, (growth, settled, step) = plt.subplots(
        1, 3, figsize=(PAGE, 3.0), width_ratios=(1, 1.2, 1)
    )
    sparse = result.sel(rule=~result.rule.str.startswith("dense"))
    _powers(growth, sparse.sel(rule=sparse.growing), "rule: exponent")
    growth.set(ylabel=r"norm gained $(\rho^m - \rho_0^m)^{1/m}$", title="without decay: growth")
    _powers(settled, sparse.sel(rule=~sparse.growing), "rule, decay: exponent")
    settled.set(ylabel="norm ρ", title="with decay: equilibrium")
    _mean_step(step, result)
    for axes in (growth, settled, step):
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many embeddings and steps."""
    s = settings(result)
    steps = (s.burn_in + s.blocks) * s.lag
    return (
        f"Embeddings that have a gradient with probability p in a step, {s.points} for every p, "
        f"d = {s.dimension}, {steps:,} steps, seed {s.seed}. (a) What norms have gained without "
        "decay: m = 4 for SGD and 2 otherwise. (b) Root mean square norms with decay, in "
        "equilibrium. Legends give the exponent of p that is fitted. (c) Dense AdamW: the square "
        "of the norm over its limit, against the visits that its second moments remember. Bars, "
        f"where larger than the marks, are {intervals(s.points, 'embedding')}; lines are "
        "predicted."
    )


def _rounded(exponent: float) -> str:
    """To two digits; none of them is below 0."""
    return f"{abs(round(exponent, 2)):.2f}"


def _powers(axes: Axes, result: xr.Dataset, title: str) -> None:
    """Norms by frequency under every rule, and their laws, with exponents in the legend."""
    axes.plot([], [], color=BLACK, lw=0.7, label="predicted")
    for k, name in enumerate(result.rule.values):
        one = result.sel(rule=name)
        axes.plot(one.frequency, one.law, color=BLACK, lw=0.7)
        axes.errorbar(
            one.frequency,
            one.norm,
            yerr=one.norm_interval,
            fmt=MARKERS[k],
            ms=3.5,
            mfc="none",
            color=COLOURS[k],
            elinewidth=1,
            label=f"{str(name).replace(', decay', ',')}: {_rounded(float(one.exponent))}",
        )
    axes.set(xscale="log", yscale="log", xlabel="frequency p")
    low, high = float(result.norm.min()), float(result.norm.max())
    axes.set_ylim(low / (high / low) ** 0.1, high * (high / low) ** 0.6)
    axes.legend(loc="upper left", title=title, title_fontsize=7, alignment="left", handlelength=1.5)


def _mean_step(axes: Axes, result: xr.Dataset) -> None:
    """S(a) and its two ends, and what norms of dense AdamW say it is."""
    low, high = float(result.seen.min()), float(result.seen.max())
    seen = np.geomspace(low / 2, 2 * high, 100)
    axes.plot(seen, share(seen), color=BLACK, lw=0.7, label="S(a)")
    axes.plot(seen[seen < 1], seen[seen < 1], color=BLACK, lw=0.9, ls=":", label="a")
    for k, memory in enumerate(result.beta_2.values):
        one = result.sel(beta_2=memory)
        axes.errorbar(
            one.seen,
            one.mean_step,
            yerr=one.mean_step_interval,
            fmt=MARKERS[k],
            ms=3.5,
            mfc="none",
            color=COLOURS[k],
            elinewidth=1,
            label=f"β₂ = {memory:g}",
        )
    axes.set(xscale="log", yscale="log", xlabel="visits remembered, a")
    axes.set(ylabel="ρ² over that of a → ∞", title="with decay: dense AdamW", ylim=(None, 1.3))
    axes.legend(loc="lower right")


def share(seen: np.ndarray) -> np.ndarray:
    """S(a), from the norms of embeddings with so long a memory that a is any number."""
    short = 1e-6 / max(1.0, float(seen.max()))
    settings = {"learning_rate": 1e-3, "weight_decay": 0.1, "dimension": 64}
    rare = equilibrium.adamw_norm(**settings, beta_2=1 - short, frequency=seen * short)
    return (rare / equilibrium.adamw_norm(**settings, beta_2=1 - 1e-14)) ** 2


def rows(result: xr.Dataset) -> list[Row]:
    """Exponents of the frequency by rule, and S of dense AdamW, with their intervals."""
    found = [
        Row(
            f"exponent of p, {name} (± {float(one.exponent_interval):.4f})",
            None,
            float(one.law_exponent),
            float(one.exponent),
        )
        for name, one in ((n, result.sel(rule=n)) for n in result.rule.values)
        if not str(name).startswith("dense")
    ]
    for memory in result.beta_2.values:
        for frequency in result.frequency.values:
            one = result.sel(beta_2=memory, frequency=frequency)
            text = f"S of a = {float(one.seen):.3g}, β₂ = {memory:g}"
            text += f" (± {float(one.mean_step_interval):.2g})"
            found.append(Row(text, None, float(one.law_mean_step), float(one.mean_step)))
    return found
