"""Adam with L2 divides the decay too: its equilibrium norm is a third root, and knows the gradient.

Once the second moments have settled, a step is that of SGD with coupled decay and momentum, at a
rate divided by the size of the gradient, which the norm decides.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims import momentum_equilibrium
from normtheory.claims._claim import Check, Claim
from normtheory.claims._moments import later, stationary

_LIMIT = (
    "d = 64, β₂ = 0.995 and κ up to 0.004 leave 0.5 % of the norm; means over 3 relaxations of "
    "AdamW's ρ² after 4 (1000 steps, 5 memories of the second moments), standard error below 0.3 %"
)


def cube(learning_rate: Any, weight_decay: Any, root_dimension: Any, slope: Any) -> Any:
    """ρ*³ = ηs√d/2λ."""
    return learning_rate * slope * root_dimension / (2 * weight_decay)


def cube_planted(learning_rate: Any, weight_decay: Any, root_dimension: Any, slope: Any) -> Any:
    """Planted: AdamW's norm, as if decay were not divided by the size of the gradient."""
    return (learning_rate * root_dimension**2 / (2 * weight_decay)) ** 1.5 + 0 * slope


def _norm(of: Any) -> Any:
    def norm(learning_rate: Any, weight_decay: Any, dimension: Any, slope: Any, xp: Any) -> Any:
        """ρ*, the third root of its cube."""
        return of(learning_rate, weight_decay, xp.sqrt(dimension), slope) ** (1 / 3)

    return norm


norm, norm_planted = _norm(cube), _norm(cube_planted)


def share(learning_rate: Any, weight_decay: Any, root_dimension: Any, slope: Any, norm: Any) -> Any:
    """κ = ηλ√dρ/s, of an embedding that decay takes in a step."""
    return learning_rate * weight_decay * root_dimension * norm / slope


def cosine_by(share: Any, beta_1: Any) -> Any:
    """E z·z'/Eρ² = 1 − κ(1−β₁)/(1+β₁)."""
    return 1 - share * (1 - beta_1) / (1 + beta_1)


def cosine_by_planted(share: Any, beta_1: Any) -> Any:
    """Planted: 1 − κ, as without momentum."""
    return 1 - share + 0 * beta_1


def _cosine(of: Any) -> Any:
    def cosine(
        learning_rate: Any,
        weight_decay: Any,
        dimension: Any,
        slope: Any,
        beta_1: Any,
        xp: Any,
    ) -> Any:
        """:func:`cosine_by` with κ at the norm of the equilibrium."""
        root, size = xp.sqrt(dimension), norm(learning_rate, weight_decay, dimension, slope, xp)
        return of(share(learning_rate, weight_decay, root, slope, size), beta_1)

    return cosine


cosine, cosine_planted = _cosine(cosine_by), _cosine(cosine_by_planted)


def later_cosine(
    learning_rate: Any,
    weight_decay: Any,
    dimension: Any,
    slope: Any,
    beta_1: Any,
    steps: Any,
    xp: Any,
) -> Any:
    """That of :mod:`normtheory.claims.momentum_equilibrium` with coupled decay, γλ = (1−β₁)κ."""
    root, size = xp.sqrt(dimension), norm(learning_rate, weight_decay, dimension, slope, xp)
    lost = share(learning_rate, weight_decay, root, slope, size)
    return momentum_equilibrium.coupled_later_cosine((1 - beta_1) * lost, 1.0, beta_1, steps)


def later_cosine_planted(
    learning_rate: Any,
    weight_decay: Any,
    dimension: Any,
    slope: Any,
    beta_1: Any,
    steps: Any,
    xp: Any,
) -> Any:
    """Planted: steps taken as independent."""
    return cosine(learning_rate, weight_decay, dimension, slope, beta_1, xp) ** steps


