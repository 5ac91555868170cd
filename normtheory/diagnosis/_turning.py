"""How fast the embeddings turn: effective learning rate, slowdown, steps, equilibrium.

Everything with a time in it treats the embeddings as free parameters, updated in every step. An
encoder moves them through shared weights, where the laws hold for the weights and not for the
embeddings; the report says so beside each of these numbers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from normtheory.diagnosis._options import Options
from normtheory.diagnosis._quantity import PLAIN, quantity
from normtheory.equilibrium import equilibrium_angular_step, equilibrium_norm
from normtheory.flow import FlowApproximationWarning, steps_to_converge
from normtheory.pair import over_square

PERCENTILES = (5, 50, 95)
_TURN = "claim norm_effect; GradScale: claim gradscale"


@dataclass(frozen=True)
class Turning:
    """How fast embeddings of different norm turn; p is the power of GradScale in use.

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
        steps_from_right_angle: updates until cos φ >= 1 - tolerance for two free embeddings of that
            norm at a right angle, at the same percentiles of the norm; None without γ.
        steps_of_views: 5th, 50th and 95th percentile of the updates until the two views of a sample
            agree that well, from where they are now; None without γ or a second view. Infinite for
            views that are exactly opposite.
        equilibrium_norm: ρ*, where growth by steps and weight decay balance for a free embedding
            that is pulled in every step; None without γ and a positive decay, or for p >= 2.
        equilibrium_ratio: median norm over ρ*.
        equilibrium_angular_step: radians turned in a step there.
    """

    decile_ratio: float = field(
        metadata=quantity(
            "norms, largest / smallest decile", "ρ_top / ρ_bottom, medians of the tenths", PLAIN
        )
    )
    slowdown: float = field(
        metadata=quantity("largest decile turns slower by", "(ρ_top / ρ_bottom)^(2-p)", _TURN)
    )
    decile_speeds: tuple[float, ...] = field(
        metadata=quantity("relative speed by decile of the norm", "(ρ_median / ρ)^(2-p)", _TURN)
    )
    pair_rate: float | None = field(
        metadata=quantity(
            "rate of one pair γ", "η/n for a mean over n pairs, η for a sum", "nt.pair_rate"
        )
    )
    effective_rates: Mapping[str, float] | None = field(
        metadata=quantity("effective learning rate", "γρ^(p-2) at percentiles of ρ", _TURN)
    )
    steps_from_right_angle: Mapping[str, float] | None = field(
        metadata=quantity(
            "predicted updates from a right angle",
            "ln[tan(π/4)/tan(φ_ε/2)] ρ^(2-p)/2γ, as free embeddings",
            "claim norm_effect",
            "updates",
        )
    )
    steps_of_views: Mapping[str, float] | None = field(
        metadata=quantity(
            "predicted updates to align the views",
            "ln[tan(φ/2)/tan(φ_ε/2)] / γ(ρ_i^(p-2) + ρ_j^(p-2)), as free embeddings",
            "claim norm_effect",
            "updates",
        )
    )
    equilibrium_norm: float | None = field(
        metadata=quantity(
            "equilibrium norm ρ*",
            "ρ*^(4-2p) = γ E[sin²φ] / (λ'(2 - γλ')), γλ' = ηλ, as free embeddings",
            "claim weight_decay",
            "unit of z",
        )
    )
    equilibrium_ratio: float | None = field(
        metadata=quantity("median norm / ρ*", "ratio of the two", "claim weight_decay")
    )
    equilibrium_angular_step: float | None = field(
        metadata=quantity(
            "angle turned in a step at ρ*", "arccos(1 - ηλ)", "claim weight_decay", "radians"
        )
    )


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
    """From norms (n,), and for pairs of views their angles in radians and the second norms.

    The decay of an optimizer acts on an embedding with the optimizer's rate η, its gradient with γ.
    In the words of the pair theory, where both have γ, the decay is λ' = ηλ/γ:
    :func:`normtheory.pair_decay`.
    """
    power, rate = options.gradscale, options.pair_rate
    median = float(np.percentile(norms, 50))  # np.median may overflow
    # At least one in each tenth: with fewer than ten embeddings some are in two.
    ordered, n = np.sort(norms), len(norms)
    tenths = [
        ordered[min(n - 1, n * i // 10) : max(n * i // 10 + 1, n * (i + 1) // 10)]
        for i in range(10)
    ]
    middles = np.array([np.percentile(tenth, 50) for tenth in tenths])
    speeds = (median / middles) ** (2 - power)  # the ratio first, so that nothing overflows
    levels = np.percentile(norms, PERCENTILES)
    eta = options.learning_rate
    effective = steps = of_views = None
    if eta is not None:
        found = over_square(np.asarray(eta if rate is None else rate), levels, power)
        effective = {str(p): float(x) for p, x in zip(PERCENTILES, found, strict=True)}
    if rate is not None:
        found = _steps(np.asarray(math.pi / 2), levels, levels, rate, options)
        steps = {str(p): float(x) for p, x in zip(PERCENTILES, found, strict=True)}
        if views is not None:
            of_views = _at_percentiles(_steps(views[0], norms, views[1], rate, options))
    star = turned = None
    decay = options.pair_decay
    if rate is not None and decay and power < 2:
        square = (dimension - 1) / dimension
        star = float(equilibrium_norm(rate, decay, square, gradscale=power))
        turned = float(equilibrium_angular_step(rate, decay))
    return Turning(
        decile_ratio=float(middles[-1] / middles[0]),
        slowdown=float((middles[-1] / middles[0]) ** (2 - power)),
        decile_speeds=tuple(speeds.tolist()),
        pair_rate=rate,
        effective_rates=effective,
        steps_from_right_angle=steps,
        steps_of_views=of_views,
        equilibrium_norm=star,
        equilibrium_ratio=None if star is None else median / star,
        equilibrium_angular_step=turned,
    )


def _steps(
    angle: np.ndarray, norm_i: np.ndarray, norm_j: np.ndarray, rate: float, options: Options
) -> np.ndarray:
    with warnings.catch_warnings():
        # The report has its own word on rates that are too large for the flow.
        warnings.simplefilter("ignore", FlowApproximationWarning)
        found = steps_to_converge(
            angle, norm_i, norm_j, rate, tolerance=options.tolerance, gradscale=options.gradscale
        )
    return np.asarray(found)
