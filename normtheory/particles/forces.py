"""Forces: what the particles feel, each the value and the gradients of a loss of their clouds.

A force is a JAX tree: its numbers (temperature, weights, labels) are leaves, so changing them
compiles nothing; its structure (which loss, which clouds) is static. A force is called as
``force(clouds)`` and answers ``(value, gradients)``, one gradient for every cloud, None for a cloud
that it does not train.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from normtheory._arrays import check_count, check_flag, check_kind, is_tensor, refuse_more
from normtheory._types import Array
from normtheory.losses import LOSSES, REQUIRED, Loss, Option
from normtheory.losses._door import checked, narrow
from normtheory.particles._forces import Force, FunctionForce, LossForce, Mixture, check_force
from normtheory.particles._given import number, places, several

__all__ = [
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


def _check_places(clouds: Any) -> tuple[int, ...] | None:
    if clouds is None:
        return None
    found = places("clouds", clouds)
    if not found:
        raise ValueError("clouds: expected at least one place, got none")
    return found


def loss(
    name: str | Loss,
    *,
    clouds: int | tuple[int, ...] | None = None,
    block: int | str | None = None,
    **options: Any,
) -> LossForce:
    """The force of a loss of directions, by its closed-form gradient.

    Args:
        name: of a loss of :data:`normtheory.losses.LOSSES`, or a loss of your own.
        clouds: which clouds of the state are its arguments, by place; None for all, in order.
        block: evaluate in blocks of so many rows, or "auto", so that memory grows as n·block and
            not as n²; for losses of all pairs.
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
    check_kind("loss", name, str | Loss, "the name of a loss, or one of your own")
    if isinstance(name, Loss):
        found = name
    elif name in LOSSES:
        found = LOSSES[name]
    else:
        raise ValueError(f"loss: expected one of {', '.join(LOSSES)}; got {name!r}")
    _check_block(found, block)
    numbers: dict[str, Any] = {}
    flags: list[tuple[str, bool]] = []
    for key, x in sorted(options.items()):
        option = found.option(key)
        if option.kind == "flag":
            flags.append((key, check_flag(key, x)))
        else:
            numbers[key] = _number(option, x)
    for option in found.options:
        if option.default is REQUIRED and option.name not in options:
            raise ValueError(f"{found.name}: expected the option {option.name}")
    chosen, count = _check_places(clouds), len(found.clouds)
    if chosen is not None and len(chosen) != count:
        raise ValueError(f"clouds: {found.name} takes {count} clouds, got {chosen}")
    return LossForce(numbers, found, tuple(flags), chosen, block)


def _number(option: Option, x: Any) -> Any:
    """A number or labels that JAX can hold."""
    if is_tensor(x):
        raise TypeError(f"{option.name}: expected numbers or arrays of numpy or JAX, got a tensor")
    return narrow(checked(option, x))


def _check_block(loss: Loss, block: Any) -> None:
    if block is None:
        return
    if not loss.all_pairs:
        known = ", ".join(name for name, one in LOSSES.items() if one.all_pairs)
        raise ValueError(f"block: {loss.name} isn't of all pairs of rows, as are {known}")
    if block != "auto":
        check_count("block", block, 1)


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
        TypeError: not callable; a masked array among the options.
        ValueError: a name in ``rows`` that is no option.
    """
    check_kind("function", value, Callable, "a callable")
    for key, x in options.items():
        refuse_more(key, x)
    follow = several("rows", rows, str, "names of options")
    for key in follow:
        if key not in options:
            raise ValueError(f"rows: expected names of options, {', '.join(options)}; got {key!r}")
    return FunctionForce(dict(sorted(options.items())), value, _check_places(clouds), follow)


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
        if not isinstance(term, tuple) or len(term) != 2:
            raise TypeError(f"mixture: expected pairs (weight, force), got {term!r}")
        check_force("mixture", term[1])
    weights = tuple(number("weight", weight) for weight, _ in terms)
    return Mixture(tuple(force for _, force in terms), weights)
