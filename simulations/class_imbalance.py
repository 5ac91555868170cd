"""Rare classes get small norms: a small encoder trained on classes of frequencies 1 : 2 : 4 : 8.

First the paper's simulation as its public code runs it: batches of a shuffled pass over the points,
one random positive of the same class for every point, the loss of
:mod:`simulations.encoders.same_class`, SGD, norms of the points trained on; 100 epochs, of which
its plot shows 50. Then the same with one thing changed: the loss, the drawing of batches, the
points that norms are taken of. Then controls that tell apart what "frequent" may mean: classes of
equally many points, classes drawn equally often, labels that mean nothing.

In one network the norm of a class depends as much on where the class happens to lie as on its
frequency. So every world is trained with the frequencies handed out to its classes in turn; the
mean over these assignments differs between frequencies by frequency alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from simulations._published import published
from simulations._settings import check_positive
from simulations.encoders.data import Points, SameClassPairs
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import NewLearner
from simulations.encoders.same_class import Batches, SameClass
from simulations.encoders.training import Recipe, Run, Sampler, embed, start, train
from simulations.encoders.worlds import LatentSettings

DTYPE = "float32"
SAMPLES = ("trained on", "held out")


class Variant(NamedTuple):
    """One way to run it.

    Attributes:
        name: what is different.
        loss: "inside" or "outside", where the sum over positives stands; or "nt_xent", of pairs.
        equal: classes have equally many points.
        drawn: None for a pass over the points; else how often classes are drawn, "equally" or
            "by frequency".
        shuffled: labels are handed out at random.
    """

    name: str
    loss: str = "inside"
    equal: bool = False
    drawn: str | None = None
    shuffled: bool = False


PUBLISHED = "as published"
VARIANTS = (
    Variant(PUBLISHED),
    Variant("sum outside the logarithm", loss="outside"),
    Variant("NT-Xent of 64 pairs", loss="nt_xent"),
    Variant("drawn with replacement", drawn="by frequency"),
    Variant("points by frequency, drawn equally", drawn="equally"),
    Variant("points equal, drawn by frequency", equal=True, drawn="by frequency"),
    Variant("labels shuffled", shuffled=True),
)


@dataclass(frozen=True)
class Settings(LatentSettings):
    """Settings, by default the paper's, beside those of :class:`LatentSettings`.

    Attributes:
        frequencies: of the classes, relative.
        epochs: of the published setting, each points / batch steps, rounded up.
        shown: epochs of all other variants, and where norms are compared.
        records: looks after the start until then.
        learning_rate: of SGD on the mean loss.
        runs: independent worlds and networks, each with every assignment of the frequencies.
    """

    frequencies: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    points: int = 2000
    noise: float = 1.0
    epochs: int = 100
    shown: int = 50
    records: int = 10
    learning_rate: float = 0.01
    temperature: float = 1.0
    runs: int = 20

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, and epochs that don't divide."""
        check_positive(self)
        if self.shown % self.records:
            raise ValueError(
                f"records: expected a divisor of the {self.shown} epochs shown, got {self.records}"
            )
        if self.epochs % self.shown:
            raise ValueError(
                f"epochs: expected a multiple of the {self.shown} epochs shown, got {self.epochs}"
            )

    @property
    def steps(self) -> int:
        """Of training, until the epochs that are shown."""
        return self.shown * self.batches.per_epoch(self.points)

    @property
    def batches(self) -> Batches:
        """A pass over the points."""
        return Batches(self.batch)

    @property
    def learner(self) -> NewLearner:
        """How a network is made."""
        return NewLearner(Mlp((self.data_dimension, self.hidden, self.dimension)))

    def sample(self, variant: Variant, order: tuple[int, ...]) -> tuple[Points, Points]:
        """Points of all worlds to train on and to hold out, the frequencies in that order."""
        frequencies = tuple(self.frequencies[i] for i in order)
        sizes = (1.0,) * len(order) if variant.equal else frequencies
        kind = replace(self.worlds(sizes), drawn=True, shuffled=variant.shuffled)
        points, held_out = kind(self.seed, self.runs)
        weight = np.full(len(order), 1.0) if variant.drawn == "equally" else frequencies
        weight = jnp.broadcast_to(jnp.asarray(weight, points.x.dtype), points.count.shape)
        return points._replace(weight=weight), held_out


SECONDS = 83  # of the full run, about, on two cores
# Four worlds rather than twenty: intervals are two to three times as wide, and hardly any mean of
# four networks has the spread of the paper's plot. Training ends at epoch 50, so that norms fall
# again after it is not to be seen.
QUICK = Settings(epochs=50, records=5, runs=4)
QUICK_SECONDS = 16
SMOKE = Settings(
    frequencies=(1.0, 8.0),
    points=200,
    batch=32,
    epochs=20,
    shown=20,
    records=2,
    hidden=16,
    learning_rate=0.05,
    runs=2,
)


def orders(classes: int) -> list[tuple[int, ...]]:
    """Ways to hand out frequencies to classes, in turn: every class has each of them once."""
    return [tuple((i + shift) % classes for i in range(classes)) for shift in range(classes)]


