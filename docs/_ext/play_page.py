"""Copy the page to play with into the built pages, as it stands: it is no source of Sphinx."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def copy_page(app: Sphinx, exception: Exception | None) -> None:
    """Put ``docs/play`` at ``play/`` of the site."""
    if exception is None and app.builder.format == "html":
        shutil.copytree(Path(app.srcdir) / "play", Path(app.outdir) / "play", dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("build-finished", copy_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
