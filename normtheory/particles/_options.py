"""The trained options of a run: their start, what the force sees of them, their step."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from normtheory._types import Array, Flag, Scalar
from normtheory.particles._state import State
from normtheory.particles._system import System
from normtheory.particles.trained import Parameter


def started(system: System, dtype: Any) -> dict[str, Parameter]:
    """The trained options where the force has them."""
    return {
        name: system.trained[name].started(jnp.asarray(value, dtype))
        for name, (_, value) in system.starts().items()
    }


def values(system: System, state: State) -> dict[str, Scalar]:
    """The trained options by name."""
    return {name: one.value(state.trained[name]) for name, one in system.trained.items()}


def paths(system: System) -> dict[str, str]:
    """Where the force has them, by name."""
    return {name: path for name, (path, _) in system.starts().items()}


def advanced(system: System, state: State, slopes: dict[str, Scalar]) -> dict[str, Parameter]:
    """The trained options after a step, from the derivatives of the loss by them."""
    factor = system.factor(state.step, state.positions[0].dtype)
    return {
        name: one.updated(state.trained[name], slopes[name], factor)
        for name, one in system.trained.items()
    }


def fits(system: System, state: State) -> dict[str, Flag]:
    """Whether each is finite and in the range that its loss gives it, by name."""
    known = system.force.derivable() if system.trained else {}
    ranges = {name: known[path] for name, path in paths(system).items()}
    return {name: _inside(x, *ranges[name]) for name, x in values(system, state).items()}


def _inside(x: Array, above: float, least: float, most: float) -> Flag:
    return jnp.isfinite(x) & (x > above) & (x >= least) & (x <= most)
