"""How far a loss is from each law, at one example, relative to the loss's own size.

Gradients are judged by ρ‖g - g_exact‖, in units of the largest ρ‖g‖ that the loss has on ordinary
clouds, values by their spread there. So a law is judged alike for a loss of any scale and at any
norm, and clouds on which the gradient happens to vanish do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from normtheory.testing._draw import Example, ordinary, source
from normtheory.testing._evaluate import Evaluator, Slope

__tracebackhide__ = True  # pytest shows the line of the test, not ours


def row_norms(z: np.ndarray) -> np.ndarray:
    """Norms of rows, shape (n, 1)."""
    return np.linalg.norm(z, axis=-1, keepdims=True)


@dataclass
class Laws:
    """The laws of a loss of directions, measured on one loss.

    Attributes:
        evaluator: the loss.
        norm: an ordinary norm.
        seed: of the ordinary clouds.
    """

    evaluator: Evaluator
    norm: float
    seed: int
    _ordinary: dict[tuple[int, ...], list[tuple[np.ndarray, Slope]]] = field(default_factory=dict)

    def scale_free(self, z: np.ndarray) -> tuple[np.ndarray, float]:
        """ρ g for every row, shape (n, d), which a loss of directions has from directions alone.

        Returns:
            ρ g, and the largest error that any row of it may have for being a finite difference.
        """
        slope = self.evaluator.slope(z)
        norms = row_norms(z)
        return norms * slope.gradient, float(row_norms(norms * slope.error).max())

    def ordinary(self, shape: tuple[int, ...]) -> list[tuple[np.ndarray, Slope]]:
        """A few clouds (n, d) of ordinary norm, ever the same, and what the loss does there."""
        if shape not in self._ordinary:
            rng = source(self.seed, 1)
            clouds = [ordinary(rng, shape[0], shape[1], self.norm) for _ in range(8)]
            self._ordinary[shape] = [(z, self.evaluator.slope(z)) for z in clouds]
        return self._ordinary[shape]

    def steepest(self, shape: tuple[int, ...]) -> np.ndarray:
        """The ordinary cloud (n, d) with the largest gradient, at norm 1."""
        cloud, _ = max(self.ordinary(shape), key=lambda seen: np.abs(seen[1].gradient).max())
        return cloud / self.norm

    def sizes(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """Largest row of ρ g, and spread of the values, on ordinary clouds of a shape."""
        slopes = [slope for _, slope in self.ordinary(shape)]
        values = np.array([slope.value for slope in slopes])
        steepest = self.norm * max(float(row_norms(slope.gradient).max()) for slope in slopes)
        # A value can't be known better than to a few eps of itself.
        return steepest, float(max(np.ptp(values), 1e-6 * np.abs(values).max()))

    def noise(self, shape: tuple[int, ...]) -> float:
        """Median error of the finite differences on ordinary clouds, in units of the gradient."""
        errors = [row_norms(slope.error).max() for _, slope in self.ordinary(shape)]
        return float(np.median(errors)) * self.norm / self.sizes(shape)[0]

    def _gradient_size(self, example: Example, *seen: np.ndarray) -> float:
        steepest, _ = self.sizes(example.base.shape)
        return max([steepest, *(float(row_norms(g).max()) for g in seen)])

    def inverse_norm(self, example: Example) -> float:
        """Change of ρ g when rows change their norms and keep their directions."""
        before, error_before = self.scale_free(example.base)
        after, error_after = self.scale_free(example.cloud)
        off = float(row_norms(after - before).max()) - error_before - error_after
        return max(off, 0.0) / self._gradient_size(example, before)

    def orthogonal(self, example: Example) -> float:
        """The part of ρ g along its row."""
        z = example.cloud
        gradient, error = self.scale_free(z)
        along = np.abs(np.sum(z / row_norms(z) * gradient, axis=-1))
        return max(float(along.max()) - error, 0.0) / self._gradient_size(example)

    def invariant(self, example: Example) -> float:
        """Change of the value when rows change their norms and keep their directions."""
        before = self.evaluator.value(example.base)
        after = self.evaluator.value(example.cloud)
        _, spread = self.sizes(example.base.shape)
        return abs(after - before) / max(spread, 1e-6 * abs(before))

    def shrinks(self, example: Example) -> float:
        """The largest (ρ² - ρ'²)/2γ, in units of ρ‖g‖, after SGD steps of several lengths γ.

        With orthogonal gradients it is negative: ρ'² = ρ² + γ²‖g‖².
        """
        z = example.cloud
        gradient, error = self.scale_free(z)
        size = self._gradient_size(example)
        # A step is as long as its rate says where the gradient is steeper than on ordinary clouds:
        # one that leaps over the origin would lengthen the row, whatever its direction.
        steep = self._gradient_size(example, gradient)
        worst = 0.0
        for rate in (1e-3, 1e-1, 1.0):
            # The rows are independent here, so each gets the rate that suits its norm: then
            # γ g = rate · ρ · (ρ g)/steep.
            unit, step = z / row_norms(z), rate * gradient / steep
            # ‖unit - step‖² - 1, without subtracting numbers near 1.
            growth = np.sum(step * (step - 2 * unit), axis=-1)
            worst = float(np.maximum(worst, -growth.min() / (2 * rate)))  # keeps NaN
        return max(worst * (steep / size) - error / size, 0.0)
