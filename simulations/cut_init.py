"""Cut-initialisation, and what is left of it once the learning rate is tuned.

Small encoders learn classes with NT-Xent, their initial parameters divided by c = 1, 3, 9, with and
without weight decay. Theory says that for a bias-free ReLU network the cut *is* a rate of c²γ with
a decay of λ/c², exactly. So every cut run has a control, the uncut network at that rate and decay,
from the same start and on the same batches: how alike are they for a network without biases, with
biases, and with layer normalisation (whose gains are cut too)? And with the best of many rates for
each c, which c wins? The rate is chosen on one half of the held-out points, and accuracy reported
on the other half. Claim :mod:`normtheory.claims.cut_init`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import normtheory as nt
from simulations._settings import check_positive
from simulations.encoders.data import Points, SameClassPairs, repeated
from simulations.encoders.measures import networks_are_right
from simulations.encoders.models import FLOAT, Mlp, Norm
from simulations.encoders.objectives import Batch, Learner, NewLearner
from simulations.encoders.training import Run, embed, start, train
from simulations.encoders.worlds import LatentSettings

DTYPE = "float32"
KINDS: dict[str, tuple[bool, Norm]] = {
    "no biases": (False, "none"),
    "biases": (True, "none"),
    "normalised": (True, "layer"),
}


@dataclass(frozen=True)
class Settings(LatentSettings):
    """Settings, beside those of :class:`LatentSettings`.

    Attributes:
        cuts: c; the first must be 1.
        classes: equally frequent.
        steps: of SGD.
        records: looks after the start.
        learning_rate: γ of all runs of the first part.
        weight_decay: λ of those that have one.
        rates: of the second part, in units of ``learning_rate``.
        neighbours: that vote.
    """

    cuts: tuple[float, ...] = (1.0, 3.0, 9.0)
    classes: int = 20
    steps: int = 400
    records: int = 8
    learning_rate: float = 3e-4
    weight_decay: float = 2.0
    rates: tuple[float, ...] = tuple(3.0**k for k in range(-3, 9))
    neighbours: int = 10

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, and cuts that don't begin with none."""
        check_positive(self)
        if self.cuts[0] != 1:
            raise ValueError(f"cuts: expected the first to be 1, got {self.cuts[0]:g}")


SECONDS = 50  # of the full run, about, on two cores
#: Smaller networks and batches, fewer points, half as many steps, and every second rate.
QUICK = Settings(
    points=400,
    hidden=32,
    batch=64,
    steps=200,
    records=4,
    rates=tuple(9.0**k for k in range(-1, 5)),
)
QUICK_SECONDS = 9
SMOKE = Settings(
    cuts=(1.0, 3.0),
    classes=4,
    points=100,
    data_dimension=16,
    hidden=16,
    dimension=4,
    batch=16,
    steps=20,
    records=2,
    learning_rate=1e-3,
    rates=(1.0, 9.0),
    runs=2,
)


@dataclass(frozen=True)
class _Plan:
    """Cuts, rates and decays of runs that are trained side by side, each for every world.

    No two are the same: a control may be a run of the sweep, or a cut run.
    """

    cut: np.ndarray
    rate: np.ndarray
    decay: np.ndarray


def _plan(settings: Settings) -> tuple[_Plan, dict[str, np.ndarray]]:
    """All runs: cut ones and their controls (both with decay 0 and λ), then the sweep of rates.

    Returns:
        The plan, and where in it the runs of every part are.
    """
    cuts, rate = np.array(settings.cuts), settings.learning_rate
    decay = np.array([0.0, settings.weight_decay])
    d, c = (a.ravel() for a in np.meshgrid(decay, cuts, indexing="ij"))
    swept_cut, swept = (a.ravel() for a in np.meshgrid(cuts, settings.rates, indexing="ij"))
    wanted = zip(
        np.concatenate([c, np.ones_like(c), swept_cut]),
        rate * np.concatenate([np.ones_like(c), c**2, swept]),
        np.concatenate([d, d / c**2, np.zeros_like(swept)]),
        strict=True,
    )
    place: dict[tuple[float, ...], int] = {}
    where = np.array([place.setdefault(tuple(map(float, one)), len(place)) for one in wanted])
    n = len(c)
    parts = {"cut": where[:n], "control": where[n : 2 * n], "sweep": where[2 * n :]}
    return _Plan(*np.array(list(place)).T), parts


