"""How much memory one step of one run needs, from its jaxpr, before anything is compiled."""

from __future__ import annotations

import math
from typing import Any

import jax

from normtheory.particles._state import State
from normtheory.particles._step import advance, evaluate
from normtheory.particles._system import System

# The compiler fuses most intermediates away, and reuses the space of those it keeps. In InfoNCE
# three arrays of the size of the similarities live at once; one more is room for rounding.
_ALIVE = 4

_MOST = 2**47  # bytes that a process can address; JAX ends one that asks for much more


def _sizes(jaxpr: Any) -> list[int]:
    found = []
    for equation in jaxpr.eqns:
        for out in equation.outvars:
            shape = getattr(out.aval, "shape", ())
            item = getattr(getattr(out.aval, "dtype", None), "itemsize", 8)
            found.append(math.prod(shape) * item)
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    found += _sizes(inner)
    return found


def bytes_of_step(system: System, state: State) -> int:
    """An upper estimate of the bytes that a run holds while it takes a step.

    Raises:
        ValueError: no process can hold them.
    """
    jaxpr = jax.make_jaxpr(lambda s, x: advance(s, x, evaluate(s, x)))(system, state)
    held = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    found = 2 * held + _ALIVE * max(_sizes(jaxpr.jaxpr), default=0)
    if found > _MOST:
        raise ValueError(
            f"a step needs about {found:.0e} bytes, more than there can be: expected fewer rows, "
            "or a smaller minibatch"
        )
    return found
