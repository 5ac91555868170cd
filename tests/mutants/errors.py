"""The committed errors: one TOML file an area, an ``[[error]]`` each."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent


class Error(NamedTuple):
    """One plausible error of one line.

    Attributes:
        area: name of the file that lists it.
        what: the error, as a reviewer would say it.
        file: where it is planted, from the root of the clone.
        old: text that stands there exactly once.
        new: what replaces it.
        tests: the nearest tests: what anybody who works on that file would run.
    """

    area: str
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted(self, text: str) -> str:
        """The text of the file with the error.

        Raises:
            ValueError: the place is not there, or not once.
        """
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.area}: {self.what}: {self.old!r} is {text.count(self.old)} times in "
                f"{self.file}"
            )
        return text.replace(self.old, self.new)


def areas() -> list[str]:
    """Names of the areas."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def errors(area: str) -> list[Error]:
    """The errors of an area, in the order of its file."""
    with (FOLDER / f"{area}.toml").open("rb") as file:
        listed = tomllib.load(file)["error"]
    return [Error(area, **{**one, "tests": tuple(one["tests"])}) for one in listed]
