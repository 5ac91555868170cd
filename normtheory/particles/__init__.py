"""Particles: free embeddings under any loss, from ten points in a notebook to a million.

A simulation is three pure functions over a frozen state:

* :func:`init` makes the :class:`State` (positions, optimizer state, step, key),
* :func:`step` updates it once,
* :func:`run` updates it until a stop rule holds, recording on the way; :func:`sweep` makes many
  runs side by side.

A :class:`System` says what acts on the particles. Its numbers are leaves of a JAX tree, so changing
them compiles nothing anew.
"""

from __future__ import annotations

from normtheory.particles import (
    checkpoint,
    devices,
    forces,
    observables,
    optimizers,
    sampling,
    stop,
    trained,
)
from normtheory.particles._init import init
from normtheory.particles._run import Run, run
from normtheory.particles._state import State
from normtheory.particles._step import step
from normtheory.particles._sweep import sweep
from normtheory.particles._system import System
from normtheory.particles._view import View, view

__all__ = [
    "Run",
    "State",
    "System",
    "View",
    "checkpoint",
    "devices",
    "forces",
    "init",
    "observables",
    "optimizers",
    "run",
    "sampling",
    "step",
    "stop",
    "sweep",
    "trained",
    "view",
]
