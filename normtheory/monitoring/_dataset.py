"""The records as a table with names, units and sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from normtheory._version import __version__
from normtheory.monitoring._measure import CLASS, PERCENTILES, percentile_name
from normtheory.monitoring._quantities import QUANTITIES
from normtheory.monitoring._settings import Settings


def dataset(records: Sequence[dict[str, float]], settings: Settings) -> xr.Dataset:
    """All numbers along ``step``; norms also along ``percentile``, those of classes ``label``."""
    steps = np.array([x["step"] for x in records], dtype=np.int64)
    names = list(dict.fromkeys(name for x in records for name in x))
    labels = [name.removeprefix(CLASS) for name in names if name.startswith(CLASS)]
    coordinates: dict[str, Any] = {"step": steps}
    variables: dict[str, Any] = {}

    def column(name: str) -> np.ndarray:
        return np.array([x.get(name, np.nan) for x in records], dtype=np.float64)

    def add(name: str, dimensions: tuple[str, ...], values: np.ndarray) -> None:
        label, unit, formula, source = QUANTITIES[name]
        said = {"long_name": label, "units": unit or "1", "formula": formula, "source": source}
        variables[name] = (dimensions, values, said)

    quantiles = [percentile_name(p) for p in PERCENTILES]
    if quantiles[0] in names:
        coordinates["percentile"] = np.array(PERCENTILES)
        add("norm", ("step", "percentile"), np.stack([column(x) for x in quantiles], axis=1))
    if labels:
        coordinates["label"] = np.array(labels)
        values = [column(CLASS + label) for label in labels]
        add("class_norm", ("step", "label"), np.stack(values, axis=1))
    for name in names:
        if name in QUANTITIES:
            add(name, ("step",), column(name))
    given = {
        name: int(x) if isinstance(x, bool) else x
        for name, x in dataclasses.asdict(settings).items()
        if x is not None
    }
    return xr.Dataset(variables, coordinates, {"normtheory": __version__, **given})
