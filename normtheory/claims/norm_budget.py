"""How much norms can grow is bounded by how much the loss can fall."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import ArbitraryLoss, square


def growth(learning_rate: Any, loss_fall: Any) -> Any:
    """Σρ²(T) − Σρ²(0) ≈ γ(L₀ − L_T)."""
    return learning_rate * loss_fall


def growth_planted(learning_rate: Any, loss_fall: Any) -> Any:
    """Planted: twice as much, as if ρ² grew at rate 2ρρ' of some flow."""
    return 2 * learning_rate * loss_fall


def _residuals(law: Any) -> dict[str, Any]:
    gamma = sp.Symbol("gamma", positive=True)
    found: dict[str, Any] = {}
    for d, n in ((2, 1), (3, 1), (2, 2)):
        loss = ArbitraryLoss.create(d, n)
        gradients = [loss.gradient(k) for k in range(n)]
        grown = sum(
            square(z - gamma * g) - square(z) for z, g in zip(loss.points, gradients, strict=True)
        )
        # The loss falls by γ times its derivative along the step, to leading order in γ.
        fall = gamma * sum(
            dot(loss.differentiate(loss.value, k), g)[0] for k, g in enumerate(gradients)
        )
        found[f"one step, d={d}, {n} points"] = loss.reduce(grown - law(gamma, fall))
    return found


CLAIM = Claim(
    name="norm_budget",
    title="Norm budget",
    meaning="For small rates the sum of squared norms grows by the learning rate times the fall of "
    "the loss.",
    reason=r"A step adds $\gamma^2\lVert\nabla L\rVert^2$ to the sum and, to leading order, takes "
    r"$\gamma\lVert\nabla L\rVert^2$ off the loss. The ratio is $\gamma$ in every step.",
    consequence="A smooth descent leaves norms little room to grow. Growth beyond it tells of "
    "minibatch noise, oscillation or steps too large for the flow.",
    statement=r"\sum_i\rho_i^2(T)-\sum_i\rho_i^2(0)\approx\gamma\,\bigl(L(0)-L(T)\bigr)",
    assumptions=(
        "any loss of directions, plain SGD on the full loss",
        "small γ: leading order; large growth needs noise, oscillation or large steps",
    ),
    source="normtheory (derived here)",
    item="12.4",
    proof=lambda: _residuals(growth),
    planted_proof=lambda: _residuals(growth_planted),
    checks=(
        Check(
            name="growth over a run",
            measurement="budget_run",
            quantity="growth",
            formula=growth,
            planted=growth_planted,
            mistake="factor 2",
            unit="relative",
            tolerance=0.02,
            reason="leading order in γ: effective rates of 1e-3 times a curvature of up to 10",
        ),
    ),
    implemented_by=("normtheory.invariants.norm_budget",),
)
