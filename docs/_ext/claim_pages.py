"""Two directives: `claims` renders the claim objects, `gallery` the figures that were drawn.

The theory page is made from the objects that the library proves and checks, so it can't say
anything else than they do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import claim_text
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import normtheory as nt


class _Rendered(SphinxDirective):
    """A directive that is made again when a claim, an experiment or a figure changes."""

    def page(self) -> Path:
        """The page it stands on."""
        self.env.note_dependency(str(claim_text.__file__))
        for folder in ("normtheory/claims", "simulations", "figures"):
            for path in (claim_text.ROOT / folder).glob("*.py"):
                self.env.note_dependency(str(path))
        return Path(self.env.doc2path(self.env.docname))


class Claims(_Rendered):
    """All claims, in the order of the theory."""

    def run(self) -> list[nodes.Node]:
        """Render the claim objects."""
        page, drawn = self.page(), claim_text.ROOT / "docs" / "_figures"
        found = map(nt.claims.get, nt.claims.list())
        text = "\n\n".join(claim_text.claim_page(claim, page, drawn) for claim in found)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Gallery(_Rendered):
    """All figures in a folder, with what their files say about them and the claims they show."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Show every drawn figure."""
        page = self.page()
        drawn = page.parent / self.arguments[0]
        if not any(drawn.glob("*.png")):
            raise self.error("no figures: run `python -m figures --output docs/_figures` first")
        found = [nt.claims.get(name) for name in nt.claims.list()]
        text = claim_text.gallery(found, drawn, page)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("claims", Claims)
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
