"""What the slope of a loss is: its value and derivatives at directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from normtheory._types import Array


@dataclass(frozen=True)
class Slope:
    """Value of a loss and its derivatives with respect to all that it sees.

    Attributes:
        value: the loss, a scalar.
        clouds: ∂ℓ/∂û by name of the cloud, each of the shape of that cloud; every trained one.
        options: derivatives with respect to the trained options, by name, scalars.
    """

    value: Array
    clouds: Mapping[str, Array]
    options: Mapping[str, Array] = field(default_factory=dict)
