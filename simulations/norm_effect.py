"""The embedding-norm effect: steps to converge grow with the square of the norm.

The paper's simulation: independent uniform pairs on the sphere of a given radius, attracted to each
other by SGD on minus their mean cosine similarity, both points trained, until the mean is within a
tolerance of 1. Four answers to how
many steps that takes: published, closed form, exact recursion, and SGD in d dimensions by automatic
differentiation. Claim :mod:`normtheory.claims.norm_effect`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

import normtheory as nt
from normtheory import sphere
from simulations._published import published
from simulations._settings import check_positive
from simulations._sgd import steps_of_sgd

_PAPER = published("norm_effect")


@dataclass(frozen=True)
class Settings:
    """Settings, the paper's by default.

    Attributes:
        norms: radii of the spheres.
        pairs: pairs in an ensemble.
        dimension: of the embeddings.
        learning_rate: the optimizer's, on the mean loss.
        tolerance: on the mean cosine.
        starts: independent starts for the closed form and the recursion.
        sgd_starts: how many of them SGD is run from.
        seed: of the starts.
    """

    norms: tuple[float, ...] = tuple(float(r) for r in _PAPER["norm"])
    pairs: int = _PAPER["pairs"]
    dimension: int = _PAPER["dimension"]
    learning_rate: float = _PAPER["learning_rate"]
    tolerance: float = 1e-3
    starts: int = 20
    sgd_starts: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 3  # of the full run, about, on two cores
SMOKE = Settings(norms=(0.5, 1.0, 2.0), pairs=50, learning_rate=1.0, starts=3, sgd_starts=1)


def run(settings: Settings) -> xr.Dataset:
    """Count the steps at every norm.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``norm``, ``start`` and ``sgd_start`` with step counts ``closed_form``,
        ``recursion`` and ``sgd``, ``random_pairs`` (the closed form that needs no start) and
        ``published`` (NaN where the paper has none).
    """
    rng = np.random.default_rng(settings.seed)
    draws = settings.starts * settings.pairs
    z = sphere.uniform(rng, draws, settings.dimension)
    y = sphere.uniform(rng, draws, settings.dimension)
    angle = nt.angle(z, y).reshape(settings.starts, 1, settings.pairs)
    norms = np.array(settings.norms)
    rate = nt.pair_rate(settings.learning_rate, settings.pairs, "mean")
    with (
        warnings.catch_warnings()
    ):  # norms below 0.5 are beyond the flow; the figure shows how far it goes
        warnings.simplefilter("ignore", nt.FlowApproximationWarning)
        closed_form = nt.steps_to_converge(
            angle,
            norms[:, None],
            norms[:, None],
            rate,
            tolerance=settings.tolerance,
            ensemble_axis=-1,
        )
    recursion = nt.simulate_pairs(
        angle, norms[:, None], norms[:, None], rate, tolerance=settings.tolerance
    )
    shape = (settings.starts, settings.pairs, settings.dimension)
    sgd = [
        steps_of_sgd(
            norms[:, None, None] * z.reshape(shape)[i],
            norms[:, None, None] * y.reshape(shape)[i],
            settings.learning_rate,
            tolerance=settings.tolerance,
        )
        for i in range(settings.sgd_starts)
    ]
    known = dict(zip(_PAPER["norm"], _PAPER["steps"], strict=True)) if _is_paper(settings) else {}
    steps = {"units": "steps"}
    return xr.Dataset(
        {
            "closed_form": (("start", "norm"), closed_form, steps),
            "recursion": (("start", "norm"), recursion.steps, steps),
            "sgd": (("sgd_start", "norm"), np.array(sgd), steps),
            "random_pairs": (
                "norm",
                nt.random_pair_steps(settings.dimension, norms, rate, tolerance=settings.tolerance),
                steps,
            ),
            "published": ("norm", [float(known.get(r, np.nan)) for r in settings.norms], steps),
        },
        coords={"norm": ("norm", norms, {"units": "1", "long_name": "embedding norm"})},
        attrs={"pair_rate": rate},
    )


def _is_paper(settings: Settings) -> bool:
    names = ("pairs", "dimension", "learning_rate")
    return all(getattr(settings, n) == _PAPER[n] for n in names) and settings.tolerance == 1e-3
