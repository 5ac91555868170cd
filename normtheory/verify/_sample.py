"""What a measurement hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sample:
    """Inputs of the formulas and the values measured for them, row by row.

    Attributes:
        inputs: Name to array of shape (n, d) for vectors or (n, 1) for scalars.
        values: Measured quantities, shaped the same way.
        labels: One label a row, naming the cloud it was drawn from.
    """

    inputs: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Measurement:
    """A way to measure something by automatic differentiation.

    Attributes:
        function: Called as ``function(d, points, rng, **options)``; returns a :class:`Sample`.
        dimensions: The dimensions it is measured in.
    """

    function: Callable[..., Sample]
    dimensions: tuple[int, ...]


def joined(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Rows of several batches one after the other, by name."""
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def column(values: Any) -> np.ndarray:
    """Scalars of n points as float64 of shape (n, 1)."""
    return np.asarray(values, dtype=np.float64).reshape(-1, 1)
