"""How a state starts: clouds that fit each other and the system, and an optimizer's memory."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from normtheory import _spread
from normtheory._arrays import check_kind, native
from normtheory._types import Clouds, Embeddings, Key
from normtheory.particles._fit import check_fit
from normtheory.particles._given import key_data
from normtheory.particles._options import started
from normtheory.particles._state import (
    State,
    check_positions,
    handed_out,
    norm_of,
    precision,
    rescale,
)
from normtheory.particles._system import System


def init(system: System, *clouds: Embeddings, seed: Any = 0) -> State:
    """The state at the start.

    Args:
        system: see :class:`System`.
        *clouds: positions, one array (n, d) for every cloud of the force, numpy or JAX, float32 or
            float64; the run computes in their dtype. Rows are projected where the system fixes a
            norm. JAX on a CPU takes entries below the smallest normal number of the dtype (1.2e-38
            in float32) for zeros.
        seed: an integer from 0 to 2**64 - 1, or a JAX key, of every draw of the run.

    Returns:
        :class:`State`.

    Raises:
        TypeError, ValueError: clouds that don't fit each other or the force; a zero or non-finite
            row, which is named; a system under which nothing moves.

    Example:
        >>> import numpy as np
        >>> from normtheory.particles import System, forces, init
        >>> z, y = np.random.default_rng(0).standard_normal((2, 5, 3))
        >>> int(init(System(forces.attraction(), 1.0), z, y).step)
        0
    """
    check_kind("system", system, System, "a System")
    clouds = tuple(map(native, clouds))
    check_positions(clouds)
    with precision(clouds[0].dtype), _spread.on_devices_of(clouds):
        positions = tuple(jnp.asarray(z) for z in clouds)
        system = system.cast(positions[0].dtype)
        check_fit(system, positions)
        return handed_out(_started(system, positions, key_data(seed)))


def start(system: System, positions: Clouds, key: Key) -> State:
    """The state at step 0; :func:`init` without its door, for use inside compiled code."""
    moving = system.moving(len(positions))
    if system.norm is not None:
        positions = tuple(
            rescale(z, norm_of(system, k, z)) if k in moving else z for k, z in enumerate(positions)
        )
    memory: Any = ()
    transformation = system.transformation()
    if transformation is not None:
        memory = transformation.init(tuple(positions[k] for k in moving))
    positions, memory = _spread.held(positions, memory)
    options = started(system, positions[0].dtype)
    return State(positions, memory, *_spread.whole((jnp.zeros((), jnp.int32), key, options)))


_started = jax.jit(start)
