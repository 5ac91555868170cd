"""What ``normtheory diagnose`` does between its options and its output."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from normtheory._files import check_ending, check_place
from normtheory._text import quoted, shown
from normtheory.diagnosis._diagnose import Diagnosis, examine
from normtheory.diagnosis._files import UsageError, find, read
from normtheory.diagnosis._options import Options
from normtheory.diagnosis._prepare import prepare
from normtheory.diagnosis._readers import Found
from normtheory.diagnosis._rows import read_labels

__all__ = ["InputError", "Known", "UsageError", "check", "run", "write"]

Place = tuple[Path | None, str | None]
"""A file and the entry in it; None for the main file, and for no entry in particular."""


class Known(NamedTuple):
    """Which columns are covariates and which is the target, and where; None for the main file."""

    file: Path | None
    covariates: Sequence[str]
    target: str | None


class InputError(ValueError):
    """The command is right, but what is in the files can't be used."""


def check(
    options: Mapping[str, Any], html: Path | None, inputs: Mapping[str, Path | None]
) -> Options:
    """The options, or UsageError where one is wrong, before any file is read.

    Args:
        options: those of the diagnosis.
        html: where a page is to be written; over no file that is read.
        inputs: these files, by what they are called.
    """
    try:
        if html is not None:
            check_place(html, inputs)
            check_ending(html, (".html", ".htm", ".xhtml"), "a page", "--json prints the numbers")
        return Options(**options)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None


def run(
    embeddings: tuple[Path, str | None],
    labels: Place,
    second_view: Place,
    before: Place,
    known: Known,
    options: Options,
) -> Diagnosis:
    """Read the files and diagnose.

    Raises:
        UsageError: no such file or entry.
        InputError: a file that can't be read, or embeddings that can't be diagnosed; one line.
    """
    main, key = embeddings
    if labels == (None, key) and key is not None:
        raise UsageError(f"--labels-key {quoted(key)} is the entry with the embeddings")
    try:
        drop = options.drop_bad_rows
        z, y, second, old = (
            Found(None)
            if place == (None, None)
            else find(place[0] or main, place[1], default, drop=drop)
            for place, default in (
                (embeddings, "embeddings"),
                (labels, "labels"),
                (second_view, "second_view"),
                (before, "embeddings" if before[0] else "before"),
            )
        )
        columns = {
            name: read(known.file or main, name, drop=drop)
            for name in (*known.covariates, *([known.target] if known.target else []))
        }
        prepared = prepare(
            z.values,
            y.values,
            second.values,
            old.values,
            {name: columns[name] for name in known.covariates},
            columns[known.target] if known.target else None,
            drop=drop,
            progress=True,
        )
    except UsageError:
        raise
    except (TypeError, ValueError, ModuleNotFoundError) as error:
        raise InputError(" ".join(str(error).split())) from None
    # Outside of the above: what fails from here on is a defect of ours.
    report = examine(prepared, options, progress=True)
    of_second = [f"second view: {note}" for note in second.notes]
    of_second += [f"before: {note}" for note in old.notes]
    said = [*z.warnings, *second.warnings, *old.warnings, *report.warnings]
    unused = labels == (None, None) and "labels" in z.names
    if unused and _are_labels(main, prepared.rows.values.shape[0]):
        name = shown(main)
        said.append(f"{name} has labels that were not used: --labels-key labels would use them")
    return dataclasses.replace(report, warnings=tuple(said), notes=(*z.notes, *of_second))


def _are_labels(path: Path, n: int) -> bool:
    """Whether the entry ``labels`` beside the embeddings would do as labels of n of them."""
    try:
        read_labels(read(path, "labels"), n)
    except (TypeError, ValueError):
        return False
    return True


def write(report: Diagnosis, path: Path, source: Path) -> None:
    """Write the page of what was read, or raise InputError if that can't be done."""
    try:
        report.to_html(path, source=source.name)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
