"""The numbers of a training run, checked in one place, and what follows from them alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from normtheory._arrays import check_count, check_flag, check_option, check_values
from normtheory._read import real_numbers
from normtheory._types import Array
from normtheory.pair import check_decay, check_pair, check_tolerance, pair_decay, pair_rate

#: The numbers that an optimizer has beside its rate and decay, as its packages set them; ε is 0.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"coupled": True},
    "momentum": {"momentum": 0.9, "coupled": True},
    "adam": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 0.0, "coupled": True},
    "adamw": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 0.0, "coupled": False},
    "lion": {"beta_1": 0.9, "beta_2": 0.99, "coupled": False},
}
LOSSES = ("info_nce", "clip", "nt_xent", "siglip")
_OTHER_DECAY = {"adam": "that is optimizer 'adamw'", "adamw": "that is optimizer 'adam'"}


def check_batch(batch_size: Any, reduction: Any) -> None:
    """Raise unless a batch size and its reduction come together and are what they should be."""
    if reduction == "mean" and batch_size is None:
        raise ValueError("reduction 'mean' needs the batch size that the loss is a mean over")
    if batch_size is not None and reduction is None:
        raise ValueError(
            "batch_size: expected a reduction with it, 'mean' or 'sum', since a mean over n pairs "
            "gives each the n-th part of the rate"
        )
    if batch_size is not None:
        check_count("batch_size", batch_size, 1)
    pair_rate(1.0, 1, reduction or "sum")


def numbers_of(optimizer: Any, **given: Any) -> dict[str, Any]:
    """An optimizer's numbers: those given, and for the others what its packages set.

    Raises:
        TypeError, ValueError: no such optimizer; a number that it doesn't have, or out of range.
    """
    if not isinstance(optimizer, str) or optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    usual = OPTIMIZERS[optimizer]
    for name, value in given.items():
        if value is None:
            continue
        if name == "coupled":
            check_flag(name, value)
        elif not 0 <= check_option(name, value) < (math.inf if name == "epsilon" else 1):
            most = "" if name == "epsilon" else " and < 1"
            raise ValueError(f"{name}: expected a number >= 0{most}, got {value:g}")
        if name not in usual:
            having = ", ".join(other for other, has in OPTIMIZERS.items() if name in has)
            raise ValueError(f"{name}: {optimizer} has none; expected the optimizer {having}")
        if name == "coupled" and value != usual[name] and optimizer in _OTHER_DECAY:
            raise ValueError(f"coupled: expected {usual[name]}, {_OTHER_DECAY[optimizer]}")
    return usual | {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Setting:
    """A run, as :func:`normtheory.predict` is told of it; its arguments say what the fields are.

    ``norm`` and ``norm_j`` are float64 numpy, of shape () or one for every norm.
    """

    norm: Array
    learning_rate: float
    optimizer: str
    numbers: dict[str, Any]
    norm_j: Array
    weight_decay: float
    batch_size: int | None
    reduction: str | None
    scale: float | None
    slope: float | None
    dimension: int | None
    angle: float
    tolerance: float
    gradscale: float
    stop_gradient: bool

    @property
    def adaptive(self) -> bool:
        """Whether steps have one size whatever the gradient's."""
        return self.optimizer in ("adam", "adamw", "lion")

    @property
    def rate(self) -> float:
        """γ, the rate that one pair sees of a loss that pulls it with the scale b."""
        return pair_rate(self.learning_rate, self.batch_size or 1, self.reduction or "sum") * (
            1.0 if self.scale is None else self.scale
        )

    @property
    def decay(self) -> float:
        """The weight decay λ' that goes with that rate: γλ' = ηλ."""
        return pair_decay(self.weight_decay, self.batch_size or 1, self.reduction or "sum") / (
            1.0 if self.scale is None else self.scale
        )

    @property
    def square(self) -> float:
        """E[sin²φ] of fresh partners: on a sphere, or at right angles."""
        return 1.0 if self.dimension is None else (self.dimension - 1) / self.dimension

    @property
    def fresh(self) -> tuple[float, float, float]:
        """Rate, decay and mean square of ‖z‖‖∇L‖ that go together against fresh partners."""
        if self.slope is None:
            return self.rate, self.decay, self.square
        return self.learning_rate * self.slope, self.weight_decay / self.slope, 1.0

    @property
    def size(self) -> float:
        """s, the root mean square of ‖z‖‖∇L‖ of the loss as written."""
        if self.slope is None:
            return self.rate / self.learning_rate * self.square**0.5
        return self.slope

    @property
    def lost(self) -> float:
        """ηλ."""
        return self.learning_rate * self.weight_decay

    @property
    def size_in_words(self) -> str:
        """Where s comes from."""
        if self.slope is not None:
            return f"s = {self.slope:g}, as given"
        return f"fresh partners with E[sin²φ] = {self.square:g}"


def setting(
    norm: Any,
    learning_rate: Any,
    *,
    norm_j: Any,
    temperature: Any,
    scale: Any,
    weight_decay: Any,
    batch_size: Any,
    reduction: Any,
    slope: Any,
    dimension: Any,
    angle: Any,
    tolerance: Any,
    gradscale: Any,
    stop_gradient: Any,
    optimizer: Any,
    **numbers: Any,
) -> Setting:
    """Check the numbers of a run. The errors name what was expected and what came."""
    first = real_numbers("norm", norm)
    second = first if norm_j is None else real_numbers("norm_j", norm_j)
    for name, x in (("norm", first), ("norm_j", second)):
        if x.ndim > 1 or x.size == 0:
            raise ValueError(f"{name}: expected a number or a row of them, got shape {x.shape}")
        check_values(name, x, above=0.0)
    if second.shape not in ((), first.shape):
        raise ValueError(f"norm_j: expected one number, or one for every norm, got {second.size}")
    start = check_option("angle", angle)
    check_pair(np.asarray(start), first, second)
    for name, x in (
        ("learning_rate", learning_rate),
        ("temperature", temperature),
        ("scale", scale),
        ("slope", slope),
    ):
        if x is not None:
            check_values(name, np.asarray(check_option(name, x)), above=0.0)
    if temperature is not None and scale is not None:
        raise ValueError("temperature and scale: expected one of them, the other is its inverse")
    check_decay(np.asarray(learning_rate), np.asarray(check_option("weight_decay", weight_decay)))
    check_batch(batch_size, reduction)
    check_tolerance(tolerance)
    if dimension is not None:
        check_count("dimension", dimension, 2)
    return Setting(
        first,
        float(learning_rate),
        optimizer,
        numbers_of(optimizer, **numbers),
        second,
        float(weight_decay),
        batch_size,
        reduction,
        1 / temperature if temperature is not None else scale,
        slope,
        None if dimension is None else int(dimension),
        start,
        float(tolerance),
        check_option("gradscale", gradscale),
        check_flag("stop_gradient", stop_gradient),
    )
