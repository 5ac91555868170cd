"""Optimizers twice: as optax's rules, and as what :func:`normtheory.predict` is told of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import optax

TINY = 1e-12
"""ε of Adam: above 0, or a gradient of exactly 0 were divided by 0; far below every other one."""

BY_SIZE = ("sgd", "momentum", "adam")
"""Those whose norms in equilibrium depend on the size of the gradient."""


class Optimizer(NamedTuple):
    """One of them.

    Attributes:
        rule: of optax, rate and decay inside.
        told: arguments of predict.
    """

    rule: optax.GradientTransformation
    told: dict[str, Any]

    @property
    def name(self) -> str:
        """As predict has it."""
        return self.told["optimizer"]


def five(settings: Any, l2: float) -> dict[str, Optimizer]:
    """The optimizers, by the name that page and figure show.

    Decays are such that all but Adam with L2, where that depends on the gradient, take the same
    share of a length in a step.

    Args:
        settings: with rates and betas, see :class:`simulations.predicted.Settings`.
        l2: the decay of Adam with L2.
    """
    share, beta = settings.share, settings.momentum
    adam: Any = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    lion: Any = {"beta_1": settings.lion_beta_1, "beta_2": settings.lion_beta_2}
    told: dict[str, dict[str, Any]] = {
        "SGD": {"optimizer": "sgd", "learning_rate": settings.sgd_rate},
        "heavy ball": {
            "optimizer": "momentum",
            "learning_rate": settings.heavy_ball_rate,
            "momentum": beta,
        },
        "Adam + L2": {"optimizer": "adam", "learning_rate": settings.adam_rate, **adam},
        "AdamW": {"optimizer": "adamw", "learning_rate": settings.adam_rate, **adam},
        "Lion": {"optimizer": "lion", "learning_rate": settings.lion_rate, **lion},
    }
    for one in told.values():
        one["weight_decay"] = share / one["learning_rate"]
    # Decay acts through the momentum, which adds it up.
    told["heavy ball"]["weight_decay"] *= 1 - beta
    told["Adam + L2"]["weight_decay"] = l2
    return {name: Optimizer(_rule(**one), one) for name, one in told.items()}


def _rule(
    optimizer: str,
    learning_rate: float,
    weight_decay: float,
    momentum: float = 0.0,
    beta_1: float = 0.0,
    beta_2: float = 0.0,
) -> optax.GradientTransformation:
    decay, last = optax.add_decayed_weights(weight_decay), optax.scale(-learning_rate)
    if optimizer == "sgd":
        return optax.chain(decay, last)
    if optimizer == "momentum":
        return optax.chain(decay, optax.trace(momentum), last)
    if optimizer == "adam":
        return optax.chain(decay, optax.scale_by_adam(beta_1, beta_2, TINY), last)
    if optimizer == "adamw":
        return optax.chain(optax.scale_by_adam(beta_1, beta_2, TINY), decay, last)
    return optax.lion(learning_rate, beta_1, beta_2, weight_decay=weight_decay)
