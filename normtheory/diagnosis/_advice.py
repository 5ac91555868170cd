"""What could be done: one factor for the level of the norms, one power for their spread."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from normtheory.diagnosis._options import Options
from normtheory.diagnosis._quantity import quantity


@dataclass(frozen=True)
class Advice:
    """Suggestions, with the formula behind each.

    Attributes:
        target_rate: the effective learning rate that the median embedding is to get, dimensionless.
        cut_factor: c >= 1 to divide embeddings by for that, as free embeddings; 1 where they are
            fast enough already; None without γ, and for p = 2 where a cut changes nothing. It is
            no factor for weights: dividing those of L bias-free layers by c divides the embeddings
            by c^L.
        same_as_learning_rate: the optimizer's rate that does the same to free embeddings, uncut.
        same_as_weight_decay: the weight decay that has to go with that rate; None without decay.
        target_slowdown: how many times slower the largest decile may turn than the smallest.
        gradscale: the smallest power p in [0, 2] for that; it may lie below the one in use. 0 under
            Adam, AdamW and Lion, for which no theory of it is known.
        gradscale_rate_factor: factor for the learning rate that keeps the speed of the median
            embedding when the power in use is replaced.
    """

    target_rate: float = field(
        metadata=quantity("target for the median effective rate", "chosen", "option")
    )
    cut_factor: float | None = field(
        metadata=quantity(
            "cut factor c",
            "c^(2-p) = target / γρ^(p-2) at the median ρ; at least 1; as free embeddings",
            "claims cut_init, scale_theorem",
        )
    )
    same_as_learning_rate: float | None = field(
        metadata=quantity(
            "the same by the learning rate",
            "η c^(2-p), as free embeddings",
            "claims cut_init, scale_theorem",
        )
    )
    same_as_weight_decay: float | None = field(
        metadata=quantity(
            "with the weight decay",
            "λ / c^(2-p), as free embeddings",
            "claims cut_init, scale_theorem",
        )
    )
    target_slowdown: float = field(metadata=quantity("target for the slowdown", "chosen", "option"))
    gradscale: float = field(
        metadata=quantity(
            "GradScale power p",
            "2 - ln(target) / ln(ρ_top / ρ_bottom), at least 0",
            "claim gradscale",
        )
    )
    gradscale_rate_factor: float = field(
        metadata=quantity(
            "then multiply the learning rate by", "ρ_median^(p_in_use - p)", "claim gradscale"
        )
    )


def give_advice(norms: np.ndarray, decile_ratio: float, options: Options) -> Advice:
    """From norms (n,) and the ratio of the largest tenth of them to the smallest."""
    log_median = math.log(float(np.percentile(norms, 50)))
    rate, eta, decay = options.pair_rate, options.learning_rate, options.weight_decay
    left = 2 - options.gradscale  # the power of the norm that the speed still feels
    log_faster = None
    if rate is not None and left > 0:
        # In logarithms: embeddings of norm 1e±200 get their factor too.
        log_rate = math.log(rate) - left * log_median
        log_faster = max(0.0, math.log(options.target_rate) - log_rate)
    log_ratio, log_target = math.log(decile_ratio), math.log(options.target_slowdown)
    power = 2 - log_target / log_ratio if 2 * log_ratio > log_target else 0.0
    power = 0.0 if options.adaptive else power  # no theory of it there
    return Advice(
        target_rate=options.target_rate,
        cut_factor=None if log_faster is None else _times(1.0, log_faster / left),
        same_as_learning_rate=(
            None if log_faster is None or eta is None else _times(eta, log_faster)
        ),
        same_as_weight_decay=(
            _times(decay, -log_faster) if log_faster is not None and decay else None
        ),
        target_slowdown=options.target_slowdown,
        gradscale=power,
        gradscale_rate_factor=_times(1.0, (options.gradscale - power) * log_median),
    )


def _times(x: float, log: float) -> float:
    """Return x e^log for x > 0, in two halves; infinite where it is beyond floats."""
    half = float(np.exp(log / 2))
    return x * half * half
