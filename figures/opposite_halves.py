"""Steps to converge against the starting angle: towards π they grow only like a logarithm."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, GREEN, PAGE, PURPLE, VERMILION, Row
from figures._captions import count, settings


def draw(result: xr.Dataset) -> Figure:
    """The curve over the whole range of angles; the logarithm close to π.

    Args:
        result: of the experiment ``opposite_halves``.

    Returns:
        The figure.
    """
    angle = result.start_angle.mean("start")
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.6))
    left.plot(angle, result.closed_form.mean("start"), color=BLUE, label="closed form, ensemble")
    ends = result.closed_form.min("start"), result.closed_form.max("start")
    left.fill_between(angle, *ends, color=BLUE, alpha=0.2, lw=0)
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


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many pairs and starts."""
    s = settings(result)
    return (
        f"Steps until the mean cosine of {count(s.pairs, 'pair')} is within {s.tolerance:g} of 1, "
        f"by the angle of their mean cosine at the start; d = {s.dimension}, norm {s.norm:g}, SGD "
        f"at rate {s.learning_rate:g} on the mean loss, seed {s.seed}. (a) The closed form at "
        f"{count(s.weights, 'mixing weight')}, mean over {count(s.starts, 'start')}; the band, "
        "where wider than the line, is the range over starts. Recursion and SGD: first start. "
        "Dotted: closed form of one pair. (b) One pair near π, exactly: there are no runs to "
        "average over."
    )


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
