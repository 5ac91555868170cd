"""What a checkpoint says of the run it belongs to, and how that is compared with another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from normtheory._arrays import check_kind
from normtheory.particles._state import State
from normtheory.particles._system import System
from normtheory.particles.observables import chosen
from normtheory.particles.stop import rules

Settings = dict[str, dict[str, Any]]
"""Sections of settings, each flat and as JSON gives it back."""


def describe(
    system: System,
    start: State,
    *,
    stop: Any = None,
    record: Any = (),
    record_every: int | None = None,
) -> Settings:
    """All that the bits of a run depend on, but for the number of steps and the code itself.

    Functions (schedules, losses and observables of one's own) are known by their names only.
    """
    check_kind("system", system, System, "a System")
    check_kind("start", start, State, "a State from init")
    rule, items = rules(stop), chosen(record)
    found = {
        "system": of_system(system.describe()),
        "arrays": _arrays("", system),
        "start": {"key": np.asarray(start.key).tolist(), **_arrays("start", start.positions)},
        "stop": {r.name: [sorted(r.numbers.items()), r.clouds] for r in rule},
        "record": {
            "record": [item.name for item in items],
            "record_every": record_every,
            **_arrays("record", [item.arrays for item in items]),
        },
    }
    return json.loads(json.dumps(found, default=_plain))


def of_system(about: Mapping[str, Any]) -> dict[str, Any]:
    """The section of a system, without its arrays, from :meth:`System.describe`."""
    numbers = {k: v for k, v in about["numbers"].items() if not isinstance(v, str)}
    return {**numbers, **_flat("", about["structure"])}


def differences(saved: Settings, now: Settings) -> list[str]:
    """What differs between the sections that both have, one sentence each."""
    found = []
    for section in (name for name in now if name in saved):
        old, new = saved[section], now[section]
        for name in sorted(old.keys() | new.keys()):
            one, other = old.get(name), new.get(name)
            if one != other:
                found.append(f"{name}: {_shown(one)} there and {_shown(other)} here")
    return found


def _shown(x: Any) -> str:
    return "none" if x is None else x if isinstance(x, str) else json.dumps(x)


def _plain(x: Any) -> Any:
    return x.tolist() if hasattr(x, "tolist") else str(x)


def _flat(prefix: str, x: Any) -> dict[str, Any]:
    """A tree of dictionaries and lists as one level, with dotted names."""
    if isinstance(x, Mapping):
        parts = [_flat(f"{prefix}.{name}".lstrip("."), value) for name, value in x.items()]
    elif isinstance(x, list | tuple):
        parts = [_flat(f"{prefix}.{k}", value) for k, value in enumerate(x)]
    else:
        return {prefix: x}
    return {name: value for part in parts for name, value in part.items()}


def _arrays(prefix: str, x: Any) -> dict[str, str]:
    """Sums of the arrays of a tree, by their place in it."""
    found = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(x)[0]:
        if np.ndim(leaf) == 0:
            continue
        about = f"{leaf.dtype} {tuple(leaf.shape)}"
        if getattr(leaf, "is_fully_addressable", True):
            data: Any = np.ascontiguousarray(leaf).view(np.uint8)
            about += f" {hashlib.sha256(data).hexdigest()[:16]}"
        found[(prefix + jax.tree_util.keystr(path)).lstrip(".")] = about
    return found
