"""A loss is one object: its clouds, its options, its slope, its source, an example.

Everything else asks the object: the simulator, the commands, ``verify``, the encoders, the tables,
the tests. A loss of your own is made with the same class, and then has value, gradient, blocks, all
three libraries, the kit and the simulator.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from normtheory._arrays import Array
from normtheory.losses import _door, _text
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import REQUIRED, Cloud, Option
from normtheory.losses._slope import Evaluated, Slope

Example = tuple[tuple[np.ndarray, ...], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss of directions: call it for its value.

    Attributes:
        name: its name, also that of its file.
        summary: what it is, in a line with the formula.
        clouds: what it is a function of, in the order of its arguments.
        slope: ``slope(xp, *directions, **options)`` gives a :class:`Slope`: value, ∂ℓ/∂û of every
            trained cloud, and the derivatives with respect to the trained options. It is written in
            the array API of ``xp`` (:class:`Namespace`), and sees unit rows.
        source: author, year, equation.
        options: its options, in the order of its arguments; those without a default come first.
        all_pairs: whether it is of all pairs of rows, so that it can go by blocks of rows.
        check: further conditions: called with the clouds and the concrete values of the options, by
            name, it raises a ValueError. Options whose values can't be seen are left out.
        notes: what else a reader should know: kinks, conventions.

    Example:
        >>> import numpy as np
        >>> def slope(xp, u, v):
        ...     n = u.shape[0]
        ...     value = -xp.sum(u * v) / n
        ...     return Slope(value, {"z_1": -v / n, "z_2": -u / n})
        >>> mine = Loss("mine", "Minus the mean cosine.", (Cloud("z_1"), Cloud("z_2")), slope, "me")
        >>> z = np.eye(3)
        >>> float(mine(z, 2 * z)), [g.shape for g in mine.gradient(z, z)]
        (-1.0, [(3, 3), (3, 3)])
    """

    name: str
    summary: str
    clouds: tuple[Cloud, ...]
    slope: Callable[..., Slope]
    source: str
    options: tuple[Option, ...] = ()
    all_pairs: bool = False
    check: Callable[[Mapping[str, Any]], None] | None = None
    notes: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse a loss that trains nothing or has two arguments of one name."""
        names = [part.name for part in (*self.clouds, *self.options)]
        if len(set(names)) < len(names) or {"block", "group"} & set(names):
            raise ValueError(f"{self.name}: expected different names of arguments, got {names}")
        if not any(cloud.trained for cloud in self.clouds):
            raise ValueError(f"{self.name}: expected at least one trained cloud")
        object.__setattr__(self, "__name__", self.name)
        object.__setattr__(self, "__signature__", self.signature)
        object.__setattr__(self, "__doc__", _text.of_loss(self))

    def __repr__(self) -> str:
        """Name and signature."""
        return f"<loss {self.name}{self.signature}>"

    @cached_property
    def signature(self) -> inspect.Signature:
        """Of the value: clouds, options, block, group."""
        kind = inspect.Parameter
        parameters = [kind(c.name, kind.POSITIONAL_OR_KEYWORD) for c in self.clouds]
        for option in self.options:
            if option.default is REQUIRED:
                parameters.append(kind(option.name, kind.POSITIONAL_OR_KEYWORD))
            else:
                parameters.append(kind(option.name, kind.KEYWORD_ONLY, default=option.default))
        if self.all_pairs:
            parameters.append(kind("block", kind.KEYWORD_ONLY, default=None))
        parameters.append(kind("group", kind.KEYWORD_ONLY, default=None))
        return inspect.Signature(parameters)

    @cached_property
    def trained(self) -> tuple[int, ...]:
        """Positions of the trained clouds."""
        return tuple(i for i, cloud in enumerate(self.clouds) if cloud.trained)

    @cached_property
    def stop_gradient(self) -> bool:
        """Whether some clouds count as constants, so that autodiff gives 0 there."""
        return len(self.trained) < len(self.clouds)

    @cached_property
    def derivatives(self) -> frozenset[str]:
        """Names of the clouds and options that it has derivatives for."""
        return frozenset(x.name for x in (*self.clouds, *self.options) if x.trained)

    def option(self, name: str) -> Option:
        """The option of that name.

        Raises:
            ValueError: there is none; the names are said.
        """
        for option in self.options:
            if option.name == name:
                return option
        known = ", ".join(option.name for option in self.options) or "none"
        raise ValueError(f"{name}: {self.name} has no such option; it has {known}")

    def steepness(self, options: Mapping[str, Any]) -> float:
        """By how much at most it multiplies a change of a cosine: 1/τ, a scale, 2t, or 1."""
        values = {option.name: option.default for option in self.options} | dict(options)
        steep = (o.steepness(values[o.name]) for o in self.options if o.steepness is not None)
        return float(max([1.0, *steep]))

    def __call__(self, *arguments: Any, **options: Any) -> Array:
        """The loss; JAX and PyTorch differentiate it by its closed form."""
        given = _door.read(self, arguments, options)
        return given.library.value(*given.call(self), **given.extra)

    @property
    def value(self) -> Loss:
        """The loss itself, which is called for its value."""
        return self

    def gradient(self, *arguments: Any, **options: Any) -> tuple[Array, ...]:
        """The closed-form gradient with respect to every trained cloud.

        Arguments and errors are those of the loss.

        Returns:
            A tuple with one array for every trained cloud, of its shape, dtype and kind. For JAX
            arrays it may be differentiated; PyTorch tensors come back without a graph.
        """
        return self.value_and_gradient(*arguments, **options)[1]

    def value_and_gradient(
        self, *arguments: Any, **options: Any
    ) -> tuple[Array, tuple[Array, ...]]:
        """The loss and its closed-form gradients, from one evaluation."""
        found = self._differentiate(arguments, options, {self.clouds[i].name for i in self.trained})
        return found.value, found.clouds

    def option_gradient(self, name: str, *arguments: Any, **options: Any) -> Array:
        """The closed-form derivative with respect to a trained option, such as the temperature.

        Raises:
            ValueError: no such option, or one without a derivative.
        """
        if not self.option(name).trained:
            raise ValueError(f"{name}: {self.name} holds it constant, so it has no derivative")
        return self._differentiate(arguments, options, {name}).options[0]

    def _differentiate(
        self, arguments: tuple[Any, ...], options: dict[str, Any], wanted: set[str]
    ) -> Evaluated:
        given = _door.read(self, arguments, options)
        return given.library.differentiate(
            *given.call(self), wanted=frozenset(wanted), **given.extra
        )

    def example(self, rng: np.random.Generator, n: int, dimension: int) -> Example:
        """Clouds of random norms, and options, to try the loss on.

        Args:
            rng: source of randomness.
            n: rows of the first cloud.
            dimension: d.

        Returns:
            The clouds, float64, whose norms are spread over a factor of about e², and options by
            name.
        """
        sizes = {cloud.rows: cloud.size(n) for cloud in reversed(self.clouds)}
        options: dict[str, Any] = {}

        def draw(option: Option) -> None:
            made = option.example
            options[option.name] = made(rng, sizes) if callable(made) else made

        shown = [o for o in self.options if o.example is not None]
        for option in shown:
            if option.per_row:
                draw(option)
        clouds = tuple(cloud_of(rng, sizes[cloud.rows], dimension) for cloud in self.clouds)
        for option in shown:
            if not option.per_row:
                draw(option)
        return clouds, options


def cloud_of(rng: np.random.Generator, n: int, dimension: int) -> np.ndarray:
    """A Gaussian cloud whose norms are spread over a factor of about e²."""
    return rng.standard_normal((n, dimension)) * np.exp(rng.uniform(-1, 1, (n, 1)))


__all__ = ["Cloud", "Loss", "Namespace", "Option", "Slope"]
