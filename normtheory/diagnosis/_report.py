"""A diagnosis as one self-contained HTML page, its figures drawn into it.

The one file of the library that draws; :meth:`normtheory.Diagnosis.to_html` imports it when asked.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from html import escape
from typing import Any

from normtheory._drawing import style  # isort: split

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from normtheory._text import shown
from normtheory.diagnosis._findings import Findings
from normtheory.diagnosis._parts import Section, Table
from normtheory.diagnosis._sections import sections

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#767676"  # Okabe & Ito (2008), and a plain grey
_MOST_CLASSES = 30

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    # A class called "$x" is no formula.
    "text.parse_math": False,
    # The same report gives the same page.
    "svg.hashsalt": "normtheory",
    "figure.constrained_layout.use": True,
}

_CSS = """
.normtheory { color: #1a1a1a; background: #fff; max-width: 60rem; margin: 0 auto; padding: 1rem;
  font: 15px/1.5 system-ui, sans-serif; }
.normtheory h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
.normtheory h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 2px solid #0072B2; }
.normtheory h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
.normtheory table { border-collapse: collapse; margin: .5rem 0;
  font-variant-numeric: tabular-nums; }
.normtheory th, .normtheory td { text-align: left; vertical-align: top;
  padding: .2rem .9rem .2rem 0;
  border-bottom: 1px solid #e4e4e4; }
.normtheory table.lines { table-layout: fixed; width: 100%; min-width: 40rem; }
.normtheory table.lines th { width: 26%; }
.normtheory table.lines td.source { width: 40%; }
.normtheory thead th { color: #555; font-weight: 600; }
.normtheory tbody th { font-weight: 400; }
.normtheory td.source { color: #666; font-size: .85rem; }
.normtheory .value { font-weight: 600; }
.normtheory .warning { background: #fff4e5; border-left: 4px solid #D55E00; padding: .5rem .8rem;
  margin: .5rem 0; }
.normtheory .note { color: #444; margin: .4rem 0; max-width: 48rem; }
.normtheory img { max-width: 100%; height: auto; display: block; margin: .75rem 0; }
.normtheory .table { overflow-x: auto; }
"""


def page(report: Findings) -> str:
    """The whole page; it loads nothing from anywhere."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.headline)}</title>\n</head>\n<body>\n{fragment(report)}\n"
        "</body>\n</html>\n"
    )


def fragment(report: Findings) -> str:
    """The page's body, as a notebook shows it."""
    parts = [f"<style>{_CSS}</style>", '<div class="normtheory">', "<h1>Embedding norms</h1>"]
    parts.append(f"<p>{escape(report.headline)}</p>")
    parts += [
        f'<p class="warning">{escape(said[0].upper() + said[1:])}.</p>' for said in report.warnings
    ]
    parts += [f'<p class="note">Read: {escape(said)}.</p>' for said in report.notes]
    for section in sections(report):
        parts += _section(section, _FIGURES.get(section.name, _nothing)(report))
    return "\n".join([*parts, "</div>"])


def _section(section: Section, figure: str) -> list[str]:
    parts = [f"<h2>{escape(section.title)}</h2>", figure]
    if section.lines:
        rows = [
            f'<tr><th scope="row">{escape(label)}</th><td class="value">{escape(value)}</td>'
            f'<td class="source">{escape(quantity.formula)}<br>{escape(quantity.source)}</td></tr>'
            for label, value, quantity in section.lines
        ]
        parts.append(
            f'<div class="table"><table class="lines"><tbody>{"".join(rows)}</tbody></table></div>'
        )
    parts += [_table(table) for table in section.tables]
    parts += [f'<p class="note">{escape(note)}</p>' for note in section.notes]
    return [part for part in parts if part]


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    return (
        f'<h3>{escape(table.title)}</h3><div class="table"><table><thead><tr>{head}</tr></thead>'
        f'<tbody>{body}</tbody></table></div><p class="note">{escape(table.formula)}</p>'
    )


def _picture(draw: Callable[[Axes], None], alternative: str, height: float = 2.6) -> str:
    """An SVG image inside the page: as an image, so that the ids of two can't clash."""
    with style(_STYLE):
        figure = Figure(figsize=(7.2, height))
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    data = base64.b64encode(out.getvalue()).decode("ascii")
    return f'<img alt="{escape(alternative)}" src="data:image/svg+xml;base64,{data}">'


def _nothing(report: Findings) -> str:
    return ""


def _norms(report: Findings) -> str:
    norms = report.norms

    def draw(axes: Axes) -> None:
        axes.stairs(norms.histogram_counts, norms.histogram_edges, fill=True, color=_BLUE)
        for percentile in ("5", "50", "95"):
            axes.axvline(norms.quantiles[percentile], color=_ORANGE, linewidth=1)
            axes.annotate(
                f" {percentile}%",
                (norms.quantiles[percentile], 1.0),
                xycoords=("data", "axes fraction"),
                va="bottom",
                ha="center",
                color=_ORANGE,
            )
        axes.set(xlabel="norm ‖z‖", ylabel="embeddings")

    return _picture(draw, "Histogram of the norms, with the 5th, 50th and 95th percentile")


def _turning(report: Findings) -> str:
    speeds = report.turning.decile_speeds

    def draw(axes: Axes) -> None:
        places = np.arange(1, len(speeds) + 1)
        bars = axes.bar(places, speeds, color=_BLUE)
        axes.bar_label(bars, fmt="%.2g", padding=2, color=_GREY)
        axes.margins(y=0.15)
        axes.grid(visible=False, axis="x")
        axes.set(
            xticks=places,
            xlabel="tenth of the embeddings, smallest norms first",
            ylabel="angular speed / median",
        )

    return _picture(draw, "Angular speed of each tenth of the embeddings relative to the median")


def _neighbours(report: Findings) -> str:
    buckets, chance = report.neighbours.buckets, report.neighbours.chance
    if not buckets or chance is None:
        return ""

    def draw(axes: Axes) -> None:
        middle = np.array([(b.low + b.high) / 2 for b in buckets])
        accuracy = np.array([b.accuracy for b in buckets])
        low = np.array([b.accuracy_low for b in buckets])
        high = np.array([b.accuracy_high for b in buckets])
        across = np.array([(b.high - b.low) / 2 for b in buckets])
        axes.errorbar(
            middle,
            accuracy,
            xerr=across,
            # Rounding may put an end of Wilson's interval a hair on the wrong side.
            yerr=np.maximum([accuracy - low, high - accuracy], 0),
            fmt="o",
            color=_BLUE,
            ecolor=_BLUE,
            elinewidth=1,
            markersize=5,
            label="bucket of norms, 95 % interval",
        )
        axes.axhline(chance, color=_ORANGE, linewidth=1, label="most common class")
        axes.set(xlabel="norm ‖z‖", ylabel="kNN accuracy", ylim=(0, 1.02))
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)

    return _picture(draw, "Accuracy of the nearest neighbours against the norm, with intervals")


def _classes(report: Findings) -> str:
    if report.classes is None:
        return ""
    rows = report.classes.by_norm
    if len(rows) > _MOST_CLASSES:
        rows = [*rows[: _MOST_CLASSES // 2], *rows[-_MOST_CLASSES // 2 :]]

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))[::-1]
        axes.hlines(places, [r.low for r in rows], [r.high for r in rows], color=_BLUE, linewidth=2)
        axes.plot([r.median for r in rows], places, "o", color=_BLUE, markersize=5)
        axes.set_yticks(places, [f"{shown(r.label, 28)} ({r.n})" for r in rows])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("norm ‖z‖: median and middle half of each class (samples)")

    return _picture(draw, "Norms of each class", 0.9 + 0.24 * len(rows))


def _views(report: Findings) -> str:
    if report.views is None:
        return ""
    rows = report.views.by_norm

    def draw(axes: Axes) -> None:
        low, high = (np.array([getattr(r, name) for r in rows]) for name in ("low", "high"))
        cosine = np.array([r.cosine for r in rows])
        spread = np.array([r.error for r in rows])
        axes.errorbar(
            (low + high) / 2,
            cosine,
            xerr=(high - low) / 2,
            yerr=2 * spread,
            fmt="o",
            color=_BLUE,
            elinewidth=1,
            markersize=5,
        )
        axes.set(xlabel="norm ‖z‖ of the first view", ylabel="mean cosine ± 2 s.e.")

    return _picture(draw, "Mean cosine of the two views against the norm")


_FIGURES = {
    "norms": _norms,
    "turning": _turning,
    "neighbours": _neighbours,
    "classes": _classes,
    "views": _views,
}
