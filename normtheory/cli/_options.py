"""What the options of the commands have in common."""

from __future__ import annotations

import typer

from normtheory._command import LARGEST


class UsageError(Exception):
    """Bad usage that an option's type can't tell; the message is one line."""

    def format_message(self) -> str:
        """The message, by the name that the command line's own errors have for it."""
        return " ".join(str(self).split())


def integer(value: int | None) -> int | None:
    """An option that is an integer, of 64 bits as in a configuration."""
    if value is not None and not -LARGEST <= value <= LARGEST:
        raise typer.BadParameter(f"expected an integer up to {LARGEST}")
    return value
