"""What every command does at its ends: streams that take all text, errors of one line, a status."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from normtheory._text import shown

FAILED, BAD_USAGE, INTERRUPTED = 1, 2, 130
"""Status of what could not finish, of bad usage, and of what was interrupted; 0 is done."""

LARGEST = 2**63 - 1
"""Of the integers that a command or a configuration takes: TOML's have 64 bits."""

NO_MEMORY = "expected what fits into the memory of this machine"

_LONGEST = 1000  # characters of a message


def say(program: str, message: object) -> None:
    """Write a line to standard error, whatever text of the user is in it, if that can be done."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{program}: {shown(message, _LONGEST)}\n")


def reason(error: OSError) -> str:
    """What the system says, and of which file."""
    name = "" if error.filename is None else f"{shown(os.fsdecode(error.filename))}: "
    return f"{name}{error.strerror or error}"


def status_of(program: str, body: Callable[[], Any], interrupted: str = "interrupted") -> int:
    """Run the body of a command; what it printed is out afterwards, or it is said that it isn't.

    Args:
        program: the name that its messages begin with.
        body: gives its exit status, or exits with it; None for 0.
        interrupted: what to say if it was.

    Returns:
        The exit status.
    """
    _ready_streams()
    try:
        try:
            status = body()
        except SystemExit as stop:
            status = stop.code
        sys.stdout.flush()
    except OSError as error:  # a full disk, for one
        _drop_output()
        say(program, reason(error))
        status = BAD_USAGE if error.errno == errno.ENAMETOOLONG else FAILED
    except MemoryError:
        say(program, NO_MEMORY)
        status = FAILED
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:
        say(program, interrupted)
    return int(status or 0)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line; it is called ``python -m PROGRAM``."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit."""
        say(self.prog.rpartition(" ")[2], message)
        sys.exit(BAD_USAGE)

    def print_help(self, file: Any = None) -> None:
        """Write the help; argparse itself keeps quiet if that can't be done."""
        (file or sys.stdout).write(self.format_help())


def _ready_streams() -> None:
    """Standard output and error that take every text: signs they can't show are replaced.

    A service may have none, or closed ones; progress and messages must not cost the result then.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or getattr(stream, "closed", False):
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - to the end of the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _drop_output() -> None:
    """Give up what can't be written, or Python would try again when it ends, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
