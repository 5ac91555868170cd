"""Forces: what the particles feel, each the value and the gradients of a loss of their clouds.

A force is a JAX tree: its numbers (temperature, weights, labels) are leaves, so changing them
compiles nothing; its structure (which loss, which clouds) is static. A force is called as
``force(clouds)`` and answers ``(value, gradients)``, one gradient for every cloud, None for a cloud
that it does not train.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_count, check_values, concrete
from normtheory.losses import LOSSES
from normtheory.particles._forces import (
    PER_ROW,
    Force,
    FunctionForce,
    LossForce,
    Mixture,
    checked,
)

__all__ = [
    "PER_ROW",
    "Force",
    "FunctionForce",
    "LossForce",
    "Mixture",
    "attraction",
    "function",
    "loss",
    "mixture",
    "repulsion",
]

Array = Any


def _check_places(clouds: Any) -> tuple[int, ...] | None:
    if clouds is None:
        return None
    if isinstance(clouds, int):
        clouds = (clouds,)
    for k in clouds:
        check_count("clouds", k, 0)
    if not clouds or len(set(clouds)) < len(clouds):
        raise ValueError(f"clouds: expected different places, got {clouds!r}")
    return tuple(int(k) for k in clouds)


def _names_of_options(function: Callable[..., Any], arguments: int) -> list[str]:
    return [p for k, p in enumerate(inspect.signature(function).parameters) if k >= arguments]


def loss(
    name: str,
    *,
    clouds: int | tuple[int, ...] | None = None,
    block: int | None = None,
    **options: Any,
) -> LossForce:
    """The force of a loss of :data:`normtheory.losses.LOSSES`, by its closed-form gradient.

    Args:
        name: of the loss.
        clouds: which clouds of the state are its arguments, by place; None for all, in order.
        block: evaluate in blocks of so many rows, so that memory grows as n·block and not as n²;
            for the contrastive losses.
        **options: of the loss, by name: ``temperature=0.1``, ``labels=...``.

    Returns:
        A force. Numbers among the options may be changed without compiling anew.

    Raises:
        ValueError: no such loss or option, or one out of its range; what there is, is said.
        TypeError: an option that is not a number, an array or a truth value.

    Example:
        >>> loss("info_nce", temperature=0.1).options
        {'temperature': 0.1}
    """
    if name not in LOSSES:
        raise ValueError(f"loss: expected one of {', '.join(LOSSES)}; got {name!r}")
    if block is not None:
        check_count("block", block, 1)
    # A stop-gradient loss has arguments beyond the trained ones; options are what is left.
    example, _ = LOSSES[name].example(np.random.default_rng(0), 4, 2)
    known = _names_of_options(LOSSES[name].value, len(example))
    numbers: dict[str, Any] = {}
    flags: list[tuple[str, bool]] = []
    for key, x in sorted(options.items()):
        if key not in known:
            raise ValueError(f"{key}: {name} has no such option; it has {', '.join(known) or None}")
        if isinstance(x, bool | np.bool_):
            flags.append((key, bool(x)))
        elif key == "labels":
            labels = jnp.asarray(x) if concrete(x) is None else np.asarray(x)
            if not jnp.issubdtype(labels.dtype, jnp.integer):
                raise TypeError(f"labels: expected integers, got {labels.dtype}")
            check_values("labels", labels, least=0)
            numbers[key] = labels.astype(np.int32)
        else:
            numbers[key] = checked(key, x)
    missing = [
        p.name
        for p in inspect.signature(LOSSES[name].value).parameters.values()
        if p.name in known and p.default is p.empty and p.name not in options
    ]
    if missing:
        raise ValueError(f"{name}: expected the option {missing[0]}")
    places = _check_places(clouds)
    if places is not None and len(places) != len(example):
        raise ValueError(f"clouds: {name} takes {len(example)} clouds, got {places}")
    return LossForce(numbers, name, tuple(flags), places, block, len(example))


def attraction(*, clouds: tuple[int, ...] | None = None) -> LossForce:
    """Attraction between partners, minus the mean cosine of the rows of two clouds.

    Args:
        clouds: which two clouds, by place; None for the first two of two.
    """
    return loss("attraction", clouds=clouds)


def repulsion(*, clouds: tuple[int, ...] | None = None) -> LossForce:
    """Repulsion of partners, the mean cosine of the rows of two clouds."""
    return loss("repulsion", clouds=clouds)


def function(
    value: Callable[..., Array],
    *,
    clouds: int | tuple[int, ...] | None = None,
    rows: tuple[str, ...] = (),
    **options: Any,
) -> FunctionForce:
    """The force of any function of clouds, differentiated by JAX.

    Args:
        value: ``value(*clouds, **options)``, a scalar; a mean over rows where ``reduction`` and
            minibatches are to mean what they say. Keep one function object: another one compiles
            anew.
        clouds: which clouds are its arguments; None for all.
        rows: names of options with one entry for every row of the first cloud, so that they follow
            a minibatch.
        **options: numbers and arrays, which may change without compiling anew.

    Raises:
        TypeError: not callable.
    """
    if not callable(value):
        raise TypeError(f"function: expected a callable, got {type(value).__name__}")
    return FunctionForce(dict(sorted(options.items())), value, _check_places(clouds), tuple(rows))


def mixture(*terms: tuple[Any, Any]) -> Mixture:
    """A weighted sum of forces, ``mixture((1.0, attraction()), (0.5, loss("uniformity", ...)))``.

    Args:
        *terms: pairs of a weight, any finite number, and a force.

    Raises:
        TypeError, ValueError: not pairs, not forces, or no terms.
    """
    if not terms:
        raise ValueError("mixture: expected at least one (weight, force)")
    for term in terms:
        if not isinstance(term, tuple) or len(term) != 2 or not hasattr(term[1], "trained"):
            raise TypeError(f"mixture: expected pairs (weight, force), got {term!r}")
    return Mixture(
        tuple(force for _, force in terms), tuple(checked("weight", weight) for weight, _ in terms)
    )
