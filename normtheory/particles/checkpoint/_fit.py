"""Whether a checkpoint fits the run that asks for it, and how its arrays are put back."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from normtheory import _spread
from normtheory.particles._record import attributes
from normtheory.particles._state import State
from normtheory.particles._system import System
from normtheory.particles.checkpoint._settings import Settings, differences

FORMAT = 1
_TOLD = 4  # differences that fit into one line


class CheckpointError(RuntimeError):
    """A checkpoint can't be written or read; the message, one line, says which and why."""


class CheckpointWarning(UserWarning):
    """A damaged checkpoint was passed over, or one comes from other versions."""


def named(state: State) -> dict[str, Any]:
    """Leaves of a state by the names that they have in a checkpoint."""
    return {f"state{k:03}": leaf for k, leaf in enumerate(jax.tree.leaves(state))}


def outline(state: State) -> list[list[Any]]:
    """Path, dtype and shape of every leaf of a state, as JSON gives it back."""
    paths, _ = jax.tree_util.tree_flatten_with_path(state)
    return [
        [jax.tree_util.keystr(path).lstrip("."), str(leaf.dtype), list(leaf.shape)]
        for path, leaf in paths
    ]


def placed(x: np.ndarray, like: Any) -> Any:
    """A leaf where ``like`` is: in numpy, on a device, or in shards on several."""
    x = x.view(like.dtype) if x.dtype.kind == "V" else x  # bfloat16 has no name in numpy
    if not isinstance(like, jax.Array):
        return x
    if isinstance(like.sharding, jax.sharding.SingleDeviceSharding):
        return jax.numpy.asarray(x)
    return jax.make_array_from_callback(x.shape, like.sharding, lambda place: x[place])


def check(
    path: Path, about: Mapping[str, Any], now: Settings, system: System, start: State
) -> None:
    """Raise CheckpointError unless a checkpoint is of the run with these settings."""
    if about["format"] != FORMAT:
        raise CheckpointError(f"{path} has format {about['format']}, expected {FORMAT}")
    attrs = attributes(system, (), start.dtype)
    mesh = _spread.mesh_of(start.positions[0])
    device = {"device": attrs["device"], "devices": 1 if mesh is None else mesh.size}
    here = {"versions": json.loads(str(attrs["versions"])), "device": device}
    saved = {"versions": about["versions"], "device": about["device"]}
    elsewhere = differences(saved, here)
    of_run, of_now = {**about["settings"], "leaves": {}}, {**now, "leaves": {}}
    if about["device"] != device:
        of_now.pop("start", None)  # rows projected to a norm round differently there
    for kind, leaves in ((of_run, about["leaves"]), (of_now, outline(start))):
        kind["leaves"] = {name: f"{dtype} {tuple(shape)}" for name, dtype, shape in leaves}
    found = differences(of_run, of_now)
    if found:
        told = "; ".join(found[:_TOLD]) + (f"; {len(found) - _TOLD} more" * (len(found) > _TOLD))
        raise CheckpointError(f"{path} is of a run with other settings: {told}")
    if elsewhere:
        warnings.warn(
            f"{path}: the bits may differ from those of one run: {'; '.join(elsewhere)}",
            CheckpointWarning,
            5,
        )
