"""Runs side by side in lanes, and the queue of those to come.

A run that is over gives its lane to the next one, so that short runs don't wait for long ones and
nothing is compiled twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec

from normtheory._arrays import native
from normtheory._types import Array, Clouds
from normtheory.particles import _chunk
from normtheory.particles._given import key_data
from normtheory.particles._init import start
from normtheory.particles._names import Names
from normtheory.particles._record import numpy_of
from normtheory.particles._run import NEVER, Size, bar_of
from normtheory.particles._state import State, check_positions, rescale
from normtheory.particles._system import System
from normtheory.particles.observables import Observable
from normtheory.particles.stop import Stop

Start = Clouds | Callable[[int], Clouds]

_STATIC = ("structure", "swept", "mesh")
_LANES = PartitionSpec("lanes")


def _over_lanes(
    one: Callable[..., Any], structure: Any, swept: tuple[int, ...], mesh: Mesh | None
) -> Callable[..., Any]:
    """``one(leaves, ...)`` for every lane; lanes are split over the devices of a mesh.

    Of the leaves of the system the swept ones have an entry for every lane, all else has too.
    Devices tell each other nothing: each goes on until its own lanes are through.
    """
    axes = [0 if k in swept else None for k in range(structure.num_leaves)]

    def mapped(leaves: list[Array], *rest: Any) -> Any:
        return jax.vmap(one, in_axes=(axes, *(0 for _ in rest)))(leaves, *rest)

    def spread(leaves: list[Array], *rest: Any) -> Any:
        assert mesh is not None
        specs = [PartitionSpec() if axis is None else _LANES for axis in axes]
        return jax.shard_map(
            mapped,
            mesh=mesh,
            in_specs=(specs, *(_LANES for _ in rest)),
            out_specs=_LANES,
            check_vma=False,
        )([jnp.asarray(x) for x in leaves], *rest)

    return mapped if mesh is None else spread


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
    mesh: Mesh | None,
) -> _chunk.Chunk:
    def one(leaves: list[Array], state: State, end: Array) -> _chunk.Chunk:
        system = jax.tree.unflatten(structure, leaves)
        return _chunk.chunk(system, state, stop, (), jnp.int32(NEVER), end, last, slots=1)

    return _over_lanes(one, structure, swept, mesh)(leaves, state, end)


@partial(jax.jit, static_argnames=_STATIC)
def _observe(
    leaves: list[Array],
    state: State,
    record: tuple[Observable, ...],
    *,
    structure: Any,
    swept: tuple[int, ...],
    mesh: Mesh | None,
) -> _chunk.Rows:
    def one(leaves: list[Array], state: State) -> _chunk.Rows:
        return _chunk.observe(jax.tree.unflatten(structure, leaves), state, record)

    return _over_lanes(one, structure, swept, mesh)(leaves, state)


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
    mesh: Mesh | None,
) -> State:
    """Put new runs into the lanes where ``new``; the others keep their state."""

    def one(
        leaves: list[Array], old: State, positions: Any, norm: Any, key: Any, new: Any
    ) -> State:
        if norm is not None:
            positions = tuple(rescale(z, norm.reshape(1, 1)) for z in positions)
        fresh = start(jax.tree.unflatten(structure, leaves), positions, key)
        return jax.tree.map(lambda fresh, old: jnp.where(new, fresh, old), fresh, old)

    mapped = _over_lanes(one, structure, swept, mesh)
    return mapped(leaves, old, positions, norm, key, new)


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
            drawn = tuple(map(native, self.clouds(seed)))
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
    """Runs side by side, and the queue of those to come.

    Args:
        system: cast to the dtype of the state.
        state: of the first run at its start.
        axes: values by axis.
        numbers: those that are numbers of the system.
        members: places on the axes of every run.
        draws: starting positions by seed.
        seed: of runs without an axis of seeds.
        rule: stop rules.
        items: observables.
        count: how many lanes there are.
        devices: over which they are split, evenly.
    """

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
        count: int,
        devices: Sequence[Any],
    ) -> None:
        self.system, self.axes, self.numbers = system, axes, numbers
        self.members, self.draws, self.seed = members, draws, seed
        self.rule, self.items = rule, items
        self.base, structure = jax.tree.flatten(system)
        names = Names(system)
        self.swept = tuple(names.place(name) for name in numbers)
        mesh = None
        if len(devices) > 1:
            kinds = (AxisType.Auto,)
            mesh = jax.make_mesh((len(devices),), ("lanes",), axis_types=kinds, devices=devices)
        self.options = {"structure": structure, "swept": self.swept, "mesh": mesh}
        total = len(members)
        self.dtype = state.dtype
        self.state: Any = jax.tree.map(lambda x: np.stack([np.asarray(x)] * count), state)
        # Which run is in a lane, whether it goes on, whether it has yet to be put there.
        self.held = np.minimum(np.arange(count), total - 1)
        self.busy, self.new = np.arange(count) < total, np.ones(count, bool)
        self.next = min(count, total)
        self.found = {"steps": np.zeros(total, np.int64), "converged": np.zeros(total, bool)}
        self.table = _Table()

    def _value(self, name: str, member: int) -> Any:
        return self.axes[name][self.members[member][list(self.axes).index(name)]]

    def _leaves(self) -> list[Array]:
        leaves = list(self.base)
        for place, name in zip(self.swept, self.numbers, strict=True):
            values = [self._value(name, member) for member in self.held]
            leaves[place] = np.asarray(values, self.dtype)
        return leaves

    def _loaded(self) -> State:
        seeds = [
            int(self._value("seed", member)) if "seed" in self.axes else self.seed
            for member in self.held
        ]
        clouds = [self.draws(seed) for seed in seeds]
        positions = tuple(
            np.stack([np.asarray(c[k]) for c in clouds]) for k in range(len(clouds[0]))
        )
        norm = None
        if "norm" in self.axes:
            norm = np.asarray([self._value("norm", member) for member in self.held], self.dtype)
        key = np.stack([key_data(seed) for seed in seeds])
        return _load(self._leaves(), self.state, positions, norm, key, self.new, **self.options)

    def snapshot(self) -> dict[str, np.ndarray]:
        """All that the sweep goes on from, as arrays by name."""
        return {
            **{f"state{k:03}": np.asarray(x) for k, x in enumerate(jax.tree.leaves(self.state))},
            **{name: getattr(self, name) for name in ("held", "busy", "new")},
            "next": np.asarray(self.next),
            **{f"found.{name}": x for name, x in self.found.items()},
            **{f"table.{name}": x for name, x in self.table.arrays.items()},
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from a snapshot of the same sweep."""
        leaves, structure = jax.tree.flatten(self.state)
        leaves = [arrays[f"state{k:03}"] for k in range(len(leaves))]
        self.state = jax.tree.unflatten(structure, leaves)
        self.held, self.busy, self.new = (arrays[name] for name in ("held", "busy", "new"))
        self.next = int(arrays["next"])
        for into, name in ((self.found, "found."), (self.table.arrays, "table.")):
            into.update({k.removeprefix(name): x for k, x in arrays.items() if k.startswith(name)})

    def run(
        self,
        max_steps: int,
        record_every: int | None,
        progress: bool | None,
        on_chunk: Callable[[bool], None],
    ) -> dict[str, np.ndarray]:
        """Run all members; arrays with one row a member.

        ``on_chunk`` is called after every compiled call, with whether it was the last.
        """
        total, every = len(self.members), record_every or NEVER
        self.table.shape = (total, *([max_steps // every + 1] if record_every else []))
        size = Size(None)
        done = self.next - int(self.busy.sum())
        with bar_of(progress, done, total, "run") as bar:
            while self.busy.any():
                leaves = self._leaves()
                if self.new.any():
                    self.state = self._loaded()
                at = np.asarray(self.state.step)
                due = self.busy & (at % every == 0)
                if record_every and due.any():
                    self._record(leaves, due, at // every)
                end = np.minimum(at + size.steps, (at // every + 1) * every)
                end = np.where(self.busy, np.minimum(end, max_steps), at).astype(np.int32)
                clock = time.perf_counter()
                out = _advance(
                    leaves, self.state, self.rule, end, np.int32(max_steps), **self.options
                )
                self.state = out.state
                over, converged, finite, now = (
                    np.asarray(x) for x in (out.over, out.converged, out.finite, out.state.step)
                )
                size.took(int((now - at).max()), time.perf_counter() - clock)
                if not finite[self.busy].all():
                    self._fail(self.held[int(np.flatnonzero(self.busy & ~finite)[0])])
                over = self.busy & over
                # A run that ends leaves its lane: its last record is taken here.
                ended = over & (now % every == 0) if record_every else over
                if ended.any() and self.items:
                    self._record(leaves, ended, now // every if record_every else None)
                self._leave(over, now, converged)
                bar.update(int(over.sum()))
                on_chunk(not self.busy.any())
        return {**self.found, **self.table.arrays}

    def _record(self, leaves: list[Array], lanes: np.ndarray, slots: np.ndarray | None) -> None:
        """Enter the records of some lanes, at places on the grid of steps if there is one."""
        rows = numpy_of(_observe(leaves, self.state, self.items, **self.options))
        for lane in np.flatnonzero(lanes):
            slot = () if slots is None else (slots[lane],)
            self.table.put((self.held[lane], *slot), rows, lane)

    def _leave(self, over: np.ndarray, now: np.ndarray, converged: np.ndarray) -> None:
        """Note what has ended, and give its lanes to the next."""
        self.new = np.zeros(len(over), bool)
        for lane in np.flatnonzero(over):
            member = self.held[lane]
            self.found["steps"][member] = now[lane]
            self.found["converged"][member] = converged[lane]
            if self.next < len(self.members):
                self.held[lane], self.new[lane] = self.next, True
                self.next += 1
            else:
                self.busy[lane] = False

    def _fail(self, member: int) -> None:
        where = ", ".join(f"{name} {self._value(name, member):g}" for name in self.axes)
        raise FloatingPointError(f"the run at {where} is not finite: the steps are too large")


class _Table:
    """Records of all runs, over a common grid of steps if there is one; NaN where there is none."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.arrays: dict[str, np.ndarray] = {}

    def put(self, place: tuple[Any, ...], rows: _chunk.Rows, lane: Any) -> None:
        """Enter the record of a lane."""
        for name, x in rows.items():
            if name not in self.arrays:
                kind = x.dtype if np.issubdtype(x.dtype, np.floating) else np.float64
                self.arrays[name] = np.full((*self.shape, *x.shape[1:]), np.nan, kind)
            self.arrays[name][place] = x[lane]
