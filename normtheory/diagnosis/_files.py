"""Embeddings and labels out of a file of any format that people keep them in.

The formats have a reader each in :mod:`normtheory.diagnosis._readers`; what can be wrong with any
file is said here, in one line that names it.
"""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

from normtheory._files import refuse_pointer
from normtheory.diagnosis._readers import READERS, Ask, Found, UsageError, take

SUFFIXES = tuple(READERS)

_REFUSED = (
    "holds pickled objects, which can run code when loaded: refused; save plain arrays instead"
)


def read(
    path: str | Path, key: str | None = None, default: str = "embeddings", *, drop: bool = False
) -> Any:
    """The values that :func:`find` finds."""
    return find(path, key, default, drop=drop).values


def find(
    path: str | Path, key: str | None = None, default: str = "embeddings", *, drop: bool = False
) -> Found:
    """Read one array.

    Args:
        path: the file; the ending of its name says the format.
        key: which entry of a file with several, or which column of a table. Without it the one
            called as ``default`` says, the only one, or all of them, if each is a vector; of a
            table without a column of vectors, its numbered columns or all those of floats, side by
            side.
        default: what the entry is called if it isn't named.
        drop: rows that can't be one of a matrix, since they are missing or of another length, come
            as NaN.

    Returns:
        The array (numpy, or a PyTorch tensor), the names of all entries, and what to say of it.

    Raises:
        UsageError: no such file, a folder, an unknown ending, no such entry (the message lists
            them).
        ValueError: a file that is empty, damaged, or of another format than its name says; that
            holds pickled objects, or no plain array (sparse, quantised, of 8-bit floats); rows that
            can't be one of a matrix.
        ModuleNotFoundError: a package is missing; the message names the extra that brings it.
    """
    path = Path(path)
    reader = READERS.get(suffix(path))
    if reader is None:
        raise UsageError(f"{path}: expected a file ending in {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise UsageError(f"{path}: a folder, expected a file")
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    refuse_pointer(path)
    ask = Ask(key, default, drop)
    try:
        # What packages warn of is refused in one line anyway, or harmless.
        with warnings.catch_warnings(action="ignore"), reader(path, ask) as contents:
            return take(contents, ask)
    except (UsageError, ModuleNotFoundError) as error:
        raise type(error)(f"{path}: {error}") from None
    except MemoryError:
        raise ValueError(f"{path}: too large for the memory of this machine") from None
    except Exception as error:
        # Of a damaged file a package may say anything, with any exception.
        if _is_pickle(error):
            raise ValueError(f"{path}: {_REFUSED}") from None
        raise ValueError(f"{path}: cannot be read: {_first_line(error)}") from error


def suffix(path: Path) -> str:
    """The ending that says the format, in small letters; two of them if the last is .gz."""
    endings = [end.lower() for end in path.suffixes]
    return "".join(endings[-2:] if endings[-1:] == [".gz"] else endings[-1:])


def _is_pickle(error: Exception) -> bool:
    # numpy has no class of its own for it.
    said = ("allow_pickle" in str(error), "Python objects" in str(error))
    return isinstance(error, pickle.UnpicklingError) or any(said)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
