"""A run: chunks of compiled steps, records, a progress bar, a place to save between chunks."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import jax
import numpy as np
import xarray as xr

from normtheory import _spread
from normtheory._arrays import check_count, check_flag, check_kind
from normtheory._progress import bar
from normtheory.particles import _chunk
from normtheory.particles._fit import check_fit
from normtheory.particles._options import fits, values
from normtheory.particles._pairs import by_blocks
from normtheory.particles._record import (
    Records,
    attributes,
    dataset,
    joined,
    on_grid,
)
from normtheory.particles._state import State, handed_out, precision
from normtheory.particles._step import check_door
from normtheory.particles._system import System
from normtheory.particles.observables import Observable, chosen
from normtheory.particles.stop import Stop, check_places, rules

_SLOTS = 256  # most records that one compiled call has room for
_ROOM = 2**26  # bytes for them
_SECONDS = 0.5  # what a chunk should take: short enough to interrupt, long enough to be free
NEVER = 2**30  # steps between records where there are none

_compiled = jax.jit(_chunk.chunk, static_argnames=("slots", "blocks"))


@dataclasses.dataclass(frozen=True)
class Run:
    """A run so far.

    Attributes:
        state: from which it goes on.
        steps: updates done, counted from ``init``.
        converged: whether a stop rule held at this state.
        records: ``step`` and every observable, arrays with one row a record.
        observables: what is recorded.
        attrs: attributes of the dataset.
    """

    state: State
    steps: int
    converged: bool
    records: Records
    observables: tuple[Observable, ...]
    attrs: Mapping[str, Any]

    def __repr__(self) -> str:
        """What came of it, not the numbers of every embedding."""
        end = "converged" if self.converged else "not converged"
        names = ", ".join(item.name for item in self.observables)
        count = len(self.records["step"])
        return f"Run({self.steps} steps, {end}, {count} records of {names}; {self.state})"

    @cached_property
    def dataset(self) -> xr.Dataset:
        """The records over ``step``, with units and the attributes that rerun it."""
        attrs = {**self.attrs, "steps": self.steps, "converged": int(self.converged)}
        return dataset(self.observables, self.records, attrs)


def run(
    system: System,
    state: State,
    max_steps: int,
    *,
    stop: Stop | Iterable[Stop] | None = None,
    record: str | Observable | Iterable[str | Observable] = ("loss",),
    record_every: int | None = None,
    chunk_steps: int | None = None,
    progress: bool | None = None,
    on_chunk: Callable[[Run], None] | None = None,
    history: Mapping[str, Any] | None = None,
) -> Run:
    """Run until a stop rule holds, or to a number of steps.

    The state carries all that the run depends on: going on from a saved state gives the same bits
    as never having stopped, however the run is cut into chunks. On a CPU, attraction or repulsion
    of many pairs under SGD, also with decay, momentum or minibatches, goes through them in blocks
    that fit the cache, several times faster than :func:`step` and equal to it to rounding.

    Args:
        system: see :class:`System`.
        state: from :func:`init`, or where an earlier run ended.
        max_steps: updates in all, counted from ``init``: a run that is resumed keeps it.
        stop: rules of :mod:`normtheory.particles.stop`, asked before every update; any of them ends
            the run.
        record: names of :data:`normtheory.particles.observables.OBSERVABLES` and observables.
        record_every: record at multiples of so many steps; None for step 0 only. The last state
            is always recorded.
        chunk_steps: at most so many steps between two calls of ``on_chunk``; None for about half a
            second's worth.
        progress: show a progress bar; None for where there is a terminal.
        on_chunk: called with the run so far after every chunk; the place to save it.
        history: records of the earlier part of the run, which the new ones continue.

    Returns:
        :class:`Run`.

    Raises:
        TypeError, ValueError: arguments that don't fit each other; a zero or non-finite row.
        FloatingPointError: a row became infinite or NaN; it is named.

    Example:
        >>> import numpy as np
        >>> from normtheory.particles import System, forces, init, run, stop
        >>> z, y = np.random.default_rng(0).standard_normal((2, 50, 8))
        >>> system = System(forces.attraction(), 5.0)
        >>> done = run(system, init(system, z, y), 10_000, stop=stop.mean_cosine(1e-3))
        >>> done.converged
        True
        >>> done.state
        State(step 189, clouds (50, 8), (50, 8), float64)
        >>> dict(done.dataset.sizes)
        {'step': 2}
    """
    check_door(system, state)
    check_count("max_steps", max_steps, 0)
    for name, value in (("record_every", record_every), ("chunk_steps", chunk_steps)):
        if value is not None:
            check_count(name, value, 1)
    if max_steps < int(state.step):
        raise ValueError(f"max_steps: expected at least the state's {state.step}, got {max_steps}")
    if max_steps >= NEVER:
        raise ValueError(f"max_steps: expected below {NEVER}, got {max_steps}")
    check_progress(progress)
    if on_chunk is not None:
        check_kind("on_chunk", on_chunk, Callable, "a callable")
    check_kind("history", {} if history is None else history, Mapping, "the records of a run")
    rule, items = rules(stop), chosen(record)
    check_places(rule, len(state.positions))
    every = min(record_every or NEVER, NEVER)
    begin = int(state.step)
    pieces = on_grid(history, every, begin)
    with precision(state.dtype), _spread.on_devices_of(state) as mesh:
        cast = system.cast(state.dtype)
        check_fit(cast, state.positions)
        attrs = attributes(
            system,
            rule,
            state.dtype,
            max_steps=max_steps,
            key=str(np.asarray(state.key).tolist()),
            devices=1 if mesh is None else mesh.size,
        )
        slots = _slots(cast, state, items)
        blocks = by_blocks(cast, state)
        size = Size(chunk_steps)
        at, over, converged = begin, False, False

        def snapshot() -> Run:
            return Run(handed_out(state), at, converged, joined(pieces), items, attrs)

        with bar_of(progress, begin, max_steps, "step") as shown:
            while not over:
                end = min(at + size.steps, max_steps)
                clock = time.perf_counter()
                grid = np.int32(every), np.int32(end), np.int32(max_steps)
                out = _compiled(cast, state, rule, items, *grid, slots=slots, blocks=blocks)
                state, reached = out.state, int(out.state.step)
                over, converged = bool(out.over), bool(out.converged)
                if chunk_steps is None:
                    seconds = _spread.agreed(time.perf_counter() - clock, state.positions[0])
                    size.took(reached - at, seconds)
                if not out.finite:
                    raise FloatingPointError(_first_bad(cast, state, reached))
                count = int(out.count)
                if count:
                    kept = {k: np.asarray(x)[:count] for k, x in out.rows.items()}
                    pieces.append({"step": np.asarray(out.steps)[:count].astype(np.int64), **kept})
                shown.update(reached - at)
                at = reached
                if on_chunk is not None:
                    on_chunk(snapshot())
        return snapshot()


def _slots(system: System, state: State, record: tuple[Observable, ...]) -> int:
    """Room for records in one call: many, unless they are large."""
    if not record:
        return 1
    rows = jax.eval_shape(_chunk.observe, system, state, record)
    size = sum(row.size * row.dtype.itemsize for row in jax.tree.leaves(rows))
    return max(1, min(_SLOTS, _ROOM // max(size, 1)))


def _first_bad(system: System, state: State, step: int) -> str:
    for name, fit in fits(system, state).items():
        if not fit:
            value = float(values(system, state)[name])
            return (
                f"{name} is {value:g} at step {step}, out of its range: give it bounds, learn its "
                "logarithm, or take smaller steps"
            )
    for k, z in enumerate(state.positions):
        row, _ = _spread.first_rows(z)
        if row is not None:
            return f"clouds[{k}] row {row} is not finite at step {step}: the steps are too large"
    raise AssertionError("no row is bad")


class Size:
    """How many steps the next chunk takes: fixed, or growing to a fraction of a second."""

    def __init__(self, fixed: int | None) -> None:
        self.fixed = fixed
        self.steps = fixed or 8
        self.calls = 0

    def took(self, steps: int, seconds: float) -> None:
        """Learn from a chunk; the first one was compiled and says nothing."""
        self.calls += 1
        if self.fixed or not steps or self.calls == 1:
            return
        wanted = steps * _SECONDS / max(seconds, 1e-6)
        self.steps = int(max(1, min(wanted, 16 * self.steps, NEVER)))


def check_progress(progress: Any) -> None:
    """Raise TypeError unless it is a truth value, or None for where there is a terminal."""
    if progress is not None:
        check_flag("progress", progress)


def bar_of(progress: bool | None, begin: int, total: int, unit: str) -> Any:
    """A progress bar with the time left, on a terminal or where it is asked for.

    Of several processes the first shows it.
    """
    first = jax.process_index() == 0
    return bar(total, unit, show=progress if first else False, initial=begin)
