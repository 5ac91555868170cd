"""Where norms settle with a pull along the embedding, and a step of a linear encoder."""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.claims import radial_drift
from normtheory.verify._library._check import LibraryCheck, library

_SETTLED = "the fixed point remembers the rounding of the steps in which a run settles"


def _norm(learning_rate: Any, weight_decay: Any, radial: Any, tangential: Any) -> Any:
    return nt.drift.radial_drift_norm(learning_rate, weight_decay, radial, tangential)


def _cosine(learning_rate: Any, weight_decay: Any, radial: Any, tangential: Any) -> Any:
    return nt.drift.radial_drift_cosine(learning_rate, weight_decay, radial, tangential)


def _stable(learning_rate: Any, weight_decay: Any, radial: Any, tangential: Any) -> Any:
    return nt.drift.radial_drift_is_stable(learning_rate, weight_decay, radial, tangential)


def _closed_norm(
    learning_rate: Any, weight_decay: Any, radial: Any, tangential: Any, xp: Any
) -> Any:
    return xp.sqrt(radial_drift.fixed_square(radial, tangential, learning_rate, weight_decay, xp))


def _linear(mean_square: Any, gradient_norm: Any, learning_rate: Any, weight_decay: Any) -> Any:
    return nt.drift.linear_encoder_step(
        mean_square, gradient_norm, learning_rate, weight_decay=weight_decay
    )


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.drift.radial_drift_norm": (
        library(
            "radial_drift_norm",
            "radial_drift",
            _norm,
            against=_closed_norm,
            # Pulls inwards cancel in the claim's form, by up to γλ.
            scale=lambda learning_rate, weight_decay, norm: learning_rate * weight_decay / norm,
            reason="rounding, where pulls inwards cancel in the closed form",
        ),
        library(
            "radial_drift_norm without decay",
            "radial_drift",
            _norm,
            quantity="fixed_norm",
            options={"undecayed": True},
            scale=lambda fixed_norm: 0.2 / fixed_norm,
            reason=_SETTLED,
        ),
    ),
    "normtheory.drift.radial_drift_cosine": (
        library(
            "radial_drift_cosine",
            "radial_drift",
            _cosine,
            against=radial_drift.turn_cosine,
            scale=lambda radial: 1 + 0 * radial,
            reason="absolute: rounding of a few operations",
        ),
        library(
            "radial_drift_cosine without decay",
            "radial_drift",
            _cosine,
            quantity="cosine",
            options={"undecayed": True},
            scale=lambda radial: 0.2 + 0 * radial,
            reason=_SETTLED,
        ),
    ),
    "normtheory.drift.radial_drift_is_stable": (
        library(
            "radial_drift_is_stable",
            "radial_drift",
            lambda learning_rate, weight_decay, radial, tangential: np.asarray(
                _stable(learning_rate, weight_decay, radial, tangential), dtype=float
            ),
            quantity="settles",
            options={"outside": True},
            scale=lambda radial: 1 + 0 * radial,
            tolerance=0.0,
            reason="a truth value",
        ),
    ),
    "normtheory.drift.linear_encoder_step": (
        library(
            "linear_encoder_step",
            "linear_layer",
            _linear,
            quantity="next_mean_square",
            options={"decayed": True},
            scale=lambda size: 1 / size,
            reason="rounding, in units of the squared length of weights and step",
        ),
    ),
}
