"""Parts that several kinds of pages share, as MyST text."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from normtheory._files import whole_file

if TYPE_CHECKING:
    from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]


def made_from(directive: SphinxDirective, *folders: str) -> None:
    """Make a page again when a source of its directive, or the directive itself, changes."""
    for folder in ("docs/_ext", *folders):
        for path in (ROOT / folder).rglob("*.py"):
            directive.env.note_dependency(str(path))


def link(label: str, path: Path, page: Path) -> str:
    """A download link to a file of the project, which the built pages then carry along."""
    return f"{{download}}`{label} <{os.path.relpath(path, page.parent)}>`"


def source_link(path: Path, page: Path) -> str:
    """A download link to a file of the project under its own name."""
    return link(path.relative_to(ROOT).as_posix(), path, page)


def folded(summary: str, *lines: str) -> list[str]:
    """Lines that stand behind a summary until a reader opens it."""
    return [f"<details><summary>{summary}</summary>", "", *lines, "", "</details>", ""]


def row(*cells: str) -> str:
    """A row of a table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def words(name: str) -> str:
    """The name of a figure as a heading."""
    return name.replace("_", " ").capitalize()


def caption(script: Path) -> str:
    """What a figure's file says about itself."""
    return ast.get_docstring(ast.parse(script.read_text())) or script.stem


def picture(name: str, drawn: Path, page: Path) -> list[str]:
    """A figure as it was drawn into a folder; nothing where it was not."""
    png = drawn / f"{name}.png"
    return [f"![{words(name)}]({os.path.relpath(png, page.parent)})", ""] if png.exists() else []


def plain(text: str) -> str:
    """Text of a docstring, its roles and literals as plain code."""
    return re.sub(r":\w+(?::\w+)?:`~?([^`]+)`", r"`\1`", text).replace("``", "`")


def first_sentence(docstring: str | None) -> str:
    """What a docstring says in its first line."""
    return plain((docstring or "").strip().partition("\n")[0])


def write(path: Path, text: str) -> None:
    """Write a file whole, unless it says so already: an unchanged page is not built again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:
        with whole_file(path) as temporary:
            temporary.write_text(text, "utf-8")
