"""Many runs at once: every combination of norms, rates, powers and seeds in one compiled call.

As many runs as the memory budget allows advance side by side (``jax.vmap``), each in a lane. A run
that has stopped gives its lane to the next one, so that short runs don't wait for long ones and
nothing is compiled twice.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from normtheory._arrays import check_count, check_values
from normtheory.particles import _chunk
from normtheory.particles._memory import bytes_of_step
from normtheory.particles._record import attributes, numpy_of, variables
from normtheory.particles._run import NEVER, Size, bar_of
from normtheory.particles._state import (
    State,
    check_positions,
    init,
    key_data,
    precision,
    rescale,
    start,
)
from normtheory.particles._system import System
from normtheory.particles.observables import Observable, chosen
from normtheory.particles.stop import Stop, rules

Array = Any
Start = tuple[Array, ...] | Callable[[int], tuple[Array, ...]]

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
    positions: tuple[Array, ...],
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


def _read_axes(over: Mapping[str, Any]) -> dict[str, np.ndarray]:
    found = {}
    if not over:
        raise ValueError("over: expected at least one axis, such as {'learning_rate': [0.1, 1.0]}")
    for name, values in over.items():
        values = np.asarray(values, dtype=None if name == "seed" else np.float64)
        if values.ndim != 1 or not len(values):
            raise ValueError(f"over: expected {name} to be a list of values, got {values!r}")
        if name == "seed":
            if values.dtype.kind not in "iu":
                raise TypeError(f"seed: expected integers, got {values.dtype}")
            check_values("seed", values, least=0)
        elif name == "norm":
            check_values("norm", values, above=0.0)
        found[name] = values
    return found


def sweep(
    system: System,
    clouds: Start,
    over: Mapping[str, Any],
    max_steps: int,
    *,
    stop: Stop | Iterable[Stop] | None = None,
    record: str | Observable | Iterable[str | Observable] = ("loss",),
    record_every: int | None = None,
    memory: int = 2**30,
    progress: bool | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Run every combination of numbers, norms and seeds, compiled once, side by side.

    Args:
        system: see :class:`System`.
        clouds: positions, as for :func:`init`; or ``clouds(seed)``, which draws them, all of one
            shape.
        over: the axes, in order: ``{"norm": [1, 2, 4], "learning_rate": [0.1, 1.0], "gradscale":
            [0.0, 1.0], "seed": range(8)}``. ``norm`` is the starting norm of every row (and the
            one projected to, where the system fixes one), ``seed`` the seed of draws and of
            ``clouds``; other names are those of :meth:`System.with_numbers`, such as
            ``temperature``.
        max_steps: updates of a run.
        stop: rules, as for :func:`run`.
        record: observables, as for :func:`run`.
        record_every: record at multiples of so many steps; None to record the end of a run only.
        memory: bytes that the runs side by side may take, by an estimate from their shapes.
        progress: show a progress bar over runs; None for where there is a terminal.
        seed: of all runs, where it is no axis.

    Returns:
        Dataset over the axes: ``steps``, ``converged``, and every observable: at the end of the
        run, or with ``record_every`` over ``step`` too, NaN after the end. Each run is the one
        that :func:`run` makes, to rounding.

    Raises:
        TypeError, ValueError: an axis that the system has no number for, values out of range,
            clouds that don't fit.
        FloatingPointError: a run whose positions became infinite or NaN; its place is named.

    Example:
        >>> import numpy as np
        >>> from normtheory.particles import System, forces, stop, sweep
        >>> clouds = tuple(np.random.default_rng(0).standard_normal((2, 20, 8)))
        >>> found = sweep(
        ...     System(forces.attraction(), 1.0),
        ...     clouds,
        ...     {"norm": [1.0, 2.0], "learning_rate": [1.0, 2.0]},
        ...     10_000,
        ...     stop=stop.mean_cosine(1e-2),
        ... )
        >>> found.steps.dims
        ('norm', 'learning_rate')
        >>> found.steps.values.tolist()
        [[29, 15], [115, 57]]
    """
    axes = _read_axes(over)
    check_count("max_steps", max_steps, 0)
    check_count("memory", memory, 1)
    if record_every is not None:
        check_count("record_every", record_every, 1)
    rule, items = rules(stop), chosen(record)
    draws = _Clouds(clouds)
    shape = tuple(len(values) for values in axes.values())
    members = list(itertools.product(*(range(k) for k in shape)))
    seeds = axes.get("seed", np.array([seed]))
    first = draws(int(seeds[0]))
    numbers = {name: x for name, x in axes.items() if name not in ("norm", "seed")}
    if "norm" in axes and system.norm is not None:
        numbers["norm"] = axes["norm"]
    for name in axes:
        if name in [item.name for item in items]:
            raise ValueError(f"record: {name} is an axis; give the observable another name")
    for name, values in numbers.items():
        for value in values:
            system.with_numbers(**{name: float(value)})
    system.with_numbers(**{name: float(values.max()) for name, values in numbers.items()})
    state = init(system, *first, seed=int(seeds[0]))
    with precision(state.dtype):
        lanes = _Lanes(
            system.cast(state.dtype), state, axes, numbers, members, draws, seed, rule, items
        )
        lanes.count = max(1, min(len(members), memory // bytes_of_step(lanes.system, state)))
        found = lanes.run(max_steps, record_every, progress)
    return _dataset(found, axes, shape, items, record_every, system, rule, state, max_steps)


class _Clouds:
    """Starting positions by seed, drawn once each."""

    def __init__(self, clouds: Start) -> None:
        self.clouds = clouds
        self.kept: dict[int, tuple[Array, ...]] = {}

    def __call__(self, seed: int) -> tuple[Array, ...]:
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


class _Lanes:
    """Runs side by side, and the queue of those to come."""

    def __init__(
        self,
        system: System,
        state: State,
        axes: Mapping[str, np.ndarray],
        numbers: Mapping[str, np.ndarray],
        members: list[tuple[int, ...]],
        draws: _Clouds,
        seed: int,
        rule: tuple[Stop, ...],
        items: tuple[Observable, ...],
    ) -> None:
        self.system, self.state, self.axes, self.numbers = system, state, axes, numbers
        self.members, self.draws, self.seed, self.rule, self.items = (
            members,
            draws,
            seed,
            rule,
            items,
        )
        self.count = 1
        base, self.structure = jax.tree.flatten(system)
        places = system.numbers()
        self.swept = tuple(places[name] for name in numbers)
        self.base = base

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
        positions = tuple(np.stack([np.asarray(c[k]) for c in clouds]) for k in range(len(clouds[0])))
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
                if over.any() and not record_every and self.items:
                    rows = numpy_of(_observe(leaves, state, self.items, **options))
                    for lane in np.flatnonzero(over):
                        table.put((held[lane],), rows, lane)
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

    def put(self, place: tuple[Any, ...], rows: _chunk.Rows, lane: int) -> None:
        """Enter the record of a lane."""
        for name, x in rows.items():
            if name not in self.arrays:
                kind = x.dtype if np.issubdtype(x.dtype, np.floating) else np.float64
                self.arrays[name] = np.full((*self.shape, *x.shape[1:]), np.nan, kind)
            self.arrays[name][place] = x[lane]


def _dataset(
    found: dict[str, np.ndarray],
    axes: Mapping[str, np.ndarray],
    shape: tuple[int, ...],
    items: tuple[Observable, ...],
    record_every: int | None,
    system: System,
    rule: tuple[Stop, ...],
    state: State,
    max_steps: int,
) -> xr.Dataset:
    lead = (*axes, "step") if record_every else tuple(axes)
    values = {name: x.reshape(*shape, *x.shape[1:]) for name, x in found.items()}
    data, coords = variables(items, values, lead)
    data["steps"] = (tuple(axes), values["steps"], {"units": "steps"})
    data["converged"] = (tuple(axes), values["converged"], {"units": "1"})
    coords.update({name: (name, x, {"units": "1"}) for name, x in axes.items()})
    if record_every:
        grid = np.arange(max_steps // record_every + 1, dtype=np.int64) * record_every
        coords["step"] = ("step", grid, {"units": "steps"})
    attrs = attributes(system, rule, state.dtype, max_steps=max_steps, over=", ".join(axes))
    return xr.Dataset(data, coords=coords, attrs=attrs)
