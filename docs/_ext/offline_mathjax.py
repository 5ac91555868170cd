"""Copy MathJax into the built pages, so that formulas show without a network, and check macros.

MathJax runs in the reader's browser and shows what it doesn't know in red. Looking each macro up in
MathJax's own tables while the pages are built turns that into a warning.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

# What tex-chtml.js may load while it sets a page; the package holds three times as much.
NEEDED = ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions")


@functools.cache
def mathjax() -> Path:
    """The folder of MathJax in the package that carries it."""
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise RuntimeError("the pages need MathJax: pip install -c requirements.lock -e '.[docs]'")
    return Path(package.origin).parent / "static" / "mathjax"


@functools.cache
def known(macro: str) -> bool:
    """Whether MathJax has an entry for this macro."""
    tables = (mathjax() / "tex-chtml.js").read_text(encoding="utf-8")
    # Delimiters are kept with their backslash, escaped.
    return re.search(rf"""[{{,]["']?(?:\\\\)?{macro}["']?:""", tables) is not None


def check_macros(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of every macro that MathJax does not know."""
    for node in doctree.findall(lambda n: isinstance(n, nodes.math | nodes.math_block)):
        for macro in re.findall(r"\\([A-Za-z]+)", node.astext()):
            if not known(macro):
                logger.warning(
                    "MathJax does not know \\%s: %s", macro, node.astext(), location=node
                )


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Put the needed part of MathJax beside the pages' other static files."""
    if exception is not None or app.builder.format != "html":
        return
    source = mathjax()
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in NEEDED:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        else:
            shutil.copy(source / name, target / name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.config.mathjax_path = "mathjax/tex-chtml.js"  # pyright: ignore[reportAttributeAccessIssue]
    # The assistive menu would load its speech rules from elsewhere.
    app.config.mathjax3_config = {  # pyright: ignore[reportAttributeAccessIssue]
        "options": {"enableMenu": False},
        "chtml": {"scale": 0.95},
    }
    app.connect("doctree-read", check_macros)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
