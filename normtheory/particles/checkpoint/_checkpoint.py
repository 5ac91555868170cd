"""Write, find and read checkpoints; run with them."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from normtheory._arrays import check_count, check_flag, check_kind
from normtheory._files import whole_file
from normtheory.particles import _run
from normtheory.particles._record import Records
from normtheory.particles._state import State, precision
from normtheory.particles._step import check_door
from normtheory.particles._system import System
from normtheory.particles.checkpoint import _file as in_file
from normtheory.particles.checkpoint import _fit as fit
from normtheory.particles.checkpoint import _folder as in_folder
from normtheory.particles.checkpoint import _sums as sums
from normtheory.particles.checkpoint._fit import CheckpointError, CheckpointWarning
from normtheory.particles.checkpoint._settings import Settings, describe, of_system


@dataclass(frozen=True)
class Checkpoint:
    """A saved run.

    Attributes:
        state: from which it goes on, placed as the state it was asked to look like.
        records: up to there; ``history`` of :func:`normtheory.particles.run`.
        path: where it was.
    """

    state: State
    records: Records
    path: Path

    @property
    def steps(self) -> int:
        """Updates done."""
        return int(self.state.step)


def _alone(action: Callable[[], int]) -> int:
    return action()


def prepare(folder: Path | str) -> Path:
    """Make a folder for checkpoints, and see that it can be written to, before a run begins.

    Raises:
        CheckpointError: it can't.
        ModuleNotFoundError: there are several processes, and no orbax-checkpoint.
    """
    if _several():
        in_folder.orbax()
    return writable(folder, in_folder.on_first)


def writable(folder: Path | str, by: Callable[[Callable[[], int]], int] = _alone) -> Path:
    """:func:`prepare` for this process, or for those that ``by`` lets act."""
    folder = Path(folder)

    def act() -> int:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / ".step-trial") as temporary:
            temporary.write_bytes(b"normtheory")
        (folder / ".step-trial").unlink()
        return 0

    try:
        by(act)
    except OSError as error:
        raise CheckpointError(
            f"checkpoints can't be written to {folder}: {error.strerror or error}"
        ) from error
    return folder


def save(
    folder: Path | str, run: _run.Run, *, settings: Settings | None = None, keep: int = 2
) -> Path:
    """Write a checkpoint whole or not at all, then remove all but the newest.

    With several processes all of them call it, and the folder is one that they share.

    Args:
        folder: see :func:`prepare`.
        run: so far, as ``on_chunk`` gets it.
        settings: of :func:`describe`, to compare when it is loaded; None for the system alone.
        keep: checkpoints that stay, >= 2, so that a damaged one is not the last.

    Returns:
        Where it is.

    Raises:
        CheckpointError: it can't be written; those before it are as they were.
    """
    check_count("keep", keep, 2)
    check_kind("run", run, _run.Run, "a Run")
    folder = Path(folder)
    leaves = fit.named(run.state)
    about = {
        "format": fit.FORMAT,
        "leaves": fit.outline(run.state),
        "records": list(run.records),
        "settings": settings or {"system": of_system(json.loads(str(run.attrs["system"])))},
        "versions": json.loads(str(run.attrs["versions"])),
        "device": {name: run.attrs[name] for name in ("device", "devices")},
    }
    more = {f"record{k:03}": np.asarray(x) for k, x in enumerate(run.records.values())}
    how = in_folder if _several() else in_file

    def act() -> int:
        sums.prune(folder, keep, path)
        return 0

    try:
        path = how.write(folder, run.steps, leaves, more, about)
        in_folder.on_first(act)
    except OSError as error:
        found = sums.listed(folder) if folder.is_dir() else []
        rest = f"; {found[0].name} is the last complete one" if found else ""
        raise CheckpointError(
            f"no checkpoint of step {run.steps} in {folder}: {error.strerror or error}{rest}"
        ) from error
    return path


def latest(folder: Path | str) -> Path | None:
    """The newest checkpoint that is what was written; None in a folder without any.

    With several processes the first one looks, and all get its answer.

    Raises:
        CheckpointError: there are some, and all are damaged.

    Warns:
        CheckpointWarning: for every damaged one that is newer.
    """
    return newest(folder, in_folder.on_first)


def newest(folder: Path | str, by: Callable[[Callable[[], int]], int] = _alone) -> Path | None:
    """:func:`latest` as this process finds it, or as those do that ``by`` lets act."""
    folder = Path(folder)
    found: list[Path | None] = [None]

    def act() -> int:
        reasons = []
        for path in sums.listed(folder):
            reason = sums.damage(path)
            if reason is None:
                found[0] = path
                return sums.step_of(path) + 1
            reasons.append(f"{path.name}: {reason}")
            warnings.warn(f"{path}: damaged checkpoint passed over: {reason}", CheckpointWarning, 5)
        if reasons:
            raise CheckpointError(f"all checkpoints in {folder} are damaged: {reasons[0]}")
        return 0

    try:
        answer = by(act)
    except OSError as error:
        raise CheckpointError(f"{folder} can't be read: {error.strerror or error}") from error
    if answer and found[0] is None:
        found[0] = next(p for p in sums.listed(folder) if sums.step_of(p) == answer - 1)
    return found[0]


def load(
    folder: Path | str, system: System, start: State, *, settings: Settings | None = None
) -> Checkpoint | None:
    """Read the newest whole checkpoint, if it belongs to the same run.

    Args:
        folder: of the checkpoints.
        system: of the run.
        start: its state at step 0, from ``init``: the structure, dtypes and placement on devices
            are taken from it.
        settings: of :func:`describe`; None to compare the system alone.

    Returns:
        :class:`Checkpoint`, or None if there is none.

    Raises:
        CheckpointError: all are damaged, or it belongs to a run with other settings, which are
            named.

    Warns:
        CheckpointWarning: damaged ones are passed over; other versions or another device, with
            which the bits may differ.
    """
    path = latest(folder)
    if path is None:
        return None
    now = settings or json.loads(json.dumps({"system": of_system(system.describe())}, default=str))
    like = fit.named(start)
    try:
        with precision(start.dtype):
            if path.is_dir():
                arrays, about = in_folder.read_rest(path)
                fit.check(path, about, now, system, start)
                leaves = in_folder.read_leaves(path, like)
            else:
                arrays, about = in_file.read_arrays(path)
                fit.check(path, about, now, system, start)
                leaves = {name: fit.placed(arrays[name], x) for name, x in like.items()}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} can't be read: {' '.join(str(error).split())}") from error
    structure = jax.tree.structure(start)
    state = jax.tree.unflatten(structure, [leaves[name] for name in like])
    records = {name: arrays[f"record{k:03}"] for k, name in enumerate(about["records"])}
    return Checkpoint(state, records, path)


def run(
    folder: Path | str,
    system: System,
    start: State,
    max_steps: int,
    *,
    resume: bool = False,
    every: int = 20,
    keep: int = 2,
    on_chunk: Callable[[_run.Run], None] | None = None,
    settings: Mapping[str, Any] | None = None,
    stop: Any = None,
    record: Any = ("loss",),
    record_every: int | None = None,
    **options: Any,
) -> _run.Run:
    """:func:`normtheory.particles.run`, saved as it goes and at its end.

    Args:
        folder: for the checkpoints, of this run alone.
        system: as for ``run``.
        start: the state at step 0, also where the run is resumed.
        max_steps: as for ``run``; a resumed run may ask for more than the first one did.
        resume: go on from the newest whole checkpoint, or begin if there is none.
        every: chunks between checkpoints; a chunk is about half a second, or ``chunk_steps``.
        keep: checkpoints that stay, >= 2.
        on_chunk: called after the checkpoint.
        settings: more to compare before resuming, by name, beside the arguments of this call.
        stop: as for ``run``.
        record: as for ``run``.
        record_every: as for ``run``.
        **options: ``chunk_steps`` and ``progress`` of ``run``.

    Returns:
        As ``run`` does, bit for bit, however often the run was killed and resumed.

    Raises:
        CheckpointError: the folder can't be written to, or holds checkpoints and ``resume`` is not
            set, or those belong to another run.
        TypeError, ValueError, FloatingPointError: as ``run``.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from normtheory.particles import System, checkpoint, forces, init
        >>> z, y = np.random.default_rng(0).standard_normal((2, 50, 8))
        >>> system = System(forces.attraction(), 5.0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     short = checkpoint.run(folder, system, init(system, z, y), 10)
        ...     whole = checkpoint.run(folder, system, init(system, z, y), 20, resume=True)
        >>> whole.steps
        20
    """
    resume = check_flag("resume", resume)
    check_count("every", every, 1)
    check_count("keep", keep, 2)
    check_kind("settings", {} if settings is None else settings, Mapping, "settings by name")
    check_door(system, start)
    folder = prepare(folder)
    about = describe(system, start, stop=stop, record=record, record_every=record_every)
    if settings:
        about["more"] = json.loads(json.dumps(dict(settings)))
    state, history, saved = start, None, -1
    if resume:
        found = load(folder, system, start, settings=about)
        if found is not None:
            state, history, saved = found.state, found.records, found.steps
            in_folder.on_first(lambda: sums.set_aside(folder, found.path))
    elif sums.listed(folder):
        raise CheckpointError(
            f"{folder} holds {sums.listed(folder)[0].name} of an earlier run: resume that, or "
            "choose another folder"
        )
    chunks = 0

    def keep_going(now: _run.Run) -> None:
        nonlocal chunks, saved
        chunks += 1
        over = now.converged or now.steps >= max_steps
        if (over or chunks % every == 0) and now.steps != saved:
            save(folder, now, settings=about, keep=keep)
            saved = now.steps
        if on_chunk is not None:
            on_chunk(now)

    return _run.run(
        system,
        state,
        max_steps,
        stop=stop,
        record=record,
        record_every=record_every,
        history=history,
        on_chunk=keep_going,
        **options,
    )


def _several() -> bool:
    return jax.process_count() > 1
