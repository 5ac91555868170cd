"""A gradient step on a loss of directions never shrinks a norm; the gradient flow keeps it."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim
from normtheory.claims._every_loss import STEEP
from normtheory.claims._plane import PlanePair
from normtheory.claims._symbolic import ArbitraryLoss, entries, square


def next_square(norm: Any, gradient_norm: Any, learning_rate: Any) -> Any:
    """ρ'² = ρ² + γ²‖g‖²."""
    return norm**2 + learning_rate**2 * gradient_norm**2


def next_square_planted(norm: Any, gradient_norm: Any, learning_rate: Any) -> Any:
    """Planted: the rate not squared."""
    return norm**2 + learning_rate * gradient_norm**2


def next_norm(norm: Any, gradient_norm: Any, learning_rate: Any, xp: Any) -> Any:
    """The square root of :func:`next_square`."""
    return xp.sqrt(next_square(norm, gradient_norm, learning_rate))


def next_norm_planted(norm: Any, gradient_norm: Any, learning_rate: Any, xp: Any) -> Any:
    """The square root of :func:`next_square_planted`."""
    return xp.sqrt(next_square_planted(norm, gradient_norm, learning_rate))


def pair_square(norm_i: Any, s: Any, learning_rate: Any) -> Any:
    """ρ_i'² = ρ_i² + γ²s²/ρ_i² for a pair."""
    return norm_i**2 + learning_rate**2 * s**2 / norm_i**2


def pair_square_planted(norm_i: Any, s: Any, learning_rate: Any) -> Any:
    """Planted: the gradient taken as sin φ, without its factor 1/ρ."""
    return norm_i**2 + learning_rate**2 * s**2


def pair_norm(norm_i: Any, s: Any, learning_rate: Any, xp: Any) -> Any:
    """The square root of :func:`pair_square`."""
    return xp.sqrt(pair_square(norm_i, s, learning_rate))


def pair_norm_planted(norm_i: Any, s: Any, learning_rate: Any, xp: Any) -> Any:
    """The square root of :func:`pair_square_planted`."""
    return xp.sqrt(pair_square_planted(norm_i, s, learning_rate))


def flow_of_norm(norm: Any) -> Any:
    """dρ/dt = 0 along the gradient flow."""
    return 0 * norm


def flow_of_norm_planted(norm: Any, gradient_norm: Any) -> Any:
    """Planted: the growth of a discrete step, ½‖g‖²/ρ, taken for one of the flow."""
    return gradient_norm**2 / norm / 2


def _residuals(step: Any, pair: Any, flow: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    gamma = sp.Symbol("gamma", positive=True)
    size = sp.Symbol("g", positive=True)
    # Two interacting points: the loss of each depends on the other, and both move at once.
    for d, n in ((2, 1), (3, 1), (4, 1), (2, 2), (3, 2)):
        loss = ArbitraryLoss.create(d, n)
        for k in range(n):
            z, rho, gradient = loss.points[k], loss.norms[k], loss.gradient(k)
            claimed = step(rho, size, gamma).subs(size**2, square(gradient))
            key = f"d={d}, point {k + 1} of {n}"
            found[f"step, {key}"] = loss.reduce(square(z - gamma * gradient) - claimed)
            velocity = dot(z / rho, -gradient)[0]
            claimed_flow = flow(rho, size).subs(size**2, square(gradient))
            found[f"flow, {key}"] = loss.reduce(velocity - claimed_flow)
    plane = PlanePair()
    claimed = pair(plane.norm_i, plane.s, plane.rate)
    found["pair"] = plane.reduce(square(plane.stepped[0]) - claimed)
    return {key: entries(value) for key, value in found.items()}


CLAIM = Claim(
    name="norm_growth",
    title="A gradient step never shrinks a norm",
    meaning="A step of plain SGD on a loss of directions never shortens an embedding: its squared "
    "norm grows by the squared step. The gradient flow keeps it.",
    reason="The gradient is orthogonal to the embedding, so embedding and step are the legs of a "
    "right triangle. The growth is of second order in the rate and vanishes in the flow.",
    consequence=r"Norms record the steps taken, and smaller rates over the same $\sum\gamma$ grow "
    r"them less. A norm that falls tells of weight decay, another optimizer, weights in between "
    r"or a loss that sees norms.",
    statement=r"\lVert z-\gamma\nabla L\rVert^2 = \lVert z\rVert^2+\gamma^2\lVert\nabla L\rVert^2,"
    r"\qquad \rho_i'^2 = \rho_i^2+\frac{\gamma^2\sin^2\varphi}{\rho_i^2}\ \text{(pair)},"
    r"\qquad \frac{d\rho}{dt} = 0\ \text{(flow)}",
    assumptions=(
        "a loss of directions of one or many points",
        "plain SGD, all points at once, no weight decay",
    ),
    source="Draganov et al. 2025, Corollary 3.3; flow: normtheory (derived here)",
    item="5",
    proof=lambda: _residuals(next_square, pair_square, lambda rho, size: flow_of_norm(rho)),
    planted_proof=lambda: _residuals(
        next_square_planted, pair_square_planted, flow_of_norm_planted
    ),
    checks=(
        Check(
            name="norm after a step of interacting points",
            measurement="sgd_step",
            quantity="next_norm",
            formula=next_norm,
            planted=next_norm_planted,
            mistake="rate not squared",
            scale=lambda next_norm, norm, learning_rate: (
                1 / (next_norm * (1 + learning_rate / norm**2))
            ),
            reason="rounding of z·∇L, which counts x = γ/ρ² times in the new norm",
        ),
        Check(
            name="norm after a step, every loss",
            measurement="every_loss",
            quantity="next_norm",
            formula=next_norm,
            planted=next_norm_planted,
            mistake="rate not squared",
            scale=lambda next_norm, norm, learning_rate, steepness: (
                1 / (next_norm * (1 + learning_rate * steepness / norm**2))
            ),
            reason=f"{STEEP}; in z·∇L it counts x = γ/ρ² times in the new norm",
        ),
        Check(
            name="norm after a step of a pair",
            measurement="pair_step",
            quantity="next_norm_i",
            formula=pair_norm,
            planted=pair_norm_planted,
            mistake="gradient without its factor 1/ρ",
            scale=lambda next_norm_i, x_i: 1 / next_norm_i / (1 + x_i),
            reason="rounding of sin φ, which counts x times in the new norm",
        ),
        Check(
            name="norm along the flow",
            measurement="sgd_step",
            quantity="flow_of_norm",
            formula=flow_of_norm,
            planted=flow_of_norm_planted,
            mistake="growth of a discrete step taken for one of the flow",
            scale=lambda norm: norm,
        ),
    ),
    implemented_by=("normtheory.pair_step",),
    shown_by=("gradient_field",),
)
