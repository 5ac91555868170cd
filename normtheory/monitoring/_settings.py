"""What a monitor is told about the training, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from normtheory._arrays import check_count, check_flag, check_option, check_values
from normtheory.prediction._setting import check_batch, numbers_of

_NUMBERS = ("momentum", "coupled", "beta_1", "beta_2", "epsilon")
_OF_ONE_SIZE = ("adam", "adamw", "lion")


@dataclass(frozen=True)
class Settings:
    """The keyword arguments of :class:`normtheory.Monitor`."""

    optimizer: str | None = None
    weight_decay: float = 0.0
    momentum: float | None = None
    coupled: bool | None = None
    beta_1: float | None = None
    beta_2: float | None = None
    epsilon: float | None = None
    batch_size: int | None = None
    reduction: str | None = None
    pairs: int | None = None
    scale_rate: float | None = None
    encoder: bool = True
    every: int = 50

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError naming the option, what was expected and what came."""
        given = [name for name in _NUMBERS if getattr(self, name) is not None]
        if self.optimizer is not None:
            numbers_of(self.optimizer, **{name: getattr(self, name) for name in _NUMBERS})
        elif given:
            raise ValueError(f"{given[0]}: expected an optimizer with it")
        self._check("weight_decay", least=0.0)
        self._check("scale_rate", above=0.0)
        check_flag("encoder", self.encoder)
        check_count("every", self.every, 1)
        if self.pairs is not None:
            check_count("pairs", self.pairs, 2)
        check_batch(self.batch_size, self.reduction)

    def _check(self, name: str, **limits: float) -> None:
        value = getattr(self, name)
        if value is not None:
            check_values(name, np.asarray(check_option(name, value)), **limits)

    @property
    def numbers(self) -> dict[str, Any]:
        """The optimizer's own numbers, the usual ones where none was given."""
        if self.optimizer is None:
            return {}
        return numbers_of(self.optimizer, **{name: getattr(self, name) for name in _NUMBERS})

    @property
    def power(self) -> int | None:
        """By which power of the norm an embedding turns less; None where that is not known."""
        if self.optimizer is None:
            return None
        return 1 if self.optimizer in _OF_ONE_SIZE else 2

    @property
    def pull(self) -> float | None:
        """The share of an embedding that decay takes in a step, over η; None if that depends.

        Momentum adds a coupled decay up; Adam divides it by the size of the gradient.
        """
        if self.optimizer == "adam" and self.weight_decay:
            return None
        if self.optimizer == "momentum" and self.numbers["coupled"]:
            return self.weight_decay / (1 - self.numbers["momentum"])
        return self.weight_decay
