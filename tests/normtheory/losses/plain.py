"""A loss and all its derivatives: the plain definition, differentiated by JAX in float64."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from normtheory.losses import Loss
from normtheory.verify._plain_losses import PLAIN


class Expected(NamedTuple):
    """Value, gradients of all clouds, and derivatives of the trained options, by name."""

    value: float
    clouds: tuple[np.ndarray, ...]
    options: dict[str, float]


def expected(
    loss: Loss, clouds: tuple[np.ndarray, ...], options: dict[str, Any], function: Any = None
) -> Expected:
    """Differentiate the plain definition by JAX, in float64, of the numbers as they are.

    Args:
        loss: whose it is.
        clouds: of any dtype that numpy can widen.
        options: numbers, arrays and flags by name.
        function: another definition than that of ``PLAIN``.
    """
    defaults = {o.name: o.default for o in loss.options if o.trained}
    trained = {name: options.get(name, default) for name, default in defaults.items()}
    fixed = {name: value for name, value in options.items() if name not in trained}
    flags = {name: x for name, x in fixed.items() if isinstance(x, bool)}
    derivatives = _derivatives(function or PLAIN[loss.name], tuple(flags.items()))
    with jax.enable_x64(True):
        wide = tuple(jnp.asarray(np.asarray(z, np.float64)) for z in clouds)
        numbers = {name: jnp.asarray(float(x)) for name, x in trained.items()}
        rest = {name: _constant(x) for name, x in fixed.items() if name not in flags}
        found, (by_cloud, by_option) = derivatives(wide, numbers, rest)
        return Expected(
            float(found),
            tuple(np.asarray(g) for g in by_cloud),
            {name: float(g) for name, g in by_option.items()},
        )


@cache
def _derivatives(function: Any, flags: tuple[tuple[str, bool], ...]) -> Any:
    """Compiled once for all numbers of one shape."""

    def value(wide: Any, numbers: Any, rest: Any) -> Any:
        return function(*wide, **numbers, **rest, **dict(flags))

    return jax.jit(jax.value_and_grad(value, (0, 1)))


def _constant(x: Any) -> Any:
    """Labels as they are; real numbers in float64."""
    x = np.asarray(x)
    return jnp.asarray(x.astype(np.float64) if x.dtype.kind == "f" else x)
