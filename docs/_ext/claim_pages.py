"""The book of claims, a page for each, and the directives `chapters` and `gallery`.

The pages are made from the objects that the library proves and checks, so they can't say anything
else than these do. They are written to ``docs/theory`` before Sphinx looks for pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import claim_text
import found
import gallery_text
from docutils import nodes
from page_parts import ROOT, made_from, write
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import normtheory as nt

BOOK = ROOT / "docs" / "theory"
DRAWN = ROOT / "docs" / "_figures"


def write_book(app: Sphinx) -> None:
    """Write the pages of the chapters and claims, and take away those of others."""
    pages = {
        BOOK / f"{claim_text.slug(chapter)}.md": claim_text.chapter_page(chapter, part)
        for chapter, part in claim_text.chapters().items()
    }
    for claim in map(nt.claims.get, nt.claims.list()):
        page = BOOK / f"{claim.name}.md"
        pages[page] = claim_text.claim_page(claim, found.residuals(claim), page, DRAWN)
    for page, text in pages.items():
        write(page, text)
    for page in BOOK.glob("*.md"):
        if page not in pages:
            page.unlink()


class Chapters(SphinxDirective):
    """The contents of the book."""

    def run(self) -> list[nodes.Node]:
        """Render chapters, titles and meanings."""
        made_from(self, "normtheory/claims")
        return self.parse_text_to_nodes(claim_text.index(), allow_section_headings=True)


class Gallery(SphinxDirective):
    """All figures in a folder, with what their files say about them and the claims they show."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Show every drawn figure."""
        page = Path(self.env.doc2path(self.env.docname))
        made_from(self, "normtheory/claims", "figures")
        drawn = page.parent / self.arguments[0]
        if not any(drawn.glob("*.png")):
            raise self.error("no figures: run `python -m figures --output docs/_figures` first")
        claims = [nt.claims.get(name) for name in nt.claims.list()]
        text = gallery_text.gallery(claims, drawn, page)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_book)
    app.add_directive("chapters", Chapters)
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
