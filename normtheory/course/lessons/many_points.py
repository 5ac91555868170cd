"""Many points: InfoNCE on the sphere, one umbrella opening, uniformity."""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.course._exercise import Exercise, Mistake

_RATE, _N, _START, _END = 0.01, 4, 0.9, -0.3


def _simplex_cosine(n: int) -> float:
    """The cosine of two corners of a simplex, seen from its centre."""
    corners = np.eye(n) - 1 / n
    return float(nt.cosine_similarity(corners[0], corners[1]))


def _steps(norm: float, steepness: float, loss: str = "info_nce") -> float:
    return float(
        nt.symmetric.simplex_steps(loss, _START, _END, _N, norm, _RATE, steepness=steepness)
    )


_EVEN = "At rest at every temperature, and evenly spread. Find one that is not."
_COLLAPSE = "At rest, since all points lie on one line; but so it is at every temperature."
_PUSHED = (
    "The mean of your six directions is not zero, and all points are pushed away from it. Points "
    "that cancel in twos or threes need not be evenly spread."
)


def _at_rest(answer: Any) -> str | None:
    angles = np.asarray(answer, dtype=float)
    if angles.shape != (6,) or not np.isfinite(angles).all():
        return "Hand in six angles in radians, such as np.arange(6)."
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if np.linalg.matrix_rank(points, tol=1e-6) == 1:
        return _COLLAPSE
    if np.linalg.norm(points.mean(axis=0)) > 1e-3:
        return _PUSHED
    gaps = np.diff(np.sort(angles % (2 * np.pi)), append=angles.min() % (2 * np.pi) + 2 * np.pi)
    return _EVEN if np.ptp(gaps) < 1e-2 else None


EXERCISES = (
    Exercise(
        name="five",
        question="(By hand.) Five unit vectors, all ten cosines equal. What is the smallest value "
        "that they can have?",
        answer=lambda: _simplex_cosine(5),
        right="−1/(n−1): the squared length of their sum, 5 + 20c, can't be negative.",
        mistakes=(
            Mistake(-1.0, "Two of them can be opposite, but then where is the third?"),
            Mistake(
                float(np.cos(2 * np.pi / 5)),
                "Neighbours in a regular pentagon. There the other cosines are different ones; "
                "leave the plane.",
            ),
            Mistake(0.0, "Orthogonal to each other: they can be further apart than that."),
            Mistake(-0.5, "That is for three points."),
            Mistake(-0.2, "Nearly: how many partners does a point have among five?"),
        ),
        hint="How long is the sum of all five? Its square has 5 ones and 20 cosines in it.",
    ),
    Exercise(
        name="opening",
        question=f"(By machine.) An equiangular cloud of {_N} points of norm 2 opens under InfoNCE "
        f"at temperature 0.5, from the cosine {_START} to {_END}, at the rate {_RATE}. In how many "
        "steps?",
        answer=lambda: _steps(2.0, 1 / 0.5),
        right="four times those of norm 1; one cloud of many points, and ρ² is back.",
        mistakes=(
            Mistake(
                lambda: _steps(2.0, 0.5),
                "The `steepness` is 1/τ: at temperature 0.5 it is 2.",
            ),
            Mistake(lambda: _steps(1.0, 2.0), "These are the steps at norm 1."),
            Mistake(
                lambda: 2 * _steps(1.0, 2.0),
                "Twice those of norm 1? A shorter gradient is one factor; the larger circle "
                "is another.",
            ),
            Mistake(
                lambda: _steps(2.0, 2.0, "info_nce_two"),
                "That is for two separate clouds, anchors and keys; here one has both roles.",
            ),
        ),
        hint='`nt.symmetric.simplex_steps("info_nce", start, end, n, norm, rate, steepness=...)`.',
    ),
    Exercise(
        name="at_rest",
        question="(Open.) Hand in the angles (radians) of six points on a circle that are *not* "
        "evenly spread and yet feel no force from InfoNCE at a very high temperature.",
        answer=np.array([0.0, np.pi, 0.3, 0.3 + np.pi, 0.6, 0.6 + np.pi]),
        right="the mean is zero, and at a high temperature nothing else is seen.",
        mistakes=(
            Mistake(np.arange(6) * np.pi / 3, _EVEN),
            Mistake(np.zeros(6), _COLLAPSE),
            Mistake(np.arange(6.0), _PUSHED),
        ),
        hint="There each point is pushed away from the mean of all: what if there is no mean?",
        judge=_at_rest,
    ),
)
"""Asked in lesson 4."""
