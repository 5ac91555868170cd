"""What the pages that we write have in common: their look, and pictures drawn into them.

To be imported when a page is asked for: it loads matplotlib.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterable
from datetime import date
from html import escape
from typing import Any

from normtheory._drawing import style  # isort: split

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from normtheory._version import __version__
from normtheory.claims import _registry as claims

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

_WIDTH = 4.6  # inches: it can be read on a phone, and two stand side by side on a screen

CSS = """
.normtheory { --ink: #1a1a1a; --soft: #595959; --ground: #fff; --line: #e4e4e4; --edge: #0072B2;
  --warn: #fff4e5; --box: #f3f6f9; color: var(--ink); background: var(--ground);
  max-width: 60rem; margin: 0 auto; padding: 1rem; box-sizing: border-box;
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
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
.normtheory table.lines { width: 100%; }
.normtheory table.lines th { width: 42%; }
.normtheory .parts { display: grid; gap: 0 2rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.normtheory .parts > * { min-width: 0; }
.normtheory thead th { color: var(--soft); font-weight: 600; }
.normtheory tbody th { font-weight: 400; }
.normtheory .about { color: var(--soft); font-size: .9rem; margin: 0 0 .75rem; }
.normtheory .summary { background: var(--box); border-left: 4px solid var(--edge); margin: .5rem 0;
  padding: .5rem .8rem; }
.normtheory .summary p { margin: .2rem 0; }
.normtheory details { margin: .5rem 0; font-size: .9rem; }
.normtheory summary { color: var(--soft); cursor: pointer; }
.normtheory dt { font-weight: 600; margin-top: .4rem; }
.normtheory dd { margin: 0 0 0 1rem; color: var(--soft); }
.normtheory a { color: var(--edge); }
.normtheory .value { font-weight: 600; }
.normtheory .warning { background: var(--warn); border-left: 4px solid #D55E00;
  padding: .5rem .8rem; margin: .5rem 0; }
.normtheory .note { color: var(--soft); margin: .4rem 0; max-width: 48rem; }
.normtheory img { max-width: 100%; height: auto; display: block; margin: .75rem 0; }
.normtheory .table { overflow-x: auto; }
@media (prefers-color-scheme: dark) {
  .normtheory { --ink: #e6e6e6; --soft: #a8a8a8; --ground: #16181b; --line: #34383d;
    --edge: #56B4E9; --warn: #3a2a16; --box: #1f252b; }
  .normtheory img { filter: invert(1) hue-rotate(180deg); }
}
"""


_GROUND = """
body { margin: 0; background: #fff; }
@media (prefers-color-scheme: dark) { body { background: #16181b; } }
"""


def document(title: str, body: str) -> str:
    """A whole page around what :func:`framed` gives; it loads nothing from anywhere."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{_GROUND}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def framed(parts: list[str]) -> str:
    """Parts in HTML, in the look of our pages."""
    return "\n".join([f"<style>{CSS}</style>", '<div class="normtheory">', *parts, "</div>"])


def warning(said: str) -> str:
    """A sentence to be seen first."""
    return f'<p class="warning">{escape(said[0].upper() + said[1:])}.</p>'


def about(*said: str) -> str:
    """What the page is of, with today's date and the version that made it."""
    parts = [*filter(None, said), date.today().isoformat(), f"normtheory {__version__}"]
    return f'<p class="about">{" · ".join(map(escape, parts))}</p>'


def summary(lines: Iterable[str]) -> str:
    """Sentences with the answer, the word before the colon of each standing out."""
    said = [line.partition(": ") for line in lines]
    rows = [f"<p><strong>{escape(a)}:</strong> {escape(b)}.</p>" for a, _, b in said]
    return f'<div class="summary">{"".join(rows)}</div>'


def folded(title: str, parts: Iterable[str]) -> str:
    """What is there on demand; nothing if there are no parts."""
    inner = "".join(parts)
    return f"<details><summary>{escape(title)}</summary>{inner}</details>" if inner else ""


def formulas(rows: Iterable[tuple[str, str]]) -> list[str]:
    """A list of what numbers are called and where they are from, claims as links to their list."""
    found = [f"<dt>{escape(name)}</dt><dd>{_linked(said)}</dd>" for name, said in rows]
    return [f"<dl>{''.join(found)}</dl>"] if found else []


def claims_named(parts: Iterable[str]) -> list[str]:
    """The claims that parts of the page lead to, in the order of the theory: their own part."""
    known = set(re.findall(r'href="#claim-(\w+)"', "".join(parts)))
    found = [claims.get(name) for name in claims.list() if name in known]
    rows = [
        f'<dt id="claim-{claim.name}">{claim.name}</dt>'
        f"<dd>{escape(claim.title)}. {escape(claim.source)}. "
        f"<code>normtheory verify --claim {claim.name}</code></dd>"
        for claim in found
    ]
    return ["<h2>Claims behind the numbers</h2>", f"<dl>{''.join(rows)}</dl>"] if rows else []


def _linked(said: str) -> str:
    """Text with links for the names in it that follow the word "claim" or "claims"."""

    def links(named: re.Match[str]) -> str:
        return re.sub(r"\w+", r'<a href="#claim-\g<0>">\g<0></a>', named[0])

    return re.sub(r"(?<=\bclaim )\w+|(?<=\bclaims )\w+(?:, \w+)*", links, escape(said))


def picture(draw: Callable[[Axes], None], alternative: str, height: float = 2.6) -> str:
    """An SVG image inside the page: as an image, so that the ids of two can't clash."""
    with style(_STYLE):
        figure = Figure(figsize=(_WIDTH, height))
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    data = base64.b64encode(out.getvalue()).decode("ascii")
    return f'<img alt="{escape(alternative)}" src="data:image/svg+xml;base64,{data}">'
