"""A checkpoint in one file, as one process writes it: numpy's ``.npz``."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from normtheory._files import whole_file
from normtheory.particles.checkpoint import _sums as sums

Arrays = dict[str, np.ndarray]


class _Summed(io.RawIOBase):
    """A file that is written from front to back, with the SHA-256 of what went in."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.found = file, hashlib.sha256()

    def writable(self) -> bool:
        """Yes; and not seekable, so that nothing is written twice."""
        return True

    def write(self, data: Any) -> int:
        """Write and sum."""
        self.found.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        """Hand on to the file, unless that is closed."""
        if not self.file.closed:
            self.file.flush()


def write_arrays(path: Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write arrays, and text about them, to a new ``.npz`` file and sync it.

    Returns:
        SHA-256 of what was meant to be written.
    """
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with path.open("wb") as file:
        summed = _Summed(file)
        with zipfile.ZipFile(summed, "w") as archive:  # pyright: ignore[reportArgumentType]
            for name, x in {"about": text, **arrays}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(x), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return summed.found.hexdigest()


def read_arrays(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """The arrays and the text of a file of :func:`write_arrays`."""
    with np.load(path, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    return arrays, json.loads(arrays.pop("about").tobytes())


def write(
    folder: Path, step: int, leaves: Mapping[str, Any], more: Arrays, about: Mapping[str, Any]
) -> Path:
    """Write a checkpoint whole or not at all.

    Args:
        folder: exists.
        step: of the run.
        leaves: of the state, by name.
        more: records, by name.
        about: what to check when it is read.
    """
    path = folder / f"{sums.name_of(step)}.npz"
    with whole_file(path) as temporary:
        found = write_arrays(temporary, {**leaves, **more}, about)
        # The old one goes first: new sums beside old bytes would look like damage.
        path.unlink(missing_ok=True)
        sums.write_sums(path, {path.name: found})
    return path
