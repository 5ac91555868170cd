"""Norms in time: growth, weight decay, equilibrium, AdamW against SGD."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

import normtheory as nt
from normtheory.course._exercise import Exercise, Mistake

_RATE, _NORM = 0.05, 1.5


def _decay(law: Any) -> float:
    """The weight decay at which a law of the norm gives 1.5."""
    root: Any = brentq(lambda decay: law(decay) - _NORM, 1e-6, 1.0)
    return float(root)


def _balance(decay: float) -> float:
    return float(nt.equilibrium_norm(_RATE, decay, 1.0))


_SAME = "These turn at the same speed: it is √(2γλ) that has to differ."
_SLOW = "The norms agree. The speeds differ by less than five times: go further the same way."
_NORMS = "The equilibrium norms differ. They are set by the ratio γ/λ; the speed is by the product."


def _fast_and_slow(answer: Any) -> str | None:
    settings = np.asarray(answer, dtype=float)
    if settings.shape != (2, 2):
        return "Hand in two pairs: ((rate, decay), (rate, decay))."
    norms = [float(nt.equilibrium_norm(rate, decay, 1.0)) for rate, decay in settings]
    slow, fast = sorted(float(nt.equilibrium_angular_step(*setting)) for setting in settings)
    if np.isclose(fast, slow, rtol=0.01):
        return _SAME
    if not np.isclose(*norms, rtol=0.02):
        return _NORMS
    return None if fast >= 5 * slow else _SLOW


EXERCISES = (
    Exercise(
        name="sixteen",
        question="(By hand.) An embedding that started tiny meets a fresh partner in every step. "
        "After 1,000 steps of SGD without weight decay it has norm 2. Which norm has it after "
        "16,000?",
        answer=lambda: 2.0 * 16 ** (1 / 4),
        right="sixteen times the time, twice the norm: its fourth power grows linearly.",
        mistakes=(
            Mistake(32.0, "So it would be if each step added the same length."),
            Mistake(
                8.0,
                "The square root: a random walk with steps of one size. But steps get shorter as "
                "the norm grows, by 1/ρ.",
            ),
            Mistake(2.0, "It never stops growing, as long as partners are fresh."),
        ),
        hint="Which power of the norm grows linearly in time?",
    ),
    Exercise(
        name="decay",
        question=f"(By machine.) SGD at the rate {_RATE}, partners fresh and orthogonal (a mean "
        f"square sine of 1). Which weight decay holds norms at {_NORM}?",
        answer=lambda: _decay(_balance),
        right="ρ⁴ = γ s²/(λ(2 − γλ)), solved for λ.",
        mistakes=(
            Mistake(
                lambda: _decay(lambda decay: _balance(decay) ** 2),
                "You solved with ρ² in the place of ρ⁴ (so this decay holds norms at √1.5).",
            ),
            Mistake(
                lambda: _decay(lambda decay: _balance(decay / 2)),
                "A factor of two: (1 − γλ)² is about 1 − 2γλ, so decay takes twice λγ of ρ².",
            ),
            Mistake(
                _NORM,
                "That is the norm. The weight decay belongs to it by `nt.equilibrium_norm`.",
            ),
        ),
        hint="Try values of λ in `nt.equilibrium_norm(0.05, λ, 1.0)`, or solve the claim for λ.",
    ),
    Exercise(
        name="fast_and_slow",
        question="(Open.) Find two settings of SGD, as ((rate, decay), (rate, decay)), with the "
        "same equilibrium norm (within 2 %), of which one turns its embeddings at least five times "
        "as fast as the other.",
        answer=((0.01, 0.001), (0.1, 0.01)),
        right="a norm says nothing about how fast a model in equilibrium still moves.",
        mistakes=(
            Mistake(((0.1, 0.01), (0.1, 0.01)), _SAME),
            Mistake(((0.1, 0.01), (0.2, 0.02)), _SLOW),
            Mistake(((0.1, 0.001), (0.1, 0.1)), _NORMS),
        ),
        hint="`nt.equilibrium_norm(rate, decay, 1.0)`, `nt.equilibrium_angular_step(rate, decay)`.",
        judge=_fast_and_slow,
    ),
)
"""Asked in lesson 3."""