def _residuals(cubed: Any, turned: Any) -> dict[str, Any]:
    eta, lam, beta, s, root, rho, kappa = sp.symbols(
        "eta lambda beta_1 s w rho kappa", positive=True
    )
    # m' = β₁m + (1−β₁)(u + (κ/η)z), z' = z − ηm', u of size d: g and λz over the root s/(ρ√d).
    step = sp.Matrix([[1 - (1 - beta) * kappa, -eta * beta], [(1 - beta) * kappa / eta, beta]])
    moments = stationary(step, [-eta * (1 - beta), 1 - beta], root**2)
    # ρ³ as it is claimed, so that ρ stays a symbol: ρ² = ρ³/ρ.
    lost = share(eta, lam, root, s, rho)
    small = sp.limit(moments[0, 0] * kappa, kappa, 0)
    return {
        "balance of small steps": sp.factor(
            cubed(eta, lam, root, s) * sp.cancel(lost / rho) - small
        ),
        "cosine": sp.factor(later(step, moments, 1) - turned(kappa, beta)),
        "roots of coupled momentum": [
            sp.factor(step.trace() - (1 + beta - (1 - beta) * kappa)),
            sp.factor(step.det() - beta),
        ],
    }


def _planted_proof() -> dict[str, Any]:
    found = _residuals(cube_planted, cosine_by_planted)
    return {k: v for k, v in found.items() if not k.startswith("roots")}


CLAIM = Claim(
    name="adam_equilibrium",
    title="Equilibrium of Adam with L2",
    meaning=r"With L2 joined to the gradient Adam divides the decay too, and its equilibrium norm "
    r"depends on the size of the gradients, as the third root of $\eta s\sqrt d/2\lambda$.",
    reason=r"With settled second moments a step is that of SGD with momentum and coupled decay, at "
    r"a rate divided by the gradient's size in a coordinate, $s/(\rho\sqrt d)$. That size falls "
    r"with the norm, hence the third root.",
    consequence=r"The same $\lambda$ gives another norm than under AdamW, and embeddings with "
    r"larger gradients end longer. The law asks for $\kappa\ll1-\beta_2$: check it before use.",
    statement=r"\text{decay joined to the gradient, } g+\lambda z:\quad "
    r"\rho_*^3=\frac{\eta\,s\sqrt d}{2\lambda},\qquad "
    r"\kappa=\frac{\eta\lambda\sqrt d\,\rho_*}{s}"
    r"=\Bigl(\frac{\eta^4\lambda^2d^2}{2s^2}\Bigr)^{1/3},\qquad "
    r"\frac{\mathbb{E}\,z\cdot z'}{\mathbb{E}\rho^2}=1-\kappa\,\frac{1-\beta_1}{1+\beta_1},\quad "
    r"\text{later: roots of}\ r^2-(1+\beta_1-(1-\beta_1)\kappa)\,r+\beta_1",
    assumptions=(
        "fresh gradients of size s/ρ, alike in all components, d large, ε = 0, no bias correction "
        "any more",
        "β₂ → 1 and κ ≪ 1 − β₂; κ is the share of an embedding that decay takes in a step",
        "then g outweighs λz in the second moments, by κ/2 of their size",
    ),
    source="normtheory (derived here)",
    item="22.1",
    proof=lambda: _residuals(cube, cosine_by),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="norm",
            measurement="adam_equilibrium",
            quantity="norm",
            formula=norm,
            planted=norm_planted,
            mistake="the norm of AdamW",
            unit="relative",
            tolerance=0.015,
            reason=_LIMIT,
        ),
        Check(
            name="cosine of one step",
            measurement="adam_equilibrium",
            quantity="cosine",
            formula=cosine,
            planted=cosine_planted,
            mistake="momentum left out",
            scale=lambda cosine: 1 / (1 - cosine),
            unit="relative",
            tolerance=0.03,
            reason=_LIMIT + "; relative to what the cosine lacks of 1",
        ),
        Check(
            name="cosine of several steps",
            measurement="adam_equilibrium",
            quantity="later",
            formula=later_cosine,
            planted=later_cosine_planted,
            mistake="steps taken as independent",
            scale=lambda later: 1 / (1 - later),
            unit="relative",
            tolerance=0.05,
            reason=_LIMIT + "; relative to what the cosine lacks of 1",
        ),
    ),
    implemented_by=(
        "normtheory.equilibrium.adam_norm",
        "normtheory.equilibrium.adam_cosine",
    ),
    shown_by=("equilibria", "predicted"),
)
