"""The probe batch over time: compared with itself a step ago, and some steps ago."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from normtheory.monitoring._batch import Batch
from normtheory.monitoring._measure import decile_ratio
from normtheory.monitoring._motion import Motion
from normtheory.monitoring._predicted import implied_norm
from normtheory.monitoring._settings import Settings

MEMORY = 10
"""Steps over which drift and heat are averaged before a norm is drawn from them."""


class Probe:
    """What is remembered of the probe.

    Attributes:
        heat: s over the last steps that were seen whole; None before the first.
    """

    def __init__(self, settings: Settings) -> None:
        """Nothing has been seen yet."""
        self.heat: float | None = None
        self._settings, self._every = settings, settings.every
        self._shape: tuple[int, int] | None = None
        self._last: tuple[int, Batch, float | None] | None = None
        self._anchor: tuple[int, Batch] | None = None
        self._past: deque[tuple[float, float]] = deque(maxlen=MEMORY)

    def due(self, step: int) -> bool:
        """Whether a step can be seen whole now: the last look was the regular one before it."""
        last = self._last
        return last is not None and step == last[0] + 1 and last[0] % self._every == 0

    def read(self, probe: object, dimension: int) -> Batch:
        """Check a probe of embeddings with so many components against what was seen before."""
        found = Batch("probe", probe)
        wanted = self._shape or (found.shape[0], dimension)
        if found.shape != wanted:
            before = "the same samples as before" if self._shape else "as many components as z"
            raise ValueError(f"probe: expected {before}, shape {wanted}, got shape {found.shape}")
        return found

    def look(self, step: int, seen: Batch, rate: float | None) -> dict[str, float]:
        """Numbers by name; ``rate`` is η of this step."""
        self._shape = seen.shape
        found: dict[str, float] = {}
        norms = seen.norms[seen.good]
        if len(norms):
            found["probe_norm"] = float(np.median(norms))
        if (ratio := decile_ratio(norms)) is not None:
            found["probe_decile_ratio"] = ratio
        if self._last is not None and step == self._last[0] + 1:
            # It was made at the rate of the step before.
            found |= self._whole_step(Motion(self._last[1], seen), self._last[2])
        lag = None if self._anchor is None else step - self._anchor[0]
        if self._anchor is not None and lag is not None and lag >= self._every:
            motion = Motion(self._anchor[1], seen)
            if motion.some:
                found |= {"lag": float(lag), "turn_lag": motion.turn}
                found["shrinking_lag"] = motion.shrinking
        if lag is None or lag >= self._every:
            self._anchor = (step, seen)
        self._last = (step, seen, rate)
        return found

    def _whole_step(self, motion: Motion, rate: float | None) -> dict[str, float]:
        if not motion.some:
            return {}
        found = {
            "turn": motion.turn,
            "shrinking": motion.shrinking,
            "radial_share": motion.radial,
        }
        if motion.slowdown is not None:
            found["slowdown"] = motion.slowdown
        if not rate:
            return found
        now = motion.drift_and_heat(rate, self._settings.pull or 0.0)
        self._past.append(now)
        drift, square = np.mean(self._past, axis=0)
        self.heat = math.sqrt(square)
        norm = float(np.sqrt(np.mean(motion.norms**2)))
        implied = implied_norm(self._settings, rate, float(drift), self.heat, norm)
        found |= {"drift": now[0], "heat": math.sqrt(now[1])}
        return found if implied is None else found | {"implied_norm": implied}
