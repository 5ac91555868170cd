"""Pictures in a style of ours alone, whatever matplotlib is told by the files of its user.

To be imported before matplotlib, by what draws.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_GENERIC = ("serif", "sans-serif", "cursive", "fantasy", "monospace")


def _start() -> None:
    """Import matplotlib, also where the environment names a backend that there isn't.

    None is needed to write a file; matplotlib would refuse to be imported.
    """
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", "")
    try:
        import matplotlib
    finally:
        if backend:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend


_start()


@contextlib.contextmanager
def style(own: dict[Any, Any] | Path) -> Iterator[None]:
    """Draw with matplotlib's defaults and one style over them.

    Of the user's settings only the fonts count, for signs that those of the style lack; what no
    font has is a box, without a warning.

    Args:
        own: settings, or a file with them.
    """
    from matplotlib import rcParams
    from matplotlib.style import context

    fonts = _fonts()
    with context(["default", own]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ |Matplotlib currently does not support ")
        rcParams["font.family"] = list(dict.fromkeys([*rcParams["font.family"], *fonts]))
        yield


def _fonts() -> list[str]:
    """The families that the user has chosen, as far as they are there: others are warned of."""
    from matplotlib import rcParams
    from matplotlib.font_manager import fontManager

    settings: Any = rcParams
    chosen = [
        name
        for family in settings["font.family"]
        for name in (settings[f"font.{family}"] if family in _GENERIC else [family])
    ]
    there = set(fontManager.get_font_names())
    return [name for name in chosen if name in there]
