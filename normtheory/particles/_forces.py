"""The kinds of forces; :mod:`normtheory.particles.forces` makes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
Range = tuple[float, float, float]
"""Of an option: above, least, most."""


class Force(Protocol):
    """Value and gradients of a loss."""

    def __call__(self, clouds: Clouds, rows: Array | None = None) -> tuple[Scalar, Gradients]:
        """Evaluate on clouds (n, d).

        ``rows``, shape (b,), says which rows of a larger first cloud they are, so that labels can
        follow.
        """
        ...

    def differentiate(
        self, clouds: Clouds, rows: Array | None, options: Mapping[str, Array]
    ) -> tuple[Scalar, Gradients, dict[str, Scalar]]:
        """The same with other values of some of :meth:`derivable`, and the derivatives by these."""
        ...

    def derivable(self) -> dict[str, Range]:
        """Names of its options that it can be differentiated by, with their ranges."""
        ...

    def trained(self, count: int) -> tuple[int, ...]:
        """Which of ``count`` clouds get a gradient."""
        ...

    def check(self) -> None:
        """Raise ValueError unless the numbers that can be seen are in their ranges."""
        ...


def check_force(name: str, x: Any) -> None:
    """Raise TypeError unless ``x`` can do what a force does; a loss can't."""
    if not callable(x) or not callable(getattr(x, "trained", None)):
        raise TypeError(
            f"{name}: expected one of normtheory.particles.forces, got {type(x).__name__}"
        )


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
        return self.differentiate(clouds, rows, {})[:2]

    def differentiate(
        self, clouds: Clouds, rows: Array | None, options: Mapping[str, Array]
    ) -> tuple[Scalar, Gradients, dict[str, Scalar]]:
        """Value, gradients and derivatives by options; see :class:`Force`."""
        places, loss = self._places(len(clouds)), self.loss
        given: dict[str, Any] = {
            key: jnp.asarray(x)[rows] if rows is not None and loss.option(key).per_row else x
            for key, x in (self.options | dict(options)).items()
        }
        if self.block is not None:
            given["block"] = self.block
        found = loss.differentiate(
            [*(loss.clouds[k].name for k in loss.trained), *options],
            *(clouds[place] for place in places),
            **given,
            **dict(self.flags),
        )
        trained = (places[k] for k in loss.trained)
        gradients = _spread(dict(zip(trained, found.clouds, strict=True)), len(clouds))
        names = (option.name for option in loss.options if option.name in options)
        return found.value, gradients, dict(zip(names, found.options, strict=True))

    def derivable(self) -> dict[str, Range]:
        """Its numbers that the loss has derivatives by."""
        options = [
            o for o in self.loss.options if o.trained and np.ndim(self.options.get(o.name, [])) == 0
        ]
        return {o.name: (o.above, o.least, o.most) for o in options}

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
        return self.differentiate(clouds, rows, {})[:2]

    def differentiate(
        self, clouds: Clouds, rows: Array | None, options: Mapping[str, Array]
    ) -> tuple[Scalar, Gradients, dict[str, Scalar]]:
        """Value, gradients and derivatives by options; see :class:`Force`."""
        places = _places("function", self.clouds, len(clouds))
        given = {
            key: jnp.asarray(x)[rows] if rows is not None and key in self.rows else x
            for key, x in self.options.items()
        }

        def value(chosen: Clouds, options: dict[str, Array]) -> Scalar:
            return self.function(*chosen, **(given | options))

        found, (gradients, slopes) = jax.value_and_grad(value, (0, 1))(
            tuple(clouds[place] for place in places), dict(options)
        )
        spread = _spread(dict(zip(places, gradients, strict=True)), len(clouds))
        return found, spread, slopes

    def derivable(self) -> dict[str, Range]:
        """Its real numbers."""
        names = [
            name for name, x in self.options.items() if np.ndim(x) == 0 and name not in self.rows
        ]
        return dict.fromkeys(names, (-math.inf, -math.inf, math.inf))

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
        return self.differentiate(clouds, rows, {})[:2]

    def differentiate(
        self, clouds: Clouds, rows: Array | None, options: Mapping[str, Array]
    ) -> tuple[Scalar, Gradients, dict[str, Scalar]]:
        """Value, gradients and derivatives by options; see :class:`Force`."""
        total: Any = None
        sums: list[Any] = [None] * len(clouds)
        slopes: dict[str, Scalar] = {}
        for place, (force, weight) in enumerate(zip(self.forces, self.weights, strict=True)):
            own = {
                name.removeprefix(f"{place}."): x
                for name, x in options.items()
                if name.startswith(f"{place}.")
            }
            value, gradients, by_option = (
                force.differentiate(clouds, rows, own) if own else (*force(clouds, rows), {})
            )
            weight = jnp.asarray(weight, value.dtype)
            total = weight * value if total is None else total + weight * value
            for k, g in enumerate(gradients):
                if g is not None:
                    sums[k] = weight * g if sums[k] is None else sums[k] + weight * g
            slopes |= {f"{place}.{name}": weight * x for name, x in by_option.items()}
        return total, tuple(sums), slopes

    def derivable(self) -> dict[str, Range]:
        """Those of its terms, after the place of the term."""
        several = [getattr(force, "derivable", dict)() for force in self.forces]
        return {f"{k}.{name}": x for k, one in enumerate(several) for name, x in one.items()}

    def trained(self, count: int) -> tuple[int, ...]:
        """Which clouds get a gradient from any of the forces."""
        return tuple(sorted({k for force in self.forces for k in force.trained(count)}))

    def check(self) -> None:
        """Raise ValueError unless the numbers that can be seen are in their ranges."""
        for force, weight in zip(self.forces, self.weights, strict=True):
            force.check()
            check_values("weight", weight)
