"""Values, gradients and derivatives by options of the losses, against plain definitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from normtheory.claims._contrast import ROUNDING
from normtheory.claims._every_loss import STEEP
from normtheory.verify._library._check import LibraryCheck, library


def _length(a: Any) -> Any:
    return np.sqrt((a * a).sum(-1, keepdims=True))


_VALUE = "rounding of logits as large as the steepness, and of the value itself"


def _of_loss(kind: str, *roles: str) -> tuple[LibraryCheck, ...]:
    """The library's closed form of a contrastive loss, on the batches of its claim."""
    gradients = (
        library(
            f"{kind}_gradient",
            "contrastive",
            lambda library: library,
            quantity="gradient",
            scale=lambda norm, count, temperature: count * temperature * norm,
            reason=ROUNDING,
            options={"kind": kind, "role": role},
        )
        for role in roles
    )
    value = library(
        f"{kind}, its value,",
        "contrastive",
        lambda library_value: library_value,
        quantity="value",
        scale=lambda temperature, value: 1 / (1 / temperature + abs(value)),
        reason=_VALUE,
        options={"kind": kind, "role": roles[0]},
    )
    return (*gradients, value)


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.losses.LOSSES": (
        library(
            "every closed form",
            "every_loss",
            lambda library: library,
            quantity="gradient",
            scale=lambda norm, steepness: norm / steepness,
            reason=STEEP,
        ),
        library(
            "every value",
            "every_loss",
            lambda library_value: library_value,
            quantity="value",
            scale=lambda value, steepness: 1 / (steepness + abs(value)),
            reason=_VALUE,
        ),
        library(
            "every derivative by an option",
            "every_loss",
            lambda library_options: library_options,
            quantity="options",
            scale=lambda options, steepness: 1 / (steepness**2 + _length(options)),
            reason="rounding of logits, whose derivative by a temperature is steepness² as large",
        ),
    ),
    "normtheory.losses.info_nce_gradient": _of_loss("info_nce", "anchors", "keys"),
    "normtheory.losses.clip_gradient": _of_loss("clip", "both sides"),
    "normtheory.losses.nt_xent_gradient": _of_loss("nt_xent", "views"),
    "normtheory.losses.decoupled_gradient": _of_loss("decoupled", "anchors", "keys"),
}
