"""Clouds that may be rotated together keep their torque but for momentum and decay."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._symbolic import gradient, reduce, vector

STEPS = 8
"""Of the runs of several steps."""

_REASON = "rounding of a sum over all points, in units of the lengths of points and velocities"


def torque(points: Any, velocities: Any) -> Any:
    """J = ZᵀV − VᵀZ for rows of points, shape (d, d)."""
    product = points.T @ velocities
    return product - product.T


def next_torque(torque: Any, keep: Any, momentum: Any) -> Any:
    """J' = αβJ where decay shrinks the points, apart from the velocities."""
    return keep * momentum * torque


def next_torque_coupled(torque: Any, keep: Any, momentum: Any) -> Any:
    """J' = βJ where decay is in the gradient."""
    return momentum * torque + 0 * keep


def later_torque(torque: Any, keep: Any, momentum: Any) -> Any:
    """(αβ)^t J after t steps."""
    return (keep * momentum) ** STEPS * torque


def with_gradscale(with_gradscale: Any) -> Any:
    """Planted: the torque of a run with GradScale."""
    return with_gradscale


def weights_alone(weights_alone: Any, keep: Any, momentum: Any) -> Any:
    """Planted: the bias left out."""
    return keep * momentum * weights_alone


def _gram_loss(rows: np.ndarray) -> tuple[Any, dict[Any, Any]]:
    """An arbitrary function of the Gram matrix of rows of points, and what its arguments mean."""
    pairs = list(combinations_with_replacement(range(len(rows)), 2))
    names = [sp.Symbol(f"g{i}{j}", real=True) for i, j in pairs]
    meaning = {name: (rows[i] * rows[j]).sum() for name, (i, j) in zip(names, pairs, strict=True)}
    return sp.Function("f")(*names), meaning


def _residuals(apart: Any, coupled: Any, shares: bool) -> dict[str, Any]:
    """Residuals for laws J' = apart(…), coupled(…), with the rates of all points equal or not.

    GradScale multiplies the gradient of each point by a power of its own norm: ``shares``.
    """
    gamma, beta, alpha, decay = sp.symbols("gamma beta alpha lambda", positive=True)
    found: dict[str, Any] = {}

    def add(key: str, z: np.ndarray, slope: np.ndarray, meaning: dict[Any, Any]) -> None:
        n, d = z.shape
        v = np.stack([vector(f"v{k}_", d) for k in range(n)])
        factor = np.array(sp.symbols(f"k1:{n + 1}", positive=True))[:, None] if shares else 1
        slope = factor * slope
        before = torque(z, v)
        speed = beta * v - gamma * slope
        after = torque(alpha * z + speed, speed)
        speed = beta * v - gamma * (slope + decay * z)
        after_coupled = torque(z + speed, speed)
        for name, residual in (
            ("ZᵀG symmetric", torque(z, slope)),
            ("decay apart", after - apart(before, alpha, beta)),
            ("decay in the gradient", after_coupled - coupled(before, alpha, beta)),
        ):
            found[f"{name}, {key}"] = reduce(residual, {}, meaning)

    for d, n in ((2, 2), (3, 2), (2, 3)):
        z = np.stack([vector(f"z{k}_", d) for k in range(n)])
        loss, meaning = _gram_loss(z)
        add(f"{n} points, d={d}", z, np.stack([gradient(loss, p, {}, meaning) for p in z]), meaning)
    # The last layer of a network: rows of weights, one a hidden unit, and of biases.
    for width in (1, 2):
        layer = np.stack([vector(f"w{k}_", 2) for k in range(width + 1)])
        hidden = np.stack([np.array([*vector(f"h{a}_", width), sp.S.One]) for a in range(2)])
        loss, meaning = _gram_loss(hidden @ layer)
        slope = np.stack([gradient(loss, row, {}, meaning) for row in layer])
        add(f"last layer of width {width}", layer, slope, meaning)
    return found


CLAIM = Claim(
    name="torque",
    title="Torque decays by itself",
    meaning="Under SGD with one rate and a loss that does not change where all points are rotated "
    "alike, only momentum and decay change the torque of the cloud: from rest it never turns as a "
    "whole.",
    reason=r"Such a loss has no slope along a common rotation, so $Z^\top G$ is symmetric and the "
    r"gradient adds nothing to $J$. What remains is multiplied by $\alpha\beta$, or by $\beta$ if "
    r"decay is in the gradient.",
    consequence="A cloud that turns as a whole is driven by something else: Adam, GradScale, "
    "Nesterov's momentum, a stop-gradient or unequal rates. On the last layer of a network the "
    "law is a sharp test of a training loop.",
    statement=r"L=f(ZZ^\top):\quad Z^\top G\ \text{symmetric};\qquad J=Z^\top V-V^\top Z:\quad "
    r"V'=\beta V-\gamma G,\ Z'=\alpha Z+V'\ \Rightarrow\ J'=\alpha\beta J,\qquad "
    r"V'=\beta V-\gamma(G+\lambda Z),\ Z'=Z+V'\ \Rightarrow\ J'=\beta J",
    assumptions=(
        "any loss of the Gram matrix of Z, in which all clouds that turn together are stacked: one"
        " that doesn't change where all are rotated alike",
        "one rate γ and one momentum β for all rows, constant or following a schedule; where decay"
        " acts apart from the gradient one α too (in the gradient each row may have its own λ)",
        "Z may be the last layer (W_L, b_L) of any network, its rows all that feeds one unit",
        "from rest J = 0 for ever: the clouds never turn as a whole",
    ),
    source="normtheory (derived here)",
    item="26",
    proof=lambda: _residuals(next_torque, next_torque_coupled, shares=False),
    planted_proof=lambda: _residuals(next_torque_coupled, next_torque, shares=True),
    checks=(
        Check(
            name="torque of two clouds after a step",
            measurement="torque_run",
            quantity="next_torque",
            formula=next_torque,
            planted=next_torque_coupled,
            mistake="as if decay were in the gradient",
            scale=lambda size: 1 / size,
            reason=_REASON,
        ),
        Check(
            name="torque with decay in the gradient",
            measurement="torque_run",
            options={"coupled": True},
            quantity="next_torque",
            formula=next_torque_coupled,
            planted=next_torque,
            mistake="as if decay acted apart from the gradient",
            scale=lambda size: 1 / size,
            reason=_REASON,
        ),
        Check(
            name="torque of two clouds after eight steps",
            measurement="torque_run",
            quantity="later_torque",
            formula=later_torque,
            planted=with_gradscale,
            mistake="GradScale 1",
            scale=lambda size: 1 / size,
            tolerance=256.0,
            reason=_REASON + ", eight times",
        ),
        Check(
            name="torque of the last layer of a network",
            measurement="layer_torque",
            quantity="next_torque",
            formula=next_torque,
            planted=weights_alone,
            mistake="the bias left out",
            scale=lambda size: 1 / size,
            reason=_REASON,
        ),
    ),
    conditions=(
        Condition(
            name="the torque is αβ times what it was",
            region=r"\text{heavy ball or SGD, one rate for all rows}",
            measurement="torque_run",
            options={"optimizers": True},
            margin=lambda other: 1 - 2 * other,
            slack=lambda next_torque, torque, keep, momentum, size, xp: (
                1e-6
                - xp.sqrt(((next_torque - keep * momentum * torque) ** 2).sum(-1, keepdims=True))
                / size
            ),
            counterexample="GradScale 1, and likewise Adam, Nesterov's momentum, and a"
            " stop-gradient on one of the clouds",
        ),
    ),
    implemented_by=("normtheory.invariants.torque",),
)
