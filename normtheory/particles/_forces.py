"""The kinds of forces; :mod:`normtheory.particles.forces` makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_values
from normtheory._types import Array, Clouds, Scalar
from normtheory.losses import Loss
from normtheory.losses._door import checked
from normtheory.particles._tree import static, tree

Gradients = tuple[Array | None, ...]


class Force(Protocol):
    """Value and gradients of a loss."""

    def __call__(self, clouds: Clouds, rows: Array | None = None) -> tuple[Scalar, Gradients]:
        """Evaluate on clouds (n, d).

        ``rows``, shape (b,), says which rows of a larger first cloud they are, so that labels can
        follow.
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
    """The force of a loss of directions; made by :func:`loss`.

    Attributes:
        options: its numbers and arrays.
        loss: the loss.
        flags: its true-or-false options.
        clouds: which clouds of the state are its arguments; None for all, in order.
        block: most rows in a block; None to form all similarities at once.
    """

    options: dict[str, Any]
    loss: Loss = static()
    flags: tuple[tuple[str, bool], ...] = static(default=())
    clouds: tuple[int, ...] | None = static(default=None)
    block: int | str | None = static(default=None)

    def __call__(self, clouds: Clouds, rows: Array | None = None) -> tuple[Scalar, Gradients]:
        """Value and gradients; see :class:`Force`."""
        places = self._places(len(clouds))
        options: dict[str, Any] = {
            key: jnp.asarray(x)[rows] if rows is not None and self.loss.option(key).per_row else x
            for key, x in self.options.items()
        }
        if self.block is not None:
            options["block"] = self.block
        value, gradients = self.loss.value_and_gradient(
            *(clouds[place] for place in places), **options, **dict(self.flags)
        )
        trained = (places[k] for k in self.loss.trained)
        return value, _spread(dict(zip(trained, gradients, strict=True)), len(clouds))

    def _places(self, count: int) -> tuple[int, ...]:
        return _places(self.loss.name, self.clouds, count, len(self.loss.clouds))

    def trained(self, count: int) -> tuple[int, ...]:
        """Which clouds get a gradient."""
        places = self._places(count)
        return tuple(places[k] for k in self.loss.trained)

    def check(self) -> None:
        """Raise ValueError unless the numbers that can be seen are in their ranges."""
        for name, x in self.options.items():
            checked(self.loss.option(name), x)


@tree
class FunctionForce:
    """The force of any loss that JAX differentiates; made by :func:`function`."""

    options: dict[str, Any]
    function: Callable[..., Scalar] = static()
    clouds: tuple[int, ...] | None = static(default=None)
    rows: tuple[str, ...] = static(default=())

    def __call__(self, clouds: Clouds, rows: Array | None = None) -> tuple[Scalar, Gradients]:
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

    def __call__(self, clouds: Clouds, rows: Array | None = None) -> tuple[Scalar, Gradients]:
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
        for force, weight in zip(self.forces, self.weights, strict=True):
            force.check()
            check_values("weight", np.asarray(weight) if isinstance(weight, float) else weight)
