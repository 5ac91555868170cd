"""Against a fixed set of keys only their mean direction counts."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot, tangent
from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import gradient as symbolic_gradient
from normtheory.claims._symbolic import reduce, square, vector


def mean_cosine(z: Any, norm: Any, mean_key: Any) -> Any:
    """Mean cosine = M cos(z, m̂), with ``mean_key`` = M m̂ the mean of the unit keys."""
    return dot(z, mean_key) / norm


def mean_cosine_planted(z: Any, norm: Any, mean_key: Any, xp: Any) -> Any:
    """Planted: the cosine with the mean direction, without its length M."""
    return dot(z, mean_key) / norm / xp.sqrt(dot(mean_key, mean_key))


def gradient(z: Any, norm: Any, mean_key: Any) -> Any:
    """M times the gradient of the cosine with m̂: the one-sided pair at rate γM."""
    return tangent(z, norm, mean_key) / norm


def gradient_planted(z: Any, norm: Any, mean_key: Any, xp: Any) -> Any:
    """Planted: the same without M."""
    return gradient(z, norm, mean_key) / xp.sqrt(dot(mean_key, mean_key))


def _residuals(value: Any, slope: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rho = sp.Symbol("rho", positive=True)
    for d in (2, 3):
        z, keys = vector("z", d), [vector(name, d) for name in ("y", "w")]
        norms = sp.symbols("rho_y rho_w", positive=True)
        roots = {rho: square(z)} | {n: square(k) for n, k in zip(norms, keys, strict=True)}
        units = [k / n for k, n in zip(keys, norms, strict=True)]
        exact = sum(dot(z, unit)[0] / rho for unit in units) / 2
        mean_key = (units[0] + units[1]) / 2
        found[f"mean cosine, d={d}"] = reduce(exact - value(z, rho, mean_key)[0], roots)
        found[f"gradient, d={d}"] = reduce(
            symbolic_gradient(exact, z, roots) - slope(z, rho, mean_key), roots
        )
    return found


def _planted_proof() -> dict[str, Any]:
    # Without M the residual has the factor 1 − 1/M; a rational stand-in for M keeps it polynomial.
    stand_in = sp.Rational(1, 2)
    return _residuals(
        lambda z, rho, key: mean_cosine(z, rho, key) / stand_in,
        lambda z, rho, key: gradient(z, rho, key) / stand_in,
    )


CLAIM = Claim(
    name="fixed_keys",
    title="Mean of the keys",
    meaning="Against keys that do not move, the mean cosine depends only on the mean $m$ of their "
    "directions: on where it points and on its length $M$.",
    reason=r"The cosine is linear in the direction of the key, so its mean is $\hat z\cdot m$. "
    r"That is $M$ times the cosine with $\hat m$.",
    consequence=r"All that holds for a pair with one frozen point holds here with $\gamma M$ for "
    r"$\gamma$. Keys that spread out slow an embedding as a smaller rate would, and keys whose "
    r"mean is zero do not move it.",
    statement=r"\frac1n\sum_k\cos(z,y_k)=M\cos(z,\hat m),\qquad m=\frac1n\sum_k\hat y_k,\quad "
    r"M=\lVert m\rVert:\qquad\text{the one-sided pair with}\ \gamma\to\gamma M",
    assumptions=("keys y_k ≠ 0 that don't move", "loss: minus the mean cosine"),
    source="normtheory (derived here)",
    item="12.2",
    proof=lambda: _residuals(mean_cosine, gradient),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="mean cosine",
            measurement="fixed_keys",
            quantity="mean_cosine",
            formula=mean_cosine,
            planted=mean_cosine_planted,
            mistake="length M of the mean left out",
        ),
        Check(
            name="gradient",
            measurement="fixed_keys",
            quantity="gradient",
            formula=gradient,
            planted=gradient_planted,
            mistake="length M of the mean left out",
            scale=lambda norm: norm,
        ),
    ),
    implemented_by=("normtheory.sphere.mean_direction",),
)
