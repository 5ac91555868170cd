"""Embeddings in dense regions have larger norms: norm against distance to the 10th neighbour.

Encoder, batches and loss are those of :mod:`simulations.class_imbalance`, as published. The paper's
plot is of a network that was trained on the imbalanced world of that simulation, and shows it a new
world of four equal, narrower classes behind another map. Beside it here a network that was trained
on such a world, shown the points that it was trained on and others of the same world, and as a
control the same networks before training. The distance is between directions, on the unit sphere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from normtheory._ranks import rank_correlation
from simulations._settings import check_positive
from simulations.encoders.data import Points
from simulations.encoders.measures import neighbour_distance
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import NewLearner
from simulations.encoders.same_class import Batches, SameClass
from simulations.encoders.training import Recipe, Run, embed, start, train
from simulations.encoders.worlds import LatentSettings

DTYPE = "float32"
PUBLISHED = "another world"
SAMPLES = (PUBLISHED, "trained on", "held out")


@dataclass(frozen=True)
class Settings(LatentSettings):
    """Settings, by default the paper's, beside those of :class:`LatentSettings`.

    Attributes:
        classes: equally frequent, in the worlds that are shown.
        noise: of these.
        frequencies: of the classes in the imbalanced world.
        imbalanced_noise: of that one.
        epochs: of training, each points / batch steps, rounded up.
        learning_rate: of SGD on the mean loss.
        neighbour: which one.
        runs: independent worlds and networks.
    """

    classes: int = 4
    points: int = 2000
    noise: float = 0.1
    frequencies: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    imbalanced_noise: float = 1.0
    epochs: int = 100
    learning_rate: float = 0.01
    temperature: float = 1.0
    neighbour: int = 10
    runs: int = 20

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, and points without so many neighbours."""
        check_positive(self)
        if self.neighbour >= self.points:
            raise ValueError(
                f"neighbour: expected less than the {self.points} points, got {self.neighbour}"
            )

    def equal_world(self, seed: int) -> tuple[Points, Points]:
        """Samples of the worlds with equal classes, to train on and to hold out."""
        return self.worlds((1.0,) * self.classes)(seed, self.runs)

    def imbalanced_world(self, seed: int) -> tuple[Points, Points]:
        """Samples of the worlds with classes of other frequencies."""
        worlds = replace(self.worlds(self.frequencies), noise=self.imbalanced_noise, drawn=True)
        return worlds(seed, self.runs)


SECONDS = 15  # of the full run, about, on two cores
# Six networks rather than twenty: intervals are two to three times as wide.
QUICK = Settings(runs=6)
QUICK_SECONDS = 5
SMOKE = Settings(
    points=120, hidden=16, data_dimension=16, batch=32, epochs=15, learning_rate=0.05, runs=3
)


def run(settings: Settings) -> xr.Dataset:
    """Train, and compare norms with distances.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``stage`` (new and trained), ``sample``, ``run`` and ``point`` of ``norm`` and
        ``distance``, with the ``label`` of a point; without ``point`` Spearman's rank correlation
        of the two, ``overall``, and ``within_classes``, that of norm and distance each less its
        class's mean rank.
    """
    # Two worlds that have nothing in common: one to train on, one to be shown.
    equal = settings.equal_world(settings.seed)
    z_equal = _embeddings(settings, equal[0], equal)
    imbalanced, _ = settings.imbalanced_world(settings.seed + 1)
    z_other = _embeddings(settings, imbalanced, equal[1:])
    z = np.concatenate([z_other, z_equal], axis=1)  # stage, sample, run, point, component
    norm = np.linalg.norm(z, axis=-1)
    label = np.asarray(equal[0].labels)[0]
    distance = np.zeros_like(norm)
    overall, within = np.zeros(norm.shape[:3]), np.zeros(norm.shape[:3])
    for index in np.ndindex(*norm.shape[:3]):
        distance[index] = neighbour_distance(z[index], settings.neighbour)
        overall[index] = rank_correlation(norm[index], distance[index])
        x, y = (_less_class_mean(a[index], label) for a in (norm, distance))
        within[index] = rank_correlation(x, y)
    across, unit = ("stage", "sample", "run"), {"units": "1"}
    return xr.Dataset(
        {
            "norm": ((*across, "point"), norm, unit),
            "distance": ((*across, "point"), distance, unit),
            "label": ("point", label, unit),
            "overall": (across, overall, unit),
            "within_classes": (across, within, unit),
        },
        coords={
            "stage": ["new", "trained"],
            "sample": list(SAMPLES),
            "run": np.arange(settings.runs),
        },
    )


def _embeddings(settings: Settings, points: Points, shown: tuple[Points, ...]) -> np.ndarray:
    """Embeddings before and after training: (stages, samples shown, runs, points, d)."""
    batches = Batches(settings.batch)
    recipe = Recipe(SameClass(settings.temperature))
    runs = start(
        recipe,
        NewLearner(Mlp((settings.data_dimension, settings.hidden, settings.dimension))),
        [(settings.seed, r) for r in range(settings.runs)],
        settings.learning_rate,
    )

    def look(state: Run) -> list[np.ndarray]:
        return [np.asarray(embed(state.learner, s.x, shared=False)) for s in shown]

    *_, seen, _ = train(
        runs,
        points,
        batches,
        recipe,
        steps=settings.epochs * batches.per_epoch(settings.points),
        records=1,
        look=look,
        shared=False,
        name="density",
    )
    return np.array(seen)


def _less_class_mean(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Ranks less the mean rank of the class: what is left is variation within classes."""
    rank = values.argsort().argsort().astype(float)
    for k in np.unique(label):
        rank[label == k] -= rank[label == k].mean()
    return rank