@dataclass(frozen=True)
class _Drawn:
    """Pairs that were drawn before, as :func:`_draws` does; data are the points and the pairs."""

    sample: SameClassPairs

    def draw(self, key: jax.Array, step: int | jax.Array, data: Any) -> tuple[jax.Array, jax.Array]:
        """Numbers of points and of their partners."""
        _, (first, second) = data
        return first[step], second[step]

    def batch(self, drawn: tuple[jax.Array, jax.Array], data: Any) -> Batch:
        """The points and their partners."""
        return self.sample.batch(drawn, data[0])


def _draws(settings: Settings, points: Points) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of all steps, (runs, steps, pairs) each: all networks of a run see the same.

    To draw them in every program would double what there is to compile.
    """
    sample = SameClassPairs(settings.batch // 2)

    def one(seed: jax.Array, points: Points) -> tuple[jax.Array, jax.Array]:
        key = jax.random.wrap_key_data(seed, impl="threefry2x32")
        steps = jnp.arange(settings.steps, dtype=jnp.int32)
        return jax.vmap(lambda step: sample.draw(key, step, points))(steps)

    seeds = jnp.asarray([(settings.seed, r) for r in range(settings.runs)], jnp.uint32)
    first, second = jax.jit(jax.vmap(one))(seeds, points)
    return np.asarray(first), np.asarray(second)


def _right(settings: Settings, z: np.ndarray, known: np.ndarray, data: Any) -> np.ndarray:
    """Whether held-out points are classified rightly, (plans, runs, held-out points)."""
    points, held_out = data
    many = len(z)
    labels, known_labels = (
        np.tile(np.asarray(a), (many, 1)) for a in (held_out.labels[:, ::2], points.labels)
    )
    flat = (a.reshape(-1, *a.shape[2:]) for a in (z, known))
    z, known = flat
    right = networks_are_right(z, labels, known, known_labels, settings.neighbours)
    return right.reshape(many, settings.runs, -1)


def _cosine(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosines between rows; 0 where a network has died."""
    lengths = np.linalg.norm(z, axis=-1) * np.linalg.norm(y, axis=-1)
    usable = np.isfinite(lengths) & (lengths > 0)
    return np.divide(np.sum(z * y, axis=-1), lengths, out=np.zeros_like(lengths), where=usable)


