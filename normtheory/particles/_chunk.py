"""Many steps in one compiled call, with what is to be recorded on the way.

Everything here works on one run; :mod:`normtheory.particles._sweep` maps it over many. The number
of steps, the grid of records and all tolerances are arguments, so that none compiles anew; how a
run is cut into calls changes no bit of it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from normtheory._spread import whole
from normtheory._types import Array, Count, Flag
from normtheory.particles import _pairs
from normtheory.particles._options import fits
from normtheory.particles._state import State
from normtheory.particles._step import advance, evaluate
from normtheory.particles._system import System
from normtheory.particles._view import View
from normtheory.particles.observables import Observable
from normtheory.particles.stop import Stop

Rows = dict[str, Array]


class Chunk(NamedTuple):
    """What came of a compiled call.

    Attributes:
        state: the run now.
        over: whether it has ended, by a rule or by the number of steps.
        converged: whether by a rule.
        finite: whether all positions are finite, and the trained options in their ranges.
        count: how many slots of the records are used.
        steps: step number of every slot, (slots,).
        rows: records, each (slots, ...).
    """

    state: State
    over: Flag
    converged: Flag
    finite: Flag
    count: Count
    steps: Array
    rows: Rows


def observe(system: System, state: State, record: tuple[Observable, ...]) -> Rows:
    """What is recorded at a state."""
    return _records(View(system, state, evaluate(system, state)), record)


def _records(view: View, record: tuple[Observable, ...]) -> Rows:
    return whole({item.name: jnp.asarray(item(view)) for item in record})


def chunk(
    system: System,
    state: State,
    stop: tuple[Stop, ...],
    record: tuple[Observable, ...],
    every: Count,
    end: Count,
    last: Count,
    *,
    slots: int,
    blocks: bool = False,
) -> Chunk:
    """Go on to step ``end``, or until the run is over, or as far as there is room for records.

    The force is evaluated once a step, for the rules, the records and the update alike. At the step
    where the run ends it is evaluated too, and recorded, and nothing is updated. A step of blocks
    needs no evaluation, and gets one only where a rule or a record asks for it.

    Args:
        system: settings.
        state: where the run is.
        stop: rules, asked before every update.
        record: observables, recorded at multiples of ``every`` and at the end of the run.
        every: steps between records, int32.
        end: step at which this call returns, int32.
        last: step at which the run is over, int32, >= end.
        slots: how many records there is room for.
        blocks: whether :func:`normtheory.particles._pairs.advance` takes the step.
    """
    shapes = jax.eval_shape(lambda: observe(system, state, record)) if record else {}
    empty = jax.tree.map(lambda row: jnp.zeros((slots, *row.shape), row.dtype), shapes)

    def running(carry: Chunk) -> Flag:
        step = carry.state.step
        return ~carry.over & (carry.count < slots) & ((step < end) | (step >= last))

    def body(carry: Chunk) -> Chunk:
        state = carry.state
        found = evaluate(system, state)
        view = View(system, state, found)
        converged = jnp.zeros((), bool)
        for rule in stop:
            converged = converged | rule(view)
        over = converged | (state.step >= last)
        count, steps, rows = carry.count, carry.steps, carry.rows
        if record:
            due = over | (state.step % every == 0)

            def write() -> tuple[Count, Rows]:
                here = observe(system, state, record) if blocks else _records(view, record)
                return steps.at[count].set(state.step), {
                    name: x.at[count].set(here[name]) for name, x in rows.items()
                }

            steps, rows = lax.cond(due, write, lambda: (steps, rows))
            count = count + due.astype(jnp.int32)
        if blocks:
            # As many at once as nobody looks at: a look between two steps costs a copy.
            ahead = 1 if stop else jnp.minimum(every - state.step % every, end - state.step)
            new = _pairs.advance(system, state, jnp.where(over, 0, ahead))
        else:
            new = advance(system, state, found)
            new = jax.tree.map(lambda old, new: jnp.where(over, old, new), state, new)
        return carry._replace(
            state=new, over=over, converged=converged, count=count, steps=steps, rows=rows
        )

    no = jnp.zeros((), bool)
    start = Chunk(state, no, no, no, jnp.int32(0), jnp.zeros(slots, jnp.int32), empty)
    done = lax.while_loop(running, body, start)
    finite = jnp.stack(
        [
            *(jnp.isfinite(z).all() for z in done.state.positions),
            *fits(system, done.state).values(),
        ]
    ).all()
    return done._replace(finite=finite, rows=whole(done.rows))
