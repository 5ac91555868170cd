"""A number of the report carries its name, unit, formula and source."""

from __future__ import annotations

import dataclasses
from typing import Any

from normtheory._quantity import PLAIN as PLAIN
from normtheory._quantity import Quantity as Quantity


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
