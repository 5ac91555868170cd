"""What theory says beside a measurement: equilibrium and turn by optimizer, and the modality gap.

The closed forms are about free embeddings against fresh gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from normtheory.drift import radial_drift_is_stable, radial_drift_norm
from normtheory.equilibrium import (
    adam_cosine,
    adam_norm,
    adamw_cosine,
    adamw_norm,
    equilibrium_norm,
    lion_cosine,
    lion_norm,
    momentum_cosine,
    momentum_norm,
)
from normtheory.monitoring._settings import Settings


@dataclass(frozen=True)
class Balance:
    """An optimizer at work on embeddings.

    Attributes:
        settings: of the monitor.
        rate: η, now.
        dimension: d.
        slope: s, root mean square of ‖z‖‖∇L‖; None where nobody knows.
    """

    settings: Settings
    rate: float
    dimension: int
    slope: float | None

    def norm(self) -> float | None:
        """The norm at which steps and decay balance; None without a closed form or a number."""
        return self._try(_NORM.get(self.settings.optimizer or ""))

    def turn(self, steps: int) -> float | None:
        """Radians by which an embedding turns in some steps there."""
        found = _COSINE.get(self.settings.optimizer or "")
        cosine = self._try(None if found is None else lambda balance: found(balance, steps))
        return None if cosine is None else math.acos(max(-1.0, min(1.0, cosine)))

    def _try(self, formula: Callable[[Balance], Any] | None) -> float | None:
        if formula is None or not self.settings.weight_decay or not self.rate:
            return None
        try:
            return float(formula(self))
        except (_Unknown, ValueError):  # a decay that a step doesn't survive has no balance
            return None

    @property
    def decay(self) -> float:
        """λ of the optimizer."""
        return self.settings.weight_decay

    @property
    def known_slope(self) -> float:
        """The slope, where a formula needs it."""
        if not self.slope:
            raise _Unknown
        return self.slope


class _Unknown(Exception):
    """A number that a formula needs was not given or measured."""


def _betas(balance: Balance) -> dict[str, float]:
    """β₁ and β₂, unless the latter is the optimizer's own."""
    settings = balance.settings
    given = {"beta_1": settings.beta_1}
    return given if settings.beta_2 is None else given | {"beta_2": settings.beta_2}


# A gradient of size s/ρ is that of one pair, of size 1/ρ, at s times the rate: γ = ηs, and λ/s
# keeps the share that decay takes (nt.pair_rate and nt.pair_decay do this for a mean).
_NORM: dict[str, Callable[[Balance], Any]] = {
    "sgd": lambda b: equilibrium_norm(b.rate * b.known_slope, b.decay / b.known_slope, 1.0),
    "momentum": lambda b: momentum_norm(
        b.rate * b.known_slope,
        b.decay / b.known_slope,
        b.settings.momentum,
        1.0,
        coupled=b.settings.coupled,
    ),
    "adam": lambda b: adam_norm(b.rate, b.decay, float(b.dimension), b.known_slope),
    "adamw": lambda b: adamw_norm(b.rate, b.decay, float(b.dimension), **_betas(b)),
    "lion": lambda b: lion_norm(b.rate, b.decay, float(b.dimension), **_betas(b)),
}
_COSINE: dict[str, Callable[[Balance, int], Any]] = {
    "sgd": lambda b, steps: momentum_cosine(b.rate, b.decay, 0.0, steps=steps),
    "momentum": lambda b, steps: momentum_cosine(
        b.rate, b.decay, b.settings.momentum, steps=steps, coupled=b.settings.coupled
    ),
    "adam": lambda b, steps: adam_cosine(
        b.rate,
        b.decay,
        float(b.dimension),
        b.known_slope,
        beta_1=b.settings.beta_1,
        steps=steps,
    ),
    "adamw": lambda b, steps: adamw_cosine(b.rate, b.decay, beta_1=b.settings.beta_1, steps=steps),
    "lion": lambda b, steps: lion_cosine(b.rate, b.decay, **_betas(b), steps=steps),
}


def effective_rate(settings: Settings, rate: float, norm: float) -> float | None:
    """How much an embedding is turned in a step, up to the size of its gradient.

    γ/ρ² where steps are gradients, over 1-β with momentum; the pace η/ρ where they are of one size.
    """
    if settings.power is None:
        return None
    if settings.power == 1:
        return rate / norm
    kept = settings.momentum if settings.optimizer == "momentum" else 0.0
    return rate * (settings.share or 1.0) / (1 - kept) / norm / norm


def implied_norm(
    settings: Settings, rate: float, drift: float, heat: float, norm: float
) -> float | None:
    """Norm that measured D and s lead to; None where they lead to none.

    Steps of SGD go as 1/ρ with D and s steady. Those of AdamW and Lion have one size: D/ρ and s/ρ
    are steady, and in the balance ρ takes the place of ρ². Where norms are in balance already, both
    give those.

    Args:
        settings: of the monitor.
        rate: η.
        drift: D.
        heat: s.
        norm: ρ at which they were measured.
    """
    decay = settings.pull
    if decay is None or heat <= 0 or rate * decay >= 1 or (decay == 0 and drift >= 0):
        return None
    one_size = settings.power == 1
    along, across = (drift / norm, heat / norm) if one_size else (drift, heat)
    if not bool(radial_drift_is_stable(rate, decay, along, across)):
        return None
    found = float(radial_drift_norm(rate, decay, along, across))
    return found**2 if one_size else found


def predicted_slowdown(settings: Settings, ratio: float | None) -> float | None:
    """How many times slower the larger of two norms turns, of their ratio."""
    return None if ratio is None or settings.power is None else ratio**settings.power
