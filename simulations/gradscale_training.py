"""GradScale in an encoder, with the learning rate tuned for each power.

Classes of two frequencies are learnt with NT-Xent, the gradient of every embedding multiplied by
its norm to the power p. With p = 1 all of them grow by the typical norm, so a comparison at one
rate would compare rates. Each power is trained at many rates; the rate is chosen on one half of the
held-out points, and accuracy, for all classes and for the rare ones, reported on the other half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from simulations._settings import check_positive
from simulations.encoders.data import Points, SameClassPairs, repeated
from simulations.encoders.measures import networks_are_right
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import NewLearner
from simulations.encoders.training import Run, embed, start, train
from simulations.encoders.worlds import LatentSettings

DTYPE = "float32"
POWERS = (0.0, 1.0)


@dataclass(frozen=True)
class Settings(LatentSettings):
    """Settings, beside those of :class:`LatentSettings`.

    Attributes:
        classes: of every frequency.
        frequencies: of the rare and of the frequent classes, relative.
        steps: of SGD.
        records: looks after the start.
        rates: learning rates.
        neighbours: that vote.
    """

    classes: int = 10
    frequencies: tuple[float, float] = (1.0, 8.0)
    steps: int = 600
    records: int = 6
    rates: tuple[float, ...] = tuple(1e-5 * 3.0**k for k in range(9))
    neighbours: int = 5

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 19  # of the full run, about, on two cores
# Rates farther apart, and fewer points, steps, runs and looks.
QUICK = Settings(
    points=800, steps=300, records=2, rates=tuple(1e-4 * 4.0**k for k in range(6)), runs=3
)
QUICK_SECONDS = 7  # of that run, likewise
SMOKE = Settings(
    classes=2,
    points=100,
    data_dimension=16,
    hidden=16,
    dimension=4,
    batch=16,
    steps=20,
    records=2,
    rates=(1e-3, 1e-2),
    runs=2,
)


def _one_power(settings: Settings, power: float, data: tuple[Points, Points]) -> list[np.ndarray]:
    """Whether held-out points are right at every look, (looks, rates, runs, points)."""
    rates, runs = len(settings.rates), settings.runs
    points, held_out = (repeated(part, rates) for part in data)
    sizes = (settings.data_dimension, settings.hidden, settings.hidden, settings.dimension)

    def look(state: Run) -> np.ndarray:
        z, known = (np.asarray(embed(state.learner, p.x, shared=False)) for p in (held_out, points))
        right = networks_are_right(z, held_out.labels, known, points.labels, settings.neighbours)
        return right.reshape(rates, runs, -1)

    state = start(
        settings.recipe(power),
        NewLearner(Mlp(sizes)),
        [(settings.seed, r) for r in range(runs)] * rates,
        np.repeat(settings.rates, runs),
    )
    *_, seen, _ = train(
        state,
        points,
        SameClassPairs(settings.batch // 2),
        settings.recipe(power),
        steps=settings.steps,
        records=settings.records,
        look=look,
        shared=False,
        name=f"gradscale_training, p = {power:g}",
    )
    return seen


def run(settings: Settings) -> xr.Dataset:
    """Train every power at every rate.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``power``, ``rate``, ``run`` and ``step`` of the held-out accuracy of a
        nearest-neighbour vote: ``chosen_on`` one half of the points, and on the other half
        ``accuracy``, and ``rare``, the mean over the rare classes.
    """
    frequencies = np.repeat(settings.frequencies, settings.classes)
    worlds = settings.worlds(tuple(frequencies.tolist()))
    data = worlds(settings.seed, settings.runs)
    # power, step, rate, run, point -> power, rate, run, step, point
    right = np.moveaxis(np.array([_one_power(settings, p, data) for p in POWERS]), 1, 3)
    labels = np.asarray(data[1].labels)[0]
    judged, is_class = right[..., 1::2], labels[1::2] == np.arange(len(frequencies))[:, None]
    by_class = (judged[..., None, :] & is_class).sum(axis=-1) / is_class.sum(axis=-1)
    across, unit = ("power", "rate", "run", "step"), {"units": "1"}
    step = np.linspace(0, settings.steps, settings.records + 1).astype(int)
    return xr.Dataset(
        {
            "chosen_on": (across, right[..., ::2].mean(axis=-1), unit),
            "accuracy": (across, judged.mean(axis=-1), unit),
            "rare": (across, by_class[..., frequencies == frequencies.min()].mean(-1), unit),
        },
        coords={
            "power": ("power", list(POWERS), unit),
            "rate": ("rate", list(settings.rates), unit),
            "run": np.arange(settings.runs),
            "step": ("step", step, {"units": "steps"}),
        },
    )


def best_rate(result: xr.Dataset) -> xr.DataArray:
    """The best rate for every power at the end, on the points to choose on."""
    return result.chosen_on.isel(step=-1).mean("run").idxmax("rate")


def gained(result: xr.Dataset) -> xr.Dataset:
    """What p = 1 gains on p = 0 run by run at the end, each at its own rate."""
    end = result[["accuracy", "rare"]].isel(step=-1).sel(rate=best_rate(result))
    return (end.sel(power=1.0) - end.sel(power=0.0)).drop_vars("rate", errors="ignore")
