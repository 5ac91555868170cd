"""The options of a diagnosis, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from normtheory._arrays import LARGEST_SEED, check_count, check_flag, check_option, check_values
from normtheory.pair import check_decay, check_tolerance, pair_rate
from normtheory.prediction._setting import numbers_of


@dataclass(frozen=True)
class Options:
    """What may be said about the training, and how to look at the embeddings.

    The fields are the keyword arguments of :func:`normtheory.diagnose`.
    """

    learning_rate: float | None = None
    weight_decay: float | None = None
    optimizer: str = "sgd"
    momentum: float | None = None
    beta_1: float | None = None
    beta_2: float | None = None
    epsilon: float | None = None
    coupled: bool | None = None
    temperature: float | None = None
    batch_size: int | None = None
    reduction: str | None = None
    gradscale: float = 0.0
    tolerance: float = 1e-3
    target_rate: float = 0.01
    target_slowdown: float = 2.0
    neighbours: int = 10
    buckets: int = 10
    sample: int = 5000
    unexpected: int = 10
    updates: int = 1
    seed: int = 0
    drop_bad_rows: bool = False

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError naming the option, what was expected and what came."""
        for name in ("learning_rate", "target_rate", "temperature"):
            self._check(name, above=0.0)
        self._check("weight_decay", least=0.0)
        self._check("target_slowdown", least=1.0)
        self._check("gradscale", least=0.0, most=2.0)
        check_tolerance(self.tolerance)
        least = {"neighbours": 1, "buckets": 2, "sample": 2, "unexpected": 1, "updates": 1}
        for name, fewest in least.items():
            check_count(name, getattr(self, name), fewest)
        check_count("seed", self.seed, 0, most=LARGEST_SEED)
        check_flag("drop_bad_rows", self.drop_bad_rows)
        if (self.batch_size is None) != (self.reduction is None):
            raise ValueError(
                "batch_size and reduction: expected both or neither, since a mean over n pairs "
                "gives each the n-th part of the rate"
            )
        if self.weight_decay and self.learning_rate is None:
            raise ValueError("weight_decay: expected a learning_rate with it")
        if self.batch_size is not None and self.learning_rate is None:
            raise ValueError("batch_size and reduction: expected a learning_rate with them")
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size, 1)
            if self.reduction not in ("mean", "sum"):
                raise ValueError(f"reduction: expected 'mean' or 'sum', got {self.reduction!r}")
        if self.learning_rate is not None and self.weight_decay is not None:
            check_decay(np.asarray(self.learning_rate), np.asarray(self.weight_decay))
        if self.gradscale and self.adaptive:
            raise ValueError(
                f"gradscale: expected 0 with {self.optimizer}, for which no theory of it is known"
            )

    def _check(self, name: str, **limits: float) -> None:
        value = getattr(self, name)
        if value is not None:
            check_values(name, np.asarray(check_option(name, value)), **limits)

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """The optimizer's numbers, by the names that :func:`normtheory.predict` has for them."""
        names = ("momentum", "beta_1", "beta_2", "epsilon", "coupled")
        return numbers_of(self.optimizer, **{name: getattr(self, name) for name in names})

    @property
    def adaptive(self) -> bool:
        """Whether steps have one size whatever the gradient's: embeddings then turn by η/ρ."""
        return "beta_1" in self.numbers

    @property
    def blindness(self) -> float:
        """The power of the norm by which embeddings turn more slowly, the larger they are."""
        return 1.0 if self.adaptive else 2 - self.gradscale

    @property
    def pair_rate(self) -> float | None:
        """γ, the rate that one pair sees; None unless rate, batch size and reduction are given.

        Also None for an optimizer that divides by the size of the gradient.
        """
        if self.learning_rate is None or self.batch_size is None or self.reduction is None:
            return None
        if self.adaptive:
            return None
        return pair_rate(self.learning_rate, self.batch_size, self.reduction) / (
            1.0 if self.temperature is None else self.temperature
        )
