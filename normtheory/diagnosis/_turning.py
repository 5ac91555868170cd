"""How fast the embeddings turn: effective learning rate or pace, slowdown, steps, equilibrium.

Everything with a time in it treats the embeddings as free parameters, updated in every step. An
encoder moves them through shared weights, where the laws hold for the weights and not for the
embeddings; the report says so beside each of these numbers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from normtheory.diagnosis._options import Options
from normtheory.diagnosis._quantity import PLAIN, quantity
from normtheory.flow import FlowApproximationWarning, steps_to_converge
from normtheory.pair import over_square
from normtheory.prediction import predict

PERCENTILES = (5, 50, 95)
_TURN = "claim norm_effect; GradScale: claim gradscale"
_PACE = "claims norm_effect, scale_theorem; GradScale: claim gradscale"
_BALANCE = (
    "claims weight_decay, momentum_equilibrium, adam_equilibrium, adamw_equilibrium, "
    "lion_equilibrium"
)


@dataclass(frozen=True)
class Turning:
    """How fast embeddings of different norm turn; p is the power of GradScale in use.

    What has no theory for the optimizer is None.

    Attributes:
        decile_ratio: median norm of the tenth with the largest norms over that of the tenth with
            the smallest.
        slowdown: how many times slower the former turns than the latter.
        decile_speeds: angular speed of each tenth, smallest norms first, relative to that of the
            median norm.
        pair_rate: γ, the rate that one pair sees; None unless learning rate, batch size and
            reduction are known.
        effective_rates: γρ^(p-2) at the 5th, 50th and 95th percentile of the *norm*, by name,
            dimensionless. With the learning rate alone known: η in place of γ, as for a sum loss.
            None under Adam, AdamW and Lion.
        paces: η/ρ at the same percentiles under Adam, AdamW and Lion, dimensionless.
        steps_from_right_angle: updates until cos φ >= 1 - tolerance for two free embeddings of that
            norm at a right angle, at the same percentiles of the norm; None without γ.
        steps_of_views: 5th, 50th and 95th percentile of the updates until the two views of a sample
            agree that well, from where they are now; None without γ or a second view. Infinite for
            views that are exactly opposite.
        equilibrium_norm: ρ*, where growth by steps and weight decay balance for a free embedding
            that is pulled in every step, as :func:`normtheory.predict` has it; None without a
            positive decay, or for p >= 2.
        equilibrium_ratio: median norm over ρ*.
        equilibrium_angular_step: radians turned in a step there.
        relaxation_steps: in which a small distance from ρ* falls to the e-th part.
        equilibrium_note: why ρ* is not known, or where it doesn't apply; empty otherwise.
    """

    decile_ratio: float = field(
        metadata=quantity(
            "norms, largest / smallest decile", "ρ_top / ρ_bottom, medians of the tenths", PLAIN
        )
    )
    slowdown: float = field(
        metadata=quantity(
            "largest decile turns slower by",
            "(ρ_top / ρ_bottom)^(2-p), of Adam, AdamW and Lion ρ_top / ρ_bottom",
            _PACE,
        )
    )
    decile_speeds: tuple[float, ...] = field(
        metadata=quantity(
            "relative speed by decile of the norm",
            "(ρ_median / ρ)^(2-p), of Adam, AdamW and Lion ρ_median / ρ",
            _PACE,
        )
    )
    pair_rate: float | None = field(
        metadata=quantity(
            "rate of one pair γ", "η/n for a mean over n pairs, η for a sum", "nt.pair_rate"
        )
    )
    effective_rates: Mapping[str, float] | None = field(
        metadata=quantity("effective learning rate", "γρ^(p-2) at percentiles of ρ", _TURN)
    )
    paces: Mapping[str, float] | None = field(
        metadata=quantity("pace", "η/ρ at percentiles of ρ", "claim scale_theorem")
    )
    steps_from_right_angle: Mapping[str, float] | None = field(
        metadata=quantity(
            "predicted updates from a right angle",
            "ln[tan(π/4)/tan(φ_ε/2)] ρ^(2-p)/2γ, times 1-α with momentum, as free embeddings",
            "claims norm_effect, optimizers",
            "updates",
        )
    )
    steps_of_views: Mapping[str, float] | None = field(
        metadata=quantity(
            "predicted updates to align the views",
            "ln[tan(φ/2)/tan(φ_ε/2)] / γ(ρ_i^(p-2) + ρ_j^(p-2)), times 1-α with momentum, as free "
            "embeddings",
            "claims norm_effect, optimizers",
            "updates",
        )
    )
    equilibrium_norm: float | None = field(
        metadata=quantity(
            "equilibrium norm ρ*",
            "SGD: ρ*^(4-2p) = γ E[sin²φ] / (λ'(2 - γλ')), γλ' = ηλ; AdamW: √(ηd/2λ); others: see "
            "nt.predict; as free embeddings",
            _BALANCE,
            "unit of z",
        )
    )
    equilibrium_ratio: float | None = field(
        metadata=quantity("median norm / ρ*", "ratio of the two", _BALANCE)
    )
    equilibrium_angular_step: float | None = field(
        metadata=quantity(
            "angle turned in a step at ρ*",
            "SGD: arccos(1 - ηλ); others: see nt.predict",
            _BALANCE,
            "radians",
        )
    )
    relaxation_steps: float | None = field(
        metadata=quantity(
            "updates to get e times nearer to ρ*",
            "SGD: 1/((4-2p)ηλ); AdamW, Lion: 1/(2ηλ); others: see nt.predict",
            _BALANCE,
            "updates",
        )
    )
    equilibrium_note: str = ""


def _at_percentiles(values: np.ndarray) -> dict[str, float]:
    # "nearest": one of the values, since infinity can't be interpolated.
    found = np.percentile(values, PERCENTILES, method="nearest")
    return {str(p): float(v) for p, v in zip(PERCENTILES, found, strict=True)}


def measure_turning(
    norms: np.ndarray,
    dimension: int,
    options: Options,
    views: tuple[np.ndarray, np.ndarray] | None,
) -> Turning:
    """From norms (n,), and for pairs of views their angles in radians and the second norms."""
    rate, left = options.pair_rate, options.blindness
    median = float(np.percentile(norms, 50))  # np.median may overflow
    # At least one in each tenth: with fewer than ten embeddings some are in two.
    ordered, n = np.sort(norms), len(norms)
    tenths = [
        ordered[min(n - 1, n * i // 10) : max(n * i // 10 + 1, n * (i + 1) // 10)]
        for i in range(10)
    ]
    middles = np.array([np.percentile(tenth, 50) for tenth in tenths])
    speeds = (median / middles) ** left  # the ratio first, so that nothing overflows
    levels = np.percentile(norms, PERCENTILES)
    eta = options.learning_rate
    effective = paces = steps = of_views = None
    if eta is not None:
        found = over_square(np.asarray(eta if rate is None else rate), levels, 2 - left)
        speed = {str(p): float(x) for p, x in zip(PERCENTILES, found, strict=True)}
        effective, paces = (None, speed) if options.adaptive else (speed, None)
    if rate is not None:
        found = _steps(np.asarray(math.pi / 2), levels, levels, rate, options)
        if found is not None:
            steps = {str(p): float(x) for p, x in zip(PERCENTILES, found, strict=True)}
        if views is not None:
            found = _steps(views[0], norms, views[1], rate, options)
            of_views = None if found is None else _at_percentiles(found)
    balance = _balance(dimension, options)
    star = balance.get("equilibrium_norm")
    return Turning(
        decile_ratio=float(middles[-1] / middles[0]),
        slowdown=float((middles[-1] / middles[0]) ** left),
        decile_speeds=tuple(speeds.tolist()),
        pair_rate=rate,
        effective_rates=effective,
        paces=paces,
        steps_from_right_angle=steps,
        steps_of_views=of_views,
        equilibrium_norm=star,
        equilibrium_ratio=None if star is None else median / star,
        equilibrium_angular_step=balance.get("equilibrium_angular_step"),
        relaxation_steps=balance.get("relaxation_steps"),
        equilibrium_note=balance.get("note", ""),
    )


def _balance(dimension: int, options: Options) -> dict[str, Any]:
    """The equilibrium's rows of a prediction, which no norm of now changes, and their warning."""
    if options.learning_rate is None or not options.weight_decay:
        return {}
    alone = options.batch_size is None
    # What an equilibrium of these depends on is the size of the gradient.
    if alone and (options.optimizer in ("sgd", "momentum", "adam") or options.epsilon):
        return {}
    found = predict(
        1.0,
        options.learning_rate,
        optimizer=options.optimizer,
        **options.numbers,
        weight_decay=options.weight_decay,
        batch_size=options.batch_size,
        reduction=options.reduction,
        temperature=options.temperature,
        dimension=dimension,
        gradscale=options.gradscale,
    )
    norm = found["equilibrium_norm"]
    names = ("equilibrium_norm", "equilibrium_angular_step", "relaxation_steps")
    values = {} if norm.value is None else {name: found[name].value for name in names}
    return values | {"note": norm.warning if values else norm.validity}


def _steps(
    angle: np.ndarray, norm_i: np.ndarray, norm_j: np.ndarray, rate: float, options: Options
) -> np.ndarray | None:
    """Steps of the flow; None where momentum alone sets the pace (claim optimizers)."""
    alpha = options.numbers.get("momentum", 0.0)
    if alpha:
        both = sum(over_square(np.asarray(rate), x, options.gradscale) for x in (norm_i, norm_j))
        if np.max(both) > (1 - math.sqrt(alpha)) ** 2:
            return None
    with warnings.catch_warnings():
        # The report has its own word on rates that are too large for the flow.
        warnings.simplefilter("ignore", FlowApproximationWarning)
        found = steps_to_converge(
            angle, norm_i, norm_j, rate, tolerance=options.tolerance, gradscale=options.gradscale
        )
    return np.asarray(found) * (1 - alpha)
