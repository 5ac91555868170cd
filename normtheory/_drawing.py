"""Pictures in a style of ours alone, whatever matplotlib is told by the files of its user.

To be imported before matplotlib, by what draws.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_GENERIC = ("serif", "sans-serif", "cursive", "fantasy", "monospace")


def _start() -> None:
    """Import matplotlib, also where its user's settings would refuse that.

    A backend that there isn't is no hindrance, since none is needed to write a file. Files of
    settings and of styles that aren't UTF-8 are passed over.
    """
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", "")
    try:
        _import()
    finally:
        if backend:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with contextlib.suppress(ValueError):
            sys.modules["matplotlib"].rcParams["backend"] = backend


def _import() -> None:
    try:
        import matplotlib
    except UnicodeDecodeError:
        for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
            del sys.modules[name]  # imported half
        # It looks for settings in the folder at hand first.
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            Path("matplotlibrc").touch()
            import matplotlib
    try:
        import matplotlib.style
    except UnicodeDecodeError:
        found: Any = matplotlib.get_configdir
        with tempfile.TemporaryDirectory() as folder:
            matplotlib.get_configdir = lambda: folder
            import matplotlib.style
        matplotlib.get_configdir = found


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
