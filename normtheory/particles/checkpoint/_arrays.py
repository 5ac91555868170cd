"""Checkpoints of a sweep: arrays in one file, by the rules of those of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from normtheory._arrays import check_count
from normtheory.particles._processes import Share
from normtheory.particles._record import attributes
from normtheory.particles._state import State
from normtheory.particles._system import System
from normtheory.particles.checkpoint import _file as in_file
from normtheory.particles.checkpoint import _fit as fit
from normtheory.particles.checkpoint import _sums as sums
from normtheory.particles.checkpoint._checkpoint import newest, writable
from normtheory.particles.checkpoint._fit import CheckpointError
from normtheory.particles.checkpoint._settings import Settings


class Arrays:
    """The checkpoints of a sweep in a folder, numbered as they come.

    Several processes save what each has made, in folders of their own: ``process-0`` and so on.

    Args:
        folder: of this sweep alone.
        system: of its runs.
        start: a state at step 0.
        settings: all that its numbers depend on.
        resume: whether to go on from the newest.
        keep: how many stay, >= 2.
        share: of this process.

    Attributes:
        arrays: of the newest whole checkpoint, or None.

    Raises:
        CheckpointError: the folder can't be written to, holds checkpoints of an earlier or another
            sweep or of another number of processes, or all are damaged.
    """

    def __init__(
        self,
        folder: Path | str,
        system: System,
        start: State,
        settings: Settings,
        *,
        resume: bool,
        keep: int,
        share: Share,
    ) -> None:
        check_count("keep", keep, 2)
        self.folder, self.keep = writable(_own(Path(folder), share)), keep
        attrs = attributes(system, (), start.dtype)
        self.about = {
            "format": fit.FORMAT,
            "leaves": fit.outline(start),
            "records": [],
            "settings": json.loads(json.dumps(settings)),
            "versions": json.loads(str(attrs["versions"])),
            "device": {"device": attrs["device"], "devices": 1},
        }
        self.number, self.arrays = 0, None
        if resume:
            self._resume(system, start)
        elif sums.listed(self.folder):
            raise CheckpointError(
                f"{self.folder} holds {sums.listed(self.folder)[0].name} of an earlier run: resume "
                "that, or choose another folder"
            )

    def _resume(self, system: System, start: State) -> None:
        path = newest(self.folder)
        if path is None:
            return
        try:
            arrays, about = in_file.read_arrays(path)
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(f"{path} can't be read: {error}") from error
        fit.check(path, about, self.about["settings"], system, start)
        sums.set_aside(self.folder, path)
        self.number, self.arrays = sums.step_of(path), arrays

    def save(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the next checkpoint whole or not at all, then remove all but the newest.

        Raises:
            CheckpointError: it can't be written; those before it are as they were.
        """
        self.number += 1
        try:
            path = in_file.write(self.folder, self.number, {}, dict(arrays), self.about)
            sums.prune(self.folder, self.keep, path)
        except OSError as error:
            raise CheckpointError(
                f"no checkpoint {self.number} in {self.folder}: {error.strerror or error}"
            ) from error

    def every(
        self, chunks: int, snapshot: Callable[[], Mapping[str, np.ndarray]]
    ) -> Callable[[bool], None]:
        """What saves a snapshot when it has been called so often, and at the last call."""
        check_count("every", chunks, 1)
        calls = 0

        def save(last: bool) -> None:
            nonlocal calls
            calls += 1
            if last or calls % chunks == 0:
                self.save(snapshot())

        return save


def _own(folder: Path, share: Share) -> Path:
    """The folder of a process.

    Raises:
        CheckpointError: there are checkpoints of one process where several go on, or the reverse.
    """
    if share.count == 1 and any(folder.glob("process-*")):
        raise CheckpointError(f"{folder} is of several processes: resume the sweep with as many")
    if share.count > 1 and folder.is_dir() and sums.listed(folder):
        raise CheckpointError(f"{folder} is of one process: resume the sweep with one")
    return folder / f"process-{share.index}" if share.count > 1 else folder
