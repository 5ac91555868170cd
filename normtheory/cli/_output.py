"""What ``normtheory simulate`` gives back: a file, JSON, a table."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from normtheory._files import NETCDF, check_ending, check_place, whole_file
from normtheory.cli._config import ConfigError

_LINES = 40  # runs of a sweep that are printed


class RunError(RuntimeError):
    """The configuration is right, but the run could not finish; one line."""


def prepare(path: Path | None, configuration: Path) -> None:
    """Raise ConfigError unless the result has a place, before a long run, that isn't its input."""
    if path is not None:
        try:
            check_place(path, {"the configuration": configuration})
            check_ending(path, NETCDF, "NetCDF", "--json prints the numbers")
        except ValueError as error:
            raise ConfigError(str(error)) from None


def write(dataset: xr.Dataset, path: Path) -> None:
    """Write a NetCDF file whole or not at all.

    Raises:
        RunError: it can't be written.
    """
    try:
        with whole_file(path) as temporary:
            dataset.to_netcdf(temporary, engine="netcdf4")
    except (OSError, RuntimeError) as error:
        # The NetCDF library reports a full disk as RuntimeError.
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise RunError(f"{path}: cannot be written: {reason}") from None


def to_dict(dataset: xr.Dataset) -> dict[str, Any]:
    """A Dataset for JSON: attributes, coordinates and data; what JSON doesn't know as None."""

    def known(x: Any) -> Any:
        if isinstance(x, list):
            return [known(y) for y in x]
        return None if isinstance(x, float) and not math.isfinite(x) else x

    def one(x: xr.DataArray) -> dict[str, Any]:
        unit = str(x.attrs.get("units", "1"))
        return {"dims": list(x.dims), "units": unit, "values": known(x.values.tolist())}

    parsed = ("config", "system", "stop", "versions")
    about = {key: json.loads(x) if key in parsed else x for key, x in dataset.attrs.items()}
    if "converged" in about:
        about["converged"] = bool(about["converged"])
    return {
        **about,
        "coordinates": {str(name): one(x) for name, x in dataset.coords.items()},
        "data": {str(name): one(x) for name, x in dataset.data_vars.items()},
    }


def table(dataset: xr.Dataset) -> str:
    """A Dataset as text: of a run its first and last record, of a sweep one line a run."""
    if "steps" in dataset:
        return _aligned(_sweep(dataset)) + _rest(dataset)
    about = dataset.attrs
    how = f", {'' if about['converged'] else 'not '}converged" if about["stop"] != "{}" else ""
    lines = _run(dataset)
    return f"{about['steps']} steps{how}" + (f"\n{_aligned(lines)}" if lines else "")


def _aligned(lines: list[list[str]]) -> str:
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{word:<{k}}" for word, k in zip(line, wide, strict=True)).rstrip()
        for line in lines
    )


def _run(dataset: xr.Dataset) -> list[list[str]]:
    if not dataset.sizes.get("step") or not dataset.data_vars:
        return []
    steps = dataset["step"].values
    lines = [["", f"step {steps[0]}", f"step {steps[-1]}"]]
    for name, x in dataset.data_vars.items():
        first, last = (np.atleast_2d(x.values[k]) for k in (0, -1))
        for row, (one, other) in enumerate(zip(first, last, strict=True)):
            place = f"[{row}]" if x.ndim > 2 else ""
            if x.ndim > 1 and x.dims[-1] in dataset.coords:
                place += f", {x.dims[-1]} {_shown(dataset[x.dims[-1]].values)}"
            lines.append([f"{name}{place}", _shown(one), _shown(other)])
    return lines


def _sweep(dataset: xr.Dataset) -> list[list[str]]:
    axes = [str(dim) for dim in dataset["steps"].dims]
    others = (str(k) for k, x in dataset.data_vars.items() if list(x.dims) == axes)
    scalars = ["steps", "converged", *(k for k in others if k not in ("steps", "converged"))]
    lines = [[*axes, *scalars]]
    places = itertools.product(*(range(dataset.sizes[axis]) for axis in axes))
    for place in itertools.islice(places, _LINES):
        values = [dataset[axis].values[k] for axis, k in zip(axes, place, strict=True)]
        lines.append([_shown(x) for x in (*values, *(dataset[k].values[place] for k in scalars))])
    return lines


def _rest(dataset: xr.Dataset) -> str:
    more = dataset["steps"].size - _LINES if "steps" in dataset else 0
    return f"\n… {more} more runs; --json and --output have all" if more > 0 else ""


def _shown(x: Any) -> str:
    if np.ndim(x):
        return " ".join(f"{y:.6g}" for y in x)
    if isinstance(x, np.bool_):
        return "yes" if x else "no"
    return str(x) if isinstance(x, np.integer) else f"{float(x):.6g}"
