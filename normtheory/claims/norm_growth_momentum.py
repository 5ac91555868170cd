"""Heavy-ball momentum never shrinks a norm either; Adam can."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._symbolic import ArbitraryLoss, entries, square, vector

_REASON = "rounding; v may exceed z by the factor x, so errors are measured in z'² + ‖v'‖²"


def next_square(norm: Any, z_dot_v: Any, next_norm_v: Any, momentum: Any) -> Any:
    """ρ'² = ρ² + 2α z·v + ‖v'‖²."""
    return norm**2 + 2 * momentum * z_dot_v + next_norm_v**2


def next_square_planted(norm: Any, z_dot_v: Any, next_norm_v: Any, momentum: Any) -> Any:
    """Planted: as if momentum were orthogonal to the point."""
    return norm**2 + next_norm_v**2 + 0 * momentum * z_dot_v


def next_norm(norm: Any, z_dot_v: Any, next_norm_v: Any, momentum: Any, xp: Any) -> Any:
    """The square root of :func:`next_square`."""
    return xp.sqrt(next_square(norm, z_dot_v, next_norm_v, momentum))


def next_norm_planted(norm: Any, z_dot_v: Any, next_norm_v: Any, momentum: Any, xp: Any) -> Any:
    """The square root of :func:`next_square_planted`."""
    return xp.sqrt(next_square_planted(norm, z_dot_v, next_norm_v, momentum))


def next_inner(z_dot_v: Any, next_norm_v: Any, momentum: Any) -> Any:
    """z'·v' = α z·v + ‖v'‖²: never negative if it starts at 0, which is why norms can't shrink."""
    return momentum * z_dot_v + next_norm_v**2


def next_inner_planted(z_dot_v: Any, next_norm_v: Any, momentum: Any) -> Any:
    """Planted: the new displacement left out."""
    return momentum * z_dot_v + 0 * next_norm_v


def no_shrinkage(norm: Any) -> Any:
    """max(ρ − ρ', 0) = 0."""
    return 0 * norm


def shrinkage_planted(norm: Any, next_norm: Any) -> Any:
    """Planted: shrinks by as much as it grows."""
    return abs(next_norm - norm)


def _residuals(squared: Any, inner: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    gamma, alpha, size = sp.symbols("gamma alpha w", positive=True)
    for d in (2, 3, 4):
        loss = ArbitraryLoss.create(d)
        z, rho, v = loss.points[0], loss.norms[0], vector("v", d)
        v_new = alpha * v - gamma * loss.gradient()
        z_dot_v = dot(z, v)[0]
        claimed = squared(rho, z_dot_v, size, alpha).subs(size**2, square(v_new))
        found[f"square of the norm, d={d}"] = loss.reduce(square(z + v_new) - claimed)
        claimed = sp.sympify(inner(z_dot_v, size, alpha)).subs(size**2, square(v_new))
        found[f"z·v, d={d}"] = loss.reduce(dot(z + v_new, v_new)[0] - claimed)
    return {key: entries(value) for key, value in found.items()}


CLAIM = Claim(
    name="norm_growth_momentum",
    title="Momentum never shrinks a norm",
    meaning="Heavy-ball momentum that starts at rest never shortens an embedding either; Adam can.",
    reason=r"The gradient adds nothing along $z$, so $z\cdot v$ starts at 0 and never turns "
    r"negative: the velocity never points inwards. Each step therefore adds at least its own "
    r"square to the squared norm.",
    consequence="Under SGD with momentum a loss of directions cannot be why a norm falls. Under "
    "Adam it can, in a single step, since a division by coordinate turns the step out of the "
    "tangent plane.",
    statement=r"v'=\alpha v-\gamma\nabla L,\ z'=z+v':\qquad z'\cdot v'=\alpha\,z\cdot v+"
    r"\lVert v'\rVert^2\ge 0,\qquad \rho'^2=\rho^2+2\alpha\,z\cdot v+\lVert v'\rVert^2\ge\rho^2",
    assumptions=("a loss of directions", "heavy ball, started at v = 0", "0 ≤ α"),
    source="normtheory (derived here)",
    item="5.1",
    proof=lambda: _residuals(next_square, next_inner),
    planted_proof=lambda: _residuals(next_square_planted, next_inner_planted),
    checks=(
        Check(
            name="norm after a step",
            measurement="momentum_step",
            quantity="next_norm",
            formula=next_norm,
            planted=next_norm_planted,
            mistake="momentum taken as orthogonal to the point",
            scale=lambda next_norm: 1 / next_norm,
            reason=_REASON,
        ),
        Check(
            name="point times momentum",
            measurement="momentum_step",
            quantity="next_z_dot_v",
            formula=next_inner,
            planted=next_inner_planted,
            mistake="new displacement left out",
            scale=lambda next_norm, next_norm_v: 1 / (next_norm**2 + next_norm_v**2),
            reason=_REASON,
        ),
        Check(
            name="no shrinkage",
            measurement="momentum_step",
            quantity="shrinkage",
            formula=no_shrinkage,
            planted=shrinkage_planted,
            mistake="growth taken for shrinkage",
            scale=lambda norm: 1 / norm,
            reason=_REASON,
        ),
    ),
    conditions=(
        Condition(
            name="norms never shrink",
            region=r"\text{SGD or heavy ball, not Adam}",
            measurement="optimizer_growth",
            margin=lambda adam: 1 - 2 * adam,
            slack=lambda growth: growth,
            counterexample="Adam at rate 0.05 from z = (1, 0.1) attracted to (0, 1): "
            "its first step takes 8.4 % off the squared norm",
            exact=False,
        ),
    ),
    implemented_by=("normtheory.invariants.heavy_ball_norm",),
)
