"""A number of the report carries its name, unit, formula and source."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

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


def quantity(label: str, formula: str, source: str, unit: str = "") -> dict[str, Quantity]:
    """Metadata of a dataclass field that knows where its number comes from."""
    return {"quantity": Quantity(label, unit, formula, source)}


def quantities(summary: Any) -> dict[str, Quantity]:
    """The documented fields of a summary (an object or its class), by name, in order."""
    return {
        f.name: f.metadata["quantity"]
        for f in dataclasses.fields(summary)
        if "quantity" in f.metadata
    }
