"""Whether clouds fit a system: its force, its places, its sampling."""

from __future__ import annotations

import jax
import numpy as np

from normtheory._arrays import concrete
from normtheory._types import Clouds, Scalar
from normtheory.particles._forces import LossForce
from normtheory.particles._options import started
from normtheory.particles._state import State
from normtheory.particles._step import drawn_clouds, evaluate
from normtheory.particles._system import System
from normtheory.particles.sampling import Minibatch


def check_fit(system: System, positions: Clouds) -> None:
    """Raise unless the clouds fit the system: its force, its places, its sampling.

    Raises:
        TypeError, ValueError: what does not fit, in the words of the loss where it is its matter.
    """
    count = len(positions)
    for name, places in (("frozen", system.frozen), ("fresh", system.fresh)):
        for k in places:
            if not isinstance(k, int) or not 0 <= k < count:
                raise ValueError(f"{name}: expected places of the {count} clouds, got {k!r}")
    chosen = drawn_clouds(system, positions)
    for k in chosen:
        if not 0 <= k < count:
            raise ValueError(f"sampling: expected places of the {count} clouds, got {k!r}")
    rows = {len(positions[k]) for k in chosen}
    if len(rows) > 1:
        raise ValueError(f"sampling: expected clouds with as many rows each, got {sorted(rows)}")
    for name in ("cumulative", "log_frequency", "probability"):
        given = getattr(system.sampling, name, None)
        if given is not None and np.ndim(given) == 1 and rows and len(given) != max(rows):
            raise ValueError(
                f"sampling: expected {max(rows)} frequencies, one a row, got {len(given)}"
            )
    once = isinstance(system.sampling, Minibatch) and not system.sampling.replace
    if once and system.sampling.size > max(rows):
        raise ValueError(
            f"sampling: expected a size of at most {max(rows)} rows without replacement, "
            f"got {system.sampling.size}"
        )
    if isinstance(system.norm, tuple) and len(system.norm) != count:
        raise ValueError(f"norm: expected one for each of {count} clouds, got {len(system.norm)}")
    # Abstractly: shapes are judged by the loss itself, nothing is computed, JAX keeps the answer.
    options = started(system, positions[0].dtype)
    state = State(positions, (), np.zeros((), np.int32), np.zeros(2, np.uint32), options)
    jax.eval_shape(_value, system, state)
    _check_labels(system, positions)
    if not system.moving(count):
        raise ValueError("system: nothing moves: every trained cloud is frozen or fresh")


def _value(system: System, state: State) -> Scalar:
    return evaluate(system, state).value


def _check_labels(system: System, positions: Clouds) -> None:
    """Labels below a number of rows, such as that of the class weights; the row is named."""
    for force in getattr(system.force, "forces", (system.force,)):
        if not isinstance(force, LossForce):
            continue
        clouds = positions if force.clouds is None else [positions[k] for k in force.clouds]
        rows = {c.rows: len(z) for c, z in zip(force.loss.clouds, clouds, strict=True)}
        for option in force.loss.options:
            values = concrete(force.options.get(option.name))
            if option.below is None or values is None:
                continue
            most = rows[option.below]
            if (values >= most).any():
                row = int(np.argmax(values >= most))
                raise ValueError(
                    f"{option.name}: expected {option.below} 0 … {most - 1}, got {values[row]} at "
                    f"index {row}"
                )
