"""From a configuration to the objects of :mod:`normtheory.particles`: system, rules, records."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import optax

from normtheory._text import quoted
from normtheory.cli._config import ConfigError, checked, choice, section, table, unknown
from normtheory.losses import LOSSES
from normtheory.particles import (
    System,
    forces,
    observables,
    optimizers,
    sampling,
    stop,
    trained,
)

SYSTEM = {
    "learning_rate": "a number",
    "reduction": "a word",
    "weight_decay": "a number",
    "coupled_decay": "true or false",
    "decay_all": "true or false",
    "gradscale": "a number",
    "norm": "a number or a list of numbers",
    "frozen": "a list of integers",
    "fresh": "a list of integers",
    "coherent": "true or false",
}

_NUMBER, _FLAG = "a number", "true or false"


_NUMBERS = {
    "momentum": {"decay": _NUMBER, "nesterov": _FLAG},
    "adam": {"b1": _NUMBER, "b2": _NUMBER, "eps": _NUMBER},
    "adamw": {"b1": _NUMBER, "b2": _NUMBER, "eps": _NUMBER},
    "lion": {"b1": _NUMBER, "b2": _NUMBER},
    "rowwise_adagrad": {"start": _NUMBER, "eps": _NUMBER},
    "muon": {"beta": _NUMBER, "eps": _NUMBER, "nesterov": _FLAG, "polar": _FLAG},
}
"""What the rules of an optimizer are given in a table."""


def _rule(make: Callable[..., optimizers.Rule]) -> Callable[..., optimizers.Rule]:
    """A rule of a table, with a memory for every row where it is ``lazy``."""

    def made(lazy: bool = False, **about: Any) -> optimizers.Rule:
        rule = make(**about)
        return optimizers.lazy(rule) if lazy else rule

    return made


OPTIMIZERS: dict[str, tuple[Callable[..., Any] | None, dict[str, str]]] = {
    name: (None, {}) if make is None else (_rule(make), {**_NUMBERS[name], "lazy": _FLAG})
    for name, make in optimizers.OPTIMIZERS.items()
}
SCHEDULES: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {
    "cosine": (
        lambda steps, end=0.0: optax.cosine_decay_schedule(1.0, steps, end),
        {"steps": "an integer", "end": "a number"},
    ),
    "linear": (
        lambda steps, end=0.0: optax.linear_schedule(1.0, end, steps),
        {"steps": "an integer", "end": "a number"},
    ),
    "exponential": (
        lambda steps, factor: optax.exponential_decay(1.0, steps, factor),
        {"steps": "an integer", "factor": "a number"},
    ),
    "warmup_cosine": (
        lambda warmup, steps, end=0.0: optax.warmup_cosine_decay_schedule(
            0.0, 1.0, warmup, steps, end
        ),
        {"warmup": "an integer", "steps": "an integer", "end": "a number"},
    ),
}
"""Factors on the learning rate; their peak is 1."""

_TRAINED = {
    "learning_rate": "a number",
    "learned": "a word",
    "optimizer": "a table",
    "least": "a number",
    "most": "a number",
}
_SAMPLING = {
    "size": "an integer",
    "frequencies": "a list of numbers",
    "class_frequencies": "a list of numbers",
    "replace": "true or false",
    "lazy": "true or false",
    "probability": "a number or a list of numbers",
}
_STOP = {
    "mean_cosine": "a number",
    "clouds": "a list of integers",
    "loss": "a number",
    "loss_tolerance": "a number",
    "gradient": "a number",
}
_FORCE = {
    "name": "a word",
    "clouds": "a list of integers",
    "weight": "a number",
    "block": "an integer or a word",
}


def system(config: Mapping[str, Any], labels: np.ndarray | None) -> System:
    """The system of a configuration.

    Raises:
        ConfigError: the key is named.
    """
    about = table(config, "system", SYSTEM)
    if "learning_rate" not in about:
        raise ConfigError("system.learning_rate: missing, expected a number > 0")
    for name in ("frozen", "fresh"):
        about[name] = tuple(about.get(name, ()))
    if isinstance(about.get("norm"), list):
        about["norm"] = tuple(about["norm"])
    parts = {
        "optimizer": _made(config, "optimizer", OPTIMIZERS),
        "schedule": _made(config, "schedule", SCHEDULES),
        "sampling": _sampling(config, labels),
    }
    learning = _trained(config)
    acting = _force(config, labels)
    with section("system", SYSTEM):
        found = System(acting, **about, **parts)
    with section(""):
        return dataclasses.replace(found, trained=learning)


def _made(config: Mapping[str, Any], name: str, known: Mapping[str, Any]) -> Any:
    """An optimizer or a schedule by name, or None."""
    return _named(name, config[name], known) if name in config else None


def _named(name: str, found: Any, known: Mapping[str, Any]) -> Any:
    """What a table makes of the word under ``name``, one of those that are known."""
    if not isinstance(found, dict) or "name" not in found:
        raise ConfigError(f"{name}.name: missing, expected one of {', '.join(known)}")
    make, kinds = known[choice(f"{name}.name", found["name"], known)]
    about = checked(found, name, {"name": "a word", **kinds})
    del about["name"]
    with section(name, kinds):
        try:
            return None if make is None else make(**about)
        except TypeError as error:
            missing = [key for key in kinds if f"'{key}'" in str(error) and key not in about]
            if missing:
                key = missing[0]
                raise ConfigError(f"{name}.{key}: missing, expected {kinds[key]}") from None
            raise


def _trained(config: Mapping[str, Any]) -> dict[str, trained.Trained]:
    """The options of the force that are trained, by their names."""
    tables = config.get("trained", {})
    if not isinstance(tables, dict):
        raise ConfigError(f"trained: expected tables such as [trained.temperature], got {tables!r}")
    found = {}
    for name in tables:
        where = f"trained.{name}"
        if not isinstance(tables[name], dict):
            raise ConfigError(f"{where}: expected a table [{where}], got {tables[name]!r}")
        about = checked(tables[name], where, _TRAINED)
        if "learning_rate" not in about:
            raise ConfigError(f"{where}.learning_rate: missing, expected a number >= 0")
        if "optimizer" in about:
            about["optimizer"] = _named(f"{where}.optimizer", about["optimizer"], OPTIMIZERS)
        with section(where, _TRAINED):
            found[name] = trained.option(**about)
    return found


def _force(config: Mapping[str, Any], labels: np.ndarray | None) -> Any:
    given = config.get("force")
    several: list[Any] = given if isinstance(given, list) else [given]
    if not several or not all(isinstance(x, dict) for x in several):
        raise ConfigError(
            f"force: expected a table [force] or several [[force]], got {quoted(given)}"
        )
    terms = []
    for k, about in enumerate(several):
        name = f"force.{k}" if isinstance(given, list) else "force"
        terms.append((about.get("weight", 1.0), _loss(name, about, labels)))
    if len(terms) == 1 and "weight" not in several[0]:
        return terms[0][1]
    with section("force"):
        return forces.mixture(*terms)


def _loss(name: str, about: Mapping[str, Any], labels: np.ndarray | None) -> Any:
    """One force: a loss and its options."""
    if "name" not in about:
        raise ConfigError(f"{name}.name: missing, expected one of {', '.join(LOSSES)}")
    loss = choice(f"{name}.name", about["name"], LOSSES)
    known = {option.name: option for option in LOSSES[loss].options}
    own = {key: x for key, x in about.items() if key in _FORCE}
    checked(own, name, _FORCE)
    options = {key: x for key, x in about.items() if key not in own}
    for key in options:
        if key not in known:
            raise unknown(f"{name}.{key}", [*_FORCE, *known])
    for key, option in known.items():
        if option.kind == "labels" and key not in options and labels is not None:
            options[key] = labels
    places = tuple(own["clouds"]) if "clouds" in own else None
    with section(name, [*own, *options]):
        return forces.loss(loss, clouds=places, block=own.get("block"), **options)


def _sampling(config: Mapping[str, Any], labels: np.ndarray | None) -> Any:
    about = table(config, "sampling", _SAMPLING)
    if not about:
        return None
    if ("size" in about) == ("probability" in about):
        raise ConfigError("sampling: expected either size (a minibatch) or probability (of a row)")
    with section("sampling", _SAMPLING):
        if "probability" in about:
            for key in about:
                if key != "probability":
                    raise ConfigError(f"sampling.{key}: only for a minibatch, with size")
            return sampling.bernoulli(about["probability"])
        by_class = about.pop("class_frequencies", None)
        if by_class is not None:
            if "frequencies" in about:
                raise ConfigError("sampling: expected either frequencies or class_frequencies")
            about["frequencies"] = _of_rows(by_class, labels)
        return sampling.minibatch(about.pop("size"), **about)


def _of_rows(by_class: list[float], labels: np.ndarray | None) -> np.ndarray:
    """Frequencies of rows such that each class as a whole is seen with its own."""
    if labels is None:
        raise ConfigError("sampling.class_frequencies: expected a table [classes] too")
    counts = np.bincount(labels)
    if len(by_class) != len(counts):
        raise ConfigError(
            f"sampling.class_frequencies: expected {len(counts)} numbers, one a class, "
            f"got {len(by_class)}"
        )
    return (np.asarray(by_class) / counts)[labels]


def stops(config: Mapping[str, Any]) -> tuple[stop.Stop, ...]:
    """The stop rules of ``[stop]``."""
    about = table(config, "stop", _STOP)
    found = []
    if "mean_cosine" in about:
        places = tuple(about.get("clouds", (0, 1)))
        if len(places) != 2:
            raise ConfigError(f"stop.clouds: expected two places, got {list(places)}")
        with section("stop.mean_cosine"):
            found.append(stop.mean_cosine(about["mean_cosine"], clouds=places))
    if "loss" in about:
        with section("stop.loss"):
            found.append(stop.loss(about["loss"], about.get("loss_tolerance", 0.0)))
    if "gradient" in about:
        with section("stop.gradient"):
            found.append(stop.gradient(about["gradient"]))
    for key, rule in (("clouds", "mean_cosine"), ("loss_tolerance", "loss")):
        if key in about and rule not in about:
            raise ConfigError(f"stop.{key}: only together with {rule}")
    return tuple(found)


def records(
    about: Mapping[str, Any], config: Mapping[str, Any], labels: np.ndarray | None
) -> tuple[observables.Observable, ...]:
    """Observables by name, some of which need another table.

    Args:
        about: the table ``[run]``, with ``record`` and ``rotation_steps``.
        config: the whole.
        labels: classes of the rows, if there are any.

    Raises:
        ConfigError: another name, or a table or key that it needs is missing.
    """
    names = about.get("record", ["loss"])
    if "rotation_steps" in about and "rotation" not in names:
        raise ConfigError("run.rotation_steps: only with rotation in run.record")

    def of_classes() -> observables.Observable:
        if labels is None:
            raise ConfigError("run.record: class_norm: expected a table [classes] too")
        return observables.class_norm(labels)

    def of_frequencies() -> observables.Observable:
        frequencies = _frequencies(config, labels)
        if frequencies is None:
            raise ConfigError(
                "run.record: frequency_norm: expected sampling.frequencies, class_frequencies or a "
                "list of probabilities too"
            )
        return observables.frequency_norm(frequencies)

    made = {
        **{name: lambda item=item: item for name, item in observables.OBSERVABLES.items()},
        "class_norm": of_classes,
        "frequency_norm": of_frequencies,
        "rotation": lambda: observables.rotation(about.get("rotation_steps", 1)),
        **{name: partial(observables.option, name) for name in config.get("trained", {})},
    }
    return tuple(made[choice("run.record", name, made)]() for name in names)


def _frequencies(config: Mapping[str, Any], labels: np.ndarray | None) -> Any:
    """How often the rows are drawn, where the table ``[sampling]`` says it of each; or None."""
    about = table(config, "sampling", _SAMPLING)
    if "class_frequencies" in about:
        return _of_rows(about["class_frequencies"], labels)
    given = about.get("frequencies", about.get("probability"))
    return given if isinstance(given, list) else None
