"""One picture of any result: a run of particles, a sweep, pairs, a training that was watched.

:func:`figures.picture` is its door. What the axes of a variable are called decides how it is drawn:
over ``step`` as lines, ``quantile`` as bands around the median, a small other axis as one line for
each of its values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import figures
import normtheory as nt
from figures import BLACK, BLUE, GREEN, ORANGE, PAGE, PURPLE, SKY, STYLE, VERMILION, _letters
from normtheory._drawing import style

COLORS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
_MOST = 12  # lines in one panel
_COLUMNS = 3
_BANDS = ((0.0, 1.0, 0.12), (0.25, 0.75, 0.25))  # quantiles, and how dense
_TOLD = ("steps", "seed")  # attributes of a run


def dataset_of(result: Any) -> xr.Dataset:
    """The numbers of a result.

    Raises:
        TypeError: not a kind of result.
        ValueError: nothing in it is over steps.
    """
    if isinstance(result, str | Path):
        with xr.open_dataset(result, engine="netcdf4") as found:
            result = found.load()
    elif isinstance(result, nt.PairSimulation):
        result = _of_pairs(result)
    elif isinstance(result, nt.particles.Run | nt.Monitor):
        result = result.dataset
    if not isinstance(result, xr.Dataset):
        raise TypeError(
            "result: expected a Run, a PairSimulation, a Monitor, an xarray.Dataset or a NetCDF "
            f"file of one, got {type(result).__name__}"
        )
    if result.attrs.get("experiment") not in figures.names() and not _panels(result):
        raise ValueError(
            "result: expected numbers over step with few other axes, got "
            + (", ".join(f"{k}{tuple(map(str, v.dims))}" for k, v in result.items()) or "nothing")
        )
    return result


def _of_pairs(pairs: nt.PairSimulation) -> xr.Dataset:
    if pairs.trajectory is None:
        raise ValueError("result: expected a simulation that was recorded, with record_every")
    steps = {"step": ("step", np.asarray(pairs.recorded_steps))}

    def over(values: np.ndarray, name: str, units: str) -> xr.Variable:
        levels = np.quantile(values.reshape(len(values), -1), (0, 0.25, 0.5, 0.75, 1), axis=1)
        return xr.Variable(("quantile", "step"), levels, {"long_name": name, "units": units})

    found = pairs.trajectory
    return xr.Dataset(
        {
            "angle": over(found.angle, "angle of a pair", "rad"),
            "norm_i": over(found.norm_i, "norm of the first", "1"),
            "norm_j": over(found.norm_j, "norm of the second", "1"),
        },
        coords={**steps, "quantile": [0.0, 0.25, 0.5, 0.75, 1.0]},
    )


def _panels(data: xr.Dataset) -> list[str]:
    """Variables that a panel can show: over steps, numbers, few lines."""

    def fits(variable: xr.DataArray) -> bool:
        others = [n for dim, n in variable.sizes.items() if dim not in ("step", "quantile")]
        return (
            "step" in variable.dims
            and np.issubdtype(variable.dtype, np.number)
            and int(np.prod(others, initial=1)) <= _MOST
        )

    return [str(name) for name, variable in data.items() if fits(variable)]


def _draw(axes: Axes, variable: xr.DataArray) -> None:
    """The lines of one variable; quantiles as the median and two bands."""
    others = [dim for dim in variable.dims if dim not in ("step", "quantile")]
    lines = variable.stack(line=others) if others else variable.expand_dims("line")
    for k, color in zip(range(lines.sizes["line"]), COLORS * 2, strict=False):
        one = lines.isel(line=k)
        label = None
        if others:
            values = np.atleast_1d(np.asarray(one.coords["line"].item(), dtype=object))
            label = ", ".join(f"{d} {v}" for d, v in zip(others, values, strict=True))
        if "quantile" not in one.dims:
            axes.plot(one.step, one, color=color, label=label)
            continue
        one = one.transpose("quantile", "step")
        levels = np.asarray(one["quantile"])
        for low, high, alpha in _BANDS:
            if low in levels and high in levels:
                ends = one.sel(quantile=low), one.sel(quantile=high)
                axes.fill_between(one.step, *ends, color=color, alpha=alpha, lw=0)
        axes.plot(one.step, one.sel(quantile=0.5, method="nearest"), color=color, label=label)
    name, units = variable.attrs.get("long_name", variable.name), variable.attrs.get("units", "1")
    axes.set_title(str(name if len(str(name)) < 40 else variable.name))
    axes.set(xlabel="step", ylabel="" if units in ("", "1") else units)
    if others:
        axes.legend(fontsize="small")


def picture(result: Any) -> Figure:
    """Draw it; see :func:`figures.picture`."""
    data = dataset_of(result)
    if data.attrs.get("experiment") in figures.names():  # it has a figure of its own
        return figures.draw(figures.get(data.attrs["experiment"]), data)
    names = _panels(data)
    columns = min(len(names), _COLUMNS)
    rows = -(-len(names) // columns)
    with style(STYLE):
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(PAGE * columns / _COLUMNS + 0.6 * (columns < _COLUMNS), 1.9 * rows + 0.2),
            squeeze=False,
            layout="constrained",
        )
        for place in axes.flat[len(names) :]:
            place.remove()
        for place, name in zip(axes.flat, names, strict=False):
            _draw(place, data[name])
        _letters.letter(figure)
    plt.close(figure)
    return figure


def caption(result: Any) -> str:
    """What :func:`figures.picture` shows of a result, panel by panel."""
    data = dataset_of(result)
    if data.attrs.get("experiment") in figures.names():
        return figures.caption(data.attrs["experiment"], data)
    names = _panels(data)
    what = [str(data[name].attrs.get("long_name", name)) for name in names]
    if len(names) > 1:
        what = [f"({k}) {text}" for k, text in zip(_letters.names(), what, strict=False)]
    parts = [f"Recorded over steps: {'; '.join(what)}."]
    if any("quantile" in data[name].dims for name in names):
        levels = np.asarray(data["quantile"])
        bands = [f"{low:g} and {high:g}" for low, high, _ in _BANDS if {low, high} <= {*levels}]
        between = f"; bands are between the quantiles {', and '.join(bands)}" if bands else ""
        parts.append(f"Lines are medians{between}.")
    told = [f"{name} {data.attrs[name]}" for name in _TOLD if name in data.attrs]
    if told:
        parts.append(f"{', '.join(told)}.")
    return " ".join(parts)
