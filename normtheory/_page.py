"""What the pages that we write have in common: their look, and pictures drawn into them.

To be imported when a page is asked for: it loads matplotlib.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from html import escape
from typing import Any

from normtheory._drawing import style  # isort: split

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"  # Okabe & Ito (2008)
GREY = "#767676"

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    # The ground is the page's, which can be dark.
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    # A class called "$x" is no formula.
    "text.parse_math": False,
    # The same report gives the same page.
    "svg.hashsalt": "normtheory",
    "figure.constrained_layout.use": True,
}

CSS = """
.normtheory { --ink: #1a1a1a; --soft: #595959; --ground: #fff; --line: #e4e4e4; --edge: #0072B2;
  --warn: #fff4e5; color: var(--ink); background: var(--ground); max-width: 60rem; margin: 0 auto;
  padding: 1rem; font: 15px/1.5 system-ui, sans-serif; }
.normtheory h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
.normtheory h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 2px solid var(--edge); }
.normtheory h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
.normtheory .figures { display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.normtheory .figures img { width: 100%; }
.normtheory table { border-collapse: collapse; margin: .5rem 0;
  font-variant-numeric: tabular-nums; }
.normtheory th, .normtheory td { text-align: left; vertical-align: top;
  padding: .2rem .9rem .2rem 0;
  border-bottom: 1px solid var(--line); }
.normtheory table.lines { table-layout: fixed; width: 100%; min-width: 40rem; }
.normtheory table.lines th { width: 26%; }
.normtheory table.lines td.source { width: 40%; }
.normtheory thead th { color: var(--soft); font-weight: 600; }
.normtheory tbody th { font-weight: 400; }
.normtheory td.source { color: var(--soft); font-size: .85rem; }
.normtheory .value { font-weight: 600; }
.normtheory .warning { background: var(--warn); border-left: 4px solid #D55E00;
  padding: .5rem .8rem; margin: .5rem 0; }
.normtheory .note { color: var(--soft); margin: .4rem 0; max-width: 48rem; }
.normtheory img { max-width: 100%; height: auto; display: block; margin: .75rem 0; }
.normtheory .table { overflow-x: auto; }
@media (prefers-color-scheme: dark) {
  .normtheory { --ink: #e6e6e6; --soft: #a8a8a8; --ground: #16181b; --line: #34383d;
    --edge: #56B4E9; --warn: #3a2a16; }
  .normtheory img { filter: invert(1) hue-rotate(180deg); }
}
"""


def document(title: str, body: str) -> str:
    """A whole page around what :func:`framed` gives; it loads nothing from anywhere."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def framed(parts: list[str]) -> str:
    """Parts in HTML, in the look of our pages."""
    return "\n".join([f"<style>{CSS}</style>", '<div class="normtheory">', *parts, "</div>"])


def warning(said: str) -> str:
    """A sentence to be seen first."""
    return f'<p class="warning">{escape(said[0].upper() + said[1:])}.</p>'


def picture(
    draw: Callable[[Axes], None], alternative: str, height: float = 2.6, width: float = 7.2
) -> str:
    """An SVG image inside the page: as an image, so that the ids of two can't clash."""
    with style(_STYLE):
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    data = base64.b64encode(out.getvalue()).decode("ascii")
    return f'<img alt="{escape(alternative)}" src="data:image/svg+xml;base64,{data}">'
