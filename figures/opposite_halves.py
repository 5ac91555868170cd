"""Steps to converge against the starting angle: towards π they grow only like a logarithm."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, PAGE, PURPLE, VERMILION, Row


def draw(result: xr.Dataset) -> Figure:
    """Left the curve over the whole range of angles; right the logarithm close to π.

    Args:
        result: of the experiment ``opposite_halves``.

    Returns:
        The figure.
    """
    angle = result.start_angle.mean("start")
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.6))
    left.plot(angle, result.closed_form.mean("start"), color=BLUE, label="closed form, ensemble")
    left.plot(
        result.start_angle.isel(start=0),
        result.recursion.isel(start=0),
        "o",
        ms=3,
        mfc="none",
        color=VERMILION,
        label="exact recursion",
    )
    left.plot(
        result.start_angle.isel(start=0), result.sgd, "+", color=GREEN, label="SGD by autodiff"
    )
    left.plot(result.angle, result.single_pair, ":", color=PURPLE, label="closed form, one pair")
    left.set(
        xlabel="starting angle (radians)",
        ylabel="steps to converge",
        xlim=(0, np.pi),
        ylim=(0, None),
    )
    left.set_xticks([0, np.pi / 2, np.pi], ["0", "π/2", "π"])
    left.legend()
    gap = np.pi - result.angle
    close = gap < 1.6
    right.plot(
        gap[close], result.single_pair[close], ":", color=PURPLE, label="closed form, one pair"
    )
    right.plot(
        gap[close],
        result.near_antipode[close],
        "--",
        lw=1,
        color=BLACK,
        label="its logarithm near π",
    )
    few = np.pi - result.few_angles
    right.plot(
        few,
        result.single_pair_recursion,
        "o",
        ms=3,
        mfc="none",
        color=VERMILION,
        label="exact recursion, one pair",
    )
    right.set(
        xscale="log",
        xlabel="distance from the antipode π − φ₀ (radians)",
        ylabel="steps to converge",
    )
    right.invert_xaxis()
    right.legend(loc="upper left")
    return figure


def rows(result: xr.Dataset) -> list[Row]:
    """Steps at the angles nearest to π/2 and to π."""
    angle = result.start_angle.mean("start")
    lines = []
    for target in (np.pi / 2, 3.10):
        at = int(np.argmin(np.abs(angle.values - target)))
        lines.append(
            Row(
                f"steps from angle {float(angle[at]):.2f}",
                None,
                float(result.closed_form.isel(weight=at).mean()),
                float(result.recursion.isel(weight=at).mean()),
            )
        )
    return lines