def _one_kind(
    settings: Settings,
    kind: str,
    data: tuple[Points, Points],
    draws: tuple[np.ndarray, np.ndarray],
) -> dict[str, np.ndarray]:
    biases, norm = KINDS[kind]
    sizes = (settings.data_dimension, settings.hidden, settings.hidden, settings.dimension)
    plan, parts = _plan(settings)
    many, runs = len(plan.cut), settings.runs
    points, held_out = data
    seen = np.concatenate([held_out.x[:, ::2], points.x], axis=1)

    def each(values: np.ndarray) -> jax.Array:
        return jnp.repeat(jnp.asarray(values, FLOAT), runs)

    state = start(
        settings.recipe(),
        NewLearner(Mlp(sizes, biases=biases, norm=norm)),
        [(settings.seed, r) for r in range(runs)] * many,
        each(plan.rate),
        each(plan.decay),
    )
    uncut = jax.tree.map(lambda a: np.asarray(a)[:runs], state.learner)
    cut = [nt.cut_init(uncut, float(c)) for c in plan.cut]
    learner = jax.tree.map(lambda *a: jnp.asarray(np.concatenate(a)), *cut)
    state = Run(learner, None, state.memory, state.key, state.rate, state.decay)

    # Runs of the sweep alone are looked at when they are done.
    first = 1 + max(parts["cut"].max(), parts["control"].max())
    every = jnp.asarray(np.tile(seen, (first, 1, 1)))

    def look(learner: Learner, begin: int) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings of held-out and of known points by ``first`` plans from there."""
        part = slice(begin * runs, (begin + first) * runs)
        some = jax.tree.map(lambda a: jnp.asarray(np.asarray(a)[part]), learner)
        z = np.asarray(embed(some, every, shared=False))
        z = z.reshape(first, runs, *z.shape[1:])
        return z[:, :, : -points.x.shape[1]], z[:, :, -points.x.shape[1] :]

    accuracies: list[np.ndarray] = []

    def follow(state: Run) -> None:
        accuracies.append(_right(settings, *look(state.learner, 0), data).mean(axis=-1))

    state, step, _, loss = train(
        state,
        (repeated(points, many), tuple(np.tile(a, (many, 1, 1)) for a in draws)),
        _Drawn(SameClassPairs(settings.batch // 2)),
        settings.recipe(),
        steps=settings.steps,
        records=settings.records,
        look=follow,
        shared=False,
        name=f"cut_init, {kind}",
    )
    begins = [min(k, many - first) for k in range(0, many, first)]
    z, known = (np.empty((many, runs, *a.shape[2:]), a.dtype) for a in look(state.learner, 0))
    for k in begins:
        z[k : k + first], known[k : k + first] = look(state.learner, k)
    shape = (2, len(settings.cuts), runs)
    accuracy = np.stack(accuracies, axis=-1)
    cosine = _cosine(z[parts["cut"]], z[parts["control"]])
    swept = _right(settings, z[parts["sweep"]], known[parts["sweep"]], data)
    swept = swept.reshape(len(settings.cuts), len(settings.rates), runs, -1)
    loss = loss.reshape(many, runs, -1)
    return {
        "step": step,
        "accuracy": accuracy[parts["cut"]].reshape(*shape, -1),
        "control_accuracy": accuracy[parts["control"]].reshape(*shape, -1),
        "loss": loss[parts["cut"]].reshape(*shape, -1),
        "agreement": cosine.mean(axis=-1).reshape(shape),
        "chosen_on": swept[..., ::2].mean(axis=-1),
        "tuned": swept[..., 1::2].mean(axis=-1),
    }


def run(settings: Settings) -> xr.Dataset:
    """Train cut networks, their controls, and all cuts at many rates.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``kind`` of network, ``decay``, ``cut``, ``run`` and ``step`` of the held-out
        ``accuracy`` of a nearest-neighbour vote, ``control_accuracy`` of the uncut networks at rate
        c²γ, decay λ/c², and the mean ``loss`` of the steps before (over ``until``); without step,
        the mean cosine ``agreement`` between embeddings of cut network and control at the end.
        Over ``kind``, ``cut``, ``rate`` and ``run`` accuracies after training at that rate, on two
        halves of the held-out points, ``chosen_on`` and ``tuned``.

    Raises:
        FloatingPointError: where no run has a finite loss.
    """
    worlds = settings.worlds((1.0,) * settings.classes)
    data = worlds(settings.seed, settings.runs)
    draws = _draws(settings, data[0])
    found = [_one_kind(settings, kind, data, draws) for kind in KINDS]

    def stack(name: str) -> np.ndarray:
        return np.stack([f[name] for f in found])

    across, unit = ("kind", "decay", "cut", "run"), {"units": "1"}
    step = found[0]["step"]
    return xr.Dataset(
        {
            "accuracy": ((*across, "step"), stack("accuracy"), unit),
            "control_accuracy": ((*across, "step"), stack("control_accuracy"), unit),
            "loss": ((*across, "until"), stack("loss"), unit),
            "agreement": (across, stack("agreement"), unit),
            "chosen_on": (("kind", "cut", "rate", "run"), stack("chosen_on"), unit),
            "tuned": (("kind", "cut", "rate", "run"), stack("tuned"), unit),
        },
        coords={
            "kind": list(KINDS),
            "decay": ("decay", [0.0, settings.weight_decay], unit),
            "cut": ("cut", list(settings.cuts), unit),
            "run": np.arange(settings.runs),
            "step": ("step", step, {"units": "steps"}),
            "until": ("until", step[1:], {"units": "steps"}),
            "rate": ("rate", settings.learning_rate * np.array(settings.rates), unit),
        },
    )


def best(result: xr.Dataset) -> xr.Dataset:
    """For every kind and cut the best rate, and the accuracy at it on points not used to choose.

    Args:
        result: of the experiment.

    Returns:
        Dataset over ``kind`` and ``cut`` of the ``best_rate`` and whether it lies ``inside`` the
        grid, so that a better one outside is unlikely, and with ``run`` of ``accuracy``.
    """
    rate = result.chosen_on.mean("run").idxmax("rate")
    inside = (rate > result.rate.min()) & (rate < result.rate.max())
    return xr.Dataset(
        {"best_rate": rate, "inside": inside, "accuracy": result.tuned.sel(rate=rate)}
    )
