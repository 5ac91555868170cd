"""Steps to converge over norm and rate, with the line above which a rate must tame itself."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from figures import BLACK, ORANGE, PAGE, SKY, VERMILION, Row
from figures._captions import count, settings


def draw(result: xr.Dataset) -> Figure:
    """The map of steps; all its points against x = γ/ρ²; and the effective rate at the end.

    Args:
        result: of the experiment ``phase_diagram``.

    Returns:
        The figure.
    """
    figure, (map_, collapse, taming) = plt.subplots(1, 3, figsize=(PAGE, 2.5))
    mesh = map_.pcolormesh(
        result.norm,
        result.learning_rate,
        result.steps.T,
        norm=LogNorm(),
        cmap="cividis_r",
        shading="nearest",
        rasterized=True,
    )
    figure.colorbar(mesh, ax=map_, label="steps to converge")
    norm = result.norm.values
    ends = (float(result.learning_rate.min()), float(result.learning_rate.max()))
    on_line = (norm**2 >= ends[0]) & (norm**2 <= ends[1])
    map_.plot(norm[on_line], norm[on_line] ** 2, color=VERMILION, label="x = γ/ρ² = 1")
    map_.set(xscale="log", yscale="log", xlabel="embedding norm ρ", ylabel="learning rate γ")
    map_.set(xlim=(norm.min(), norm.max()), ylim=ends)
    ticks = [t for t in (0.2, 0.5, 1, 2, 5) if norm.min() <= t <= norm.max()]
    map_.set_xticks(ticks, [f"{t:g}" for t in ticks])
    map_.minorticks_off()
    map_.grid(False)
    map_.legend(loc="upper left", frameon=True, framealpha=0.9)

    x, steps, flow, final = (
        result[key].values.ravel() for key in ("effective_rate", "steps", "flow", "final_rate")
    )
    order = np.argsort(x)
    # Random pairs are nearly orthogonal: their first step takes ρ² to ρ²(1 + x²).
    tamed = x / (1 + x**2)
    collapse.plot(x[order], flow[order], color=SKY, label="flow, ∝ 1/x")
    collapse.plot(
        x[order],
        1 + (flow * x / tamed)[order],
        color=ORANGE,
        ls="--",
        zorder=3,
        label="one step, then\nflow at x/(1 + x²)",
    )
    collapse.plot(x, steps, ".", ms=2.5, color=BLACK, label="exact recursion")
    collapse.axvline(1, ymax=0.65, color=VERMILION, lw=1)
    collapse.set(xscale="log", yscale="log", xlabel="x = γ/ρ² at the start")
    collapse.set(ylabel="steps to converge", ylim=(1, 30 * steps.max()))
    collapse.legend(loc="upper left")

    taming.plot(x[order], x[order], color=SKY, label="x: no growth")
    taming.plot(x[order], tamed[order], color=ORANGE, ls="--", zorder=3, label="x/(1 + x²)")
    taming.plot(x, final, ".", ms=2.5, color=BLACK, label="exact recursion")
    taming.axvline(1, ymax=0.65, color=VERMILION, lw=1)
    taming.set(xscale="log", yscale="log", xlabel="x = γ/ρ² at the start", ylabel="x at the end")
    taming.legend(loc="upper left")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many pairs."""
    s = settings(result)
    return (
        f"Steps until the mean cosine of {count(s.pairs, 'random pair')} is within {s.tolerance:g} "
        f"of 1, d = {s.dimension}, by the exact recursion from one and the same start (seed "
        f"{s.seed}), so there are no bars. (a) Over {s.grid} norms and {s.grid} rates γ. (b) All "
        "points of (a) against the effective rate x = γ/ρ² at the start. (c) The median of x over "
        "the pairs at the end. Red: x = 1, above which pairs overshoot."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """Steps at small effective rates, where the closed form holds."""
    x = result.effective_rate.values
    found = []
    for wanted in (0.01, 0.1):
        near = np.unravel_index(np.argmin(abs(np.log(x / wanted))), x.shape)
        if abs(np.log(x[near] / wanted)) < 0.2:
            found.append(
                Row(
                    f"steps at x = {x[near]:.3g}",
                    None,
                    float(result.flow.values[near]),
                    float(result.steps.values[near]),
                )
            )
    return found
