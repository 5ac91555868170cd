"""What parts of the report are made of, and numbers as text."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from normtheory.diagnosis._adjusted import Gain
from normtheory.diagnosis._correlation import Correlation
from normtheory.diagnosis._quantity import Quantity, quantities
from normtheory.diagnosis._verdict import Verdict

WIDEST = 60
"""Characters of a label in a table."""

_ALIKE = "resamples agree"

_TIED = "\u00a0"  # a space that no line is broken at


class Line(NamedTuple):
    """One number: what it is called, its value as text, and where it comes from."""

    label: str
    value: str
    quantity: Quantity


class Table(NamedTuple):
    """Rows of text under a header; ``formula`` says where they come from."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    formula: str


class Section(NamedTuple):
    """A part of the report.

    Attributes:
        name: that of the field of the diagnosis.
        title: its heading.
        lines: its numbers.
        tables: its tables.
        notes: sentences to be read with the numbers.
        footnotes: how the numbers are meant; shown on demand, as formulas are.
    """

    name: str
    title: str
    lines: list[Line]
    tables: list[Table]
    notes: Sequence[str] = ()
    footnotes: Sequence[str] = ()


def number(value: float) -> str:
    """Four digits, thousands written out."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def text_of(value: Any) -> str:
    """A value of any field as text."""
    if isinstance(value, Correlation):
        if value.rho is None:
            return f"not defined: {value.why_not}"
        if value.low is None:
            return f"{value.rho:+.3f}  (no interval: {value.why_not})"
        count = f"n{_TIED}={_TIED}{value.n}"
        if value.classes is not None:
            count += f" in {value.classes} classes"
        between = _between(value.low, value.high, 3)
        if not between:
            return f"{value.rho:+.3f}  (no interval: {_ALIKE}; {count})"
        return f"{value.rho:+.3f}  {between}  ({count})"
    if isinstance(value, Verdict):
        return value.sentence
    if isinstance(value, Gain):
        return _gain(value)
    if isinstance(value, Mapping):
        return " · ".join(f"{key}%:{_TIED}{number(v)}" for key, v in value.items())
    if isinstance(value, tuple):
        return " ".join(f"{v:.3g}" for v in value)
    return str(value) if isinstance(value, int) else number(value)


def brief(value: Correlation | None) -> str:
    """A correlation in a table."""
    if value is None or value.rho is None:
        return "not defined"
    return f"{value.rho:+.2f} {_between(value.low, value.high, 2)}".rstrip()


def _between(low: float | None, high: float | None, digits: int) -> str:
    """An interval, but none where there is none, or whose ends look the same."""
    if low is None or high is None:
        return ""
    ends = [f"{end:+.{digits}f}" for end in (low, high)]
    return f"[{', '.join(ends)}]" if ends[0] != ends[1] else ""


def _gain(gain: Gain) -> str:
    if gain.value is None or gain.low is None:
        return f"no interval: {gain.why_not}"
    between = _between(gain.low, gain.high, 3) or f"(no interval: {_ALIKE})"
    return (
        f"{gain.value:+.3f}  {between}  ({gain.measure}: "
        f"{gain.without:.3f} without, {gain.with_norm:.3f} with)"
    )


def lines_of(summary: Any, names: Container[str] | None = None) -> list[Line]:
    """The numbers of a summary that have been found: those of these names, or all."""
    found = []
    for name, quantity in quantities(summary).items():
        value = getattr(summary, name)
        if value is not None and (names is None or name in names):
            unit = f" {quantity.unit}" if quantity.unit not in ("", "unit of z") else ""
            found.append(Line(quantity.label, text_of(value) + unit, quantity))
    return found
