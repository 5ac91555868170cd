"""The modality gap that theory leads to, from the first one that was measured."""

from __future__ import annotations

from normtheory.monitoring._settings import Settings
from normtheory.symmetric import gap_exponent, gap_ratio


class Gap:
    """The law b^(-κ) followed through a training, with the norms and rates that it had."""

    def __init__(self, settings: Settings) -> None:
        """The law is that of SGD, for a number of pairs and a rate of ln b."""
        self._pairs, self._rate = settings.pairs, settings.scale_rate
        self._applies = settings.optimizer in ("sgd", "momentum")
        self._last: tuple[float, float] | None = None

    def follow(
        self, gap: float | None, scale: float | None, norm: float, rate: float
    ) -> float | None:
        """The predicted gap at a scale b; None where the law doesn't hold or a number is missing.

        Args:
            gap: measured.
            scale: b.
            norm: ρ.
            rate: η.
        """
        if not self._applies or self._pairs is None or self._rate is None:
            return None
        if gap is None or scale is None or not scale > 0 or not rate > 0:
            return None
        if self._last is not None:
            before, predicted = self._last
            kappa = gap_exponent(norm, self._pairs, rate, self._rate)
            gap = predicted * float(gap_ratio(scale, before, kappa))
        self._last = (scale, gap)
        return gap
