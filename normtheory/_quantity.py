"""A number of a report: what it is called, its unit, its formula, and where that is from."""

from __future__ import annotations

from typing import NamedTuple

PLAIN = "plain statistics"
"""Source of what needs no theory: a mean, a quantile."""


class Quantity(NamedTuple):
    """Where a number comes from.

    Attributes:
        label: what it is called in the report.
        unit: of the number; empty where it has none.
        formula: by which it is computed.
        source: the claim of normtheory or the publication behind the formula.
    """

    label: str
    unit: str
    formula: str
    source: str
