"""Embeddings in dense regions have larger norms: norm against distance to the 10th neighbour.

Four equally frequent classes and the encoder and training of :mod:`simulations.class_imbalance`.
The distance is between directions, on the unit sphere. The paper's plot is drawn for data that the
plotted model was not trained on; here once for the training points and once for held-out ones, and
as a control for the network before training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from simulations._settings import check_positive
from simulations.encoders.data import SameClassPairs
from simulations.encoders.measures import neighbour_distance, spearman
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import NewLearner
from simulations.encoders.training import Run, embed, start, train
from simulations.encoders.worlds import LatentSettings

DTYPE = "float32"
SAMPLES = ("trained on", "held out")


@dataclass(frozen=True)
class Settings(LatentSettings):
    """Settings, by default the paper's, beside those of :class:`LatentSettings`.

    Attributes:
        classes: equally frequent.
        steps: of SGD.
        learning_rate: of SGD on the mean loss.
        neighbour: which one.
    """

    classes: int = 4
    points: int = 2000
    noise: float = 0.1
    steps: int = 1500
    learning_rate: float = 0.01
    temperature: float = 1.0
    neighbour: int = 10

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, and points without so many neighbours."""
        check_positive(self)
        if self.neighbour >= self.points:
            raise ValueError(
                f"neighbour: expected less than the {self.points} points, got {self.neighbour}"
            )


SMOKE = Settings(
    points=120, hidden=16, data_dimension=16, batch=32, steps=60, learning_rate=0.05, runs=2
)


def run(settings: Settings) -> xr.Dataset:
    """Train, and compare norms with distances.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``stage`` (before and after training), ``sample``, ``run`` and ``point`` of
        ``norm`` and ``distance``, with the ``label`` of a point; without ``point``, and over
        ``part`` (value, low, high), the rank correlation ``spearman`` of the two, and
        ``within_classes``, that of norm and distance each less its class's mean rank.
    """
    worlds = settings.worlds((1.0,) * settings.classes)
    samples = worlds(settings.seed, settings.runs)
    runs = start(
        settings.recipe(),
        NewLearner(Mlp((settings.data_dimension, settings.hidden, settings.dimension))),
        [(settings.seed, r) for r in range(settings.runs)],
        settings.learning_rate,
    )

    def look(state: Run) -> list[np.ndarray]:
        return [np.asarray(embed(state.learner, s.x, shared=False)) for s in samples]

    *_, seen, _ = train(
        runs,
        samples[0],
        SameClassPairs(settings.batch // 2),
        settings.recipe(),
        steps=settings.steps,
        records=1,
        look=look,
        shared=False,
        name="density",
    )
    z = np.array(seen)  # stage, sample, run, point, component
    norm = np.linalg.norm(z, axis=-1)
    distance = np.zeros_like(norm)
    for index in np.ndindex(*norm.shape[:3]):
        distance[index] = neighbour_distance(z[index], settings.neighbour)
    label = np.asarray(samples[0].labels)[0]
    rng = np.random.default_rng(settings.seed)
    overall, within = (np.zeros((*norm.shape[:3], 3)) for _ in range(2))
    for index in np.ndindex(*norm.shape[:3]):
        overall[index] = spearman(norm[index], distance[index], rng)
        x, y = (_less_class_mean(a[index], label) for a in (norm, distance))
        within[index] = spearman(x, y, rng)
    across, unit = ("stage", "sample", "run"), {"units": "1"}
    return xr.Dataset(
        {
            "norm": ((*across, "point"), norm, unit),
            "distance": ((*across, "point"), distance, unit),
            "label": ("point", label, unit),
            "spearman": ((*across, "part"), overall, unit),
            "within_classes": ((*across, "part"), within, unit),
        },
        coords={
            "stage": ["new", "trained"],
            "sample": list(SAMPLES),
            "run": np.arange(settings.runs),
            "part": ["value", "low", "high"],
        },
    )


def _less_class_mean(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Ranks less the mean rank of the class: what is left is variation within classes."""
    rank = values.argsort().argsort().astype(float)
    for k in np.unique(label):
        rank[label == k] -= rank[label == k].mean()
    return rank
