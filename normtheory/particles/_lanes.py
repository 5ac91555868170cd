"""Runs side by side in lanes, and the queue of those to come.

A run that is over gives its lane to the next one, so that short runs don't wait for long ones and
nothing is compiled twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._types import Array, Clouds
from normtheory.particles import _chunk
from normtheory.particles._init import start
from normtheory.particles._names import Names
from normtheory.particles._record import numpy_of
from normtheory.particles._run import NEVER, Size, bar_of
from normtheory.particles._state import State, check_positions, key_data, rescale
from normtheory.particles._system import System
from normtheory.particles.observables import Observable
from normtheory.particles.stop import Stop

Start = Clouds | Callable[[int], Clouds]

_STATIC = ("structure", "swept")


def _axes(structure: Any, swept: tuple[int, ...]) -> list[int | None]:
    return [0 if k in swept else None for k in range(structure.num_leaves)]


@partial(jax.jit, static_argnames=_STATIC)
def _advance(
    leaves: list[Array],
    state: State,
    stop: tuple[Stop, ...],
    end: Array,
    last: Array,
    *,
    structure: Any,
    swept: tuple[int, ...],
) -> _chunk.Chunk:
    def one(leaves: list[Array], state: State, end: Array) -> _chunk.Chunk:
        system = jax.tree.unflatten(structure, leaves)
        return _chunk.chunk(system, state, stop, (), jnp.int32(NEVER), end, last, slots=1)

    return jax.vmap(one, in_axes=(_axes(structure, swept), 0, 0))(leaves, state, end)


@partial(jax.jit, static_argnames=_STATIC)
def _observe(
    leaves: list[Array],
    state: State,
    record: tuple[Observable, ...],
    *,
    structure: Any,
    swept: tuple[int, ...],
) -> _chunk.Rows:
    def one(leaves: list[Array], state: State) -> _chunk.Rows:
        return _chunk.observe(jax.tree.unflatten(structure, leaves), state, record)

    return jax.vmap(one, in_axes=(_axes(structure, swept), 0))(leaves, state)


@partial(jax.jit, static_argnames=_STATIC)
def _load(
    leaves: list[Array],
    old: State,
    positions: Clouds,
    norm: Array | None,
    key: Array,
    new: Array,
    *,
    structure: Any,
    swept: tuple[int, ...],
) -> State:
    """Put new runs into the lanes where ``new``; the others keep their state."""

    def one(leaves: list[Array], positions: Any, norm: Any, key: Any) -> State:
        if norm is not None:
            positions = tuple(rescale(z, norm.reshape(1, 1)) for z in positions)
        return start(jax.tree.unflatten(structure, leaves), positions, key)

    axes = (_axes(structure, swept), 0, None if norm is None else 0, 0)
    fresh = jax.vmap(one, in_axes=axes)(leaves, positions, norm, key)

    def pick(fresh: Array, old: Array) -> Array:
        return jnp.where(new.reshape(-1, *[1] * (fresh.ndim - 1)), fresh, old)

    return jax.tree.map(pick, fresh, old)


class Draws:
    """Starting positions by seed, drawn once each."""

    def __init__(self, clouds: Start) -> None:
        self.clouds = clouds
        self.kept: dict[int, Clouds] = {}

    def __call__(self, seed: int) -> Clouds:
        """Positions for a seed, checked."""
        if not callable(self.clouds):
            return tuple(self.clouds)
        if seed not in self.kept:
            drawn = tuple(self.clouds(seed))
            check_positions(drawn)
            if self.kept:
                one = next(iter(self.kept.values()))
                if [z.shape for z in one] != [z.shape for z in drawn]:
                    raise ValueError(
                        f"clouds: expected one shape for all seeds, got {[z.shape for z in one]} "
                        f"and for seed {seed} {[z.shape for z in drawn]}"
                    )
            self.kept[seed] = drawn
        return self.kept[seed]


class Lanes:
    """Runs side by side, and the queue of those to come."""

    def __init__(
        self,
        system: System,
        state: State,
        axes: Mapping[str, np.ndarray],
        numbers: Mapping[str, np.ndarray],
        members: list[tuple[int, ...]],
        draws: Draws,
        seed: int,
        rule: tuple[Stop, ...],
        items: tuple[Observable, ...],
    ) -> None:
        self.system, self.state, self.axes, self.numbers = system, state, axes, numbers
        self.members, self.draws, self.seed = members, draws, seed
        self.rule, self.items = rule, items
        self.count = 1
        self.base, self.structure = jax.tree.flatten(system)
        names = Names(system)
        self.swept = tuple(names.place(name) for name in numbers)

    def _value(self, name: str, member: int) -> Any:
        return self.axes[name][self.members[member][list(self.axes).index(name)]]

    def _leaves(self, held: list[int]) -> list[Array]:
        leaves = list(self.base)
        for place, name in zip(self.swept, self.numbers, strict=True):
            values = [self._value(name, member) for member in held]
            leaves[place] = np.asarray(values, self.state.dtype)
        return leaves

    def _loaded(self, held: list[int], new: np.ndarray, state: State) -> State:
        seeds = [
            int(self._value("seed", member)) if "seed" in self.axes else self.seed
            for member in held
        ]
        clouds = [self.draws(seed) for seed in seeds]
        positions = tuple(
            np.stack([np.asarray(c[k]) for c in clouds]) for k in range(len(clouds[0]))
        )
        norm = None
        if "norm" in self.axes:
            norm = np.asarray([self._value("norm", member) for member in held], self.state.dtype)
        key = np.stack([key_data(seed) for seed in seeds])
        return _load(
            self._leaves(held),
            state,
            positions,
            norm,
            key,
            new,
            structure=self.structure,
            swept=self.swept,
        )

    def run(
        self, max_steps: int, record_every: int | None, progress: bool | None
    ) -> dict[str, np.ndarray]:
        """Run all members; arrays with one row a member."""
        total, lanes = len(self.members), self.count
        every = record_every or NEVER
        waiting = iter(range(lanes, total))
        held = list(range(lanes))
        busy, new = np.ones(lanes, bool), np.ones(lanes, bool)
        state = jax.tree.map(lambda x: np.stack([np.asarray(x)] * lanes), self.state)
        options = {"structure": self.structure, "swept": self.swept}
        found = {"steps": np.zeros(total, np.int64), "converged": np.zeros(total, bool)}
        table = _Table(total, max_steps // every + 1 if record_every else 0)
        size = Size(None)
        with bar_of(progress, 0, total, "run") as bar:
            while busy.any():
                leaves = self._leaves(held)
                if new.any():
                    state = self._loaded(held, new, state)
                at = np.asarray(state.step)
                if record_every and (busy & (at % every == 0)).any():
                    rows = numpy_of(_observe(leaves, state, self.items, **options))
                    for lane in np.flatnonzero(busy & (at % every == 0)):
                        table.put((held[lane], at[lane] // every), rows, lane)
                end = np.minimum(at + size.steps, (at // every + 1) * every)
                end = np.where(busy, np.minimum(end, max_steps), at).astype(np.int32)
                clock = time.perf_counter()
                out = _advance(leaves, state, self.rule, end, np.int32(max_steps), **options)
                state = out.state
                over, converged, finite, now = (
                    np.asarray(x) for x in (out.over, out.converged, out.finite, state.step)
                )
                size.took(int((now - at).max()), time.perf_counter() - clock)
                if not finite[busy].all():
                    self._fail(held[int(np.flatnonzero(busy & ~finite)[0])])
                over, new = busy & over, np.zeros(lanes, bool)
                # A run that ends leaves its lane: its last record is taken here.
                ended = over & (now % every == 0) if record_every else over
                if ended.any() and self.items:
                    rows = numpy_of(_observe(leaves, state, self.items, **options))
                    for lane in np.flatnonzero(ended):
                        record = (now[lane] // every,) if record_every else ()
                        table.put((held[lane], *record), rows, lane)
                for lane in np.flatnonzero(over):
                    found["steps"][held[lane]] = now[lane]
                    found["converged"][held[lane]] = converged[lane]
                    following = next(waiting, None)
                    if following is None:
                        busy[lane] = False
                    else:
                        held[lane], new[lane] = following, True
                bar.update(int(over.sum()))
        return {**found, **table.arrays}

    def _fail(self, member: int) -> None:
        where = ", ".join(f"{name} {self._value(name, member):g}" for name in self.axes)
        raise FloatingPointError(f"the run at {where} is not finite: the steps are too large")


class _Table:
    """Records of all runs, over a common grid of steps if there is one; NaN where there is none."""

    def __init__(self, members: int, records: int) -> None:
        self.shape = (members, records) if records else (members,)
        self.arrays: dict[str, np.ndarray] = {}

    def put(self, place: tuple[Any, ...], rows: _chunk.Rows, lane: Any) -> None:
        """Enter the record of a lane."""
        for name, x in rows.items():
            if name not in self.arrays:
                kind = x.dtype if np.issubdtype(x.dtype, np.floating) else np.float64
                self.arrays[name] = np.full((*self.shape, *x.shape[1:]), np.nan, kind)
            self.arrays[name][place] = x[lane]
