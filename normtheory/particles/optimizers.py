"""Optimizers: optax's rules, with their numbers as leaves.

A :class:`Rule` holds an optax factory that does not know the learning rate (``optax.trace``,
``optax.scale_by_adam``) and its numbers. The particle takes the step -γ·update, so one
``learning_rate`` means the same under every rule, and no number compiles anew. A ready-made
``optax.GradientTransformation`` works too, with its rate inside; another object compiles anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from normtheory._arrays import check_flag, concrete
from normtheory.particles._given import number
from normtheory.particles._tree import static, tree

__all__ = ["Rule", "adam", "momentum", "rule"]


@tree
class Rule:
    """A rule that turns gradients into updates, before the learning rate.

    Attributes:
        numbers: its arguments that are real numbers.
        factory: an optax function of these numbers and flags, without a learning rate.
        flags: its other arguments.
    """

    numbers: dict[str, Any]
    factory: Callable[..., optax.GradientTransformation] = static()
    flags: tuple[tuple[str, Any], ...] = static(default=())

    def check(self) -> None:
        """Raise unless its numbers are real, and in their ranges where these are known."""
        for name, x in self.numbers.items():
            _RANGES.get(self.factory, {}).get(name, number)(name, x)

    def transformation(self) -> optax.GradientTransformation:
        """The optax object with these numbers, traced or not."""
        return self.factory(**self.numbers, **dict(self.flags))


def rule(factory: Callable[..., optax.GradientTransformation], **arguments: Any) -> Rule:
    """Any optax rule without a learning rate, such as ``optax.scale_by_lion``.

    Args:
        factory: the optax function; its update is taken as a gradient: the step is -γ·update.
        **arguments: Python floats become numbers that change without compiling anew; the rest is
            structure.

    Raises:
        TypeError: not callable, or an argument that it does not have.

    Example:
        >>> rule(optax.scale_by_rms, decay=0.9).numbers
        {'decay': 0.9}
    """
    if not callable(factory):
        raise TypeError(f"factory: expected an optax function, got {type(factory).__name__}")
    known = inspect.signature(factory).parameters
    for name in arguments:
        if name not in known:
            raise TypeError(f"{name}: {factory.__name__} has no such argument: {', '.join(known)}")
    real = {k: v for k, v in arguments.items() if isinstance(v, float | np.floating | jax.Array)}
    rest = {k: v for k, v in arguments.items() if k not in real}
    return Rule(dict(sorted(real.items())), factory, tuple(sorted(rest.items())))


def _share(name: str, x: Any) -> Any:
    """Check a decay of a running mean: >= 0, and < 1."""
    x = number(name, x, least=0.0)
    values = concrete(x)
    if values is not None and (values >= 1).any():
        raise ValueError(f"{name}: expected < 1, got {np.max(values):g}")
    return x


def momentum(decay: Any = 0.9, *, nesterov: bool = False) -> Rule:
    """Heavy ball: v' = αv + g, z' = z - γv'.

    Args:
        decay: α in [0, 1).
        nesterov: look ahead.

    Raises:
        TypeError, ValueError: no real number, or out of range; ``nesterov`` is no truth value.

    Reference:
        Polyak 1964; theory item 15 for what it does to norms.
    """
    flags = (("nesterov", check_flag("nesterov", nesterov)),)
    return Rule({"decay": _share("decay", decay)}, optax.trace, flags)


def adam(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> Rule:
    """Adam; with decoupled ``weight_decay`` in the system it is AdamW.

    Args:
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root; may be 0 where no gradient is exactly 0.

    Raises:
        TypeError, ValueError: no real numbers, or out of range.

    Reference:
        Kingma and Ba 2015; Loshchilov and Hutter 2019.
    """
    numbers = {"b1": _share("b1", b1), "b2": _share("b2", b2), "eps": _positive("eps", eps)}
    return Rule(numbers, optax.scale_by_adam)


def _positive(name: str, x: Any) -> Any:
    return number(name, x, least=0.0)


_RANGES: dict[Any, dict[str, Callable[[str, Any], Any]]] = {
    optax.trace: {"decay": _share},
    optax.scale_by_adam: {"b1": _share, "b2": _share, "eps": _positive},
}
