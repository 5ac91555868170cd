"""A diagnosis as text."""

from __future__ import annotations

import textwrap

from normtheory.diagnosis._findings import Findings
from normtheory.diagnosis._parts import Table
from normtheory.diagnosis._sections import sections
from normtheory.diagnosis._summary import summarise

_WIDTH = 96


MORE = "Notes, formulas and sources: --formulas, or report.text(formulas=True)."


def render(report: Findings, formulas: bool) -> str:
    """The whole report, the answer first.

    Args:
        report: what was found.
        formulas: with notes on how numbers are meant, and with numbers in brackets that point to
            the list of formulas and sources at the end.
    """
    numbers: dict[str, int] = {}

    def reference(formula: str) -> str:
        return f"  [{numbers.setdefault(formula, len(numbers) + 1)}]" if formulas else ""

    out = [report.headline, "=" * len(report.headline)]
    out += [line for said in report.warnings for line in _wrap(f"WARNING: {said}.", 0)]
    out += [line for said in summarise(report) for line in _wrap(f"{said}.", 2)]
    out += [line for said in report.notes for line in _wrap(f"Read: {said}.", 0)]
    for section in sections(report):
        out += ["", section.title, "-" * len(section.title)]
        for label, value, quantity in section.lines:
            mark = reference(f"{quantity.formula} ({quantity.source})")
            out += _wrap(f"{label:<38}  {value}{mark}", 40)
        for table in section.tables:
            out += _table(table, reference(table.formula))
        said = (*section.notes, *(section.footnotes if formulas else ()))
        out += [line for note in said for line in _wrap(note, 0)]
    if not formulas:
        return "\n".join([*out, "", MORE])
    out += ["", "Formulas and sources", "-" * 20]
    for formula, place in numbers.items():
        out += _wrap(f"[{place}] {formula}", 5)
    return "\n".join(out)


def _wrap(said: str, indent: int) -> list[str]:
    # Columns inside a line are made with spaces that must stay: only what is too long is broken.
    if len(said) <= _WIDTH:
        return [said]
    return textwrap.wrap(
        said, _WIDTH, subsequent_indent=" " * indent, break_long_words=False, drop_whitespace=True
    )


def _table(table: Table, mark: str) -> list[str]:
    lines = [table.header, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]
    out = [f"{table.title}{mark}"]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        out.append(("  " + "  ".join(cells)).rstrip())
    return out
