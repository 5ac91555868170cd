"""Where steps and decay balance under an optimizer, with all options of the functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import normtheory as nt
from normtheory.claims import (
    adam_equilibrium,
    adamw_equilibrium,
    lion_equilibrium,
    momentum_equilibrium,
    norm_and_frequency,
)
from normtheory.verify._library._check import LibraryCheck, by_row, library

_ROUNDING: dict[str, Any] = {
    "unit": "relative",
    "tolerance": 1e-9,
    "reason": "rounding; of a cosine near 1 relative to what it lacks",
    "off": 1e-6,
}
_FOURTH_ROOT: dict[str, Any] = {
    "unit": "relative",
    "tolerance": 0.02,
    "reason": "a quarter of the error of the ratio of mean squares, see the claim",
    "off": 0.1,
}
_CLOSE: dict[str, Any] = {
    "unit": "relative",
    "reason": "see the claim's check of the same measurement",
    "off": 0.3,
}


def _lack(later: Any) -> Any:
    """The scale of a cosine, by what it lacks of 1."""
    return 1 / (1 - later)


def _against(formula: Callable[..., Any]) -> dict[str, Any]:
    """Hold a call to a formula of the claim that takes the same inputs."""
    return {"against": formula, **_ROUNDING}


def _momentum_norm(coupled: bool) -> Callable[..., Any]:
    def call(learning_rate: Any, weight_decay: Any, momentum: Any, mean_square_sine: Any) -> Any:
        return nt.equilibrium.momentum_norm(
            learning_rate, weight_decay, momentum, mean_square_sine, coupled=coupled
        )

    return call


def _momentum_cosine(coupled: bool) -> Callable[..., Any]:
    def call(learning_rate: Any, weight_decay: Any, momentum: Any, steps: Any) -> Any:
        return nt.equilibrium.momentum_cosine(
            learning_rate, weight_decay, momentum, steps=int(steps[0, 0]), coupled=coupled
        )

    return call


def _fourth_root(of: Callable[..., Any]) -> Callable[..., Any]:
    def root(learning_rate: Any, weight_decay: Any, momentum: Any, mean_square_sine: Any) -> Any:
        return of(learning_rate, weight_decay, momentum, mean_square_sine) ** 0.25

    return root


def _adamw_norm(
    learning_rate: Any,
    weight_decay: Any,
    dimension: Any,
    beta_1: Any,
    beta_2: Any,
    frequency: Any,
) -> Any:
    return by_row(
        nt.equilibrium.adamw_norm,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        dimension=dimension,
        beta_1=beta_1,
        beta_2=beta_2,
        frequency=frequency,
    )


def _adamw_norm_with_epsilon(
    learning_rate: Any,
    weight_decay: Any,
    dimension: Any,
    beta_1: Any,
    epsilon: Any,
    slope: Any,
) -> Any:
    return by_row(
        # The claim's form with ε is that of β₂ → 1.
        partial(nt.equilibrium.adamw_norm, beta_2=1 - 1e-12),
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        dimension=dimension,
        beta_1=beta_1,
        epsilon=epsilon,
        slope=slope,
    )


def _adamw_cosine(learning_rate: Any, weight_decay: Any, beta_1: Any, steps: Any) -> Any:
    return by_row(
        partial(nt.equilibrium.adamw_cosine, steps=int(steps[0, 0])),
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
    )


def _adam_norm(learning_rate: Any, weight_decay: Any, dimension: Any, slope: Any) -> Any:
    return nt.equilibrium.adam_norm(learning_rate, weight_decay, dimension, slope)


def _adam_cosine(
    learning_rate: Any, weight_decay: Any, dimension: Any, slope: Any, beta_1: Any, steps: Any
) -> Any:
    return by_row(
        partial(nt.equilibrium.adam_cosine, steps=int(steps[0, 0])),
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        dimension=dimension,
        slope=slope,
        beta_1=beta_1,
    )


def _lion_norm(
    learning_rate: Any, weight_decay: Any, dimension: Any, beta_1: Any, beta_2: Any
) -> Any:
    return by_row(
        nt.equilibrium.lion_norm,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        dimension=dimension,
        beta_1=beta_1,
        beta_2=beta_2,
    )


def _lion_cosine(
    learning_rate: Any, weight_decay: Any, beta_1: Any, beta_2: Any, steps: Any
) -> Any:
    return by_row(
        partial(nt.equilibrium.lion_cosine, steps=int(steps[0, 0])),
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
    )


_RULES = (
    ("sgd", "every step"),
    ("sgd", "on visits"),
    ("lazy_adam", "every step"),
    ("lazy_adam", "on visits"),
)


def _ratio(rule: str, decay: str | None) -> Callable[..., Any]:
    """Norm of an embedding always seen over that of one seen with this frequency."""

    def call(frequency: Any) -> Any:
        return frequency ** -nt.equilibrium.frequency_exponent(rule, decay=decay)

    return call


def _all_exponents(frequency: Any) -> Any:
    """Every exponent there is, the same in each row."""
    found = [
        nt.equilibrium.frequency_exponent(rule, decay=decay)
        for rule, decay in norm_and_frequency.EXPONENTS
    ]
    return np.broadcast_to(found, (len(frequency), len(found)))


def _claimed_exponents(frequency: Any) -> Any:
    found = [float(x) for x in norm_and_frequency.EXPONENTS.values()]
    return np.broadcast_to(found, (len(frequency), len(found)))


CHECKS: dict[str, tuple[LibraryCheck, ...]] = {
    "normtheory.equilibrium.momentum_norm": tuple(
        check
        for coupled, ratio in (
            (False, momentum_equilibrium.balance),
            (True, momentum_equilibrium.coupled_balance),
        )
        for check in (
            library(
                f"momentum_norm{' (coupled)' if coupled else ''}",
                "momentum_equilibrium",
                _momentum_norm(coupled),
                options={"coupled": coupled},
                **_against(_fourth_root(ratio)),
            ),
            library(
                f"momentum_norm{' (coupled)' if coupled else ''}",
                "momentum_equilibrium",
                _momentum_norm(coupled),
                options={"coupled": coupled},
                quantity="norm",
                **_FOURTH_ROOT,
            ),
        )
    ),
    "normtheory.equilibrium.momentum_cosine": tuple(
        check
        for coupled, later in (
            (False, momentum_equilibrium.later_cosine),
            (True, momentum_equilibrium.coupled_later_cosine),
        )
        for check in (
            library(
                f"momentum_cosine{' (coupled)' if coupled else ''}",
                "momentum_equilibrium",
                _momentum_cosine(coupled),
                options={"coupled": coupled},
                **_against(later),
            ),
            library(
                f"momentum_cosine{' (coupled)' if coupled else ''}",
                "momentum_equilibrium",
                _momentum_cosine(coupled),
                options={"coupled": coupled},
                quantity="later",
                scale=_lack,
                tolerance=0.06,
                **_CLOSE,
            ),
        )
    ),
    "normtheory.equilibrium.adam_norm": (
        library(
            "adam_norm",
            "adam_equilibrium",
            _adam_norm,
            **_against(adam_equilibrium.norm),
        ),
        library(
            "adam_norm",
            "adam_equilibrium",
            _adam_norm,
            quantity="norm",
            tolerance=0.015,
            **_CLOSE,
        ),
    ),
    "normtheory.equilibrium.adam_cosine": (
        library(
            "adam_cosine",
            "adam_equilibrium",
            _adam_cosine,
            **_against(adam_equilibrium.later_cosine),
        ),
        library(
            "adam_cosine",
            "adam_equilibrium",
            _adam_cosine,
            quantity="later",
            scale=_lack,
            tolerance=0.05,
            **_CLOSE,
        ),
    ),
    "normtheory.equilibrium.adamw_norm": (
        library(
            "adamw_norm",
            "adamw_equilibrium",
            _adamw_norm,
            options={"kind": "frequencies"},
            **_against(adamw_equilibrium.norm),
        ),
        library(
            "adamw_norm",
            "adamw_equilibrium",
            _adamw_norm,
            options={"kind": "frequencies"},
            quantity="norm",
            tolerance=0.08,
            **_CLOSE,
        ),
        library(
            "adamw_norm (ε)",
            "adamw_equilibrium",
            _adamw_norm_with_epsilon,
            options={"kind": "epsilons"},
            **_against(adamw_equilibrium.norm_with_epsilon),
        ),
    ),
    "normtheory.equilibrium.adamw_cosine": (
        library(
            "adamw_cosine",
            "adamw_equilibrium",
            _adamw_cosine,
            **_against(adamw_equilibrium.later_cosine),
        ),
        library(
            "adamw_cosine",
            "adamw_equilibrium",
            _adamw_cosine,
            quantity="later",
            scale=_lack,
            tolerance=0.05,
            **_CLOSE,
        ),
    ),
    "normtheory.equilibrium.lion_norm": (
        library("lion_norm", "lion_equilibrium", _lion_norm, **_against(lion_equilibrium.norm)),
        library(
            "lion_norm", "lion_equilibrium", _lion_norm, quantity="norm", tolerance=0.02, **_CLOSE
        ),
    ),
    "normtheory.equilibrium.lion_cosine": (
        library(
            "lion_cosine",
            "lion_equilibrium",
            _lion_cosine,
            **_against(lion_equilibrium.later_cosine),
        ),
        library(
            "lion_cosine",
            "lion_equilibrium",
            _lion_cosine,
            quantity="later",
            scale=_lack,
            tolerance=0.04,
            **_CLOSE,
        ),
    ),
    "normtheory.equilibrium.frequency_exponent": (
        library(
            "frequency_exponent",
            "frequency_norms",
            _all_exponents,
            options={"rule": "sgd", "decay": "every step"},
            **_against(_claimed_exponents),
        ),
        *(
            library(
                f"frequency_exponent ({rule}, decay {decay})",
                "frequency_norms",
                _ratio(rule, decay),
                options={"rule": rule, "decay": decay},
                quantity="ratio",
                tolerance=0.08,
                **_CLOSE,
            )
            for rule, decay in _RULES
        ),
    ),
}
