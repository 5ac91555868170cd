"""Weight decay: against fresh partners every norm settles at one value, and the turn a step too.

Embeddings from several starting norms are attracted to fresh uniform random directions by SGD with
weight decay, in d dimensions by automatic differentiation. Predicted: they settle at
:func:`normtheory.equilibrium_norm`, turning by :func:`normtheory.equilibrium_angular_step` a step,
with ρ⁴ relaxing in about 1/(4γλ) steps. A pair that stays attracted to the same partner is outside
this: it aligns, shrinks to about √γ, and bursts. Claim :mod:`normtheory.claims.weight_decay`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

import normtheory as nt
from simulations._fresh import run_fresh
from simulations._settings import check_positive


@dataclass(frozen=True)
class Settings:
    """Settings of the experiment.

    Attributes:
        norms: at the start.
        points: embeddings for every starting norm.
        dimension: of the embeddings.
        learning_rate: γ, the rate one embedding sees.
        weight_decay: λ.
        steps: of SGD against fresh partners.
        record_every: steps between two records.
        pair_steps: steps of the fixed pair.
        pair_norm: its starting norms.
        pair_angle: its starting angle in radians.
        seed: of all draws.
    """

    norms: tuple[float, ...] = (0.25, 0.5, 2.0, 4.0)
    points: int = 1000
    dimension: int = 20
    learning_rate: float = 0.1
    weight_decay: float = 0.05
    steps: int = 600
    record_every: int = 5
    pair_steps: int = 2000
    pair_norm: float = 1.0
    pair_angle: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 4  # of the full run, about, on two cores
SMOKE = Settings(points=50, dimension=8)


def run(settings: Settings) -> xr.Dataset:
    """Follow norms and turns until they have settled, and one fixed pair that does not.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``start`` (the starting norm) and ``step``: ``norm``, the fourth root of the
        mean of ρ⁴, its prediction ``relaxation``, and ``turn``, the angle whose cosine is the
        geometric mean of the cosines of the turns. Over ``pair_step``, for the fixed pair:
        ``pair_norm``, ``pair_angle``. Scalars ``equilibrium_norm`` and ``equilibrium_turn``.
    """
    rate, decay = settings.learning_rate, settings.weight_decay
    starts = np.array(settings.norms)
    step = np.arange(0, settings.steps, settings.record_every)
    fresh = run_fresh(
        np.repeat(starts, settings.points),
        rate,
        step,
        dimension=settings.dimension,
        seed=settings.seed,
        weight_decay=decay,
    )
    shape = (len(step), len(starts), settings.points)
    fourth = (fresh.norm.reshape(shape) ** 4).mean(axis=-1)
    # The geometric mean, because E[log(ρ'/ρ)] = 0 in a steady state makes it 1 - γλ exactly.
    log_cosine = (np.log1p(-(np.sin(fresh.turn.reshape(shape)) ** 2)) / 2).mean(axis=-1)
    settled = nt.equilibrium_norm(rate, decay, 1 - 1 / settings.dimension)
    kept = (1 - rate * decay) ** (4 * step[:, None])
    pair = nt.simulate_pairs(
        settings.pair_angle,
        settings.pair_norm,
        settings.pair_norm,
        rate,
        weight_decay=decay,
        tolerance=1e-300,  # never: the question is what comes after convergence
        max_steps=settings.pair_steps,
        record_every=1,
    )
    assert pair.trajectory is not None
    across, unit, radians = ("step", "start"), {"units": "1"}, {"units": "radians"}
    return xr.Dataset(
        {
            "norm": (across, fourth**0.25, unit),
            "relaxation": (across, (settled**4 + (starts**4 - settled**4) * kept) ** 0.25, unit),
            "turn": (across, 2 * np.arcsin(np.sqrt(-np.expm1(log_cosine) / 2)), radians),
            "pair_norm": ("pair_step", pair.trajectory.norm_i, unit),
            "pair_angle": ("pair_step", pair.trajectory.angle, radians),
            "equilibrium_norm": ((), settled, unit),
            "equilibrium_turn": ((), nt.equilibrium_angular_step(rate, decay), radians),
        },
        coords={
            "start": ("start", starts, {"units": "1", "long_name": "starting norm"}),
            "step": ("step", step, {"units": "steps"}),
            "pair_step": ("pair_step", pair.recorded_steps, {"units": "steps"}),
        },
        attrs={"learning_rate": rate, "weight_decay": decay},
    )
