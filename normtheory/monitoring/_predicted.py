"""What theory says beside a measurement: :func:`normtheory.predict`, and where D and s lead.

The closed forms are about free embeddings against fresh gradients.
"""

from __future__ import annotations

import math

from normtheory.drift import radial_drift_is_stable, radial_drift_norm
from normtheory.monitoring._settings import Settings
from normtheory.prediction import predict

_BY_SIZE = ("sgd", "momentum", "adam")
"""Optimizers whose equilibrium depends on the size of the gradient."""


def predicted(
    settings: Settings,
    rate: float,
    norm: float,
    dimension: int,
    slope: float | None,
    lag: int | None,
) -> dict[str, float]:
    """Numbers of a record by name; what has no closed form, or lacks a number, is left out.

    Args:
        settings: of the monitor.
        rate: η, now.
        norm: ρ, now.
        dimension: d.
        slope: s, root mean square of ‖z‖‖∇L‖; None where nobody knows.
        lag: steps over which turns are wanted too.
    """
    if settings.optimizer is None or rate <= 0:
        return {}
    try:
        rows = predict(
            norm,
            rate,
            optimizer=settings.optimizer,
            weight_decay=settings.weight_decay,
            batch_size=settings.batch_size,
            reduction=settings.reduction,
            slope=slope,
            dimension=dimension,
            lag=lag,
            **settings.numbers,
        )
    except ValueError:  # a decay that takes all in a step has no balance
        return {}

    def value(name: str) -> float | None:
        return rows[name].value if name in rows else None

    sized = slope is not None or settings.batch_size is not None
    found = {"effective_rate": value("pace") or value("effective_learning_rate")}
    if settings.weight_decay and (sized or settings.optimizer not in _BY_SIZE):
        found["predicted_norm"] = value("equilibrium_norm")
    if settings.weight_decay and (sized or settings.optimizer != "adam"):
        found["predicted_turn"] = value("equilibrium_angular_step")
        cosine = value("equilibrium_cosine_after_lag")
        found["predicted_turn_lag"] = None if cosine is None else math.acos(cosine)
    return {name: x for name, x in found.items() if x is not None}


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
    if not math.isfinite(drift) or not math.isfinite(heat):  # of a training that diverges
        return None
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
