"""Gradient of the cosine similarity of one pair."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import gradient as symbolic_gradient
from normtheory.claims._symbolic import reduce, square, vector


def gradient(z: Any, y: Any, norm: Any, norm_y: Any) -> Any:
    """∇_z cos = (ŷ − c ẑ)/ρ."""
    direction, target = z / norm, y / norm_y
    return (target - dot(direction, target) * direction) / norm


def unprojected(z: Any, y: Any, norm: Any, norm_y: Any) -> Any:
    """Planted: the pull towards ŷ with its radial part."""
    return y / norm_y / norm + 0 * z


def length(s: Any, norm: Any) -> Any:
    """‖∇_z cos‖ = sin φ/ρ."""
    return s / norm


def chord_length(norm: Any, c: Any, xp: Any) -> Any:
    """Planted: the chord 2 sin(φ/2) instead of sin φ: largest at the antipode, not zero there."""
    return xp.sqrt(2 - 2 * c) / norm


def _residuals(formula: Any, squared_length: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rho, rho_y, s = sp.symbols("rho rho_y s", positive=True)
    for d in (2, 3, 4):
        z, y = vector("z", d), vector("y", d)
        roots = {rho: square(z), rho_y: square(y)}
        cosine = dot(z, y)[0] / (rho * rho_y)
        exact = symbolic_gradient(cosine, z, roots)
        claimed = formula(z, y, rho, rho_y)
        found[f"gradient, d={d}"] = reduce(exact - claimed, roots)
        sine_squared = 1 - cosine**2
        found[f"length, d={d}"] = reduce(
            square(exact) - squared_length(s, rho, cosine).subs(s**2, sine_squared), roots
        )
        # Parallel and antipodal partners: y = ±βz with norm βρ.
        beta = sp.Symbol("beta", positive=True)
        for sign in (1, -1):
            where = {a: sign * beta * b for a, b in zip(y, z, strict=True)} | {rho_y: beta * rho}
            at = [e.subs(where) for e in claimed]
            found[f"zero at cosine {sign}, d={d}"] = reduce(at, {rho: square(z)})
    return found


def _squared_length(s: Any, norm: Any, cosine: Any) -> Any:
    return sp.expand(length(s, norm) ** 2)


def _squared_chord(s: Any, norm: Any, cosine: Any) -> Any:
    return sp.expand((2 - 2 * cosine) / norm**2)


CLAIM = Claim(
    name="cosine_gradient",
    title="Gradient of the cosine similarity",
    meaning=r"The gradient of the cosine of a pair points along the sphere from one embedding "
    r"towards the other, and its length is $\sin\varphi$ over the norm.",
    reason=r"It is the direction of the other embedding without its part along the own one, "
    r"divided by the own norm. What such a projection leaves of a unit vector at the angle "
    r"$\varphi$ has the length $\sin\varphi$.",
    consequence="Pairs have small gradients where their norms are large, where they agree, and "
    "also where they are nearly opposite, though the loss is largest there.",
    statement=r"\nabla_{z_i}\cos\varphi = \frac{\hat z_j-\cos\varphi\;\hat z_i}{\lVert z_i\rVert},"
    r"\qquad \lVert\nabla_{z_i}\cos\varphi\rVert = \frac{\sin\varphi}{\lVert z_i\rVert}",
    assumptions=("z_i, z_j ≠ 0",),
    source="Draganov et al. 2025, Proposition 3.1",
    item="2",
    proof=lambda: _residuals(gradient, _squared_length),
    planted_proof=lambda: _residuals(unprojected, _squared_chord),
    checks=(
        Check(
            name="gradient",
            measurement="cosine_pair",
            quantity="gradient",
            formula=gradient,
            planted=unprojected,
            mistake="no projection to the tangent space",
            scale=lambda norm: norm,
        ),
        Check(
            name="length of the gradient",
            measurement="cosine_pair",
            quantity="gradient_norm",
            formula=length,
            planted=chord_length,
            mistake="chord instead of sine: no zero at the antipode",
            scale=lambda norm: norm,
        ),
    ),
    implemented_by=(
        "normtheory.cosine_similarity",
        "normtheory.angle",
        "normtheory.cosine_gradient",
        "normtheory.tangent_projection",
    ),
    shown_by=("gradient_field",),
)
