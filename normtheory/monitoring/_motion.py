"""What the same samples tell at two steps: how they turned, and what moved their norms."""

from __future__ import annotations

import numpy as np

from normtheory.cosine import angle
from normtheory.drift import pulls, radial_share
from normtheory.monitoring._batch import Batch
from normtheory.monitoring._measure import tenths


class Motion:
    """The samples of a probe that are of use at both steps.

    Attributes:
        norms: ρ before, (n,).
        norms_after: ρ afterwards, (n,).
        angles: radians between before and after, (n,).
    """

    def __init__(self, before: Batch, after: Batch) -> None:
        """Compare them; :attr:`some` says whether anything is left to compare."""
        both = before.good & after.good
        self.some = bool(both.any())
        self._before, self._after = before.values[both], after.values[both]
        self.norms, self.norms_after = before.norms[both], after.norms[both]
        self.angles = angle(self._before, self._after) if self.some else np.zeros(0)

    @property
    def turn(self) -> float:
        """Root mean square of the angles."""
        return float(np.sqrt(np.mean(self.angles**2)))

    @property
    def shrinking(self) -> float:
        """Share of the norms that are smaller afterwards."""
        return float(np.mean(self.norms_after < self.norms))

    @property
    def radial(self) -> float:
        """Mean cosine of an embedding with its displacement."""
        return float(np.mean(radial_share(self._before, self._after - self._before)))

    def drift_and_heat(self, rate: float, decay: float) -> tuple[float, float]:
        """D and s² of z' = (1-γλ)z + γ(Dẑ + ξ)/ρ, means over the samples.

        Args:
            rate: γ of the step between the two.
            decay: λ.
        """
        along, across = pulls(self.norms, self.norms_after, self.angles, rate * decay)
        return float(along.mean() / rate), float(np.mean((across / rate) ** 2))

    @property
    def slowdown(self) -> float | None:
        """Root mean square angle of the tenth of smallest norms over that of the largest."""
        low, high = tenths(self.norms) or (None, None)
        if low is None or not self.angles[high].any():
            return None
        return float(np.sqrt(np.mean(self.angles[low] ** 2) / np.mean(self.angles[high] ** 2)))
