"""Parts that several kinds of pages share, as MyST text."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

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


def told(png: Path) -> dict[str, str]:
    """What the file of a picture says of itself, as ``python -m figures`` has written it there."""
    with Image.open(png) as found:
        return {str(key): text for key, text in found.info.items() if isinstance(text, str)}


def literal(text: str) -> str:
    """Plain text as MyST that shows it unchanged, letters of panels in bold."""
    escaped = re.sub(r"([\\`*_\[\]<>{}$#|~^])", r"\\\1", text)
    return re.sub(r"\(([a-z])\)", r"(**\1**)", escaped)


def _columns(png: Path) -> int:
    """How many columns of a paper a picture is wide."""
    with Image.open(png) as found:
        return 1 if found.width / found.info.get("dpi", (300, 300))[0] < 5 else 2


def picture(name: str, drawn: Path, page: Path) -> list[str]:
    """A figure as it was drawn into a folder, and what is said of it; nothing where it was not.

    What it shows in general its script says; how many points, runs and steps this very picture is
    of, the file itself. A picture leads to its whole file (Sphinx does that where a width is given)
    and, where it is two columns wide, has a frame of its own to scroll in on a narrow screen.
    """
    png = drawn / f"{name}.png"
    if not png.exists():
        return []
    width = "wide" if _columns(png) == 2 else "narrow"
    lines = [caption(ROOT / "figures" / f"{name}.py"), ""]
    lines += [
        f":::{{container}} picture {width}",
        f"```{{image}} {os.path.relpath(png, page.parent)}",
    ]
    lines += [f":alt: {words(name)}", ":width: 100%", "```", ":::", ""]
    if said := told(png).get("Description"):
        lines += [":::{container} caption", literal(said), ":::", ""]
    return lines


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
