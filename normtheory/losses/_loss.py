"""A loss is one object: its clouds, its options, its slope, its source, an example.

Everything else asks the object: the simulator, the commands, ``verify``, the encoders, the tables,
the tests. A loss of your own is made with the same class, and then has value, gradient, blocks, all
three libraries, the kit and the simulator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from normtheory._types import Array
from normtheory.losses import _door, _text
from normtheory.losses._definition import Definition
from normtheory.losses._evaluate import Evaluated


@dataclass(frozen=True, eq=False)
class Loss(Definition):
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
        >>> from normtheory.losses import Cloud, Slope
        >>> def slope(xp, u, v):
        ...     n = u.shape[0]
        ...     value = -xp.sum(u * v) / n
        ...     return Slope(value, {"z_1": -v / n, "z_2": -u / n})
        >>> mine = Loss("mine", "Minus the mean cosine.", (Cloud("z_1"), Cloud("z_2")), slope, "me")
        >>> z = np.eye(3)
        >>> float(mine(z, 2 * z)), [g.shape for g in mine.gradient(z, z)]
        (-1.0, [(3, 3), (3, 3)])
    """

    def __post_init__(self) -> None:
        """Take the loss's own name, signature and docstring."""
        super().__post_init__()
        object.__setattr__(self, "__name__", self.name)
        object.__setattr__(self, "__signature__", self.signature)
        object.__setattr__(self, "__doc__", _text.of_loss(self))

    def __repr__(self) -> str:
        """Name and signature."""
        return f"<loss {self.name}{self.signature}>"

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
        names = [self.clouds[i].name for i in self.trained]
        found = self.differentiate(names, *arguments, **options)
        return found.value, found.clouds

    def option_gradient(self, name: str, *arguments: Any, **options: Any) -> Array:
        """The closed-form derivative with respect to a trained option, such as the temperature.

        Raises:
            ValueError: no such option, or one without a derivative.
        """
        if not self.option(name).trained:
            raise ValueError(f"{name}: {self.name} holds it constant, so it has no derivative")
        return self.differentiate([name], *arguments, **options).options[0]

    def differentiate(self, names: Iterable[str], /, *arguments: Any, **options: Any) -> Evaluated:
        """The loss and its closed-form derivatives by trained clouds and options, all at once.

        Args:
            names: of the clouds and options whose derivatives are wanted.
            *arguments: of the loss.
            **options: of the loss.

        Returns:
            ``value``, ``clouds`` and ``options``, the derivatives in the order of the loss.

        Raises:
            ValueError: a name that it has no derivative for.
        """
        wanted = frozenset(names)
        for name in sorted(wanted - self.derivatives):
            raise ValueError(
                f"{name}: {self.name} has derivatives by {', '.join(sorted(self.derivatives))}"
            )
        given = _door.read(self, arguments, options)
        return given.library.differentiate(*given.call(self), wanted=wanted, **given.extra)
