"""A checkpoint in a folder, as several processes write it together: orbax-checkpoint.

Every process writes its own shards of the state; orbax says when all are done. The first process
then adds the records and the sums, which orbax lacks: it restores a flipped byte without a word.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from normtheory._files import sync
from normtheory.particles.checkpoint import _sums as sums
from normtheory.particles.checkpoint._file import Arrays, read_arrays, write_arrays

_STATE, _REST = "state", "rest.npz"


def orbax() -> Any:
    """The module, or ModuleNotFoundError that says how to get it."""
    try:
        import orbax.checkpoint as found
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "checkpoints of several processes need orbax-checkpoint: the extra 'large' of "
            "normtheory installs it"
        ) from error
    return found


def on_first(action: Callable[[], int]) -> int:
    """Let the first process act for all; an error there is an error everywhere.

    Args:
        action: returns a number >= 0, which all get.

    Raises:
        OSError: on the first process, whatever it was; on the others, that it failed there.
    """
    several = jax.process_count() > 1
    answer, failure = -1, None
    if jax.process_index() == 0:
        try:
            answer = action()
        except Exception as error:  # told below, once the others know
            if not several:
                raise
            failure = error
    if several:
        from jax.experimental import multihost_utils

        answer = int(multihost_utils.broadcast_one_to_all(np.int32(answer)))
    if failure is not None:
        raise failure
    if answer < 0:
        raise OSError("the first process could not do it; its own message says why")
    return answer


def write(
    folder: Path, step: int, leaves: Mapping[str, Any], more: Arrays, about: Mapping[str, Any]
) -> Path:
    """Write a checkpoint whole or not at all; called by all processes, on a folder they share."""
    ocp = orbax()
    path = folder / sums.name_of(step)

    def begin() -> int:
        # Another name every time: after an error orbax may still be writing to the last one.
        attempt = int.from_bytes(os.urandom(3))
        part_of(attempt).mkdir()
        return attempt

    def part_of(attempt: int) -> Path:
        return folder / f".{path.name}-part{attempt}"

    def finish() -> int:
        write_arrays(part / _REST, more, about)
        files = sorted(p for p in part.rglob("*") if p.is_file())
        for entry in (*files, *(p for p in part.rglob("*") if p.is_dir()), part):
            sync(entry)
        found = {f"{path.name}/{p.relative_to(part)}": sums.digest(p) for p in files}
        if path.exists():
            sums.remove(path)
        sums.write_sums(path, found)
        os.rename(part, path)
        sync(folder)
        return 0

    part = part_of(on_first(begin))
    try:
        try:
            with ocp.StandardCheckpointer() as checkpointer:
                checkpointer.save((part / _STATE).absolute(), dict(leaves))
                checkpointer.wait_until_finished()
        except (ValueError, RuntimeError) as error:
            raise OSError(_reason(error)) from error
        on_first(finish)
    except BaseException:
        if jax.process_index() == 0:
            shutil.rmtree(part, ignore_errors=True)
        raise
    return path


def _reason(error: Exception) -> str:
    """What the system said, out of the long message of the library below orbax."""
    code = re.search(r"os_error_code='(\d+)'", str(error))
    return os.strerror(int(code[1])) if code else " ".join(str(error).split())[:200]


def read_rest(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Records, and what to check before the state is read."""
    return read_arrays(path / _REST)


def read_leaves(path: Path, like: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves of the state, placed on devices as those of ``like`` are."""

    def wanted(x: Any) -> Any:
        if isinstance(x, jax.Array):
            return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding)
        return np.asarray(x)

    with orbax().StandardCheckpointer() as checkpointer:
        return checkpointer.restore(
            (path / _STATE).absolute(), {name: wanted(x) for name, x in like.items()}
        )
