"""Your own model: watch and diagnose a PyTorch training."""

from __future__ import annotations

from typing import Any

import numpy as np

import normtheory as nt
from normtheory.course._exercise import Exercise, Mistake

_RATE, _DECAY, _DIMENSION, _LAG = 1e-3, 0.1, 128, 1000
_NORM, _TURN = 1.0, 0.005


def _predicted(name: str, rate: float = _RATE, decay: float = _DECAY) -> float:
    found = nt.predict(
        1.0, rate, optimizer="adamw", weight_decay=decay, dimension=_DIMENSION, lag=_LAG
    )
    return float(found[name].value)


def _after_lag() -> float:
    return _predicted("equilibrium_cosine_after_lag")


_TOO_FAST = (
    "The norm is right, but directions turn by more than {} in a step: the norm is set by rate "
    "over decay, the turn by rate times decay."
)
_NOT_THE_NORM = "With these the resting place is {:.2f}, not 1."


def _settings(answer: Any) -> str | None:
    found = np.asarray(answer, dtype=float)
    if found.shape != (2,) or not (np.isfinite(found) & (found > 0)).all():
        return "Hand in two positive numbers, rate and decay, such as (1e-3, 0.1)."
    rate, decay = map(float, found)
    if rate * decay >= 1:
        return "Rate times decay must be below 1, or a step would turn weights round."
    norm = _predicted("equilibrium_norm", rate, decay)
    if abs(norm - _NORM) > 0.05:
        return _NOT_THE_NORM.format(norm)
    if _predicted("equilibrium_angular_step", rate, decay) > _TURN:
        return _TOO_FAST.format(_TURN)
    return None


EXERCISES = (
    Exercise(
        name="resting_place",
        question="(By hand.) AdamW, rate 0.001, weight decay 0.1, embeddings of 128 dimensions in "
        "a table (so they are free). At which norm do they come to rest?",
        answer=lambda: _predicted("equilibrium_norm"),
        right="√(ηd/2λ): no loss, no temperature and no difficulty in it; AdamW divides them out.",
        mistakes=(
            Mistake(lambda: _RATE * _DIMENSION / (2 * _DECAY), "That is the square of the norm."),
            Mistake(
                lambda: float(np.sqrt(_RATE / (2 * _DECAY))),
                "That is the size of one coordinate; there are 128.",
            ),
            Mistake(
                lambda: float(np.sqrt(_RATE * _DIMENSION / _DECAY)),
                "Decay shrinks the *square* of the norm by 2ηλ in a step.",
            ),
        ),
        hint="A step of AdamW is about η long in each of d coordinates; ρ² gains η²d and loses "
        "2ηλρ².",
        relative=0.02,
    ),
    Exercise(
        name="queue",
        question=f"(By machine.) A queue holds such embeddings for {_LAG:,} steps. Which cosine "
        "has a copy, when it leaves, with what the embedding is by then? (At rest, settings as "
        "before.)",
        answer=_after_lag,
        right="a tenth of the agreement is gone: queues of that length hold stale directions.",
        mistakes=(
            Mistake(1.0, "Norms are at rest, directions are not: they go on turning for ever."),
            Mistake(
                lambda: 1 - _after_lag(), "That is what is missing from 1; the cosine is wanted."
            ),
        ),
        hint='`nt.predict(..., lag=1000)["equilibrium_cosine_after_lag"]`; `dimension=` is needed, '
        "the norm at the start is not what counts.",
        relative=0.005,
    ),
    Exercise(
        name="settings",
        question="(Open.) Choose rate and weight decay of AdamW so that free embeddings of "
        f"{_DIMENSION} dimensions rest at norm {_NORM:g} (within 5 %) and turn by at most {_TURN} "
        "radians in a step there. Hand in a tuple (rate, decay); there are many.",
        answer=(8e-4, 0.0512),
        right="the norm fixes η/λ = 2ρ²/d, the turn bounds ηλ.",
        mistakes=(
            Mistake((0.01, 0.64), _TOO_FAST.format(_TURN)),
            Mistake(
                (_RATE, _DECAY), _NOT_THE_NORM.format(np.sqrt(_RATE * _DIMENSION / (2 * _DECAY)))
            ),
        ),
        hint='`nt.predict` has both: "equilibrium_norm" and "equilibrium_angular_step".',
        judge=_settings,
    ),
)
"""Asked in lesson 8."""
