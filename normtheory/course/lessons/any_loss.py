"""Any loss of directions: the theorem, and the kit on a loss that the student writes."""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.course._exercise import Exercise, Mistake

_KEYS = np.random.default_rng(1).standard_normal((6, 4))


def _unit(z: Any) -> Any:
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def _length(norm: float) -> float:
    """That of a gradient which is 0.6 long at norm 2, in the same direction."""
    short, long = (nt.cosine_gradient(np.array([x, 0.0]), np.ones(2)) for x in (2.0, norm))
    return float(0.6 * np.linalg.norm(long) / np.linalg.norm(short))


_NORM = (
    "L(2z) is not L(z): this loss sees how long embeddings are. Divide each row by its norm first."
)
_BATCH = (
    "Doubling all rows changes nothing, and still this is no loss of directions: make one row "
    "longer, alone, and it changes. What is normalised over the batch mixes the rows."
)
_EPSILON = (
    "For long embeddings the law holds, for short ones it doesn't: something is added to the norm "
    "or bounds it from below. `nt.testing.valid_norm_range` says from where on it holds."
)


def _of_directions(answer: Any) -> str | None:
    from normtheory import testing

    if not callable(answer):
        return "Hand in the function itself, without calling it."
    loss: Any = answer
    z = np.random.default_rng(2).standard_normal((6, 4))
    values = [float(loss(z)), float(loss(2 * z))]
    low, high = testing.valid_norm_range(loss, n=6, dimension=4)
    if low == 0 and high == np.inf:
        return None
    if low > 0:
        return _EPSILON
    return _BATCH if np.isclose(*values, rtol=1e-9, atol=1e-12) else _NORM


EXERCISES = (
    Exercise(
        name="six",
        question="(By hand.) The gradient of InfoNCE at an embedding of norm 2 is 0.6 long. How "
        "long is it where the same embedding, in the same batch, has norm 6?",
        answer=lambda: _length(6.0),
        right="three times as long an embedding, a third of the gradient.",
        mistakes=(
            Mistake(
                0.6,
                "The *loss* is the same at both norms. Its gradient says how much the loss changes "
                "for a push of length 1, and such a push turns a long vector less.",
            ),
            Mistake(lambda: 0.6**2 / _length(6.0), "The wrong way round: it gets shorter."),
            Mistake(
                lambda: _length(6.0) ** 2 / 0.6,
                "1/ρ² is how much a step *turns* the embedding; the gradient has one factor of it.",
            ),
        ),
        hint="$\\nabla L(\\alpha z) = \\nabla L(z)/\\alpha$, for one row as for all.",
    ),
    Exercise(
        name="chord",
        question="(By machine.) BYOL's loss is the squared chord $\\|\\hat z-\\hat y\\|^2$. Write "
        "its gradient with respect to $z$ as a function of two vectors `z` and `y`, of any norms.",
        answer=lambda z, y: -2 * nt.cosine_gradient(z, y),
        right="the squared chord is 2 − 2 cos φ, so its gradient is −2 times that of the cosine.",
        mistakes=(
            Mistake(
                lambda z, y: 2 * (_unit(z) - _unit(y)),
                "That is the gradient with respect to ẑ, as if ẑ were free to leave the sphere. "
                "Take off its part along z, and divide by the norm.",
            ),
            Mistake(
                lambda z, y: 2 * (_unit(z) - _unit(y)) / np.linalg.norm(z),
                "Nearly: the 1/ρ is there, but your gradient has a part along z.",
            ),
            Mistake(
                lambda z, y: -2 * nt.cosine_gradient(_unit(z), y),
                "Orthogonal to z, as it should be, and too long or too short by the norm of z.",
            ),
            Mistake(
                lambda z, y: 2 * nt.cosine_gradient(z, y),
                "The sign: a step *against* the gradient has to bring the two together.",
            ),
        ),
        hint="Write the squared chord with the cosine; the library has the cosine's gradient.",
        draw=lambda rng: tuple(rng.uniform(0.5, 3.0) * rng.standard_normal((2, 5))),
    ),
    Exercise(
        name="own_loss",
        question="(Open.) Write a loss of your own: a function of one cloud `z` of shape (6, 4), "
        "in numpy, that returns a number. It passes if it is a loss of directions at every norm.",
        answer=lambda z: float(np.mean((_unit(z) @ _unit(_KEYS).T) ** 3)),
        right="whatever it is good for, it will lengthen embeddings and slow down as 1/ρ².",
        mistakes=(
            Mistake(lambda z: -np.mean(z * _KEYS), _NORM),
            Mistake(lambda z: -np.mean(_unit(z - z.mean(axis=0)) * _KEYS), _BATCH),
            Mistake(
                lambda z: (
                    -np.mean(z / (np.linalg.norm(z, axis=1, keepdims=True) + 1e-2) * _unit(_KEYS))
                ),
                _EPSILON,
            ),
        ),
        hint="Start from `z_unit = z / np.linalg.norm(z, axis=1, keepdims=True)`.",
        judge=_of_directions,
    ),
)
"""Asked in lesson 2."""
