"""SHA-256 sums beside checkpoints: which of them are whole.

A checkpoint ``step-0000000040.npz`` (or the folder ``step-0000000040``) is complete once its sums
are beside it in ``step-0000000040.npz.sha256``, in the form that ``sha256sum -c`` reads. The sums
get their name before the checkpoint gets its own, so there is no moment at which a whole checkpoint
lacks them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

from normtheory._files import sync, whole_file

_NAME = re.compile(r"step-(\d{10})(\.npz)?")
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_BLOCK = 2**20


def name_of(step: int) -> str:
    """Name of the checkpoint at a step, without an ending."""
    return f"step-{step:010d}"


def step_of(path: Path) -> int:
    """The step of a checkpoint, by its name."""
    match = _NAME.fullmatch(path.name)
    assert match
    return int(match[1])


def listed(folder: Path) -> list[Path]:
    """Checkpoints in a folder by name, newest first, whole or not."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if _NAME.fullmatch(p.name)), reverse=True)


def sums_path(path: Path) -> Path:
    """Where the sums of a checkpoint are."""
    return path.with_name(path.name + ".sha256")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def write_sums(path: Path, sums: dict[str, str]) -> None:
    """Put the sums of a checkpoint beside it; ``sums`` by file name relative to its folder."""
    text = "".join(f"{found}  {name}\n" for name, found in sorted(sums.items()))
    with whole_file(sums_path(path)) as temporary:
        temporary.write_text(text)


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint; None if its files are those that were written."""
    try:
        lines = sums_path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return f"its SHA-256 can't be read ({getattr(error, 'strerror', None) or error})"
    if not lines:
        return "its SHA-256 is missing"
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            return "its SHA-256 is damaged"
        try:
            if digest(path.parent / match[2]) != match[1]:
                return f"{Path(match[2]).name} is not what was written"
        except OSError as error:
            return f"{Path(match[2]).name}: {error.strerror}"
    return None


def remove(path: Path) -> None:
    """Remove a checkpoint, and only then its sums."""
    if path.is_dir():
        # Renamed first: a folder that is half removed must not look like a damaged checkpoint.
        gone = path.with_name(f".{path.name}-gone")
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    sums_path(path).unlink(missing_ok=True)


def set_aside(folder: Path, whole: Path) -> int:
    """Rename the damaged checkpoints after a whole one, so that they don't count as kept ones."""
    damaged = [p for p in listed(folder) if p > whole]
    for path in damaged:
        os.replace(path, path.with_name(f"damaged-{path.name}"))
        sums_path(path).unlink(missing_ok=True)
    return len(damaged)


def prune(folder: Path, keep: int, newest: Path) -> None:
    """Remove what is older than the ``keep`` newest checkpoints, and what killed runs left.

    Args:
        folder: of the checkpoints.
        keep: how many stay.
        newest: the one just written; later ones, of a run that went another way, are not touched.
    """
    earlier = [p for p in listed(folder) if step_of(p) <= step_of(newest)]
    for path in earlier[keep:]:
        remove(path)
    for path in list(folder.iterdir()):
        if path.name.startswith(".step-"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    for path in folder.glob("step-*.sha256"):
        if not path.with_name(path.name.removesuffix(".sha256")).exists():
            path.unlink(missing_ok=True)
    sync(folder)
