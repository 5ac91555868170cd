"""Rows of weight decay and of turning: the norm in the end, how soon, and how stale a copy is."""

from __future__ import annotations

import math

import numpy as np

from normtheory._types import Array
from normtheory.prediction._balance import Balance, NoTheoryError, balance
from normtheory.prediction._row import Row, row, unknown, warned
from normtheory.prediction._setting import Setting

_WITHIN = 0.01  # of the equilibrium norm, where it counts as reached
_FRESH = "free embeddings with fresh gradients"


def equilibrium_rows(run: Setting, lag: int | None) -> list[Row]:
    """The equilibrium where there is decay, and turns over a lag where one is asked for."""
    try:
        found = balance(run)
    except NoTheoryError as why:
        return _without(run, lag, str(why))
    rows = [
        row(
            "equilibrium_norm",
            found.norm,
            "",
            found.formula,
            found.claim,
            found.validity + _supposed(run),
            warning=found.warning,
        ),
        *_turns(run, found, lag),
    ]
    if not found.known_course:
        why = "no closed form of the way to the equilibrium is known with ε > 0"
        rows += [unknown(name, why, unit="steps") for name in _SOON]
        return rows if lag is None else [*rows, unknown("cosine_after_lag", why)]
    power = "ρ³, near the end" if found.power is None else f"ρ^{found.power:g}"
    order = f"leading order in the share that decay takes in a step, {_FRESH}"
    rows += [
        row(
            "relaxation_steps",
            found.relaxation,
            "steps",
            _RELAXATION[run.optimizer] + f", the e-folding time of {power}",
            found.claim,
            order,
            warning=found.warning,
        ),
        row(
            "steps_to_equilibrium",
            found.steps(run.norm, _WITHIN),
            "steps",
            f"from norm ρ to within {_WITHIN:.0%} of the equilibrium's"
            + ("" if found.power is None else f": {power} gets there exponentially"),
            found.claim,
            order,
            warning=found.warning,
        ),
    ]
    if lag is not None:
        rows.append(_stale(run, found, lag, order))
    return rows


def _supposed(run: Setting) -> str:
    """What to know of a norm that depends on s where that was not measured."""
    free_of_it = run.optimizer == "lion" or (
        run.optimizer == "adamw" and not run.numbers["epsilon"]
    )
    if run.slope is not None or free_of_it:
        return ""
    return "; s is that of one fresh partner, far smaller where partners are aligned: measure it"


_SOON = ("relaxation_steps", "steps_to_equilibrium")
_RELAXATION = {
    "sgd": "1/((4-2p)ηλ)",
    "momentum": "1/(4ηλ), coupled (1-β)/(4ηλ)",
    "adam": "1/(3κ), κ = ηλ√d ρ/s",
    "adamw": "1/(2ηλ)",
    "lion": "1/(2ηλ)",
}
_COSINES = {
    "sgd": ("arccos(1 - γλ), γλ = learning_rate · weight_decay", "weight_decay"),
    "momentum": (
        "arccos of (α+β)/(1+αβ), α = 1-ηλ; coupled 1 - ηλ/(1+β)",
        "momentum_equilibrium",
    ),
    "adam": ("arccos(1 - κ(1-β₁)/(1+β₁))", "adam_equilibrium"),
    "adamw": ("arccos of (α+β₁)/(1+αβ₁), α = 1-ηλ", "adamw_equilibrium"),
    "lion": ("arccos of (α²+T(1+α²))/(α(1+2T)), α = 1-ηλ", "lion_equilibrium"),
}


def _turns(run: Setting, found: Balance, lag: int | None) -> list[Row]:
    """Turn of a step in equilibrium, and cosine over the lag."""
    formula, claim = _COSINES[run.optimizer]
    rows = [
        row(
            "equilibrium_angular_step",
            math.acos(found.cosine(1)),
            "radians",
            formula,
            claim,
            found.validity,
            warning=found.warning,
        )
    ]
    if lag is not None:
        rows.append(
            row(
                "equilibrium_cosine_after_lag",
                found.cosine(lag),
                "",
                f"of an embedding with its copy of {lag} steps ago, in equilibrium",
                claim,
                f"{found.validity}; directions that the loss holds turn less over a long lag",
                warning=found.warning,
            )
        )
    return rows


def _stale(run: Setting, found: Balance, lag: int, order: str) -> Row:
    """Cosine with the copy from now on."""
    if found.power is None:
        why = "no closed form on the way to the equilibrium: the share that decay takes changes"
        return unknown("cosine_after_lag", why)
    return row(
        "cosine_after_lag",
        found.stale(run.norm, lag),
        "",
        f"what decay leaves in k = {lag} steps and momentum brings, times ρ/ρ(k), from now on",
        found.claim,
        order,
        warning=found.warning,
    )


def _without(run: Setting, lag: int | None, why: str) -> list[Row]:
    """No equilibrium: nothing but turns, or the reason where one was asked for."""
    rows: list[Row] = []
    if run.weight_decay:
        rows.append(unknown("equilibrium_norm", why))
        if run.optimizer == "sgd":
            rows += _turns_of_sgd(run)
        else:
            rows.append(unknown("equilibrium_angular_step", why, unit="radians"))
        rows += [unknown(name, why, unit="steps") for name in _SOON]
    if lag is None:
        return rows
    growth = _growth(run) if not run.weight_decay else None
    if growth is None:
        reason = f"no closed form of {run.optimizer} without decay"
        if run.weight_decay:
            reason = why
        elif run.adaptive and run.dimension is None:
            reason = "needs the dimension"
        return [*rows, unknown("cosine_after_lag", reason)]
    power, gain, claim, formula, memory = growth
    start = np.asarray(run.norm)
    stretch: Array = (1 + lag * gain / start**power) ** (1 / power)
    return [
        *rows,
        row(
            "cosine_after_lag",
            1 / stretch,
            "",
            f"ρ/ρ(k), {formula}, k = {lag}",
            claim,
            f"leading order, {_FRESH}"
            + (", a lag far beyond the memory of the momentum" if memory else ""),
            warning=warned(memory and lag < 10 / (1 - memory), f"a lag of {lag} is within it"),
        ),
    ]


def _turns_of_sgd(run: Setting) -> list[Row]:
    """With GradScale of power 2 nothing balances, and yet each step turns by the same angle."""
    formula, claim = _COSINES["sgd"]
    return [
        row(
            "equilibrium_angular_step",
            math.acos(1 - run.lost),
            "radians",
            formula,
            claim,
            "where norms are in equilibrium, which they never are at this power",
            warning="no norm is in equilibrium with GradScale of power 2 or more",
        )
    ]


def _growth(run: Setting) -> tuple[float, float, str, str, float] | None:
    """Power q and gain of ρ^q a step without decay, with claim, formula and memory."""
    if run.optimizer == "sgd" and run.gradscale < 2:
        power = 4 - 2 * run.gradscale
        gain = power / 2 * (run.learning_rate * run.size) ** 2
        return power, gain, "quartic_growth", "ρ^(4-2p) grows by (2-p)γ²E[sin²φ] a step", 0.0
    plain = not run.gradscale and not run.numbers.get("epsilon", 0.0)
    if run.optimizer in ("adam", "adamw") and plain and run.dimension is not None:
        gain = run.learning_rate**2 * run.dimension
        return 2.0, gain, "adamw_equilibrium", "ρ² grows by η²d a step", run.numbers["beta_1"]
    return None
