"""Put each lesson of the course beside its page as a notebook without outputs, and link to it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import jupytext
from sphinx.application import Sphinx

LINK = '</h1>\n<p><a href="{name}.ipynb" download>This lesson as a notebook</a></p>'


def is_lesson(page: str) -> bool:
    """Whether a page is a lesson: docs/course/1-one-pair, and not the overview."""
    return page.startswith("course/") and PurePosixPath(page).name[0].isdigit()


def link(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the link under the heading of a lesson."""
    if is_lesson(page):
        name = PurePosixPath(page).name
        context["body"] = context["body"].replace("</h1>", LINK.format(name=name), 1)


def write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Write the notebooks; in Colab, solutions are folded as forms with a title are."""
    if exception is not None or app.builder.format != "html":
        return
    for page in filter(is_lesson, app.env.found_docs):
        notebook = jupytext.read(Path(app.srcdir) / f"{page}.md")
        for cell in notebook.cells:
            if "solution" in cell.metadata.get("tags", []):
                cell.source = f"# @title Solution\n{cell.source}"
                cell.metadata["cellView"] = "form"
        jupytext.write(notebook, Path(app.outdir) / f"{page}.ipynb")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("html-page-context", link)
    app.connect("build-finished", write_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
