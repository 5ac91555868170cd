"""Where weight decay and growth balance."""

from __future__ import annotations

from typing import Any

import normtheory as nt
from normtheory.verify._library._check import LibraryCheck, by_row, library

_STEADY: dict[str, Any] = {
    "options": {"powers": (0.0, 0.5, 1.0)},
    "reason": "the fixed point remembers the rounding of 1/γλ steps",
}


def _norm(learning_rate: Any, weight_decay: Any, s: Any, gradscale: Any) -> Any:
    """equilibrium_norm row by row: its power is a plain number."""

    def one(g: float, lam: float, s: float, p: float) -> Any:
        return nt.equilibrium_norm(g, lam, s**2, gradscale=p)

    return by_row(one, g=learning_rate, lam=weight_decay, s=s, p=gradscale)


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.equilibrium_norm": (
        library(
            "equilibrium_norm",
            "steady_decay",
            _norm,
            quantity="norm",
            scale=lambda norm, learning_rate, weight_decay: learning_rate * weight_decay / norm,
            **_STEADY,
        ),
    ),
    "normtheory.equilibrium_angular_step": (
        library(
            "equilibrium_angular_step",
            "steady_decay",
            lambda learning_rate, weight_decay: nt.equilibrium_angular_step(
                learning_rate, weight_decay
            ),
            quantity="turn",
            scale=lambda learning_rate, weight_decay: learning_rate * weight_decay,
            **_STEADY,
        ),
    ),
}
