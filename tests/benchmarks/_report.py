"""What every benchmark prints: where it ran, and a Markdown table."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable, Sequence


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "".join(_line(cells) for cells in (header, rule, *rows))


def machine(*packages: str) -> str:
    """Cores, Python and the versions of some packages, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return (
        f"{platform.system()} {platform.machine()}, {cores} cores, "
        f"Python {platform.python_version()}, {versions}"
    )


def show(*parts: str) -> None:
    """Write paragraphs to standard output."""
    sys.stdout.write("\n".join(parts) + "\n")
