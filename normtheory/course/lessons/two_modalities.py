"""Two modalities: temperature, the gap, and the norm."""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.course._exercise import Exercise, Mistake

_ALIGNMENT = 0.6
_PAIRS, _RATE, _SCALE_RATE = 256, 50.0, 0.05
_FIRST, _LAST = 1 / 0.07, 100.0


def _half_gap() -> float:
    """The gap q₋ at the floor: what wrong cosines have beyond the simplex's share of them."""
    n = 1000
    simplex = -(1 + _ALIGNMENT) / 2 / (n - 1)
    return float(np.sqrt(simplex - nt.symmetric.alignment_floor(_ALIGNMENT, n)))


def _exponent(norm: float, power: float = 0.0, scale_rate: float = _SCALE_RATE) -> float:
    """That of training in the lesson: 16 pairs at the rate 0.8."""
    return float(nt.symmetric.gap_exponent(norm, 16, 0.8, scale_rate, gradscale=power))


def _norm_for(left: float) -> float:
    """Norm at which this much of the gap is left: κ ∝ 1/ρ², and its logarithm ∝ κ."""
    at_one = nt.symmetric.gap_exponent(1.0, _PAIRS, _RATE, _SCALE_RATE)
    kept = nt.symmetric.gap_ratio(_LAST, _FIRST, at_one)
    return float(np.sqrt(np.log(kept) / np.log(left)))


_ONE_POWER = (
    "With p = 1 the gradient no longer depends on the norm, but a step of the same length still "
    "turns a longer vector less: κ has the norm in it once more."
)
_HALF_WAY = (
    "A fourth of the rate mends one of two factors of 4: κ falls with the square of the norm."
)
_WRONG_WAY = "This way the scale runs even faster away from the embeddings."


def _mends(answer: Any) -> str | None:
    found = np.asarray(answer, dtype=float)
    if found.shape != (2,) or not np.isfinite(found).all() or found[1] <= 0:
        return "Hand in two numbers, the power p and the rate of ln b, such as (1.0, 0.05)."
    power, rate = map(float, found)
    left = float(nt.symmetric.gap_ratio(10.0, 1.0, _exponent(4.0, power, rate)))
    if left <= 0.1 * (1 + 1e-6):
        return None
    if power == 1 and rate == _SCALE_RATE:
        return _ONE_POWER
    if power == 0 and np.isclose(rate, _SCALE_RATE / 4):
        return _HALF_WAY
    if power <= 0 and rate > _SCALE_RATE:
        return _WRONG_WAY
    return f"With these, {left:.0%} of the gap is left; it should be 10 % or less."


EXERCISES = (
    Exercise(
        name="best_gap",
        question=f"(By hand.) Partners have the mean cosine {_ALIGNMENT}, and CLIP's loss is as "
        "small as it can be. How far is the mean direction of the images from that of the "
        "captions?",
        answer=lambda: 2 * _half_gap(),
        right="the whole disagreement is one difference, the same for all: 2q with q² = (1 − s)/2.",
        mistakes=(
            Mistake(_half_gap, "That is from the middle to one of the two: it is half of the way."),
            Mistake(
                1 - _ALIGNMENT,
                "One less the cosine is half of the *squared* distance of two unit vectors.",
            ),
            Mistake(
                2 * (1 - _ALIGNMENT), "That is the squared distance of partners: take its root."
            ),
            Mistake(
                0.0,
                "Without a gap every pair disagrees in a direction of its own, and wrong pairs are "
                "not pushed apart by it.",
            ),
        ),
        hint="At the floor partners differ by one and the same vector, so the means differ by it.",
    ),
    Exercise(
        name="half_gap",
        question=f"(By machine.) {_PAIRS} pairs, embeddings by SGD at the rate {_RATE:g} on the "
        f"mean loss, $\\ln b$ at the rate {_SCALE_RATE}. The scale goes from $b = 1/0.07$ to its "
        f"clamp at {_LAST:g}. At which norm is half of the gap left then?",
        answer=lambda: _norm_for(0.5),
        right="half of the gap fixes κ = ln 2/ln(b/b₀), and κ = γ/(nγ_s ρ²) fixes the norm.",
        mistakes=(
            Mistake(lambda: _norm_for(0.5) ** 2, "That is the square of the norm."),
            Mistake(
                lambda: _norm_for(0.5) * np.sqrt(_PAIRS),
                "The loss is a mean: each embedding has the n-th part of the gradient.",
            ),
            Mistake(
                lambda: float(nt.symmetric.gap_exponent(1.0, _PAIRS, _RATE, _SCALE_RATE)) ** 0.5,
                "There κ = 1, and the gap shrinks as much as the scale grows, sevenfold.",
            ),
        ),
        hint="Solve $(b/b_0)^{-\\kappa} = 1/2$ for κ, then `nt.symmetric.gap_exponent` for ρ.",
    ),
    Exercise(
        name="mend",
        question="(Open.) Embeddings of norm 4, trained as in section 3 (16 pairs, rate 0.8), are "
        "to close nine tenths of their gap while the scale grows tenfold. You may choose the power "
        f"$p$ of GradScale and the rate of $\\ln b$, which was {_SCALE_RATE}. Hand in a tuple "
        "(p, rate); there are many.",
        answer=(2.0, _SCALE_RATE),
        right="what counts is κ = γρ^(p−2)/(nγ_s) ≥ 1: faster embeddings, or a scale that waits.",
        mistakes=(
            Mistake((1.0, _SCALE_RATE), _ONE_POWER),
            Mistake((0.0, _SCALE_RATE / 4), _HALF_WAY),
            Mistake((0.0, 16 * _SCALE_RATE), _WRONG_WAY),
        ),
        hint="`nt.symmetric.gap_exponent(4.0, 16, 0.8, rate, gradscale=p)` must be 1 or more.",
        judge=_mends,
    ),
)
"""Asked in lesson 5."""
