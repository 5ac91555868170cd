"""A diagnosis as one self-contained HTML page, its figures drawn into it.

What draws; :meth:`normtheory.Diagnosis.to_html` imports it when asked.
"""

from __future__ import annotations

import dataclasses
from html import escape

from normtheory._page import (  # isort: split
    BLUE,
    GREY,
    ORANGE,
    about,
    claims_named,
    document,
    folded,
    formulas,
    framed,
    picture,
    summary,
    warning,
)

import numpy as np
from matplotlib.axes import Axes

from normtheory._text import shown
from normtheory.diagnosis._findings import Findings
from normtheory.diagnosis._parts import Section, Table
from normtheory.diagnosis._sections import sections
from normtheory.diagnosis._summary import summarise

_MOST_CLASSES = 30


def page(report: Findings, source: str) -> str:
    """The whole page; it loads nothing from anywhere. ``source`` is what was read, or empty."""
    return document(
        f"{source}: {report.headline}" if source else report.headline, fragment(report, source)
    )


def fragment(report: Findings, source: str = "") -> str:
    """The page's body, as a notebook shows it."""
    parts = ["<h1>Embedding norms</h1>", f"<p>{escape(report.headline)}</p>"]
    parts += [about(source, _options(report))]
    parts += [summary(summarise(report))]
    parts += [warning(said) for said in report.warnings]
    parts += [f'<p class="note">Read: {escape(said)}.</p>' for said in report.notes]
    for section in sections(report):
        parts += _section(section, _FIGURES.get(section.name, _nothing)(report))
    return framed([*parts, *claims_named(parts)])


def _options(report: Findings) -> str:
    """The options that were chosen."""
    options = report.options
    given = [
        f"{field.name} {getattr(options, field.name)}"
        for field in dataclasses.fields(options)
        if getattr(options, field.name) != field.default
    ]
    return f"options: {', '.join(given)}" if given else "all options by default"


def _section(section: Section, figure: str) -> list[str]:
    rows = [
        f'<tr><th scope="row">{escape(label)}</th><td class="value">{escape(value)}</td></tr>'
        for label, value, _ in section.lines
    ]
    numbers = f'<table class="lines"><tbody>{"".join(rows)}</tbody></table>' if rows else ""
    parts = [f"<h2>{escape(section.title)}</h2>"]
    parts += [f'<div class="parts">{figure}{numbers}</div>'] if figure else [numbers]
    parts += [_table(table) for table in section.tables]
    parts += [f'<p class="note">{escape(note)}</p>' for note in section.notes]
    known = [
        (line.label, f"{line.quantity.formula} ({line.quantity.source})") for line in section.lines
    ]
    known += [(table.title, table.formula) for table in section.tables]
    footnotes = [f'<p class="note">{escape(note)}</p>' for note in section.footnotes]
    parts.append(folded("Formulas and sources", [*footnotes, *formulas(known)]))
    return [part for part in parts if part]


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    return (
        f'<h3>{escape(table.title)}</h3><div class="table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _nothing(report: Findings) -> str:
    return ""


def _norms(report: Findings) -> str:
    norms = report.norms

    def draw(axes: Axes) -> None:
        axes.stairs(norms.histogram_counts, norms.histogram_edges, fill=True, color=BLUE)
        for percentile in ("5", "50", "95"):
            axes.axvline(norms.quantiles[percentile], color=ORANGE, linewidth=1)
            axes.annotate(
                f" {percentile}%",
                (norms.quantiles[percentile], 1.0),
                xycoords=("data", "axes fraction"),
                va="bottom",
                ha="center",
                color=ORANGE,
            )
        axes.set(xlabel="norm ‖z‖", ylabel="embeddings")

    return picture(draw, "Histogram of the norms, with the 5th, 50th and 95th percentile")


def _turning(report: Findings) -> str:
    speeds = report.turning.decile_speeds

    def draw(axes: Axes) -> None:
        places = np.arange(1, len(speeds) + 1)
        bars = axes.bar(places, speeds, color=BLUE)
        axes.bar_label(bars, fmt="%.2g", padding=2, color=GREY)
        axes.margins(y=0.15)
        axes.grid(visible=False, axis="x")
        axes.set(
            xticks=places,
            xlabel="tenth of the embeddings, smallest norms first",
            ylabel="angular speed / median",
        )

    return picture(draw, "Angular speed of each tenth of the embeddings relative to the median")


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
            color=BLUE,
            ecolor=BLUE,
            elinewidth=1,
            markersize=5,
            label="bucket of norms, 95 % interval",
        )
        axes.axhline(chance, color=ORANGE, linewidth=1, label="most common class")
        axes.set(xlabel="norm ‖z‖", ylabel="kNN accuracy", ylim=(0, 1.02))
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)

    return picture(draw, "Accuracy of the nearest neighbours against the norm, with intervals")


def _classes(report: Findings) -> str:
    if report.classes is None:
        return ""
    rows = report.classes.by_norm
    if len(rows) > _MOST_CLASSES:
        rows = [*rows[: _MOST_CLASSES // 2], *rows[-_MOST_CLASSES // 2 :]]

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))[::-1]
        axes.hlines(places, [r.low for r in rows], [r.high for r in rows], color=BLUE, linewidth=2)
        axes.plot([r.median for r in rows], places, "o", color=BLUE, markersize=5)
        axes.set_yticks(places, [f"{shown(r.label, 20)} ({r.n})" for r in rows])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("norm ‖z‖: median and middle half")

    return picture(draw, "Norms of each class", 0.9 + 0.24 * len(rows))


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
            color=BLUE,
            elinewidth=1,
            markersize=5,
        )
        axes.set(xlabel="norm ‖z‖ of the first view", ylabel="mean cosine ± 2 s.e.")

    return picture(draw, "Mean cosine of the two views against the norm")


_FIGURES = {
    "norms": _norms,
    "turning": _turning,
    "neighbours": _neighbours,
    "classes": _classes,
    "views": _views,
}