def _train(settings: Settings, variant: Variant, times: int) -> np.ndarray:
    """Mean norms for ``times`` the epochs shown: (samples, assignments, runs, looks, classes)."""
    given = orders(len(settings.frequencies))
    samples = [settings.sample(variant, order) for order in given]
    points, held_out = (
        jax.tree.map(lambda *a: jnp.concatenate(a), *s) for s in zip(*samples, strict=True)
    )
    sampler: Sampler = Batches(settings.batch, by_class=variant.drawn is not None)
    recipe = Recipe(SameClass(settings.temperature, variant.loss == "inside"))
    if variant.loss == "nt_xent":
        sampler, recipe = SameClassPairs(settings.batch // 2), settings.recipe()

    def look(run: Run) -> list[np.ndarray]:
        return [_class_norms(run, s, len(settings.frequencies)) for s in (points, held_out)]

    seeds = [(settings.seed, r) for r in range(settings.runs)]
    runs = start(
        recipe,
        settings.learner,
        seeds * len(given),  # the same networks for every assignment
        settings.learning_rate,
    )
    *_, seen, _ = train(
        runs,
        points,
        sampler,
        recipe,
        steps=times * settings.steps,
        records=times * settings.records,
        look=look,
        shared=False,
        name=f"class_imbalance, {variant.name}",
    )
    norm = np.moveaxis(np.array(seen), 0, 2)  # samples, assignments × runs, looks, classes
    norm = norm.reshape(len(SAMPLES), len(given), settings.runs, *norm.shape[2:])
    for a, order in enumerate(given):
        norm[:, a] = norm[:, a][..., np.argsort(order)]
    return norm


def _class_norms(run: Run, points: Points, classes: int) -> np.ndarray:
    """Mean norms of the embeddings of every class, shape (networks, classes)."""
    norm = np.linalg.norm(embed(run.learner, points.x, shared=False), axis=-1)
    is_class = np.asarray(points.labels)[:, None] == np.arange(classes)[None, :, None]
    return np.einsum("rcn,rn->rc", is_class / is_class.sum(axis=-1, keepdims=True), norm)


def run(settings: Settings) -> xr.Dataset:
    """Train all variants, and follow the mean norm of every class in the published one.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``variant``, ``sample`` (points trained on, and held out), ``assignment``,
        ``run`` and ``frequency`` of the mean ``norm`` after the epochs shown. Over ``epoch``
        instead of ``variant`` the ``course`` of the published one. Over ``frequency`` the
        ``published`` norm at epoch 50, where the settings are the paper's.
    """
    every = settings.shown // settings.records
    course = _train(settings, VARIANTS[0], settings.epochs // settings.shown)
    others = [_train(settings, v, 1)[..., -1, :] for v in VARIANTS[1:]]
    norm = np.stack([course[..., settings.records, :], *others])
    frequency = np.array(settings.frequencies)
    across, unit = ("sample", "assignment", "run"), {"units": "1"}
    return xr.Dataset(
        {
            "norm": (("variant", *across, "frequency"), norm, unit),
            "course": ((*across, "epoch", "frequency"), course, unit),
            "published": ("frequency", _published(settings), unit),
        },
        coords={
            "variant": [v.name for v in VARIANTS],
            "sample": list(SAMPLES),
            "assignment": np.arange(norm.shape[2]),
            "run": np.arange(settings.runs),
            "epoch": ("epoch", every * np.arange(course.shape[-2]), {"units": "epochs"}),
            "frequency": ("frequency", frequency, {"units": "1", "long_name": "class frequency"}),
        },
        attrs={"shown": settings.shown},
    )


def _published(settings: Settings) -> list[float]:
    """The paper's norm at every frequency, read off its plot; NaN for other settings than its."""
    paper, ours = published("class_imbalance"), asdict(Settings())
    free = ("epochs", "runs", "records", "seed")  # its plot is read off at the epochs shown
    if any(value != ours[name] for name, value in asdict(settings).items() if name not in free):
        return [np.nan] * len(settings.frequencies)
    # In the paper's plot by share, from the half to the sixteenth.
    norms = paper["mean_norm_at_epoch_50_read_off_the_plot"].values()
    by_weight = dict(zip(sorted(paper["class_weights"], reverse=True), norms, strict=True))
    return [by_weight[f] for f in settings.frequencies]


def ordered(norm: xr.DataArray) -> xr.DataArray:
    """Whether norms increase with the frequency of the class."""
    return (norm.sortby("frequency").diff("frequency") > 0).all("frequency")


def spread(norm: xr.DataArray) -> xr.DataArray:
    """Norm of the most frequent class less that of the rarest."""
    by_frequency = norm.sortby("frequency")
    return by_frequency.isel(frequency=-1) - by_frequency.isel(frequency=0)


def means_of(norm: xr.DataArray, count: int, draws: int, seed: int = 0) -> xr.DataArray:
    """Means over ``count`` networks of different worlds, drawn again and again.

    Args:
        norm: over ``run``, ``assignment`` and ``frequency``.
        count: networks in a mean, at most the number of runs.
        draws: how many means.
        seed: of the drawing.

    Returns:
        Over ``draw`` and ``frequency``.
    """
    rng = np.random.default_rng(seed)
    values = norm.transpose("run", "assignment", "frequency").values
    worlds = np.stack([rng.choice(len(values), count, replace=False) for _ in range(draws)])
    found = values[worlds, rng.integers(values.shape[1], size=worlds.shape)].mean(axis=1)
    return xr.DataArray(found, dims=("draw", "frequency"), coords={"frequency": norm.frequency})
