"""InfoNCE spreads a cluster over the sphere, and small norms are spread first.

Pairs of particles on S² start in one cluster and move under InfoNCE by SGD, once at a small norm
and once at a large one, with the same rate. By the scale theorem the large one does the same,
(ρ₂/ρ₁)² times as slowly, but for the growth of norms. Uniformity is that of Wang and Isola (2020),
over the first views.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import xarray as xr

from normtheory import particles, sphere
from normtheory.particles import forces, observables
from simulations._settings import check_positive


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        norms: of the embeddings, the same for all of a run.
        pairs: of particles.
        concentration: of the cluster, von Mises-Fisher.
        noise: standard deviation of what is added to a first view to make its partner's direction.
        temperature: of InfoNCE.
        learning_rate: γ, the rate one pair sees.
        steps: of a run.
        frames: how many states are kept.
        seed: of the start.
    """

    norms: tuple[float, ...] = (1.0, 4.0)
    pairs: int = 200
    concentration: float = 20.0
    noise: float = 0.1
    temperature: float = 0.2
    learning_rate: float = 0.02
    steps: int = 2048
    frames: int = 513
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, and frames that don't divide the run."""
        check_positive(self)
        if self.frames < 2 or self.steps % (self.frames - 1):
            raise ValueError(
                f"frames: expected one more than a divisor of the {self.steps} steps, got "
                f"{self.frames}"
            )


SECONDS = 5  # of the full run, about, on two cores
SMOKE = Settings(pairs=12, steps=16, frames=5)


def _first_directions(view: particles.View) -> np.ndarray:
    return view.directions[0]


def run(settings: Settings) -> xr.Dataset:
    """Run every norm from the same directions.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``start_norm`` and ``step``: ``directions`` of the first views (..., particle,
        component), ``uniformity``, ``alignment``, ``loss`` and quantiles of the ``norms``.
    """
    rng = np.random.default_rng(settings.seed)
    pole = np.array([0.0, 0.0, 1.0])
    first = sphere.von_mises_fisher(rng, settings.pairs, pole, settings.concentration)
    second = first + settings.noise * rng.standard_normal(first.shape)
    second /= np.linalg.norm(second, axis=-1, keepdims=True)
    directions = observables.observable(
        "directions",
        _first_directions,
        dims=("particle", "component"),
        long_name="directions of the first views",
    )
    runs = []
    for norm in settings.norms:
        system = particles.System(
            forces.loss("info_nce", temperature=settings.temperature),
            settings.learning_rate * settings.pairs,
        )
        state = particles.init(system, norm * first, norm * second, seed=settings.seed)
        done = particles.run(
            system,
            state,
            settings.steps,
            record=("loss", "alignment", "uniformity", "norms", directions),
            record_every=settings.steps // (settings.frames - 1),
        )
        runs.append(done.dataset)
    start = {"units": "1", "long_name": "embedding norm at the start"}
    norms = xr.DataArray(list(settings.norms), dims="start_norm", attrs=start, name="start_norm")
    joined = xr.concat(runs, dim=norms, combine_attrs="drop_conflicts")
    return cast(xr.Dataset, joined)
