"""Many runs at once: every combination of norms, rates, powers and seeds in one compiled call.

As many runs as the memory budget allows advance side by side (``jax.vmap``), each in a lane of
:mod:`normtheory.particles._lanes`.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from normtheory._arrays import check_count, check_kind, check_values
from normtheory._read import labels_of, real_numbers
from normtheory.particles import checkpoint
from normtheory.particles._given import LARGEST_SEED
from normtheory.particles._init import init
from normtheory.particles._lanes import Draws, Lanes, Start
from normtheory.particles._memory import bytes_of_step
from normtheory.particles._processes import Share
from normtheory.particles._record import attributes, variables
from normtheory.particles._run import check_progress
from normtheory.particles._state import State, precision
from normtheory.particles._system import System
from normtheory.particles.devices import digest
from normtheory.particles.observables import Observable, chosen
from normtheory.particles.stop import Stop, check_places, rules

_FAILURES = (
    FloatingPointError,
    checkpoint.CheckpointError,
    TypeError,
    ValueError,
    MemoryError,
    jax.errors.JaxRuntimeError,
)
"""What a run may end with; of several processes all raise it."""


def _read_axes(over: Mapping[str, Any]) -> dict[str, np.ndarray]:
    found = {}
    check_kind("over", over, Mapping, "a mapping of names to values")
    if not over:
        raise ValueError("over: expected at least one axis, such as {'learning_rate': [0.1, 1.0]}")
    for name, values in over.items():
        read = partial(labels_of, integers=True) if name == "seed" else real_numbers
        values = np.asarray(read(name, values))
        if values.ndim != 1 or not len(values):
            raise ValueError(f"over: expected {name} to be a list of values, got {values!r}")
        if name == "seed":
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
    devices: Sequence[Any] | None = None,
    folder: Path | str | None = None,
    resume: bool = False,
    every: int = 20,
    keep: int = 2,
    settings: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Run every combination of numbers, norms and seeds, compiled once, side by side.

    Runs are split over all devices of all processes, which then have nothing to tell each other.
    Several processes make a sweep together: all of them call it, and all get the whole result.

    Args:
        system: see :class:`System`.
        clouds: positions, as for :func:`init`; or ``clouds(seed)``, which draws them, all of one
            shape.
        over: the axes, in order: ``{"norm": [1, 2, 4], "learning_rate": [0.1, 1.0], "gradscale":
            [0.0, 1.0], "seed": range(8)}``. ``norm`` is the starting norm of every row (and the
            one projected to, where the system fixes one), ``seed`` the seed of draws and of
            ``clouds``; other names are those of :meth:`System.with_numbers`, such as
            ``temperature``, or ``force.1.temperature`` in a mixture.
        max_steps: updates of a run.
        stop: rules, as for :func:`run`.
        record: observables, as for :func:`run`.
        record_every: record at multiples of so many steps; None to record the end of a run only.
        memory: bytes that the runs side by side may take on a device, by an estimate from their
            shapes.
        progress: show a progress bar over runs; None for where there is a terminal.
        seed: of all runs, where it is no axis.
        devices: which of ``jax.devices()``; None for all, those of other processes included. With
            devices of its own alone a process makes a sweep for itself, and waits for nobody.
        folder: for checkpoints of this sweep alone; None for none. Each of several processes saves
            its own runs, in a folder of its own in that one, which they need not share.
        resume: go on from the newest whole checkpoint, or begin if there is none. Runs that had
            ended are not made again, the others go on where they were.
        every: chunks between checkpoints; a chunk is about half a second.
        keep: checkpoints that stay, >= 2.
        settings: more to compare before resuming, by name.

    Returns:
        Dataset over the axes: ``steps``, ``converged``, and every observable: at the end of the
        run, or with ``record_every`` over ``step`` too, NaN after the end. Each run is the one
        that :func:`run` makes, to rounding.

    Raises:
        TypeError, ValueError: an axis that the system has no number for, values out of range,
            clouds that don't fit; processes that come with different sweeps.
        CheckpointError: as :func:`normtheory.particles.checkpoint.run`.
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
    check_kind("system", system, System, "a System")
    check_kind("clouds", clouds, (Iterable, Callable), "clouds, or a function of a seed")
    axes = _read_axes(over)
    check_progress(progress)
    check_count("max_steps", max_steps, 0)
    check_count("memory", memory, 1)
    if record_every is not None:
        check_count("record_every", record_every, 1)
    check_count("seed", seed, 0, most=LARGEST_SEED)
    rule, items = rules(stop), chosen(record)
    draws, places = Draws(clouds), _places(devices)
    share = Share.of(places)
    shape = tuple(len(values) for values in axes.values())
    members = list(itertools.product(*(range(k) for k in shape)))
    seeds = axes.get("seed", np.array([seed]))
    first = draws(int(seeds[0]))
    check_places(rule, len(first))
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
        cast = system.cast(state.dtype)
        # As many side by side on a device as one process with all of these devices would have.
        spread = min(len(places), len(members))
        each = max(1, min(-(-len(members) // spread), memory // bytes_of_step(cast, state)))
        mine = share.items(members)
        places = [x for x in places if x.process_index == jax.process_index()][: len(mine)]
        lanes = Lanes(
            cast,
            state,
            axes,
            numbers,
            mine,
            draws,
            seed,
            rule,
            items,
            each * len(places),
            places,
        )
        about = checkpoint.describe(
            system, state, stop=stop, record=record, record_every=record_every
        )
        about["sweep"] = {
            "max_steps": int(max_steps),
            "seed": int(seed),
            "lanes": len(lanes.held),
            "processes": share.count,
            **{f"over {name}": x.tolist() for name, x in axes.items()},
        }
        told = json.dumps({**about, "memory": int(memory)}).encode()
        share.check_same(zlib.crc32(told, digest(state)), "sweep", "run one script with one seed")
        about["more"] = dict(settings or {})

        def act() -> dict[str, np.ndarray]:
            saved: Callable[[bool], None] = _nothing
            if folder is not None:
                kept = checkpoint.Arrays(
                    folder, system, state, about, resume=resume, keep=keep, share=share
                )
                if kept.arrays is not None:
                    lanes.restore(kept.arrays)
                saved = kept.every(every, lanes.snapshot)
            return lanes.run(max_steps, record_every, progress, saved)

        done = share.together(act, *_FAILURES)
        found = share.whole(done, len(members))
    return _dataset(found, axes, shape, items, record_every, system, rule, state, max_steps)


def _nothing(last: bool) -> None:
    del last


def _places(devices: Sequence[Any] | None) -> list[Any]:
    """The devices of a sweep."""
    found = jax.devices() if devices is None else list(devices)
    if not found:
        raise ValueError("devices: expected at least one")
    return found


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
