"""Steps to converge against the norm under other optimizers than SGD.

Ensembles of uniform pairs attract each other (a sum over pairs, so that no gradient is made small
by the number of pairs) until their mean cosine is within a tolerance of 1. The local exponent
d log K/d log ρ is 2 for SGD. Heavy ball is 1/(1 - α) times as fast while γ/ρ² is well below
(1 - √α)²/2, and above that contracts by about √α a step, whatever the norm. Adam sees γ/ρ only;
with ε > 0 it becomes SGD where gradients fall below ε. AdamW shrinks the norm that slows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from normtheory import particles, sphere
from normtheory.particles import forces, optimizers, stop
from simulations._settings import check_positive


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        norms: lowest and highest norm.
        points: norms between them, evenly in the logarithm.
        pairs: in an ensemble.
        dimension: of the embeddings.
        tolerance: on the mean cosine.
        sgd_rate: γ of SGD and heavy ball, on the sum.
        momentum: α of heavy ball.
        adam_rate: γ of Adam and AdamW.
        adam_epsilon: ε of the Adam that has one.
        weight_decay: λ of AdamW.
        starts: independent starts.
        max_steps: give up after so many.
        seed: of the starts.
    """

    norms: tuple[float, float] = (1.0, 32.0)
    points: int = 11
    pairs: int = 32
    dimension: int = 16
    tolerance: float = 1e-3
    sgd_rate: float = 0.1
    momentum: float = 0.9
    adam_rate: float = 0.002
    adam_epsilon: float = 0.03
    weight_decay: float = 0.05
    starts: int = 5
    max_steps: int = 200_000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 10  # of the full run, about, on two cores
# Norms as far apart, but fewer of them, of fewer pairs, from fewer starts.
QUICK = Settings(points=6, pairs=16, starts=3)
QUICK_SECONDS = 6  # of that run, likewise
SMOKE = Settings(norms=(1.0, 4.0), points=3, pairs=4, starts=2)


def _systems(settings: Settings) -> Mapping[str, particles.System]:
    """The optimizers, by the name that the figure shows."""
    force, rate = forces.attraction(), settings.adam_rate
    common: dict[str, Any] = {"reduction": "sum"}
    adam = optimizers.adam(eps=0.0)
    return {
        "SGD": particles.System(force, settings.sgd_rate, **common),
        "heavy ball": particles.System(
            force, settings.sgd_rate, optimizers.momentum(settings.momentum), **common
        ),
        "Adam, ε = 0": particles.System(force, rate, adam, **common),
        "Adam, ε > 0": particles.System(
            force, rate, optimizers.adam(eps=settings.adam_epsilon), **common
        ),
        "AdamW": particles.System(force, rate, adam, weight_decay=settings.weight_decay, **common),
    }


def run(settings: Settings) -> xr.Dataset:
    """Count the steps of every optimizer at every norm.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``optimizer``, ``norm`` and ``start`` of ``steps``; over ``interval``, between
        neighbouring norms (their geometric mean is ``interval_norm``), the local ``exponent``.
    """

    def pairs(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([settings.seed, seed])
        first, second = (sphere.uniform(rng, settings.pairs, settings.dimension) for _ in range(2))
        return first, second

    norm = np.geomspace(*settings.norms, settings.points)
    systems = _systems(settings)
    counts = []
    for system in systems.values():
        of_norms = []
        # A sweep goes on until its slowest run is done, so norms don't wait for one another.
        for one in norm:
            found = particles.sweep(
                system,
                pairs,
                {"norm": [one], "seed": range(settings.starts)},
                settings.max_steps,
                stop=stop.mean_cosine(settings.tolerance),
            )
            if not bool(found.converged.all()):
                raise RuntimeError(f"not converged after {settings.max_steps} steps")
            of_norms.append(found.steps.values[0])
        counts.append(of_norms)
    steps = np.array(counts)
    between = np.diff(np.log(norm))
    exponent = np.diff(np.log(steps), axis=1) / between[:, None]
    return xr.Dataset(
        {
            "steps": (("optimizer", "norm", "start"), steps, {"units": "steps"}),
            "exponent": (("optimizer", "interval", "start"), exponent, {"units": "1"}),
            "interval_norm": ("interval", np.sqrt(norm[1:] * norm[:-1]), {"units": "1"}),
        },
        coords={
            "optimizer": list(systems),
            "norm": ("norm", norm, {"units": "1", "long_name": "embedding norm"}),
        },
        # What the closed forms of the figure need beside the steps.
        attrs={
            "sgd_rate": settings.sgd_rate,
            "momentum": settings.momentum,
            "dimension": settings.dimension,
            "tolerance": settings.tolerance,
        },
    )
