"""Weight decay in an encoder: norms and accuracy while training, for several decays.

For free embeddings decay shrinks norms until their growth balances it, and small norms turn fast.
In an encoder it acts on the weights. Followed here: the norms of held-out embeddings, and of the
weights, whose equilibrium does obey the law in a bias-free network, and the accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from simulations._settings import check_positive
from simulations.encoders.data import SameClassPairs, repeated
from simulations.encoders.measures import networks_are_right
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import NewLearner
from simulations.encoders.training import Run, embed, start, train
from simulations.encoders.worlds import LatentSettings

DTYPE = "float32"


@dataclass(frozen=True)
class Settings(LatentSettings):
    """Settings, beside those of :class:`LatentSettings`.

    Attributes:
        decays: λ beside 0.
        classes: equally frequent.
        steps: of SGD.
        records: looks after the start.
        learning_rate: of SGD on the mean loss.
        neighbours: that vote.
    """

    decays: tuple[float, ...] = (0.01, 0.03, 0.1)
    classes: int = 20
    steps: int = 3000
    records: int = 15
    learning_rate: float = 0.003
    neighbours: int = 10

    def __post_init__(self) -> None:
        """Refuse settings that are not positive."""
        check_positive(self)


SECONDS = 14  # of the full run, about, on two cores
# Twice the rate, so that half of the steps reach almost as far; fewer points, runs and looks.
QUICK = Settings(points=500, steps=1200, records=6, learning_rate=0.006, runs=3)
QUICK_SECONDS = 5  # of that run, likewise
SMOKE = Settings(
    decays=(1.0,),
    classes=4,
    points=100,
    data_dimension=16,
    hidden=16,
    dimension=4,
    batch=16,
    steps=40,
    records=2,
    learning_rate=0.01,
    runs=2,
)


def run(settings: Settings) -> xr.Dataset:
    """Train with every decay.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``decay``, ``run`` and ``step`` of the mean ``norm`` of held-out embeddings,
        the Frobenius norm ``weight_norm`` of all weights together, and the held-out ``accuracy`` of
        a nearest-neighbour vote.
    """
    decays = np.array([0.0, *settings.decays])
    many, runs = len(decays), settings.runs
    worlds = settings.worlds((1.0,) * settings.classes)
    points, held_out = (repeated(part, many) for part in worlds(settings.seed, runs))
    sizes = (settings.data_dimension, settings.hidden, settings.hidden, settings.dimension)

    def look(state: Run) -> list[np.ndarray]:
        z, known = (np.asarray(embed(state.learner, p.x, shared=False)) for p in (held_out, points))
        right = networks_are_right(z, held_out.labels, known, points.labels, settings.neighbours)
        weights = sum(
            np.sum(np.asarray(layer.weight) ** 2, axis=(1, 2))
            for layer in state.learner.encoder.layers
        )
        return [np.linalg.norm(z, axis=-1).mean(axis=1), np.sqrt(weights), right.mean(axis=1)]

    state = start(
        settings.recipe(),
        NewLearner(Mlp(sizes, biases=False)),
        [(settings.seed, r) for r in range(runs)] * many,
        settings.learning_rate,
        np.repeat(decays, runs),
    )
    _, step, seen, _ = train(
        state,
        points,
        SameClassPairs(settings.batch // 2),
        settings.recipe(),
        steps=settings.steps,
        records=settings.records,
        look=look,
        shared=False,
        name="weight_decay_training",
    )
    norm, weight_norm, accuracy = np.array(seen).transpose(1, 2, 0).reshape(3, many, runs, -1)
    across, unit = ("decay", "run", "step"), {"units": "1"}
    return xr.Dataset(
        {
            "norm": (across, norm, unit),
            "weight_norm": (across, weight_norm, unit),
            "accuracy": (across, accuracy, unit),
        },
        coords={
            "decay": ("decay", decays, unit),
            "run": np.arange(runs),
            "step": ("step", step, {"units": "steps"}),
        },
    )
