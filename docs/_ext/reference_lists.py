"""The directive `list-of`: names that functions take, with what they mean."""

from __future__ import annotations

from typing import Any

import list_text
from docutils import nodes
from page_parts import made_from
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class ListOf(SphinxDirective):
    """One of the lists of :data:`list_text.LISTS`."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Render the list."""
        library = ("particles", "verify", "losses")
        made_from(self, *(f"normtheory/{folder}" for folder in library), "simulations")
        which = self.arguments[0]
        if which not in list_text.LISTS:
            raise self.error(f"expected one of {', '.join(list_text.LISTS)}; got {which}")
        text = "\n".join(list_text.LISTS[which]())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("list-of", ListOf)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
