"""How low a contrastive loss can be at a given alignment: imperfect alignment wants a gap."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import square, vector, xp


def floor(alignment: Any, n: Any) -> Any:
    """((n−2)s − n)/(2(n−1)), the least mean cosine of wrong pairs."""
    return ((n - 2) * alignment - n) / (2 * (n - 1))


def floor_planted(alignment: Any, n: Any) -> Any:
    """Planted: s − 1 − 1/(n−1), a bound of others that is no minimum, taken as sharp."""
    return alignment - 1 - 1 / (n - 1)


def loss_floor(alignment: Any, b: Any, n: Any, xp: Any) -> Any:
    """ln(1 + (n−1)e^(−by*(1+s)/2)), y* = n/(n−1), for InfoNCE and CLIP."""
    return xp.log(1 + (n - 1) * xp.exp(-b * n / (n - 1) * (1 + alignment) / 2))


def loss_floor_planted(alignment: Any, b: Any, n: Any, xp: Any) -> Any:
    """Planted: that of the margin 1 + s, without the wrong pairs' share n/(n−1)."""
    return loss_floor(alignment, b * (n - 1) / n, n, xp)


def nt_xent_floor(b: Any, n: Any, xp: Any) -> Any:
    """ln(1 + 2(n−1)e^(−by*)) for NT-Xent with coinciding views."""
    return xp.log(1 + 2 * (n - 1) * xp.exp(-b * n / (n - 1)))


def nt_xent_floor_planted(b: Any, n: Any, xp: Any) -> Any:
    """Planted: each wrong class counted once."""
    return xp.log(1 + (n - 1) * xp.exp(-b * n / (n - 1)))


def slack(total: Any, spread: Any, n: Any) -> Any:
    """What is above the floor: (‖Σ(û+v̂)‖² + Σ_{a<b}‖d_a − d_b‖²)/(4n(n−1)), d = û − v̂."""
    return (total + spread) / (4 * n * (n - 1))


def slack_planted(total: Any, spread: Any, n: Any) -> Any:
    """Planted: the spread of the differences left out."""
    return (total + 0 * spread) / (4 * n * (n - 1))


def _wrong_cosine(least: Any, above: Any) -> Any:
    def wrong_cosine(alignment: Any, total: Any, spread: Any, n: Any) -> Any:
        """Mean cosine of wrong pairs: the floor and what is above it."""
        return least(alignment, n) + above(total, spread, n)

    return wrong_cosine


def _at_least(least: Any) -> Any:
    def at_least(alignment: Any, b: Any, n: Any, loss: Any, xp: Any) -> Any:
        """The loss itself, as long as it is at least its floor."""
        return xp.maximum(loss, least(alignment, b, n, xp))

    return at_least


