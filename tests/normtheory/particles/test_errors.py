"""What is refused, and in which words."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax
import pytest

from normtheory.losses import LOSSES
from normtheory.particles import (
    System,
    checkpoint,
    devices,
    forces,
    init,
    observables,
    optimizers,
    run,
    sampling,
    step,
    stop,
    sweep,
    view,
)
from normtheory.particles._given import key_data

Z, Y = np.random.default_rng(0).standard_normal((2, 6, 4))
LABELS = np.array([0, 1, 2, 0, 1, 2])
FIVE: Any = 5  # what a checker of types would refuse
THREE: Any = (0, 1, 2)
WORD: Any = "v"


def system(**more: Any) -> System:
    return System(more.pop("force", forces.attraction()), more.pop("learning_rate", 1.0), **more)


def with_row(value: float) -> np.ndarray:
    z = Z.copy()
    z[3] = value
    return z


CASES = {
    "unknown loss": (
        lambda: forces.loss("infonce"),
        "loss: expected one of alignment, arcface, attraction, .*; got 'infonce'",
    ),
    "unknown option": (
        lambda: forces.loss("info_nce", tau=0.1),
        "tau: info_nce has no such option; it has temperature, symmetric",
    ),
    "temperature": (
        lambda: forces.loss("info_nce", temperature=0.0),
        "temperature: expected a finite number and > 0, got 0.0",
    ),
    "missing option": (lambda: forces.loss("supcon"), "supcon: expected the option labels"),
    "negative label": (
        lambda: forces.loss("normface", labels=np.array([0, -1])),
        "labels: .* got -1 at index 1",
    ),
    "label too large": (
        lambda: init(system(force=forces.loss("normface", labels=LABELS)), Z, Y[:2]),
        "labels: expected classes 0 … 1, got 2 at index 2",
    ),
    "block": (lambda: forces.loss("info_nce", block=0), "block: expected an integer >= 1"),
    "places": (lambda: forces.attraction(clouds=(0, 0)), "clouds: expected different places"),
    "places of a loss": (lambda: forces.attraction(clouds=(0,)), "attraction takes 2 clouds"),
    "no terms": (lambda: forces.mixture(), "at least one"),
    "weight": (
        lambda: forces.mixture((np.nan, forces.attraction())),
        "weight: expected a finite number, got nan",
    ),
    "rate": (
        lambda: system(learning_rate=-1.0),
        "learning_rate: expected a finite number and > 0, got -1.0",
    ),
    "no rate": (lambda: system(learning_rate=None), "learning_rate: expected a number > 0"),
    "two rates": (lambda: system(optimizer=optax.sgd(0.1)), "expected None with an optax"),
    "decay": (
        lambda: system(weight_decay=1.0),
        r"learning_rate \* weight_decay: expected < 1, got 1",
    ),
    "changed decay": (
        lambda: system(weight_decay=0.1).with_numbers(learning_rate=10.0),
        r"learning_rate \* weight_decay: expected < 1, got 1",
    ),
    "changed temperature": (
        lambda: system(force=forces.loss("info_nce", temperature=0.1)).with_numbers(temperature=-1),
        "temperature: expected a finite number and > 0",
    ),
    "changed momentum": (
        lambda: system(optimizer=optimizers.momentum()).with_numbers(decay=1.0),
        "decay: expected < 1, got 1",
    ),
    "changed weight": (
        lambda: system(force=forces.mixture((1, forces.attraction()))).with_numbers(weight=np.inf),
        "weight: expected a finite number, got inf",
    ),
    "unknown number": (
        lambda: system().with_numbers(weight_decay=0.1),
        "weight_decay: this system has no such number; it has learning_rate",
    ),
    "reduction": (lambda: system(reduction="max"), "reduction: expected 'mean' or 'sum', got"),
    "norm": (lambda: system(norm=0.0), "norm: expected a finite number and > 0, got 0.0"),
    "frozen and fresh": (lambda: system(frozen=(1,), fresh=(1,)), "fresh: cloud 1 is frozen"),
    "momentum": (lambda: optimizers.momentum(1.0), "decay: expected < 1, got 1"),
    "size": (lambda: sampling.minibatch(0), "size: expected an integer >= 1, got 0"),
    "frequency": (
        lambda: sampling.minibatch(2, [1.0, -1.0]),
        "frequencies: .* got -1.0 at index 1",
    ),
    "all frequencies zero": (lambda: sampling.minibatch(2, [0.0, 0.0]), "at least one above 0"),
    "probability": (lambda: sampling.bernoulli(1.5), "probability: .* <= 1, got 1.5"),
    "frequencies of other rows": (
        lambda: init(system(sampling=sampling.minibatch(2, np.ones(5))), Z, Y),
        "expected 6 frequencies, one a row, got 5",
    ),
    **{
        f"{count} {name}": (
            lambda made=made, count=count: init(system(sampling=made(count)), Z, Y),
            f"sampling: expected 6 frequencies, one a row, got {count}",
        )
        for count in (4, 5, 7, 12)
        for name, made in (
            ("frequencies", lambda k: sampling.minibatch(2, np.ones(k))),
            (
                "frequencies without replacement",
                lambda k: sampling.minibatch(2, np.ones(k), replace=False),
            ),
            ("probabilities", lambda k: sampling.bernoulli(np.full(k, 0.5))),
        )
    },
    **{
        f"{count} norms": (
            lambda count=count: init(system(norm=(1.0,) * count), Z, Y),
            f"norm: expected one for each of 2 clouds, got {count}",
        )
        for count in (1, 3)
    },
    "batch too large": (
        lambda: init(system(sampling=sampling.minibatch(7, replace=False)), Z, Y),
        "at most 6 rows without replacement, got 7",
    ),
    "zero row": (
        lambda: init(system(), Z, with_row(0.0)),
        r"clouds\[1\] row 3 is zero: a zero vector has no direction",
    ),
    "infinite row": (
        lambda: init(system(), with_row(np.inf), Y),
        r"clouds\[0\] row 3 is not finite",
    ),
    "rows": (lambda: init(system(), Z, Y[:3]), "clouds with the same number of rows"),
    "dimension": (lambda: init(system(), Z, Y[:, :3]), "expected the same d"),
    "number of clouds": (lambda: init(system(), Z), "attraction: expected 2 clouds, got 1"),
    "cloud that is not there": (
        lambda: init(system(force=forces.attraction(clouds=(0, 2))), Z, Y),
        r"attraction: expected clouds \(0, 2\), but there are 2",
    ),
    "frozen cloud that is not there": (
        lambda: init(system(frozen=(5,)), Z, Y),
        "frozen: expected places of the 2 clouds, got 5",
    ),
    "nothing moves": (lambda: init(system(frozen=(0, 1)), Z, Y), "nothing moves"),
    "tolerance": (lambda: stop.mean_cosine(0.0), "tolerance"),
    "max_steps": (lambda: run(system(), init(system(), Z, Y), -1), "max_steps: expected an int"),
    "record": (
        lambda: run(system(), init(system(), Z, Y), 1, record=("los",)),
        "record: expected observables or names of loss, mean_cosine, .*; got 'los'",
    ),
    "record twice": (
        lambda: run(system(), init(system(), Z, Y), 1, record=("loss", "loss")),
        "expected different names, got loss, loss",
    ),
    "axis that is recorded": (
        lambda: sweep(
            system(force=forces.loss("info_nce", temperature=1.0)),
            (Z, Y),
            {"temperature": [1.0]},
            1,
            record=observables.observable("temperature", lambda view: view.loss),
        ),
        "record: temperature is an axis",
    ),
    "rate that is hidden": (
        lambda: run(
            System(forces.attraction(), optimizer=optax.sgd(0.1)),
            init(System(forces.attraction(), optimizer=optax.sgd(0.1)), Z, Y),
            1,
            record="effective_learning_rate",
        ),
        "learning_rate: the optax transformation has its own",
    ),
    "class beyond 32 bits": (
        lambda: forces.loss("arcface", labels=np.array([0, 1, 2**32])),
        r"labels: .* <= 2.14748e\+09, got 4294967296 at index 2",
    ),
    "changed class beyond 32 bits": (
        lambda: system(force=forces.loss("arcface", labels=LABELS)).with_numbers(
            labels=LABELS * 2**32
        ),
        "labels: .* got 4294967296 at index 1",
    ),
    "class with a number of its own": (
        lambda: observables.class_norm([0, 2**32]),
        r"labels: .* <= 1.04858e\+06, got 4294967296 at index 1",
    ),
    "batch beyond 32 bits": (
        lambda: sampling.minibatch(2**62),
        "size: expected an integer <= 2147483647, got 4611686018427387904",
    ),
    "negative seed": (lambda: init(system(), Z, Y, seed=-1), "seed: expected an integer >= 0"),
    "seed beyond 64 bits": (
        lambda: init(system(), Z, Y, seed=2**64),
        "seed: expected an integer <= 18446744073709551615, got 18446744073709551616",
    ),
    "seed of a sweep": (lambda: sweep(system(), (Z, Y), {"norm": [1.0]}, 0, seed=-1), "seed: "),
    "place that is none": (
        lambda: sampling.minibatch(2, clouds=(FIVE / 10,)),
        "clouds: expected an integer >= 0, got 0.5",
    ),
    "places of a stop": (lambda: stop.mean_cosine(clouds=THREE), "places of two clouds"),
    "swept decay": (
        lambda: sweep(system(optimizer=optimizers.momentum()), (Z, Y), {"decay": [1.5]}, 0),
        "decay: expected < 1, got 1.5",
    ),
    "changed probability": (
        lambda: system(sampling=sampling.bernoulli(0.5)).with_numbers(probability=2.0),
        "probability: .* <= 1, got 2.0",
    ),
    "row that is no option": (
        lambda: forces.function(lambda z, w: z.sum(), rows=WORD, w=np.ones(6)),
        "rows: expected names of options, w; got 'v'",
    ),
    "dims": (
        lambda: (
            run(
                system(),
                init(system(), Z, Y),
                1,
                record=observables.observable("x", lambda view: view.loss, dims=("a",)),
            ).dataset
        ),
        r"x: expected 1 axes as its dims \('a',\) say, got shape \(\)",
    ),
}


@pytest.mark.parametrize(("attempt", "message"), CASES.values(), ids=CASES)
def test_values_are_refused(attempt, message):
    with pytest.raises(ValueError, match=message):
        attempt()


TYPES = {
    "force": (lambda: System(3, 1.0), "force: expected one of normtheory.particles"),
    "rate": (lambda: system(learning_rate="0.1"), "learning_rate: expected a number, got str"),
    "optimizer": (lambda: system(optimizer=3), "optimizer: expected a rule of"),
    "optimizer argument": (
        lambda: optimizers.rule(optax.scale_by_rms, rate=0.1),
        "rate: scale_by_rms has no such argument",
    ),
    "integers": (
        lambda: init(system(), np.ones((2, 2), int), Y),
        r"clouds\[0\]: expected float32 or float64, got int64",
    ),
    "list": (lambda: init(system(), [[1.0]], Y), r"clouds\[0\]: expected a numpy or JAX array"),
    "two dtypes": (
        lambda: init(system(), Z, Y.astype(np.float32)),
        r"clouds\[0\] is float64 and clouds\[1\] is float32",
    ),
    "seed": (lambda: init(system(), Z, Y, seed=0.5), "seed: expected an integer or a JAX key"),
    "state": (lambda: step(system(), Z), "state: expected a State from init, got ndarray"),
    "system": (lambda: step(Z, Z), "system: expected a System, got ndarray"),
    "stop": (lambda: stop.rules("loss"), "stop: expected rules of"),
    "a number as a stop": (lambda: stop.rules(5), "stop: expected rules of .*, got int"),
    "a number to record": (
        lambda: observables.chosen(5),
        "record: expected names and observables, got int",
    ),
    "a loss as a force": (lambda: System(LOSSES["attraction"], 1.0), "force: .* got Loss"),
    "a loss in a mixture": (
        lambda: forces.mixture((1.0, LOSSES["attraction"])),
        "mixture: .* got Loss",
    ),
    "sampling": (lambda: system(sampling="x"), "sampling: expected one of .* or None, got str"),
    "no places": (lambda: system(frozen=None), "frozen: expected places of clouds, .* got None"),
    "places in a word": (lambda: system(frozen="01"), "frozen: .* got '01'"),
    "no mapping": (lambda: sweep(system(), (Z, Y), FIVE, 0), "over: expected a mapping .* got int"),
    "no clouds": (lambda: sweep(system(), FIVE, {"norm": [1.0]}, 0), "clouds: .* got int"),
    "gathered": (lambda: devices.gathered(FIVE), "state: expected a State from init, got int"),
    "mesh": (lambda: devices.mesh(FIVE), r"devices: expected devices of jax.devices\(\), got int"),
    "view": (lambda: view(FIVE, FIVE), "system: expected a System, got int"),
    "run to save": (lambda: checkpoint.save("nowhere", FIVE), "run: expected a Run, got int"),
    "labels": (lambda: observables.class_norm(np.ones(3)), "labels: expected integers"),
    "labels of a loss": (
        lambda: forces.loss("supcon", labels=np.ones(3)),
        "labels: expected integers, got float64",
    ),
}


@pytest.mark.parametrize(("attempt", "message"), TYPES.values(), ids=TYPES)
def test_types_are_refused(attempt, message):
    with pytest.raises(TypeError, match=message):
        attempt()


def test_a_seed_of_more_than_32_bits_is_another_one():
    """JAX drops the upper word outside of its mode of 64 bits."""
    for seed, words in {5: (0, 5), 2**32 + 5: (1, 5), 2**64 - 1: (2**32 - 1, 2**32 - 1)}.items():
        assert tuple(key_data(seed)) == words
    with jax.enable_x64(True):
        for seed in (5, 2**32 + 5, 2**63 - 1):
            np.testing.assert_array_equal(key_data(seed), key_data(jax.random.key(seed)))
