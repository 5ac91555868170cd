"""Steps to converge over norm and learning rate: where the flow is right, and where rates tame.

Ensembles of uniform pairs are attracted by the exact recursion, over a grid of norms and rates. By
the scale theorem only the effective rate x = γ/ρ² counts. Below x = 1 a pair contracts without
changing sides, and the steps follow the flow, ∝ 1/x. Above it pairs overshoot and their norms grow
until x is small enough: nearly orthogonal pairs have ρ'² = ρ²(1 + x²) after one step, so that they
go on at x/(1 + x²), and a rate a hundred times too large is as slow as one a hundred times too
small. Claim :mod:`normtheory.claims.stability`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

import normtheory as nt
from normtheory import sphere
from simulations._settings import check_positive


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        norms: lowest and highest norm.
        learning_rates: lowest and highest rate γ that one pair sees.
        grid: points along either axis.
        pairs: pairs in an ensemble.
        dimension: of the sphere that the pairs start from.
        tolerance: on the mean cosine.
        max_steps: give up after so many.
        seed: of the start, the same for all.
    """

    norms: tuple[float, float] = (0.2, 5.0)
    learning_rates: tuple[float, float] = (0.025, 25.0)
    grid: int = 41
    pairs: int = 50
    dimension: int = 20
    tolerance: float = 1e-3
    max_steps: int = 100_000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 5  # of the full run, about, on two cores
SMOKE = Settings(norms=(0.5, 2.0), learning_rates=(0.1, 10.0), grid=5, pairs=10)


def run(settings: Settings) -> xr.Dataset:
    """Count the steps all over the grid.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``norm`` and ``learning_rate``: ``steps`` of the recursion, ``flow`` (the
        closed form for random pairs), ``effective_rate`` at the start, and ``final_rate``, the
        median of γ/ρ² over the ensemble at the end.
    """
    rng = np.random.default_rng(settings.seed)
    z, y = (sphere.uniform(rng, settings.pairs, settings.dimension) for _ in range(2))
    norm = np.geomspace(*settings.norms, settings.grid)
    rate = np.geomspace(*settings.learning_rates, settings.grid)
    norms, rates = norm[:, None, None], rate[None, :, None]
    found = nt.simulate_pairs(
        nt.angle(z, y),
        norms,
        norms,
        rates,
        tolerance=settings.tolerance,
        max_steps=settings.max_steps,
    )
    final = np.median(rates / found.norm_i**2, axis=-1)
    flow = nt.random_pair_steps(
        settings.dimension, norms[..., 0], rates[..., 0], tolerance=settings.tolerance
    )
    grid = ("norm", "learning_rate")
    return xr.Dataset(
        {
            "steps": (grid, found.steps, {"units": "steps"}),
            "converged": (grid, found.converged, {"units": "1"}),
            "flow": (grid, flow, {"units": "steps"}),
            "effective_rate": (grid, rates[..., 0] / norms[..., 0] ** 2, {"units": "1"}),
            "final_rate": (grid, final, {"units": "1"}),
        },
        coords={
            "norm": ("norm", norm, {"units": "1", "long_name": "embedding norm"}),
            "learning_rate": ("learning_rate", rate, {"units": "1", "long_name": "rate per pair"}),
        },
    )
