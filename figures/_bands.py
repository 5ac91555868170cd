"""A mean over runs and what it is worth: a line, and its 95 % interval as a band."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from simulations.encoders.measures import interval


def mean_and_interval(
    axes: Axes,
    values: xr.DataArray,
    along: str = "step",
    *,
    ends: tuple[float | None, float | None] = (None, None),
    **style: Any,
) -> None:
    """Draw the mean over ``run`` against a coordinate, and its interval as a band of its colour.

    Args:
        axes: where.
        values: over ``run`` and that coordinate.
        along: the coordinate.
        ends: the band is cut off there, such as at 0 and 1 for shares.
        **style: of the line.
    """
    mean, half = values.mean("run"), interval(values.transpose("run", along).values)
    (line,) = axes.plot(values[along], mean, **style)
    low, high = mean - half, mean + half
    if ends != (None, None):
        low, high = np.clip([low, high], *ends)
    axes.fill_between(values[along], low, high, color=line.get_color(), alpha=0.2, lw=0)
