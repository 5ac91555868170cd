"""GradScale and cut-initialisation, as they are called."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import normtheory as nt
from normtheory._program import brief
from normtheory.claims import cut_init as cut_init_claim
from normtheory.verify import _definitions as definitions
from normtheory.verify._library._check import LibraryCheck, library


def _grad_scale(power: float) -> Any:
    """The plain cosine's gradient through grad_scale, with the promised factor ρ^p taken out."""

    def call(z: Any, y: Any, norm: Any) -> Any:
        # Defined in the call, so that it is traced anew with the function as it is now.
        def loss(points: Any, partners: Any) -> Any:
            return jax.vmap(definitions.cosine)(nt.grad_scale(points, power), partners).sum()

        with jax.enable_x64(True):
            return np.asarray(brief(jax.grad(loss))(z, y)) / norm**power

    return call


def _unchanged(z: Any) -> Any:
    with jax.enable_x64(True):
        return np.asarray(nt.grad_scale(jnp.asarray(z), 1.5))


def _length(a: Any) -> Any:
    return np.sqrt((a * a).sum(-1, keepdims=True))


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.grad_scale": (
        *(
            library(
                f"grad_scale, power {power:g},",
                "cosine_pair",
                _grad_scale(power),
                quantity="gradient",
                scale=lambda norm: norm,
            )
            for power in (1.0, 1.5)
        ),
        library(
            "grad_scale, forwards,",
            "cosine_pair",
            _unchanged,
            against=lambda z: z,
            scale=lambda norm: 1 / norm,
            tolerance=0.0,
            reason="the identity",
        ),
    ),
    "normtheory.cut_init": (
        library(
            "cut_init",
            "cut_network",
            lambda library_output: library_output,
            against=lambda output, c, layers: cut_init_claim.cut_output(output, c, layers),
            scale=lambda output, c, layers: c**layers / _length(output),
            reason="rounding of a network of 4 layers, in units of the whole array's length",
        ),
    ),
}
