"""Optimizers: optax's rules, with their numbers as leaves.

A :class:`Rule` holds an optax factory that does not know the learning rate (``optax.trace``,
``optax.scale_by_adam``) and its numbers. The particle takes the step -γ·update, so one
``learning_rate`` means the same under every rule, and no number compiles anew. A ready-made
``optax.GradientTransformation`` works too, with its rate inside; another object compiles anew.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
import optax

from normtheory._arrays import check_flag, check_kind, check_share
from normtheory.particles._given import number
from normtheory.particles._rules import by_rows, scale_by_muon, scale_by_rowwise_adagrad
from normtheory.particles._tree import static, tree

__all__ = [
    "OPTIMIZERS",
    "Rule",
    "adam",
    "lazy",
    "lion",
    "momentum",
    "muon",
    "rowwise_adagrad",
    "rule",
]


@tree
class Rule:
    """A rule that turns gradients into updates, before the learning rate.

    Attributes:
        numbers: its arguments that are real numbers.
        factory: an optax function of these numbers and flags, without a learning rate.
        flags: its other arguments.
        lazy: whether every row has a memory of its own; see :func:`lazy`.
    """

    numbers: dict[str, Any]
    factory: Callable[..., optax.GradientTransformation] = static()
    flags: tuple[tuple[str, Any], ...] = static(default=())
    lazy: bool = static(default=False)

    def check(self) -> None:
        """Raise unless its numbers are real, and in their ranges where these are known."""
        self.read()

    def read(self) -> dict[str, Any]:
        """Its numbers, checked; Python's as floats."""
        ranges = _RANGES.get(self.factory, {})
        return {name: ranges.get(name, number)(name, x) for name, x in self.numbers.items()}

    def transformation(self) -> optax.GradientTransformation:
        """The optax object with these numbers, traced or not."""
        made = self.factory(**self.numbers, **dict(self.flags))
        return by_rows(made) if self.lazy else made


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
    return _checked(Rule({"decay": decay}, optax.trace, flags))


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
    return _checked(Rule({"b1": b1, "b2": b2, "eps": eps}, optax.scale_by_adam))


def lion(b1: Any = 0.9, b2: Any = 0.99) -> Rule:
    """Lion: the step is the sign of a mean of the gradient and its momentum.

    Args:
        b1: share of the momentum in the sign.
        b2: decay of the momentum.

    Reference:
        Chen et al. 2023; theory item 23 for what it does to norms.
    """
    return _checked(Rule({"b1": b1, "b2": b2}, optax.scale_by_lion))


def rowwise_adagrad(start: Any = 0.0, eps: Any = 0.0) -> Rule:
    """Row-wise Adagrad, one sum a row: G' = G + mean g², z' = z - γg/(√G' + ε).

    It is lazy by itself: a row without a gradient stays, and its sum with it.

    Args:
        start: G of every row at first.
        eps: ε; 0 will do, a row that never had a gradient has no step.

    Reference:
        Duchi et al. 2011, with a sum for every row as is usual for tables of embeddings; theory
        item 24 for how norms grow under it.
    """
    return _checked(Rule({"start": start, "eps": eps}, scale_by_rowwise_adagrad))


def muon(beta: Any = 0.95, eps: Any = 1e-8, *, nesterov: bool = True, polar: bool = False) -> Rule:
    """Muon: the momentum of a cloud, as one matrix (n, d), made orthogonal.

    There is no factor for its shape: the step has singular values near γ.

    Args:
        beta: decay of the momentum, whose start is corrected for.
        eps: added to the norm of the momentum before it is made orthogonal.
        nesterov: look ahead.
        polar: take the polar factor itself, to rounding for singular values above a ten-thousandth
            of the largest, where Muon's five iterations leave them between 0.7 and 1.2.

    Reference:
        Jordan et al. 2024; theory item 28 for what it does to rows.
    """
    flags = tuple((k, check_flag(k, x)) for k, x in (("nesterov", nesterov), ("polar", polar)))
    return _checked(Rule({"beta": beta, "eps": eps}, scale_by_muon, flags))


OPTIMIZERS: Mapping[str, Callable[..., Rule] | None] = MappingProxyType(
    {
        "sgd": None,
        "momentum": momentum,
        "adam": adam,
        "adamw": adam,  # which of the two it is, the weight decay of the system says
        "lion": lion,
        "rowwise_adagrad": rowwise_adagrad,
        "muon": muon,
    }
)
"""The rules that a system and a configuration know by name; None is plain SGD."""


NORMALISED = (optax.scale_by_adam, optax.scale_by_lion)
"""Factories of rules whose steps don't depend on the size of the gradients."""


def named(name: str) -> Rule | None:
    """The rule of a name with its usual numbers; ValueError with the known names otherwise."""
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}; got {name!r}")
    make = OPTIMIZERS[name]
    return None if make is None else make()


def lazy(rule: Rule) -> Rule:
    """The rule with a memory for every row, its count of updates included.

    Where a sampling draws rows, a row's memory changes only when it is drawn, so that a rare row
    has the corrections of a young one. Other rules keep one count for all.

    Args:
        rule: one that works on vectors, not :func:`muon`.

    Raises:
        TypeError: no rule.
        ValueError: a rule that needs the whole cloud.

    Example:
        >>> lazy(adam()).lazy
        True
    """
    check_kind("rule", rule, Rule, "a rule of this module")
    if not works_on(rule, (2,)):
        raise ValueError("rule: expected one that works on vectors")
    return dataclasses.replace(rule, lazy=True)


def works_on(rule: Rule, shape: tuple[int, ...]) -> bool:
    """Whether a rule can update an array of a shape."""

    def once(x: Any) -> Any:
        made = rule.transformation()
        return made.update(x, made.init(x), x)

    try:
        with jax.numpy_dtype_promotion("standard"):
            jax.eval_shape(once, jax.ShapeDtypeStruct(shape, np.float32))
    except (IndexError, TypeError, ValueError):
        return False
    return True


def _share(name: str, x: Any) -> Any:
    """Check a decay of a running mean: >= 0, and < 1."""
    x = number(name, x, least=0.0)
    check_share(name, x)
    return x


def _size(name: str, x: Any) -> Any:
    return number(name, x, least=0.0)


_RANGES: dict[Any, dict[str, Callable[[str, Any], Any]]] = {
    optax.trace: {"decay": _share},
    optax.scale_by_adam: {"b1": _share, "b2": _share, "eps": _size},
    optax.scale_by_lion: {"b1": _share, "b2": _share},
    scale_by_rowwise_adagrad: {"start": _size, "eps": _size},
    scale_by_muon: {"beta": _share, "eps": _size},
}
"""What is known of the numbers of a rule."""


def _checked(given: Rule) -> Rule:
    """The rule, its numbers as floats or arrays and in their ranges."""
    return dataclasses.replace(given, numbers=given.read())