def _residuals(least: Any, above: Any, of_loss: Any, of_views: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for n, d in ((2, 2), (3, 2), (4, 2)):
        u, v = (np.array([vector(f"{name}{a}_", d) for a in range(n)]) for name in "uv")
        inner = u @ v.T
        s = sum(inner[a, a] for a in range(n)) / sp.Integer(n)
        wrong = (inner.sum() - n * s) / (n * (n - 1))
        differences = u - v
        spread = sum(square(differences[a] - differences[k]) for a in range(n) for k in range(a))
        # Unit vectors: Σ‖d_a‖² = 2n(1 − s). Lengths are put in where they were left open.
        lengths = sum(square(x) - 1 for x in (*u, *v))
        claimed = least(s, sp.Integer(n)) + above(square((u + v).sum(0)), spread, sp.Integer(n))
        rest = lengths / (4 * (n - 1))
        found[f"floor and slack, n={n}"] = sp.expand(wrong - claimed + rest)
    # Jensen's inequality over anchors, for a loss convex in the margin, is equality where they
    # are alike; there InfoNCE is ln(1 + (n−1)e^(−b·margin)).
    b, n = sp.symbols("b n", positive=True)
    s = sp.Symbol("s", real=True)
    margin = s - floor(s, n)
    found["InfoNCE and CLIP"] = sp.simplify(
        sp.exp(of_loss(s, b, n, xp)) - 1 - (n - 1) * sp.exp(-b * margin)
    )
    x = sp.Symbol("x", real=True)
    # Convex in the margin: second derivative over a positive square.
    second = sp.diff(sp.log(1 + (n - 1) * sp.exp(-x)), x, 2)
    found["convexity"] = sp.simplify(
        second - (n - 1) * sp.exp(-x) / (1 + (n - 1) * sp.exp(-x)) ** 2
    )
    found["NT-Xent"] = sp.simplify(
        sp.exp(of_views(b, n, xp)) - 1 - 2 * (n - 1) * sp.exp(-b * (1 + 1 / (n - 1)))
    )
    # The symmetric state of claim modality_gap with q₊ = 0, q₋² = (1−s)/2 attains the floor.
    p = 1 - (1 - s) / 2
    found["attained"] = sp.simplify(-p / (n - 1) - (1 - s) / 2 - least(s, n))
    return found


def _planted_proof() -> dict[str, Any]:
    wrong = _residuals(floor_planted, slack_planted, loss_floor_planted, nt_xent_floor_planted)
    del wrong["convexity"]
    return wrong


_BATCH: dict[str, Any] = {"measurement": "alignment"}

CLAIM = Claim(
    name="alignment_floor",
    title="The floor of a contrastive loss at a given alignment",
    meaning="How low InfoNCE and CLIP can get depends on the alignment $s$ of the right pairs; "
    "while that is imperfect only states with a gap between the modalities attain the floor.",
    reason="The mean cosine of wrong pairs is its least value plus two sums of squares, which "
    "vanish together only where all pairs differ by one and the same vector. Convexity carries "
    "the bound over to the loss.",
    consequence="While $s<1$ a state without a gap stays above the floor. Compare a loss with the "
    "floor at its own alignment, not with that of perfect alignment.",
    statement=r"\frac{1}{n(n-1)}\sum_{a\ne b}\hat u_a\cdot\hat v_b=\frac{(n-2)s-n}{2(n-1)}"
    r"+\frac{\lVert\sum_a(\hat u_a+\hat v_a)\rVert^2+\sum_{a<b}\lVert d_a-d_b\rVert^2}{4n(n-1)},"
    r"\quad s=\frac1n\sum_a\hat u_a\cdot\hat v_a,\ d=\hat u-\hat v;\qquad "
    r"L\ge\ln\left(1+(n-1)\,e^{-by^*(1+s)/2}\right),\quad y^*=\frac{n}{n-1}",
    assumptions=(
        "n pairs of unit vectors, b = 1/τ; InfoNCE and CLIP as means over n",
        "attained for s < 1 by a simplex with a gap between the modalities alone (q₊ = 0, "
        "q₋² = (1−s)/2 in claim modality_gap), n ≤ d",
        "NT-Xent with coinciding views: ln(1 + 2(n−1)e^(−by*))",
    ),
    source="normtheory (derived here); the slope (n−2)/(2(n−1)) also in Lee et al. 2025",
    item="19",
    proof=lambda: _residuals(floor, slack, loss_floor, nt_xent_floor),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="mean cosine of wrong pairs",
            quantity="wrong_cosine",
            formula=_wrong_cosine(floor, slack),
            planted=_wrong_cosine(floor, slack_planted),
            mistake="spread of the differences left out",
            scale=lambda n: 0 * n + 1,
            reason="absolute: rounding of a mean of cosines",
            **_BATCH,
        ),
        Check(
            name="InfoNCE and CLIP stay above their floor",
            quantity="loss",
            formula=_at_least(loss_floor),
            planted=_at_least(lambda s, b, n, xp: loss_floor_planted(s, b, n, xp) * 1.05),
            mistake="margin without its share n/(n−1), 5 % higher",
            scale=lambda b: 1 / (1 + b),
            reason="rounding of the logits where the floor is attained",
            **_BATCH,
        ),
        Check(
            name="the floor is attained",
            measurement="alignment",
            options={"attained": True},
            quantity="loss",
            formula=lambda alignment, b, n, xp: loss_floor(alignment, b, n, xp),
            planted=lambda alignment, b, n, xp: loss_floor_planted(alignment, b, n, xp),
            mistake="margin without its share n/(n−1)",
            scale=lambda b: 1 / (1 + b),
            reason="rounding of the logits",
        ),
        Check(
            name="NT-Xent on a simplex",
            measurement="alignment",
            options={"attained": True},
            quantity="nt_xent",
            formula=nt_xent_floor,
            planted=nt_xent_floor_planted,
            mistake="each wrong class counted once",
            scale=lambda b: 1 / (1 + b),
            reason="rounding of the logits",
        ),
    ),
    implemented_by=(
        "normtheory.symmetric.alignment_floor",
        "normtheory.symmetric.loss_floor",
    ),
    shown_by=("temperature",),
)
