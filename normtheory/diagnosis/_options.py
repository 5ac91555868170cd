"""The options of a diagnosis, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from normtheory._arrays import LARGEST_SEED, check_count, check_flag, check_option, check_values
from normtheory.pair import check_decay, check_tolerance, pair_decay, pair_rate


@dataclass(frozen=True)
class Options:
    """What may be said about the training, and how to look at the embeddings.

    The fields are the keyword arguments of :func:`normtheory.diagnose`.
    """

    learning_rate: float | None = None
    weight_decay: float | None = None
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
        for name in ("learning_rate", "target_rate"):
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

    def _check(self, name: str, **limits: float) -> None:
        value = getattr(self, name)
        if value is not None:
            check_values(name, np.asarray(check_option(name, value)), **limits)

    @property
    def pair_rate(self) -> float | None:
        """γ, the rate that one pair sees; None unless rate, batch size and reduction are given."""
        if self.learning_rate is None or self.batch_size is None or self.reduction is None:
            return None
        return pair_rate(self.learning_rate, self.batch_size, self.reduction)

    @property
    def pair_decay(self) -> float | None:
        """The decay that goes with that rate; None without one."""
        if self.weight_decay is None or self.batch_size is None or self.reduction is None:
            return None
        return pair_decay(self.weight_decay, self.batch_size, self.reduction)
