"""The settings of a simulation: force, rate, optimizer, interventions, constraints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from normtheory._arrays import check_flag, check_kind, check_values, concrete, library_of
from normtheory._read import real_numbers
from normtheory._types import Array
from normtheory.losses._door import narrow
from normtheory.pair import check_decay
from normtheory.particles._describe import described
from normtheory.particles._forces import check_force
from normtheory.particles._given import number, places
from normtheory.particles._names import Names
from normtheory.particles._tree import map_numbers, static, tree
from normtheory.particles.forces import loss
from normtheory.particles.optimizers import Rule, named
from normtheory.particles.sampling import Bernoulli, Minibatch
from normtheory.particles.trained import Trained


@tree
class System:
    """What acts on the particles. A frozen JAX tree: numbers are leaves, structure is static.

    A step is: gradients of the force, times ρ^p with GradScale, through the optimizer, times -γ;
    rows shrink by 1 - γλ with weight decay; then rows go back to their norm if one is fixed.

    Attributes:
        force: from :mod:`normtheory.particles.forces`, or the name of a loss, with the options it
            has by default.
        learning_rate: γ > 0 of the optimizer, on the loss with its ``reduction``;
            :func:`normtheory.pair_rate` says what one pair sees of it. None only with an optax
            transformation that has its own.
        reduction: "mean", the loss as it is, or "sum", the loss times the rows of its first cloud.
        optimizer: a rule of :mod:`normtheory.particles.optimizers` or its name, an
            ``optax.GradientTransformation`` with its rate inside, or None for plain SGD.
        schedule: ``schedule(step)``, a factor on the learning rate (an optax schedule with peak 1),
            or None.
        weight_decay: λ >= 0, γλ < 1: z' = (1-γλ)z - γ·update. None for none.
        coupled_decay: add λz to the gradient instead, before the optimizer, as PyTorch's SGD does;
            under plain SGD it is the same.
        decay_all: whether rows that a step doesn't draw decay all the same, as where decay acts on
            the whole table and the optimizer on the rows that were seen.
        gradscale: p, each row's gradient times its norm to the p before anything else. None for
            none.
        norm: rows are projected to it after every step: a number, shape (n,), or a tuple of these
            with one entry for every cloud. None to leave them free.
        frozen: places of clouds that don't move (stop-gradient partners), nor decay.
        fresh: places of clouds whose directions are drawn anew, uniformly, at every step; they
            keep the norms of the state.
        coherent: with a minibatch, whether the draws of a fresh cloud are shared by the copies of a
            row in the batch.
        sampling: from :mod:`normtheory.particles.sampling`, or None for the full batch.
        trained: options of the loss that are trained too, each a
            :func:`normtheory.particles.trained.option`, by name (``temperature``, or
            ``force.1.temperature`` in a mixture). They start where the force has them.

    Raises:
        TypeError, ValueError: a setting of the wrong kind or out of its range.

    Example:
        >>> from normtheory.particles import System, forces
        >>> System(forces.attraction(), 10.0, weight_decay=0.01).reduction
        'mean'
        >>> System("uniformity", 1e-3, optimizer="adam").optimizer.numbers
        {'b1': 0.9, 'b2': 0.999, 'eps': 1e-08}
    """

    force: Any
    learning_rate: Any = None
    optimizer: Rule | optax.GradientTransformation | str | None = None
    weight_decay: Any = None
    gradscale: Any = None
    norm: Any = None
    sampling: Any = None
    trained: dict[str, Trained] = dataclasses.field(default_factory=dict)
    reduction: str = static(default="mean")
    schedule: Callable[[Any], Any] | None = static(default=None)
    coupled_decay: bool = static(default=False)
    decay_all: bool = static(default=False)
    frozen: tuple[int, ...] = static(default=())
    fresh: tuple[int, ...] = static(default=())
    coherent: bool = static(default=False)

    def __post_init__(self) -> None:
        """Check what a person passes; JAX rebuilds systems without coming here."""
        if isinstance(self.force, str):
            object.__setattr__(self, "force", loss(self.force))
        check_force("force", self.force)
        if self.reduction not in ("mean", "sum"):
            raise ValueError(f"reduction: expected 'mean' or 'sum', got {self.reduction!r}")
        self._check_optimizer()
        for name in ("learning_rate", "weight_decay", "gradscale"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        if self.weight_decay is not None:
            check_decay(self.learning_rate, self.weight_decay)
        if self.decay_all and (self.weight_decay is None or self.coupled_decay):
            raise ValueError("decay_all: expected a weight_decay that is not coupled_decay")
        norms = self.norm if isinstance(self.norm, tuple) else (self.norm,)
        norms = tuple(None if norm is None else _norm(norm) for norm in norms)
        object.__setattr__(self, "norm", norms if isinstance(self.norm, tuple) else norms[0])
        if self.schedule is not None:
            check_kind("schedule", self.schedule, Callable, "a callable")
        for name in ("frozen", "fresh"):
            object.__setattr__(self, name, places(name, getattr(self, name)))
        for name in ("coupled_decay", "decay_all", "coherent"):
            object.__setattr__(self, name, check_flag(name, getattr(self, name)))
        wanted = "one of normtheory.particles.sampling or None"
        check_kind("sampling", self.sampling, Minibatch | Bernoulli | None, wanted)
        both = set(self.frozen) & set(self.fresh)
        if both:
            raise ValueError(f"fresh: cloud {min(both)} is frozen")
        check_kind("trained", self.trained, Mapping, "options of the force by name")
        object.__setattr__(self, "trained", dict(sorted(self.trained.items())))
        for name, one in self.trained.items():
            wanted = "an option of normtheory.particles.trained"
            check_kind(f"trained.{name}", one, Trained, wanted)
        self._check_trained()

    def _check_optimizer(self) -> None:
        if isinstance(self.optimizer, str):
            object.__setattr__(self, "optimizer", named(self.optimizer))
        if isinstance(self.optimizer, optax.GradientTransformation):
            if self.learning_rate is not None or self.weight_decay is not None:
                raise ValueError(
                    "learning_rate, weight_decay: expected None with an optax transformation, "
                    "which has its own"
                )
            # Its functions are structure; in a tuple they would be leaves.
            object.__setattr__(self, "optimizer", _ready_made(self.optimizer))
        elif self.optimizer is not None and not isinstance(self.optimizer, Rule):
            raise TypeError(
                "optimizer: expected a rule of normtheory.particles.optimizers or its name, an "
                f"optax.GradientTransformation or None, got {type(self.optimizer).__name__}"
            )
        elif self.learning_rate is None:
            raise ValueError("learning_rate: expected a number > 0, got None")

    def with_numbers(self, **numbers: Any) -> System:
        """The same system with other numbers: of its own, of its force, or of its optimizer.

        Args:
            **numbers: by name, ``learning_rate=0.1, temperature=0.2, decay=0.9``. Where several
                have one name, as in a mixture, by the path that they have in a configuration:
                ``**{"force.1.temperature": 0.2, "force.1.weight": 2.0}``.

        Raises:
            ValueError: a name that the system does not have, has as None, or has several times; a
                number out of its range.

        Example:
            >>> from normtheory.particles import System, forces
            >>> system = System(forces.loss("info_nce", temperature=0.1), 1.0)
            >>> system.with_numbers(temperature=0.5).force.options
            {'temperature': 0.5}
        """
        names = Names(self)
        known = {name: names.place(name) for name in numbers}
        leaves, structure = jax.tree.flatten(self)
        for name, value in numbers.items():
            leaves[known[name]] = value if hasattr(value, "dtype") else number(name, value)
        jax.tree.unflatten(structure, leaves).check()
        for place in known.values():
            leaves[place] = narrow(leaves[place])
        return jax.tree.unflatten(structure, leaves)

    def check(self) -> None:
        """Raise ValueError unless the numbers that can be seen are in their ranges."""
        self.force.check()
        if isinstance(self.optimizer, Rule):
            self.optimizer.check()
        if isinstance(self.sampling, Bernoulli):
            number("probability", self.sampling.probability, least=0.0, most=1.0)
        for name in ("learning_rate", "weight_decay", "gradscale"):
            _number(name, getattr(self, name))
        if self.weight_decay is not None and self.learning_rate is not None:
            check_decay(self.learning_rate, self.weight_decay)
        self._check_trained()

    def _check_trained(self) -> None:
        known = getattr(self.force, "derivable", dict)() if self.trained else {}
        starts = self.starts()
        for name, (path, start) in starts.items():
            if path not in known:
                raise ValueError(
                    f"trained.{name}: expected a number that the force was given and has a "
                    f"derivative by, one of {', '.join(known) or 'none'}"
                )
            self.trained[name].check(f"trained.{name}.", start)
        paths = [path for path, _ in starts.values()]
        if len(set(paths)) < len(paths):
            raise ValueError(f"trained: expected different options, got {', '.join(self.trained)}")

    def starts(self) -> dict[str, tuple[str, Any]]:
        """Of every trained option, by its name, its path in the force and where it starts."""
        if not self.trained:
            return {}
        names, leaves = Names(self), jax.tree.leaves(self)
        found = {}
        for name in self.trained:
            try:
                place = names.place(name)
            except ValueError as error:
                raise ValueError(f"trained.{error}") from None
            found[name] = names.path(place).removeprefix("force."), leaves[place]
        return found

    def moving(self, count: int) -> tuple[int, ...]:
        """Places of the clouds that move: trained by the force, neither frozen nor fresh."""
        return tuple(
            k for k in self.force.trained(count) if k not in self.frozen and k not in self.fresh
        )

    def transformation(self) -> optax.GradientTransformation | None:
        """The optax object, or None for plain SGD."""
        return self.optimizer.transformation() if isinstance(self.optimizer, Rule) else None

    @property
    def own_rate(self) -> bool:
        """Whether the rate is inside the optimizer."""
        return self.learning_rate is None

    def rate(self, step: Array, dtype: Any) -> Array:
        """γ at a step; 1 where the rate is inside the optimizer."""
        rate = jnp.asarray(1.0 if self.learning_rate is None else self.learning_rate, dtype)
        return rate if self.schedule is None else rate * self.factor(step, dtype)

    def factor(self, step: Array, dtype: Any) -> Array:
        """That of the schedule at a step; 1 without one."""
        if self.schedule is None:
            return jnp.ones((), dtype)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes floats and integer counts
            return jnp.asarray(self.schedule(step), dtype)

    def cast(self, dtype: Any) -> System:
        """The system with its numbers as arrays of one dtype, so that none compiles anew."""

        def one(x: Any) -> Any:
            return jnp.asarray(x, dtype) if isinstance(x, jax.Array) else np.asarray(x, dtype)

        return map_numbers(one, self)

    def describe(self) -> dict[str, Any]:
        """The settings as plain numbers and words, for the attributes of a result."""
        return described(self)


def _ready_made(transformation: optax.GradientTransformation) -> Rule:
    return Rule({}, _Given(transformation))


class _Given:
    """A factory that returns one optax object; equal to itself only, as the object is."""

    def __init__(self, transformation: optax.GradientTransformation) -> None:
        self.transformation = transformation
        self.__name__ = "optax.GradientTransformation"

    def __call__(self) -> optax.GradientTransformation:
        return self.transformation

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Given) and self.transformation == other.transformation

    def __hash__(self) -> int:
        return hash(self.transformation)


def _number(name: str, x: Any) -> Any:
    """Check a number that may be swept or traced; a Python number becomes a float."""
    bounds = {"learning_rate": {"above": 0.0}, "weight_decay": {"least": 0.0}}.get(name, {})
    return None if x is None else number(name, x, **bounds)


def _norm(x: Any) -> Any:
    """Check a norm or one for every row; leave tracers alone."""
    if library_of(x) == "JAX" and concrete(x) is None:
        return x
    values = real_numbers("norm", x)
    if values.ndim > 1:
        raise ValueError(f"norm: expected a number or shape (n,), got shape {values.shape}")
    check_values("norm", values, above=0.0)
    return values
