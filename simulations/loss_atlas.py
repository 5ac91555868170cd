"""The loss atlas: gradient norm against embedding norm, for every loss of the library.

Two questions, on clouds drawn by each loss's own example. *Common*: every row of every cloud gets
the same norm, and the gradient of a whole cloud is measured. *Own*: one row gets the norm, all
others keep norm 1, and the gradient of that row is measured. A loss of directions answers both with
slope -1 at every norm; losses that normalise over the batch pass the first only. ``LOSSES`` are
measured by their closed forms, ``DISOBEDIENT`` by automatic differentiation. Claim
:mod:`normtheory.claims.inverse_norm_gradient`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import numpy as np
import xarray as xr

from normtheory.losses import DISOBEDIENT, LOSSES
from simulations._settings import check_positive

VIEWS = ("common", "own")
FAR_BELOW = 1e-2
"""Where one row's own norm is far below 1, the norm of the others."""
OBEYS = 0.01
"""How far a local slope may be from -1 in a loss that obeys."""


@dataclass(frozen=True)
class Settings:
    """Settings of the experiment.

    Attributes:
        lowest: embedding norm, below 1.
        highest: embedding norm, above 1.
        per_decade: norms in a decade.
        points: rows of a cloud; more than ``dimension``, or nothing could be whitened.
        dimension: of the embeddings.
        seed: of the clouds.
    """

    lowest: float = 1e-12
    highest: float = 1e4
    per_decade: int = 8
    points: int = 24
    dimension: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, norms without 1, clouds that can't be whitened."""
        check_positive(self)
        if not self.lowest < 1 < self.highest:
            raise ValueError(
                f"lowest, highest: expected lowest < 1 < highest, got {self.lowest}, {self.highest}"
            )
        if self.points <= self.dimension:
            raise ValueError(
                f"points: expected more than dimension = {self.dimension}, got {self.points}"
            )


SECONDS = 3  # of the full run, about, on two cores
SMOKE = Settings(per_decade=1, points=12)


def run(settings: Settings) -> xr.Dataset:
    """Measure every loss at every norm, both ways.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``loss``, ``view`` (common, own) and ``norm``: ``gradient``, the length of the
        gradient of the first trained cloud, or of the row of it that has the largest at norm 1, in
        units of that at norm 1. Over ``loss`` and ``view``: ``slope`` of a straight line through
        its logarithm, and the ``predicted`` one, from ``fit_low`` to ``fit_high``: all norms for a
        loss of directions, else the norms for which its law is stated. Over ``loss``: whether it is
        one ``of_directions``, and whether, by both views and at every norm, it ``obeys`` (1 or 0).
    """
    norms = grid(settings)
    names = (*LOSSES, *DISOBEDIENT)
    found = np.stack([_measure(name, norms, settings) for name in names])
    predicted = [(-1.0, -1.0)] * len(LOSSES)
    predicted += [(r.exponent, r.own_exponent) for r in DISOBEDIENT.values()]
    ends = np.array([[_fit_range(name, view, norms) for view in VIEWS] for name in names])
    slopes = [
        [_slope(norms, *one) for one in zip(*views, strict=True)]
        for views in zip(found, ends, strict=True)
    ]
    number = {"units": "1"}
    by_view = ("loss", "view")
    return xr.Dataset(
        {
            "gradient": (("loss", "view", "norm"), found, number),
            "slope": (by_view, slopes, number),
            "predicted": (by_view, predicted, number),
            "fit_low": (by_view, ends[..., 0], number),
            "fit_high": (by_view, ends[..., 1], number),
            "of_directions": ("loss", [int(name in LOSSES) for name in names], number),
            "obeys": ("loss", _obeys(norms, found).astype(int), number),
        },
        coords={
            "loss": ("loss", list(names)),
            "view": ("view", list(VIEWS)),
            "norm": ("norm", norms, {"units": "1", "long_name": "embedding norm"}),
        },
    )


def grid(settings: Settings) -> np.ndarray:
    """Norms, 1 among them, evenly spaced on a logarithmic scale."""
    low, high = (settings.per_decade * math.log10(x) for x in (settings.lowest, settings.highest))
    # An end that is a power of ten is meant, though its logarithm is rounded.
    steps = np.arange(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    return 10.0 ** (steps / settings.per_decade)


def _measure(name: str, norms: np.ndarray, settings: Settings) -> np.ndarray:
    """Gradient lengths, shape (view, norm), in units of those at norm 1."""
    rng = np.random.default_rng(settings.seed)
    if name in LOSSES:
        clouds, options = LOSSES[name].example(rng, settings.points, settings.dimension)
    else:
        clouds, options = DISOBEDIENT[name].example(rng, settings.points, settings.dimension), {}
    directions = tuple(z / np.linalg.norm(z, axis=1, keepdims=True) for z in clouds)
    first = LOSSES[name].trained[0] if name in LOSSES else 0
    with jax.enable_x64(True):
        # Closed forms in numpy: compiling one takes longer than all that it is asked for here.
        automatic = None if name in LOSSES else jax.jit(jax.grad(DISOBEDIENT[name].value))

        def gradient(moved: tuple[np.ndarray, ...]) -> np.ndarray:
            if automatic is not None:
                return np.asarray(automatic(*moved))
            return np.asarray(LOSSES[name].gradient(*moved, **options)[0])

        unit = gradient(directions)
        row = int(np.argmax(np.linalg.norm(unit, axis=1)))
        common = [np.linalg.norm(gradient(tuple(r * z for z in directions))) for r in norms]
        own = []
        for norm in norms:
            moved = [z.copy() for z in directions]
            moved[first][row] *= norm
            own.append(np.linalg.norm(gradient(tuple(moved))[row]))
    units = np.array([[np.linalg.norm(unit)], [np.linalg.norm(unit[row])]])
    return np.array([common, own]) / units


def _fit_range(name: str, view: str, norms: np.ndarray) -> tuple[float, float]:
    """The norms over which the law of a loss is stated: all for a loss of directions."""
    if name in LOSSES:
        return float(norms[0]), float(norms[-1])
    low, high = DISOBEDIENT[name].norms
    if view == "own" and high > FAR_BELOW:
        low, high = FAR_BELOW**2, FAR_BELOW
    return low, high


def _slope(norms: np.ndarray, lengths: np.ndarray, ends: np.ndarray) -> float:
    """Least-squares slope of the logarithms within a range, ends included."""
    inside = (norms > 0.99 * ends[0]) & (norms < 1.01 * ends[1])
    return float(np.polyfit(np.log(norms[inside]), np.log(lengths[inside]), 1)[0])


def _obeys(norms: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Whether every local slope, by both views, is -1; lengths (loss, view, norm)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a gradient of 0 has no slope
        local = np.diff(np.log(lengths)) / np.diff(np.log(norms))
    return np.asarray((np.abs(local + 1) <= OBEYS).all(axis=(1, 2)))
