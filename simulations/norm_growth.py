"""Norm growth: the mean of ρ⁴ grows linearly, at a pace set by how often a class is updated.

Classes are updated with different probabilities a step, each embedding against a fresh uniform
random direction, by SGD in d dimensions with the gradient from automatic differentiation.
Predicted: E ρ⁴(t) = ρ₀⁴ + 2γ²p E[sin²φ] t with E[sin²φ] = (d-1)/d, so norms grow as t^¼ and two
classes end in the ratio (p₁/p₂)^¼. Claim :mod:`normtheory.claims.quartic_growth`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from normtheory.claims.quartic_growth import mean_law
from simulations._fresh import run_fresh
from simulations._settings import check_positive


@dataclass(frozen=True)
class Settings:
    """Settings of the experiment.

    Attributes:
        frequencies: of the classes, relative; their share of the sum is the chance of an update.
        points: embeddings in a class.
        dimension: of the embeddings.
        norm: at the start; small against the growth, so that the power law shows.
        learning_rate: γ, the rate one embedding sees.
        steps: of SGD.
        records: how many times to record, evenly on a logarithmic scale.
        seed: of all draws.
    """

    frequencies: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    points: int = 200
    dimension: int = 20
    norm: float = 0.1
    learning_rate: float = 0.01
    steps: int = 20_000
    records: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SMOKE = Settings(points=40, dimension=8, steps=600, records=12)


def run(settings: Settings) -> xr.Dataset:
    """Follow the norms of all classes.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``frequency`` and ``step``: ``fourth_power``, the mean of ρ⁴ over a class, its
        standard error ``fourth_power_error``, and its prediction ``predicted``; over ``frequency``
        the chance of an update, ``probability``.
    """
    frequencies = np.array(settings.frequencies)
    probability = frequencies / frequencies.sum()
    step = np.unique(np.geomspace(1, settings.steps, settings.records).round().astype(np.int64))
    grown = run_fresh(
        np.full(len(frequencies) * settings.points, settings.norm),
        settings.learning_rate,
        step,
        dimension=settings.dimension,
        seed=settings.seed,
        probability=np.repeat(probability, settings.points),
    )
    fourth = grown.norm.reshape(len(step), len(frequencies), settings.points) ** 4
    mean_sine2 = 1 - 1 / settings.dimension  # of the angle to a uniform direction
    predicted = mean_law(
        settings.norm, settings.learning_rate, probability, mean_sine2, step[:, None]
    )
    error = fourth.std(axis=-1, ddof=1) / np.sqrt(settings.points)
    across = ("step", "frequency")
    unit = {"units": "1"}
    return xr.Dataset(
        {
            "fourth_power": (across, fourth.mean(axis=-1), unit),
            "fourth_power_error": (across, error, unit),
            "predicted": (across, predicted, unit),
            "probability": ("frequency", probability, unit),
        },
        coords={
            "step": ("step", step, {"units": "steps"}),
            "frequency": ("frequency", frequencies, {"units": "1", "long_name": "class frequency"}),
        },
    )
