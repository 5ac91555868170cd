"""Norm growth: the mean of ρ⁴ grows linearly, at a pace set by how often a class is updated.

Classes are updated with different probabilities a step, each embedding against a fresh uniform
random direction, by SGD in d dimensions with the gradient from automatic differentiation.
Predicted: E ρ⁴(t) = ρ₀⁴ + 2γ²p E[sin²φ] t with E[sin²φ] = (d-1)/d, so norms grow as t^¼ and two
classes end in the ratio (p₁/p₂)^¼. Claim :mod:`normtheory.claims.quartic_growth`.

In batches a class is seen k times a step. Where its gradients in a batch point their own ways,
their sum has a squared length ∝ k, and the ¼ power stays; where they all point the same way
(coherent), it is ∝ k², and the ratio of norms becomes (p₁/p₂)^½.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from normtheory import particles, sphere
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
        batch: size of the batches of the second part, one embedding a class.
        batch_rate: γ there.
        batch_steps: of SGD there.
        batch_starts: independent runs there.
        seed: of all draws.
    """

    frequencies: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    points: int = 200
    dimension: int = 20
    norm: float = 0.1
    learning_rate: float = 0.01
    steps: int = 20_000
    records: int = 40
    batch: int = 128
    batch_rate: float = 5e-4
    batch_steps: int = 1_000
    batch_starts: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 14  # of the full run, about, on two cores
# Fewer embeddings, steps and runs.
QUICK = Settings(points=100, steps=5000, records=20, batch_steps=500, batch_starts=16)
QUICK_SECONDS = 6  # of that run, likewise
SMOKE = Settings(
    points=40, dimension=8, steps=600, records=12, batch=32, batch_steps=100, batch_starts=8
)


def run(settings: Settings) -> xr.Dataset:
    """Follow the norms of all classes.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``frequency`` and ``step``: ``fourth_power``, the mean of ρ⁴ over a class, its
        standard error ``fourth_power_error``, and its prediction ``predicted``; over ``frequency``
        the chance of an update, ``probability``. Over ``gradients`` ("independent", "coherent") and
        ``frequency`` what batches end with: ``batch_fourth_power``, its ``batch_error`` and
        ``batch_predicted``.
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
    kinds = ("gradients", "frequency")
    batch, batch_error, batch_predicted = _batches(settings, probability)
    unit = {"units": "1"}
    return xr.Dataset(
        {
            "fourth_power": (across, fourth.mean(axis=-1), unit),
            "fourth_power_error": (across, error, unit),
            "predicted": (across, predicted, unit),
            "probability": ("frequency", probability, unit),
            "batch_fourth_power": (kinds, batch, unit),
            "batch_error": (kinds, batch_error, unit),
            "batch_predicted": (kinds, batch_predicted, unit),
        },
        coords={
            "gradients": ["independent", "coherent"],
            "step": ("step", step, {"units": "steps"}),
            "frequency": ("frequency", frequencies, {"units": "1", "long_name": "class frequency"}),
        },
    )


def _batches(settings: Settings, probability: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean ρ⁴ of every class after steps on batches, its standard error, and the prediction."""
    count = len(probability)

    def clouds(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([settings.seed, seed])
        z, y = (sphere.uniform(rng, count, settings.dimension) for _ in range(2))
        return settings.norm * z, y

    found, errors = [], []
    for coherent in (False, True):
        system = particles.System(
            particles.forces.attraction(),
            settings.batch_rate,
            reduction="sum",
            sampling=particles.sampling.minibatch(settings.batch, probability),
            fresh=(1,),
            coherent=coherent,
        )
        runs = particles.sweep(
            system,
            clouds,
            {"seed": range(settings.batch_starts)},
            settings.batch_steps,
            record=particles.observables.class_norm(np.arange(count)),
        )
        fourth = runs.class_norm.transpose("seed", "class").values ** 4
        found.append(fourth.mean(axis=0))
        errors.append(fourth.std(axis=0, ddof=1) / np.sqrt(settings.batch_starts))
    seen = settings.batch * probability
    # How often a class is in a batch is binomial: E k, and E k² where gradients add up in line.
    squares = np.array([seen, seen * (seen + 1 - probability)])
    mean_sine2 = 1 - 1 / settings.dimension
    predicted = mean_law(
        settings.norm, settings.batch_rate, squares, mean_sine2, settings.batch_steps
    )
    return np.array(found), np.array(errors), predicted
