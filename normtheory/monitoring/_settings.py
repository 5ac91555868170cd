"""What a monitor is told about the training, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from normtheory._arrays import check_count, check_flag, check_option, check_share, check_values

POWERS = {"sgd": 2, "momentum": 2, "adam": 1, "adamw": 1, "lion": 1}
"""Optimizer -> the power of the norm by which its steps turn an embedding less."""


@dataclass(frozen=True)
class Settings:
    """The keyword arguments of :class:`normtheory.Monitor`."""

    optimizer: str | None = None
    weight_decay: float = 0.0
    momentum: float = 0.9
    coupled: bool = True
    beta_1: float = 0.9
    beta_2: float | None = None
    batch_size: int | None = None
    reduction: str | None = None
    pairs: int | None = None
    scale_rate: float | None = None
    encoder: bool = True
    every: int = 50

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError naming the option, what was expected and what came."""
        if self.optimizer is not None and self.optimizer not in POWERS:
            raise ValueError(
                f"optimizer: expected one of {', '.join(POWERS)} or None, got {self.optimizer!r}"
            )
        self._check("weight_decay", least=0.0)
        self._check("scale_rate", above=0.0)
        for name in ("momentum", "beta_1", "beta_2"):
            self._check(name, least=0.0)
            if getattr(self, name) is not None:
                check_share(name, np.asarray(getattr(self, name)))
        for name in ("coupled", "encoder"):
            check_flag(name, getattr(self, name))
        check_count("every", self.every, 1)
        if self.pairs is not None:
            check_count("pairs", self.pairs, 2)
        if (self.batch_size is None) != (self.reduction is None):
            raise ValueError(
                "batch_size and reduction: expected both or neither, since a mean over n pairs "
                "gives each the n-th part of the rate"
            )
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size, 1)
            if self.reduction not in ("mean", "sum"):
                raise ValueError(f"reduction: expected 'mean' or 'sum', got {self.reduction!r}")

    def _check(self, name: str, **limits: float) -> None:
        value = getattr(self, name)
        if value is not None:
            check_values(name, np.asarray(check_option(name, value)), **limits)

    @property
    def power(self) -> int | None:
        """By which power of the norm an embedding turns less; None where that is not known."""
        return None if self.optimizer is None else POWERS[self.optimizer]

    @property
    def share(self) -> float | None:
        """Part of the rate that one pair sees: 1/n of a mean; None if it was not said."""
        if self.batch_size is None:
            return None
        return 1 / self.batch_size if self.reduction == "mean" else 1.0

    @property
    def pull(self) -> float | None:
        """The share of an embedding that decay takes in a step, over η; None if that depends.

        Momentum adds a coupled decay up; Adam divides it by the size of the gradient.
        """
        if self.optimizer == "adam" and self.weight_decay:
            return None
        if self.optimizer == "momentum" and self.coupled:
            return self.weight_decay / (1 - self.momentum)
        return self.weight_decay
