"""The cosine, its angle, its derivatives and the projection that it is made of."""

from __future__ import annotations

from typing import Any

import normtheory as nt
from normtheory.verify._clouds import norms
from normtheory.verify._library._check import LibraryCheck, library

_ANGLE = "absolute, in radians: rounding of the directions"


def _projected(z: Any, y: Any, norm: Any) -> Any:
    """The part of the partner's direction across z, over the norm: ∇_z cos."""
    return nt.tangent_projection(z, y / norms(y)) / norm


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.cosine_similarity": (
        library(
            "cosine_similarity",
            "cosine_pair",
            lambda z, y: nt.cosine_similarity(z, y)[:, None],
            quantity="cosine",
            scale=lambda c: 1 + 0 * c,
            reason="absolute: rounding of the directions",
        ),
    ),
    "normtheory.angle": (
        library(
            "angle",
            "cosine_pair",
            lambda z, y: nt.angle(z, y)[:, None],
            quantity="angle",
            scale=lambda c: 1 + 0 * c,
            reason=_ANGLE,
        ),
    ),
    "normtheory.cosine_gradient": (
        library(
            "cosine_gradient",
            "cosine_pair",
            lambda z, y: nt.cosine_gradient(z, y),
            quantity="gradient",
            scale=lambda norm: norm,
        ),
    ),
    "normtheory.cosine_hessian": (
        library(
            "cosine_hessian",
            "cosine_hessian",
            lambda z, y: nt.cosine_hessian(z, y).reshape(len(z), -1),
            quantity="hessian",
            scale=lambda norm: norm**2,
        ),
    ),
    "normtheory.tangent_projection": (
        library(
            "tangent_projection",
            "cosine_pair",
            _projected,
            quantity="gradient",
            scale=lambda norm: norm,
        ),
    ),
}
