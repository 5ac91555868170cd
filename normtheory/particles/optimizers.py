"""Optimizers: optax's rules, with their numbers as leaves.

A :class:`Rule` holds an optax factory that does not know the learning rate (``optax.trace``,
``optax.scale_by_adam``) and its numbers. The particle takes the step -γ·update, so one
``learning_rate`` means the same under every rule, and no number compiles anew. A ready-made
``optax.GradientTransformation`` works too, with its rate inside; another object compiles anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import optax

from normtheory._arrays import check_values, concrete
from normtheory.particles._tree import static, tree

__all__ = ["Rule", "adam", "momentum", "rule"]


@tree
class Rule:
    """A rule that turns gradients into updates, before the learning rate.

    Attributes:
        numbers: its arguments that are real numbers.
        factory: an optax function of these numbers and flags, without a learning rate.
        flags: its other arguments.
        below: names of numbers >= 0, and what they are less than, or None; nothing is known of
            others.
    """

    numbers: dict[str, Any]
    factory: Callable[..., optax.GradientTransformation] = static()
    flags: tuple[tuple[str, Any], ...] = static(default=())
    below: tuple[tuple[str, float | None], ...] = static(default=(), told=False)

    def check(self) -> None:
        """Raise ValueError unless the numbers that can be seen are in their ranges."""
        for name, most in self.below:
            x = self.numbers[name]
            check_values(name, np.asarray(x) if isinstance(x, float) else x, least=0.0)
            values = concrete(x) if hasattr(x, "dtype") else np.asarray(x)
            if most is not None and values is not None and (values >= most).any():
                raise ValueError(f"{name}: expected < {most:g}, got {np.max(values):g}")

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


def _named(
    factory: Callable[..., optax.GradientTransformation],
    flags: Mapping[str, Any],
    *,
    shares: Mapping[str, Any],
    others: Mapping[str, Any] | None = None,
) -> Rule:
    """A rule whose numbers have ranges: shares in [0, 1), and others >= 0."""
    numbers = {**shares, **(others or {})}
    numbers = {k: float(x) if isinstance(x, int | float) else x for k, x in numbers.items()}
    below = tuple((k, 1.0 if k in shares else None) for k in numbers)
    found = Rule(numbers, factory, tuple(sorted(flags.items())), below)
    found.check()
    return found


def momentum(decay: Any = 0.9, *, nesterov: bool = False) -> Rule:
    """Heavy ball: v' = αv + g, z' = z - γv'.

    Args:
        decay: α in [0, 1).
        nesterov: look ahead.

    Reference:
        Polyak 1964; theory item 15 for what it does to norms.
    """
    return _named(optax.trace, {"nesterov": bool(nesterov)}, shares={"decay": decay})


def adam(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> Rule:
    """Adam; with decoupled ``weight_decay`` in the system it is AdamW.

    Args:
        b1: decay of the mean of gradients.
        b2: decay of the mean of their squares.
        eps: added to the root; may be 0 where no gradient is exactly 0.

    Reference:
        Kingma and Ba 2015; Loshchilov and Hutter 2019.
    """
    return _named(optax.scale_by_adam, {}, shares={"b1": b1, "b2": b2}, others={"eps": eps})
