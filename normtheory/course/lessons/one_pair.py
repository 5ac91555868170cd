"""One pair: from its gradient to the ρ² law."""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.course._exercise import Exercise, Mistake

_RATE = 0.02
_EQUAL = 3.0


def _steps(norm_i: float, norm_j: float) -> int:
    return int(nt.simulate_pairs(np.pi / 2, norm_i, norm_j, _RATE).steps)


_MEAN = (
    "The mean of these two norms is 3, but a pair does not feel the mean: by how much each side "
    "turns in a step goes with 1/ρ², so the shorter one does nearly all of the work."
)
_PRODUCT = (
    "The product of these two norms is that of 3 and 3, which would do if rates multiplied. They "
    "add: both sides turn towards each other."
)
_SAME = "That is the pair we compare with; find another."


def _as_slow(answer: Any) -> str | None:
    norms = np.asarray(answer, dtype=float)
    if norms.shape != (2,) or not (norms > 0).all():
        return "Hand in two positive norms, such as (2.5, 4.0)."
    if np.allclose(norms, _EQUAL, rtol=0.05):
        return _SAME
    found, wanted = _steps(*norms), _steps(_EQUAL, _EQUAL)
    if abs(found - wanted) <= 0.02 * wanted:
        return None
    if np.isclose(norms.mean(), _EQUAL, rtol=0.01):
        return _MEAN
    if np.isclose(norms.prod(), _EQUAL**2, rtol=0.01):
        return _PRODUCT
    return f"This pair needs {found} steps, and the pair with norms 3 and 3 needs {wanted}."


EXERCISES = (
    Exercise(
        name="pythagoras",
        question="(By hand.) An embedding has norm 4 and takes a gradient step that is 3 long. "
        "How long is it now?",
        answer=lambda: float(np.hypot(4.0, 3.0)),
        right="old vector, step and new vector form a right triangle; the new one is its "
        "longest side.",
        mistakes=(
            Mistake(7.0, "Lengths add where a step goes along the vector. This one goes across."),
            Mistake(1.0, "A step against the vector would shorten it. This one goes across."),
            Mistake(
                4.0,
                "The loss does not see the norm, and yet the norm changes: a straight step across "
                "leaves the sphere.",
            ),
            Mistake(25.0, "That is the square of the norm."),
        ),
        hint="The gradient is orthogonal to the embedding. Draw the two, one after the other.",
    ),
    Exercise(
        name="steps",
        question="(By machine.) Two embeddings at a right angle, both of norm 3, are pulled "
        f"together at the rate {_RATE}. How many steps are taken until their cosine is 0.999? "
        "Guess from norm 1 first; then let `nt.simulate_pairs` count.",
        answer=lambda: _steps(3.0, 3.0),
        right="nine times the steps of norm 1: the norm comes in squared.",
        mistakes=(
            Mistake(lambda: _steps(1.0, 1.0), "This is the count at norm 1."),
            Mistake(
                lambda: 3 * _steps(1.0, 1.0),
                "The gradient is a third as long, so three times the steps? A third of the step on "
                "three times the circle: what counts is the angle.",
            ),
            Mistake(
                lambda: _steps(1.0, 3.0),
                "This pair has norms 1 and 3: hand the norm over for both embeddings.",
            ),
        ),
        hint="`nt.simulate_pairs(angle, norm, norm, rate).steps`, with the angle in radians.",
    ),
    Exercise(
        name="as_slow",
        question="(Open.) Find two *unequal* norms with which a pair at a right angle takes as "
        f"many steps as with norms 3 and 3 (within 2 %, rate {_RATE}). Hand them in as a tuple.",
        answer=(2.5, (2 / _EQUAL**2 - 1 / 2.5**2) ** -0.5),
        right="there is a whole curve of such pairs: those with the same κ = 1/ρ² + 1/ρ'².",
        mistakes=(
            Mistake((3.0, 3.0), _SAME),
            Mistake((2.0, 4.0), _MEAN),
            Mistake((1.5, 6.0), _PRODUCT),
        ),
        hint="Stage 4 has the rate κ at which a pair with two norms turns.",
        judge=_as_slow,
    ),
)
"""Asked in lesson 1."""
