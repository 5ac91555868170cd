"""Records of a run as numpy arrays, and as an ``xarray.Dataset``."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
import xarray as xr

from normtheory.particles._system import System
from normtheory.particles.observables import Observable
from normtheory.particles.stop import Stop

Records = dict[str, np.ndarray]

_LIBRARIES = ("numpy", "jax", "jaxlib", "optax", "xarray")


def numpy_of(x: Any) -> Any:
    """A tree of arrays as numpy."""
    return jax.tree.map(np.asarray, x)


def on_grid(records: Mapping[str, Any] | None, every: int, before: int) -> list[Records]:
    """Records of an earlier part of a run that belong to its continuation.

    Args:
        records: with ``step``, as ``Run.records``; or None.
        every: steps between records; what lies off this grid was the end of the earlier part.
        before: the step at which the continuation starts and records anew.

    Returns:
        A list of one piece, or none.
    """
    if not records:
        return []
    steps = np.asarray(records["step"])
    keep = (steps % every == 0) & (steps < before)
    return [{name: np.asarray(x)[keep] for name, x in records.items()}]


def joined(pieces: list[Records]) -> Records:
    """One set of records from consecutive pieces."""
    if not pieces:
        return {"step": np.empty(0, np.int64)}
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def variables(
    record: tuple[Observable, ...], values: Mapping[str, np.ndarray], lead: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Variables and coordinates of a Dataset, for values whose first axes are ``lead``."""
    found: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    for item in record:
        value = values[item.name]
        if value.ndim - len(lead) != len(item.dims):
            raise ValueError(
                f"{item.name}: expected {len(item.dims)} axes as its dims {item.dims} say, got "
                f"shape {value.shape[len(lead) :]}"
            )
        about = {"units": item.units, "long_name": item.long_name or item.name}
        found[item.name] = ((*lead, *item.dims), value, about)
        coords.update({dim: (dim, np.asarray(x)) for dim, x in item.coords})
    return found, coords


def attributes(
    system: System, stop: tuple[Stop, ...], dtype: Any, **more: Any
) -> dict[str, str | int]:
    """Settings, precision, device and versions: what reruns a result."""
    rules = {rule.name: {k: float(v) for k, v in rule.numbers.items()} for rule in stop}
    versions = {name: version(name) for name in _LIBRARIES}
    return {
        "system": json.dumps(system.describe()),
        "stop": json.dumps(rules),
        "dtype": str(np.dtype(dtype)),
        "device": jax.devices()[0].device_kind,
        "versions": json.dumps({"python": platform.python_version(), **versions, **_own()}),
        **more,
    }


def _own() -> dict[str, str]:
    from normtheory._version import __version__

    return {"normtheory": __version__}


def dataset(
    record: tuple[Observable, ...], records: Records, attrs: Mapping[str, Any]
) -> xr.Dataset:
    """The records of one run over ``step``."""
    found, coords = variables(record, records, ("step",))
    coords["step"] = ("step", records["step"].astype(np.int64), {"units": "steps"})
    return xr.Dataset(found, coords=coords, attrs=dict(attrs))
