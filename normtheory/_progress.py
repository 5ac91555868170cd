"""The one door of progress bars: they go to standard error, and never cost the result.

Standard error may be missing (a service has none), closed, or a pipe that nobody reads any more.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import Any, TextIO

from tqdm import tqdm

__all__ = ["bar"]


class _Willing:
    """A stream from which no error comes back: what can't be written is left out."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or not."""
        with contextlib.suppress(Exception):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, or not."""
        with contextlib.suppress(Exception):
            self._stream.flush()

    def __eq__(self, other: object) -> bool:
        # tqdm.write() asks, and clears the bar before it writes to the same terminal.
        return bool(self._stream == other)

    def __getattr__(self, name: str) -> Any:
        # The width of the terminal and the like.
        return getattr(self._stream, name)


class _Bar(tqdm):
    """A bar with a lock for the threads of this process.

    tqdm's own is for several processes: a semaphore, which outlives one that is killed.
    """


_Bar.set_lock(threading.RLock())


def _shown(show: bool | None) -> bool:
    with contextlib.suppress(Exception):  # none, closed, broken, or no stream at all
        sys.stderr.flush()
        return sys.stderr.isatty() if show is None else show
    return False


def bar(total: int, unit: str, *, show: bool | None = None, **options: Any) -> tqdm:
    """A progress bar on standard error, or a silent one.

    Args:
        total: how many units there are.
        unit: what is counted.
        show: None for where standard error is a terminal.
        **options: as tqdm takes them.
    """
    shown = _shown(show)
    file = _Willing(sys.stderr) if shown else None
    return _Bar(total=total, unit=unit, file=file, disable=not shown, **options)
