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


def _half_radial(last_parameters: Any, last_gradient: Any) -> Any:
    """Share of a displacement that is the gradient and, as long, the parameters themselves."""
    lengths = [np.linalg.norm(a, axis=1, keepdims=True) for a in (last_gradient, last_parameters)]
    displaced = last_gradient / lengths[0] + last_parameters / lengths[1]
    return nt.drift.radial_share(last_parameters, displaced)[:, None]


def _shares(keys: Any) -> Any:
    return nt.drift.radial_share(keys[:, 0], keys[:, 1])[:, None]


def _plain_share(z: Any, v: Any) -> Any:
    return (z * v).sum(-1) / np.linalg.norm(z, axis=-1) / np.linalg.norm(v, axis=-1)


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
    "normtheory.drift.radial_share": (
        library(
            "radial_share of a last layer",
            "cut_network",
            _half_radial,
            against=lambda c: np.sqrt(1 / 2) + 0 * c,
            options={"biases": True},
            scale=lambda c: 1 + 0 * c,
            reason="absolute: rounding of a sum over all parameters",
        ),
        library(
            "radial_share of what isn't orthogonal",
            "fixed_keys",
            _shares,
            against=lambda keys: _plain_share(keys[:, 0], keys[:, 1])[:, None],
            scale=lambda norm: 1 + 0 * norm,
            reason="absolute: rounding of the directions",
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
