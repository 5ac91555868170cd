"""The frame round every public function of numbers: ambient settings, and results out of range.

What underflows on the way is harmless or meant, and what overflows shows in the result: that is
looked at instead, so that a user's ``numpy.seterr`` neither costs a result nor is needed for one.
Nor does JAX's guard against transfers: numbers and numpy arrays that are handed over here are meant
to go to where the others are.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from normtheory._arrays import concrete, constant, dtype_name, library_of

P = ParamSpec("P")
Result = TypeVar("Result")


def transfers() -> contextlib.AbstractContextManager[None]:
    """Where arrays may go between numpy and JAX, which need not have been imported."""
    jax = sys.modules.get("jax")
    return contextlib.nullcontext() if jax is None else jax.transfer_guard("allow")


def quiet(function: Callable[P, Result]) -> Callable[P, Result]:
    """A function that computes the same whatever numpy and JAX are told, and warns of nothing."""

    @functools.wraps(function)
    def framed(*args: P.args, **kwargs: P.kwargs) -> Result:
        torch = sys.modules.get("torch")
        if torch is not None and torch.compiler.is_compiling():
            return function(*args, **kwargs)  # torch.compile can't follow numpy's flags
        with np.errstate(all="ignore"), transfers():
            return function(*args, **kwargs)

    return framed


def in_range(function: Callable[P, Result]) -> Callable[P, Result]:
    """A :func:`quiet` function whose result is finite, or a ValueError.

    Where values can't be inspected, under ``jax.jit``, such a result is infinite or NaN.
    """
    framed = quiet(function)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Result:
        result = framed(*args, **kwargs)
        for x in result if isinstance(result, tuple) else (result,):
            check_in_range(function.__name__, x)
        return result

    return checked


def check_in_range(name: str, result: Any) -> None:
    """Raise ValueError unless every number of a result is finite."""
    values = concrete(constant(result)) if library_of(result) else np.asarray(result)
    if values is None or np.isfinite(values).all():
        return
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
    where = f" at index {index[0] if len(index) == 1 else index}" if index else ""
    raise ValueError(
        f"{name}: the result leaves the range of {dtype_name(values)}{where}: "
        "expected norms, rates and powers nearer to 1"
    )
