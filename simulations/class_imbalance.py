"""Rare classes get small norms: a small encoder trained on classes of frequencies 1 : 2 : 4 : 8.

The paper's simulation with its settings. Batches hold ``batch`` points: half of them are drawn at
random, the other half are their partners, another point of the same class. The loss is NT-Xent over
all of them. Norms are those of points that the encoder was not trained on.

In one network the norm of a class depends as much on where the class happens to lie as on its
frequency. So every run is repeated with the frequencies handed out to the classes in every order;
the mean over these assignments differs between frequencies by frequency alone. Controls: the
networks before training (epoch 0), and classes of equal size.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from simulations._published import published
from simulations._settings import check_positive
from simulations.encoders.data import LatentClasses, SameClassPairs
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import NewLearner
from simulations.encoders.training import Run, embed, start, train
from simulations.encoders.worlds import LatentSettings

DTYPE = "float32"


@dataclass(frozen=True)
class Settings(LatentSettings):
    """Settings, by default the paper's, beside those of :class:`LatentSettings`.

    Attributes:
        frequencies: of the classes, relative.
        epochs: of points / batch steps, rounded down.
        records: looks after the start.
        learning_rate: of SGD on the mean loss.
    """

    frequencies: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    points: int = 2000
    noise: float = 1.0
    epochs: int = 50
    records: int = 25
    learning_rate: float = 0.01
    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, and epochs that looks don't divide."""
        check_positive(self)
        if self.epochs % self.records:
            raise ValueError(
                f"records: expected a divisor of the {self.epochs} epochs, got {self.records}"
            )

    @property
    def steps(self) -> int:
        """Of training."""
        return self.epochs * max(self.points // self.batch, 1)

    @property
    def learner(self) -> NewLearner:
        """How a network is made."""
        return NewLearner(Mlp((self.data_dimension, self.hidden, self.dimension)))


SMOKE = Settings(
    frequencies=(1.0, 8.0),
    points=200,
    batch=32,
    epochs=20,
    records=2,
    hidden=16,
    learning_rate=0.05,
    runs=2,
)


def orders(classes: int) -> list[tuple[int, ...]]:
    """Ways to hand out frequencies to classes: all up to four classes, cyclic shifts above."""
    if classes <= 4:
        return list(itertools.permutations(range(classes)))
    return [tuple((i + shift) % classes for i in range(classes)) for shift in range(classes)]


def _norms(settings: Settings, kinds: list[LatentClasses]) -> tuple[np.ndarray, np.ndarray]:
    """Steps at the looks, and mean norms of held-out points, (kinds, runs, looks, classes)."""
    samples = [kind(settings.seed, settings.runs) for kind in kinds]
    points, held_out = (
        jax.tree.map(lambda *a: jnp.concatenate(a), *s) for s in zip(*samples, strict=True)
    )
    labels = np.asarray(held_out.labels)[:, None]
    is_class = labels == np.arange(len(settings.frequencies))[None, :, None]
    share = is_class / is_class.sum(axis=-1, keepdims=True)

    def look(run: Run) -> np.ndarray:
        norm = np.linalg.norm(embed(run.learner, held_out.x, shared=False), axis=-1)
        return np.einsum("rcn,rn->rc", share, norm)

    seeds = [(settings.seed, r) for r in range(settings.runs)]
    runs = start(
        settings.recipe(),
        settings.learner,
        seeds * len(kinds),  # the same networks for every kind
        settings.learning_rate,
    )
    _, step, seen, _ = train(
        runs,
        points,
        SameClassPairs(settings.batch // 2),
        settings.recipe(),
        steps=settings.steps,
        records=settings.records,
        look=look,
        shared=False,
        name="class_imbalance",
    )
    norm = np.stack(seen, axis=1)
    return step, norm.reshape(len(kinds), settings.runs, *norm.shape[1:])


def run(settings: Settings) -> xr.Dataset:
    """Follow the mean norm of every class.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``assignment``, ``run``, ``epoch`` and ``frequency`` of the mean ``norm`` of
        held-out points; over ``run``, ``epoch`` and ``frequency`` of ``balanced``, that of the
        class which comes first with that frequency, where all classes are equally frequent; over
        ``frequency`` of the ``published`` norm at epoch 50, where there is one.
    """
    given = orders(len(settings.frequencies))
    kinds = [settings.worlds(tuple(settings.frequencies[i] for i in order)) for order in given]
    step, by_class = _norms(settings, kinds)
    norm = np.stack([a[..., np.argsort(order)] for order, a in zip(given, by_class, strict=True)])
    even = settings.worlds((1.0,) * len(settings.frequencies))
    _, (balanced,) = _norms(settings, [even])
    frequency = np.array(settings.frequencies)
    paper = published("class_imbalance")
    read_off = dict(
        zip(
            sorted(paper["class_weights"], reverse=True),
            paper["mean_norm_at_epoch_50_read_off_the_plot"].values(),
            strict=True,
        )
    )
    across = ("run", "epoch", "frequency")
    unit = {"units": "1"}
    return xr.Dataset(
        {
            "norm": (("assignment", *across), norm, unit),
            "balanced": (across, balanced, unit),
            "published": ("frequency", [read_off.get(f, np.nan) for f in frequency], unit),
        },
        coords={
            "assignment": np.arange(len(norm)),
            "run": np.arange(settings.runs),
            "epoch": ("epoch", step * settings.epochs / settings.steps, {"units": "epochs"}),
            "frequency": ("frequency", frequency, {"units": "1", "long_name": "class frequency"}),
        },
    )


def ordered(norm: xr.DataArray) -> xr.DataArray:
    """Whether norms increase with the frequency of the class."""
    return (norm.sortby("frequency").diff("frequency") > 0).all("frequency")
