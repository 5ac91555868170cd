"""Files that exist whole or not at all, also after a crash."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

NETCDF = (".nc", ".nc4", ".cdf", ".netcdf")
"""Endings of results, the usual one first."""


def sync(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk, if it can do that.

    Some file systems and some systems can't: that must not turn what was written into an error.
    """
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def identity(path: Path) -> object:
    """The same for all names of a file, links included; of one that isn't there, its full path."""
    if not path.exists():
        return path.resolve()
    found = path.stat()
    return found.st_dev, found.st_ino


_POINTERS = {
    b"version https://git-lfs": "Git LFS, not the file itself: git lfs pull brings it",
    b"/annex/objects/": "git-annex, not the file itself: git annex get brings it",
}


def refuse_pointer(path: Path) -> None:
    """Raise ValueError if a file only says where the real one is kept, as in a fresh clone."""
    with path.open("rb") as file:
        head = file.read(64)
    for start, meaning in _POINTERS.items():
        if head.startswith(start):
            raise ValueError(f"{path}: a pointer of {meaning}")


def refuse_input(output: Path, inputs: Mapping[str, Path | None]) -> None:
    """Raise ValueError if a file to be written is one that is read, under whatever name.

    Args:
        output: where to write.
        inputs: files that are read, by what they are called; None for those that are not given.
    """
    for name, path in inputs.items():
        if path is not None and path.exists() and identity(path) == identity(output):
            raise ValueError(f"{output}: is the file that {name} is read from; it stays as it is")


def check_place(output: Path, inputs: Mapping[str, Path | None]) -> None:
    """Raise ValueError unless a file can be there, before a long run, and is none that is read.

    Args:
        output: where to write.
        inputs: as for :func:`refuse_input`.
    """
    if not output.parent.is_dir():
        raise ValueError(f"{output}: there is no folder {output.parent}")
    if output.is_dir():
        raise ValueError(f"{output}: expected the name of a file, got a folder")
    refuse_input(output, inputs)


def check_ending(output: Path, endings: Sequence[str], format: str, instead: str = "") -> None:
    """Raise ValueError if the name of a file promises another format than it would have.

    Args:
        output: where to write; a name without an ending promises nothing.
        endings: those of the format, the usual one first.
        format: what would be written.
        instead: where to get something else.
    """
    if output.suffix and output.suffix.lower() not in endings:
        raise ValueError(
            f"{output}: expected a name that ends in {endings[0]}, since {format} is written"
            + (f"; {instead}" if instead else "")
        )


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to, which becomes ``path`` whole or not at all.

    A link is followed. A file of that name is replaced, at the end and at once, and keeps its mode;
    a new one has the mode that the umask leaves. What can't be replaced without a loss, a file with
    other names or what is no regular file, such as a device, is written into instead.

    Args:
        path: in a folder that exists.

    Yields:
        A name in the same folder, with the same ending.

    Raises:
        OSError: it can't be written; what was there before still is, unless it is written into.
    """
    target = Path(os.path.realpath(path))
    before = target.stat() if target.exists() else None
    if before is not None and not os.access(target, os.W_OK):
        raise PermissionError(f"{path}: may not be written to")
    temporary = target.parent / f".{secrets.token_hex(8)}{path.suffix}"
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        if before is not None and (not stat.S_ISREG(before.st_mode) or before.st_nlink > 1):
            with temporary.open("rb") as whole, target.open("wb") as into:
                shutil.copyfileobj(whole, into)
            temporary.unlink()
            return
        if before is not None:
            with contextlib.suppress(OSError):
                os.chmod(temporary, stat.S_IMODE(before.st_mode))
        sync(temporary)
        os.replace(temporary, target)
        sync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
