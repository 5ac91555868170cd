"""Interventions: GradScale, cut-initialisation, and what tuning the rate leaves of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize

import normtheory as nt
from normtheory.course._exercise import Exercise, Mistake

_SLOWDOWN = 1.5
_CUT, _RATE, _DECAY = 3.0, 0.1, 1e-4
_BASE_RATE, _BASE_CUT = 0.01, 5.0


def _slowdown(power: float) -> float:
    """Of a pair with twice the norm."""
    twice, once = (
        nt.steps_to_converge(np.pi / 2, norm, norm, 1e-3, gradscale=power) for norm in (2.0, 1.0)
    )
    return float(twice / once)


def _power() -> float:
    found = optimize.root_scalar(lambda p: _slowdown(p) - _SLOWDOWN, bracket=(0.0, 2.0))
    return float(found.root)


def _uncut() -> np.ndarray:
    found = nt.invariants.rescaled_settings(_CUT, "sgd", _RATE, weight_decay=_DECAY)
    return np.array([found.learning_rate, found.weight_decay])


def _as_adam() -> np.ndarray:
    found = nt.invariants.rescaled_settings(_CUT, "adamw", _RATE, weight_decay=_DECAY)
    return np.array([found.learning_rate, found.weight_decay])


_SAME_RATE = (
    "A baseline at the same rate only is the plot that fools: the cut run is the plain run at a "
    "larger rate, which is not among yours."
)
_AT_THE_END = (
    "The rate that the cut stands for is the largest of yours. If it comes out best, you can't "
    "tell whether a larger one is better still: go on beyond it."
)
_HOLES = "Your rates are more than 5 times apart: the best one may lie in between."


def _baseline(answer: Any) -> str | None:
    rates = np.sort(np.asarray(answer, dtype=float).reshape(-1))
    if len(rates) == 0 or not np.isfinite(rates).all() or rates[0] <= 0:
        return "Hand in a list of positive rates, such as [0.01, 0.02]."
    same = nt.invariants.rescaled_settings(_BASE_CUT, "sgd", _BASE_RATE).learning_rate
    if len(rates) > 12:
        return "That is more than anybody will run: keep it to 12 rates."
    if rates[0] > 1.5 * _BASE_RATE:
        return "Keep the baseline's own rate, 0.01, among yours: it may be the best one."
    if rates[-1] < same / 1.5:
        return _SAME_RATE
    if rates[-1] <= 1.5 * same:
        return _AT_THE_END
    if (rates[1:] > 5 * rates[:-1]).any():
        return _HOLES
    return None


EXERCISES = (
    Exercise(
        name="power",
        question="(By hand.) Some embeddings have twice the norm of the others and need 4 times as "
        f"many steps. With which power $p$ of GradScale do they need {_SLOWDOWN} times as many?",
        answer=_power,
        right="steps go as ρ^(2−p), so 2^(2−p) = 1.5; and some of the brake is kept.",
        mistakes=(
            Mistake(2.0, "With p = 2 they need no more steps than the others."),
            Mistake(1.0, "With p = 1 they need twice as many: 2^(2−p) = 2."),
            Mistake(
                lambda: 2 - _power(),
                "This is what is left of the exponent, 2 − p: what is the p of that?",
            ),
            Mistake(
                lambda: 2 - float(np.log(_SLOWDOWN)),
                "Almost: the norm is twice as large, not e times, so the logarithm is that to "
                "base 2.",
            ),
        ),
        hint="The number of steps goes as $\\rho^{2-p}$.",
    ),
    Exercise(
        name="as_rate",
        question="(By machine or by hand.) A bias-free ReLU network is cut by "
        f"{_CUT:g} and trained by SGD at the rate {_RATE} with a weight decay of 0.0001. Hand in "
        "a tuple (rate, decay) with which the *uncut* network does exactly the same.",
        answer=_uncut,
        right="the rate is c² times as large, the decay c² times as small, and their product is "
        "what it was.",
        mistakes=(
            Mistake(_as_adam, "That is Adam's rule. Under SGD the factor is c²."),
            Mistake(
                lambda: np.array([_uncut()[0], _DECAY]),
                "The rate is right. But a step shrinks weights by rate times decay, and that must "
                "not change.",
            ),
            Mistake(
                lambda: _uncut()[0] / _RATE * np.array([_RATE, _DECAY]),
                "With both multiplied, decay acts 81 times as strongly in a step.",
            ),
            Mistake(
                lambda: np.array([_RATE, _DECAY]) / (_uncut() / [_RATE, _DECAY]),
                "The other way round: small weights turn faster, so the uncut network needs the "
                "larger rate.",
            ),
        ),
        hint="Weights $c$ times as large have gradients $1/c$ as long, and steps must be $c$ times "
        "as long. `nt.invariants.rescaled_settings` knows the rule for each optimizer.",
    ),
    Exercise(
        name="baseline",
        question=f"(Open.) A paper trains at the rate {_BASE_RATE} by SGD, without biases or "
        f"normalisation, and finds that a cut by {_BASE_CUT:g} makes training three times faster. "
        "You review it. At which rates should its baseline be run before you believe that? Hand in "
        "a list.",
        answer=[0.01, 0.03, 0.1, 0.25, 0.75],
        right="the rate that the cut stands for lies inside your grid, without holes: whatever the "
        "cut found, this baseline finds too.",
        mistakes=(
            Mistake([0.01, 0.03], _SAME_RATE),
            Mistake([0.01, 0.05, 0.25], _AT_THE_END),
            Mistake([0.01, 0.3, 3.0], _HOLES),
        ),
        hint="Which rate is the cut the same as?",
        judge=_baseline,
    ),
)
"""Asked in lesson 6."""
