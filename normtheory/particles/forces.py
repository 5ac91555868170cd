"""Forces: what the particles feel, each the value and the gradients of a loss of their clouds.

A force is a JAX tree: its numbers (temperature, weights, labels) are leaves, so changing them
compiles nothing; its structure (which loss, which clouds) is static. A force is called as
``force(clouds)`` and answers ``(value, gradients)``, one gradient for every cloud, None for a cloud
that it does not train.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_count, check_option, check_values, concrete
from normtheory.losses import LOSSES
from normtheory.particles._tree import static, tree

Array = Any
Clouds = tuple[Array, ...]
Gradients = tuple[Array | None, ...]

PER_ROW = ("labels", "codes")
"""Options of losses that have one entry for every row of the first cloud."""

_POSITIVE = ("temperature", "target_temperature", "scale", "sharpness", "power")


class Force(Protocol):
    """Value and gradients of a loss."""

    def __call__(self, clouds: Clouds, rows: Array | None = None) -> tuple[Array, Gradients]:
        """Evaluate on clouds (n, d); ``rows``, shape (b,), says which rows of a larger first cloud
        they are, so that labels can follow.
        """
        ...

    def trained(self, count: int) -> tuple[int, ...]:
        """Which of ``count`` clouds get a gradient."""
        ...

    def check(self) -> None:
        """Raise ValueError unless the numbers that can be seen are in their ranges."""
        ...


def _places(
    name: str, clouds: tuple[int, ...] | None, count: int, wanted: int | None = None
) -> tuple[int, ...]:
    """Which of ``count`` clouds are the arguments of a force."""
    if clouds is None and wanted is not None and count != wanted:
        raise ValueError(
            f"{name}: expected {wanted} clouds, got {count}; `clouds` of the force says which of "
            "several it takes"
        )
    places = tuple(range(count)) if clouds is None else clouds
    if max(places) >= count:
        raise ValueError(f"{name}: expected clouds {places}, but there are {count}")
    return places


def _spread(found: dict[int, Array], count: int) -> Gradients:
    return tuple(found.get(place) for place in range(count))


@tree
class LossForce:
    """The force of a loss of ``LOSSES``; made by :func:`loss`.

    Attributes:
        options: its numbers and arrays.
        name: of the loss.
        flags: its true-or-false options.
        clouds: which clouds of the state are its arguments; None for all, in order.
        block: rows in a block of the streamed evaluation; None to form all similarities at once.
        arity: how many clouds the loss takes.
    """

    options: dict[str, Any]
    name: str = static()
    flags: tuple[tuple[str, bool], ...] = static(())
    clouds: tuple[int, ...] | None = static(None)
    block: int | None = static(None)
    arity: int | None = static(None)

    def __call__(self, clouds: Clouds, rows: Array | None = None) -> tuple[Array, Gradients]:
        """Value and gradients; see :class:`Force`."""
        places = _places(self.name, self.clouds, len(clouds), self.arity)
        chosen = [clouds[place] for place in places]
        options: dict[str, Any] = {
            key: jnp.asarray(x)[rows] if rows is not None and key in PER_ROW else x
            for key, x in self.options.items()
        }
        options.update(self.flags)
        if self.block is not None:
            from normtheory.particles._stream import streamed

            value, gradients = streamed(self.name, tuple(chosen), block=self.block, **options)
        else:
            value = LOSSES[self.name].value(*chosen, **options)
            gradients = LOSSES[self.name].gradient(*chosen, **options)
        trained = (places[k] for k in LOSSES[self.name].trained)
        return value, _spread(dict(zip(trained, gradients, strict=True)), len(clouds))

    def trained(self, count: int) -> tuple[int, ...]:
        """Which clouds get a gradient."""
        places = _places(self.name, self.clouds, count, self.arity)
        return tuple(places[k] for k in LOSSES[self.name].trained)

    def check(self) -> None:
        """Raise ValueError unless the numbers that can be seen are in their ranges."""
        for name, x in self.options.items():
            if name != "labels":
                _number(name, x)


@tree
class FunctionForce:
    """The force of any loss that JAX differentiates; made by :func:`function`."""

    options: dict[str, Any]
    function: Callable[..., Array] = static()
    clouds: tuple[int, ...] | None = static(None)
    rows: tuple[str, ...] = static(())

    def __call__(self, clouds: Clouds, rows: Array | None = None) -> tuple[Array, Gradients]:
        """Value and gradients; see :class:`Force`."""
        places = _places("function", self.clouds, len(clouds))
        options = {
            key: jnp.asarray(x)[rows] if rows is not None and key in self.rows else x
            for key, x in self.options.items()
        }
        value, gradients = jax.value_and_grad(lambda chosen: self.function(*chosen, **options))(
            tuple(clouds[place] for place in places)
        )
        return value, _spread(dict(zip(places, gradients, strict=True)), len(clouds))

    def trained(self, count: int) -> tuple[int, ...]:
        """Which clouds get a gradient: all its arguments."""
        return _places("function", self.clouds, count)

    def check(self) -> None:
        """Nothing to check: the function knows its own numbers."""


@tree
class Mixture:
    """A weighted sum of forces; made by :func:`mixture`."""

    forces: tuple[Any, ...]
    weights: tuple[Any, ...]

    def __call__(self, clouds: Clouds, rows: Array | None = None) -> tuple[Array, Gradients]:
        """Value and gradients; see :class:`Force`."""
        total: Any = None
        sums: list[Any] = [None] * len(clouds)
        for force, weight in zip(self.forces, self.weights, strict=True):
            value, gradients = force(clouds, rows)
            weight = jnp.asarray(weight, value.dtype)
            total = weight * value if total is None else total + weight * value
            for k, g in enumerate(gradients):
                if g is not None:
                    sums[k] = weight * g if sums[k] is None else sums[k] + weight * g
        return total, tuple(sums)

    def trained(self, count: int) -> tuple[int, ...]:
        """Which clouds get a gradient from any of the forces."""
        return tuple(sorted({k for force in self.forces for k in force.trained(count)}))

    def check(self) -> None:
        """Raise ValueError unless the numbers that can be seen are in their ranges."""
        for force in self.forces:
            force.check()


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


def _number(name: str, x: Any) -> Any:
    """Check a number or array of numbers; leave tracers alone."""
    if hasattr(x, "dtype"):
        x = x if concrete(x) is None else np.asarray(x)
        check_values(name, x, **({"above": 0.0} if name in _POSITIVE else {}))
        return x
    number = check_option(name, x)
    check_values(name, np.asarray(number), **({"above": 0.0} if name in _POSITIVE else {}))
    return number


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
            numbers[key] = _number(key, x)
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
        tuple(force for _, force in terms), tuple(_number("weight", weight) for weight, _ in terms)
    )
