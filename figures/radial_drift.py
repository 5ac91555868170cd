"""In an encoder a pull inwards balances the growth of norms, and weight decay hardly does.

Growth is paid for by the pull, and hardly by decay, which acts through the weights instead: both D
and s are smaller for it. The norm that D and s imply swings about the real one, since they are of
the moment and the norm follows; it drifts, since both change with the weights. Single embeddings
with D < 0 are roughly where their own D and s say; the others are far below the norm at which decay
alone would stop them.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILION, Row
from figures._bands import mean_and_interval
from figures._captions import intervals, settings
from simulations.encoders.measures import interval

COLOURS = (BLUE, VERMILION, GREEN, ORANGE)  # of decays
NEAR = 0.1  # of the norm, averaged over the second half of the steps


def draw(result: xr.Dataset) -> Figure:
    """Norms over training, what changes them, and single embeddings.

    Args:
        result: of the experiment ``radial_drift``.

    Returns:
        The figure.
    """
    figure, (norms, changes, single) = plt.subplots(1, 3, figsize=(PAGE, 2.8))
    for k, decay in enumerate(result.decay.values):
        one, colour = result.sel(decay=decay), COLOURS[k % len(COLOURS)]
        mean_and_interval(norms, one.norm, color=colour, label=f"λ = {decay:g}")
        implied = one.implied.transpose("run", "step").values
        bars = {"fmt": "o", "ms": 3, "mfc": "none", "color": colour, "lw": 0.7, "capsize": 0}
        norms.errorbar(one.step, implied.mean(axis=0), interval(implied), **bars)
        mean_and_interval(norms, one.without_pull, ls="--", color=colour, lw=0.9)
    norms.plot([], [], "o", ms=3, mfc="none", color=BLACK, label="by D and s")
    norms.plot([], [], "--", lw=0.9, color=BLACK, label="by s alone")
    norms.set(yscale="log", xlabel="step", ylabel="norm (root mean square)")
    low = min(float(result.norm.min()), float(result.implied.min()))
    high = float(result.without_pull.max())
    ticks = [t for t in (0.1, 0.2, 0.5, 1.0, 2.0) if low <= t <= high]
    norms.set_yticks(ticks, [f"{t:g}" for t in ticks])
    norms.set_ylim(low / 1.2, 3 * high)  # room for the legend
    norms.minorticks_off()
    norms.legend(loc="upper left", ncols=2, columnspacing=0.8, handlelength=1.3)
    _changes(changes, result.isel(decay=-1))
    _single(single, result.isel(decay=-1))
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many networks and images."""
    s = settings(result)
    return (
        f"A bias-free encoder learns digits: NT-Xent at temperature {s.temperature:g}, "
        f"{s.fit:,} images, batches of {s.pairs} pairs, d = {s.dimension}, {s.steps:,} steps of "
        f"SGD at rate {s.learning_rate:g} with weight decay λ, seed {s.seed}. (a) Root mean square "
        f"norm of {s.shown} embeddings (lines), the norm that the measured pull D along them and "
        "push s across them imply (circles), and the norm of free embeddings, which have no D "
        "(dashed). (b) What changes the squared norm in a step. Lines and circles are means, "
        f"bands and bars {intervals(s.runs, 'network')}, with 0 in it where a band of (b) reaches "
        f"the bottom; D and s are over {s.draws} batches. (c) Norms of single embeddings of all "
        "networks at the end against those that their own D and s imply."
    )


def shares(one: xr.Dataset) -> dict[str, xr.DataArray]:
    """What growth adds to ρ² in a step, and pull and decay take away, as shares of it."""
    rate, square = one.attrs["learning_rate"], one.norm**2
    keep = 1 - rate * one.decay_rate
    return {
        "growth": rate**2 * (one.radial**2 + one.tangential**2) / square**2,
        "pull": -2 * keep * rate * one.radial / square,
        "decay": (1 - keep**2) + 0 * square,
    }


def _changes(axes: Any, one: xr.Dataset) -> None:
    """The shares over training."""
    labels = {
        "growth": (GREEN, r"growth $\gamma^2(D^2+s^2)/\rho^4$"),
        "pull": (ORANGE, r"pull $-2\alpha\gamma D/\rho^2$"),
        "decay": (BLACK, r"decay $1-\alpha^2$"),
    }
    for name, share in shares(one).items():
        colour, label = labels[name]
        mean_and_interval(axes, share, color=colour, label=label)
    axes.set(yscale="log", xlabel="step", ylabel=r"share of $\rho^2$ in a step")
    axes.set_title(f"λ = {float(one.decay):g}")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.4)
    axes.legend(loc="upper right")


def _single(axes: Any, one: xr.Dataset) -> None:
    """Norms of single embeddings against those that their own D and s imply."""
    norm, implied, pull = (
        one[name].values.ravel() for name in ("single_norm", "single_implied", "single_pull")
    )
    for chosen, colour, label in ((pull < 0, BLUE, "D < 0"), (pull >= 0, VERMILION, "D > 0")):
        style = {"ms": 1.5, "alpha": 0.4, "mew": 0, "color": colour, "rasterized": True}
        label = f"{label} ({chosen.mean():.0%})"
        axes.plot(implied[chosen], norm[chosen], "o", label=label, **style)
    ends = np.array([norm.min(), norm.max()])
    axes.plot(ends, ends, color=BLACK, lw=0.9)
    axes.set(xscale="log", yscale="log", xlabel="norm by its own D and s", ylabel="norm")
    axes.set_title("single embeddings, at the end")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.35)
    axes.legend(loc="upper right", markerscale=3)


def rows(result: xr.Dataset) -> list[Row]:
    """Norms of the second half of the steps, by D and s, and by s alone; who is pulled inwards."""
    found = []
    late = result.sel(step=result.step[result.step >= result.step[-1] / 2])
    for decay in result.decay.values:
        one = late.sel(decay=decay)
        norm, implied, alone = (
            float(one[name].mean()) for name in ("norm", "implied", "without_pull")
        )
        inwards = float(one.inwards.mean())
        found += [
            Row(f"norm by D and s, λ = {decay:g}", None, implied, norm, NEAR * norm),
            Row(f"norm by s alone, λ = {decay:g}", None, alone, norm),
            Row(f"share of embeddings with D < 0, λ = {decay:g}", None, None, inwards),
        ]
    return found
