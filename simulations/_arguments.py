"""Settings of an experiment as options of a command line."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from normtheory._command import LARGEST
from simulations._settings import meanings_of


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) > LARGEST:
        raise ValueError
    return value


_integer.__name__ = "int"  # which the error says


def _reader(default: Any) -> Any:
    """How to read a setting from the command line, after the type of its default."""
    if isinstance(default, tuple):
        kind = _reader(default[0])

        def numbers(text: str) -> tuple[Any, ...]:
            return tuple(kind(part) for part in text.split(","))

        numbers.__name__ = f"comma-separated {kind.__name__}"
        return numbers
    return _integer if type(default) is int else type(default)


def add_settings(parser: ArgumentParser, title: str, settings: Any) -> None:
    """Give every setting an option, with its meaning and its default."""
    said = meanings_of(settings)
    group = parser.add_argument_group(title)
    for field in dataclasses.fields(settings):
        default = getattr(settings, field.name)
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        meaning = said.get(field.name, "").rstrip(".")
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=_reader(default),
            metavar="VALUE",
            help=f"{meaning} (default {shown})".strip().replace("%", "%%"),
        )


def with_given(base: Any, options: Mapping[str, Any]) -> Any:
    """The settings with those that were given on the command line."""
    known = (field.name for field in dataclasses.fields(base))
    given = {name: options[name] for name in known if options[name] is not None}
    return dataclasses.replace(base, **given)
