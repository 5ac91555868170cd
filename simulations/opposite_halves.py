"""The opposite-halves effect: a start near the antipode costs only logarithmically more steps.

The paper's simulation: the second point of every pair is drawn towards (or away from) minus the
first by a mixing weight t, and the steps to converge are plotted against the angle of the mean
starting similarity. Claim :mod:`normtheory.claims.opposite_halves`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

import normtheory as nt
from normtheory import sphere
from normtheory.claims.opposite_halves import steps as steps_near_antipode
from simulations._published import published
from simulations._settings import check_positive
from simulations._sgd import steps_of_sgd

_PAPER = published("opposite_halves")


@dataclass(frozen=True)
class Settings:
    """Settings, the paper's by default.

    Attributes:
        weights: how many mixing weights t, evenly from -largest_weight to largest_weight.
        largest_weight: below 1.
        pairs: pairs in an ensemble.
        dimension: of the embeddings.
        norm: of all embeddings.
        learning_rate: the optimizer's, on the mean loss.
        tolerance: on the mean cosine.
        starts: independent starts for the closed form and the recursion; SGD runs from the first.
        seed: of the starts.
    """

    weights: int = 49
    largest_weight: float = 0.96
    pairs: int = _PAPER["pairs"]
    dimension: int = _PAPER["dimension"]
    norm: float = _PAPER["norm"]
    learning_rate: float = _PAPER["learning_rate"]
    tolerance: float = 1e-3
    starts: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 3  # of the full run, about, on two cores
SMOKE = Settings(weights=7, pairs=50, learning_rate=1.0, starts=2)


def run(settings: Settings) -> xr.Dataset:
    """Count the steps for every mixing weight.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``weight`` and ``start``: ``start_angle`` (arccos of the mean similarity,
        radians) and step counts ``closed_form``, ``recursion``, and ``sgd`` (first start); over
        ``angle`` the closed form of a single pair, ``single_pair``, and its logarithm near π,
        ``near_antipode``; over ``few_angles`` the recursion of one pair, ``single_pair_recursion``.
    """
    rng = np.random.default_rng(settings.seed)
    weight = np.linspace(-settings.largest_weight, settings.largest_weight, settings.weights)
    draws, shape = (
        settings.starts * settings.pairs,
        (settings.starts, 1, settings.pairs, settings.dimension),
    )
    z = sphere.uniform(rng, draws, settings.dimension).reshape(shape)
    random = sphere.uniform(rng, draws, settings.dimension).reshape(shape)
    t = weight[:, None, None]
    y = (1 - np.abs(t)) * random - t * z
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    z = np.broadcast_to(z, y.shape)
    angle = nt.angle(z, y)
    rate, norm = nt.pair_rate(settings.learning_rate, settings.pairs, "mean"), settings.norm
    closed_form = nt.steps_to_converge(
        angle, norm, norm, rate, tolerance=settings.tolerance, ensemble_axis=-1
    )
    recursion = nt.simulate_pairs(angle, norm, norm, rate, tolerance=settings.tolerance)
    sgd = steps_of_sgd(
        norm * z[0], norm * y[0], settings.learning_rate, tolerance=settings.tolerance
    )
    grid = np.pi - np.geomspace(np.pi - 0.05, 1e-3, 400)
    goal = np.arccos(1 - settings.tolerance)
    few = np.pi - np.geomspace(1.5, 1e-3, 12)
    pairs = nt.simulate_pairs(few[:, None], norm, norm, rate, tolerance=settings.tolerance)
    steps = {"units": "steps"}
    return xr.Dataset(
        {
            "start_angle": (
                ("start", "weight"),
                np.arccos(np.cos(angle).mean(axis=-1)),
                {"units": "radians"},
            ),
            "closed_form": (("start", "weight"), closed_form, steps),
            "recursion": (("start", "weight"), recursion.steps, steps),
            "sgd": ("weight", sgd, steps),
            "single_pair": (
                "angle",
                nt.steps_to_converge(grid, norm, norm, rate, tolerance=settings.tolerance),
                steps,
            ),
            "single_pair_recursion": ("few_angles", pairs.steps, steps),
            "near_antipode": (
                "angle",
                steps_near_antipode(np.pi - grid, goal, norm, rate, np),
                steps,
            ),
        },
        coords={
            "weight": ("weight", weight, {"units": "1", "long_name": "mixing weight t"}),
            "angle": ("angle", grid, {"units": "radians"}),
            "few_angles": ("few_angles", few, {"units": "radians"}),
        },
        attrs={"pair_rate": rate},
    )
