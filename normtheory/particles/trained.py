"""Options of a loss that are trained with the embeddings: CLIP's scale, SigLIP's t and bias.

An option starts where the force has it. What is learned is the option, its logarithm or its
inverse, with a rate, an optimizer and bounds of its own; the state carries it. CLIP's temperature
is ``option(rate, learned="log", least=0.01)``: its scale, learned as a logarithm, stays below 100.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_kind, check_values, concrete
from normtheory._types import Scalar
from normtheory.particles._given import number
from normtheory.particles._tree import static, tree
from normtheory.particles.optimizers import Rule, works_on

__all__ = ["Parameter", "Trained", "option"]

# Option to what is learned of it, back, and the derivative of the way back at the option.
_WAYS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "value": (lambda x: x, lambda p: p, jnp.ones_like),
    "log": (jnp.log, jnp.exp, lambda x: x),
    "inverse": (lambda x: 1 / x, lambda p: 1 / p, lambda x: -x * x),
}


class Parameter(NamedTuple):
    """What a state holds of a trained option.

    Attributes:
        learned: the option, its logarithm or its inverse; a scalar.
        memory: of its optimizer.
    """

    learned: Scalar
    memory: Any


@tree
class Trained:
    """How an option is trained; made by :func:`option`.

    Attributes:
        learning_rate: of what is learned, on the loss with its reduction.
        optimizer: a rule of :mod:`normtheory.particles.optimizers`, or None for plain SGD.
        least: of the option, or None.
        most: of the option, or None.
        learned: "value", "log" or "inverse".
    """

    learning_rate: Any
    optimizer: Rule | None = None
    least: Any = None
    most: Any = None
    learned: str = static(default="value")

    def value(self, parameter: Parameter) -> Scalar:
        """The option."""
        return _WAYS[self.learned][1](parameter.learned)

    def started(self, value: Scalar) -> Parameter:
        """What a state begins with, at a value of the option."""
        learned = _WAYS[self.learned][0](value)
        return Parameter(learned, () if self.optimizer is None else self._rule().init(learned))

    def updated(self, parameter: Parameter, slope: Scalar, factor: Scalar) -> Parameter:
        """After a step, from the derivative by the option and the factor of the schedule."""
        learned, memory = parameter
        slope = slope * _WAYS[self.learned][2](self.value(parameter))
        if self.optimizer is not None:
            # optax raises floats to integer counts, which strict promotion forbids.
            with jax.numpy_dtype_promotion("standard"):
                slope, memory = self._rule().update(slope, memory, learned)
        rate = jnp.asarray(self.learning_rate, learned.dtype) * factor
        return Parameter(self._bounded(learned - rate * slope.astype(learned.dtype)), memory)

    def _bounded(self, learned: Scalar) -> Scalar:
        there, falls = _WAYS[self.learned][0], self.learned == "inverse"
        for bound, above in ((self.least, not falls), (self.most, falls)):
            if bound is not None:
                limit = there(jnp.asarray(bound, learned.dtype))
                learned = (jnp.maximum if above else jnp.minimum)(learned, limit)
        return learned

    def _rule(self) -> Any:
        assert self.optimizer is not None
        return self.optimizer.transformation()

    def check(self, before: str = "", start: Any = None) -> None:
        """Raise ValueError unless the numbers that can be seen are in their ranges.

        Args:
            before: what stands before their names.
            start: value of the option where it starts, if it is known.
        """
        bounds: dict[str, Any] = {} if self.learned == "value" else {"above": 0.0}
        check_values(f"{before}learning_rate", self.learning_rate, least=0.0)
        for what, x in (("least", self.least), ("most", self.most), ("start", start)):
            if x is not None:
                check_values(before + what, x, **bounds)
        values = [None if x is None else concrete(x) for x in (self.least, start, self.most)]
        known = [x for x in values if x is not None]
        if any((np.asarray(a) > b).any() for a, b in itertools.pairwise(known)):
            told = ", ".join("none" if x is None else f"{np.max(x):g}" for x in values)
            raise ValueError(f"{before}least: expected least <= start <= most, got {told}")
        if self.optimizer is not None:
            self.optimizer.check()


def option(
    learning_rate: Any,
    *,
    learned: str = "value",
    optimizer: Rule | None = None,
    least: Any = None,
    most: Any = None,
) -> Trained:
    """How an option of the loss is trained.

    A step is that of the optimizer on the learned quantity, with the derivative of the loss with
    its reduction, before the bounds; the schedule of the system multiplies its rate too. There is
    no decay.

    Args:
        learning_rate: >= 0, of what is learned. A number, as all others, that changes without
            compiling anew.
        learned: "value", the option x itself; "log", ln x, for a temperature τ the same steps as
            of CLIP's and SigLIP's logarithm of the scale 1/τ; "inverse", 1/x, for a temperature
            the scale itself.
        optimizer: a rule of :mod:`normtheory.particles.optimizers` that works on single numbers, or
            None for plain SGD.
        least: bound on the option, whatever is learned of it; None for none.
        most: bound likewise. CLIP's scale of at most 100 is a temperature of at least 0.01.

    Raises:
        TypeError, ValueError: not numbers; another word; a rule for matrices or rows.

    Example:
        >>> from normtheory.particles import System, forces, optimizers, trained
        >>> scale = trained.option(1e-3, learned="log", optimizer=optimizers.adam(), least=0.01)
        >>> force = forces.loss("clip", temperature=0.07)
        >>> System(force, 1.0, trained={"temperature": scale}).trained["temperature"].learned
        'log'
    """
    if learned not in _WAYS:
        raise ValueError(f"learned: expected one of {', '.join(_WAYS)}; got {learned!r}")
    wanted = "a rule of normtheory.particles.optimizers or None"
    check_kind("optimizer", optimizer, Rule | None, wanted)
    given = {"learning_rate": learning_rate, "least": least, "most": most}
    numbers = {
        name: x if x is None and name != "learning_rate" else number(name, x)
        for name, x in given.items()
    }
    found = Trained(**numbers, optimizer=optimizer, learned=learned)
    found.check()
    if optimizer is not None and not works_on(optimizer, ()):
        raise ValueError("optimizer: expected a rule that works on single numbers")
    return found
