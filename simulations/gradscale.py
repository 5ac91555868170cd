"""GradScale: the steps to converge grow as ρ², ρ or not at all for the powers p = 0, 1, 2.

The experiment of the embedding-norm effect with gradients multiplied by ‖z‖^p: closed form, exact
recursion, and SGD in d dimensions by automatic differentiation through
:func:`normtheory.grad_scale`. One learning rate serves all powers, so that they agree at norm 1.
Claim :mod:`normtheory.claims.gradscale`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

import normtheory as nt
from normtheory import sphere
from simulations._settings import check_positive
from simulations._sgd import steps_of_sgd

POWERS = (0.0, 1.0, 2.0)


@dataclass(frozen=True)
class Settings:
    """Settings of the experiment.

    Attributes:
        norms: of the embeddings.
        pairs: pairs in an ensemble.
        dimension: of the embeddings.
        learning_rate: γ, the rate one pair sees at norm 1.
        tolerance: on the mean cosine.
        seed: of the starts, one for each norm.
    """

    norms: tuple[float, ...] = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
    pairs: int = 200
    dimension: int = 20
    learning_rate: float = 0.01
    tolerance: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 4  # of the full run, about, on two cores
SMOKE = Settings(norms=(0.5, 1.0, 2.0), pairs=50, learning_rate=0.02)


def run(settings: Settings) -> xr.Dataset:
    """Count the steps at every norm and power.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``power`` and ``norm`` with step counts ``closed_form``, ``recursion`` and
        ``sgd``, and over ``power`` the fitted exponent of each in the norm with its standard error.
    """
    rng = np.random.default_rng(settings.seed)
    norms = np.array(settings.norms)
    # A start of its own at every norm: the scatter about a fitted slope is then that of the starts.
    shape = (len(norms), settings.pairs, settings.dimension)
    z, y = (sphere.uniform(rng, shape[0] * shape[1], shape[2]).reshape(shape) for _ in "zy")
    angle, radius, rate = nt.angle(z, y), norms[:, None], settings.learning_rate
    tolerance = settings.tolerance
    counts: dict[str, list[np.ndarray]] = {"closed_form": [], "recursion": [], "sgd": []}
    for power in POWERS:
        with warnings.catch_warnings():  # a large rate is the user's choice; the recursion is exact
            warnings.simplefilter("ignore", nt.FlowApproximationWarning)
            predicted = nt.steps_to_converge(
                angle,
                radius,
                radius,
                rate,
                tolerance=tolerance,
                ensemble_axis=-1,
                gradscale=power,
            )
        counts["closed_form"].append(predicted)
        exact = nt.simulate_pairs(angle, radius, radius, rate, tolerance=tolerance, gradscale=power)
        counts["recursion"].append(exact.steps)
        counts["sgd"].append(
            steps_of_sgd(
                radius[..., None] * z,
                radius[..., None] * y,
                rate * settings.pairs,  # the optimizer's, on a mean
                tolerance=tolerance,
                gradscale=power,
            )
        )
    variables: dict[str, tuple] = {}
    for name, steps in counts.items():
        variables[name] = (("power", "norm"), np.array(steps), {"units": "steps"})
        fits = np.array([_exponent(norms, k) for k in steps])
        variables[f"{name}_exponent"] = ("power", fits[:, 0], {"units": "1"})
        variables[f"{name}_exponent_error"] = ("power", fits[:, 1], {"units": "1"})
    return xr.Dataset(
        variables,
        coords={
            "power": ("power", np.array(POWERS), {"units": "1", "long_name": "GradScale power p"}),
            "norm": ("norm", norms, {"units": "1", "long_name": "embedding norm"}),
        },
    )


def _exponent(norms: np.ndarray, steps: np.ndarray) -> tuple[float, float]:
    """Slope of log steps in log norm by least squares, and its standard error."""
    if len(norms) < 3:
        return np.nan, np.nan
    x, y = np.log(norms), np.log(steps)
    (slope, offset), spread = np.polyfit(x, y, 1), x - x.mean()
    variance = ((y - slope * x - offset) ** 2).sum() / (len(x) - 2)
    return float(slope), float(np.sqrt(variance / (spread**2).sum()))
