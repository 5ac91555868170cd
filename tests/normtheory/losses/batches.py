"""All losses on one draw of clouds, by label, compiled as one module.

Compiling is nearly all that these tests cost, and XLA compiles equal pieces of a module once: all
losses together take less than half of the time that they take one by one. A module is kept for
every function, dtype and shape, and serves all files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from normtheory.verify._plain_losses import PLAIN
from tests.helpers import precision
from tests.normtheory.losses.cases import CASES, Case, draw

Batch = Mapping[str, tuple[tuple[np.ndarray, ...], dict[str, Any]]]
"""Clouds and options of every case, by label."""


class Found(NamedTuple):
    """What the library says of one case.

    Attributes:
        value: the loss.
        gradients: the closed form, one array for every trained cloud.
        by_grad: ``jax.grad`` of the value, for all clouds.
        tangents: a direction in all clouds.
        change: ``jax.jvp`` of the value along them.
    """

    value: Any
    gradients: tuple[Any, ...]
    by_grad: tuple[Any, ...]
    tangents: tuple[Any, ...]
    change: Any


def batch(
    seed: int, n: int = 7, dimension: int = 3, spread: str = "uniform", dtype: Any = np.float64
) -> Batch:
    """Draw clouds and options of every case."""
    drawn = {}
    for case in CASES:
        clouds, options = draw(case, seed, n, dimension, spread)
        drawn[case.label] = (tuple(z.astype(dtype) for z in clouds), options)
    return drawn


def split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options that JAX may trace, and Python booleans, which it may not."""
    fixed = {key: value for key, value in options.items() if isinstance(value, bool)}
    return {key: value for key, value in options.items() if key not in fixed}, fixed


def as_dtype(options: dict[str, Any], dtype: Any) -> dict[str, Any]:
    """Arrays of reals in the dtype of the clouds; labels and numbers as they are."""
    return {
        key: jnp.asarray(value, dtype if value.dtype.kind == "f" else None)
        if isinstance(value, np.ndarray)
        else value
        for key, value in options.items()
    }


def run(
    function: Callable[[Case, tuple[Any, ...], dict[str, Any]], Any],
    given: Batch,
) -> dict[str, Any]:
    """``function(case, clouds, options)`` for all cases of a batch, as one compiled module."""
    dtype = next(iter(given.values()))[0][0].dtype
    with precision(dtype):
        arrays = {
            label: (clouds, as_dtype(split(options)[0], dtype))
            for label, (clouds, options) in given.items()
        }
        return jax.tree.map(np.asarray, _compiled(function)(arrays))


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    by_label = {case.label: case for case in CASES}

    def all_cases(given: Any) -> Any:
        return {
            label: function(
                by_label[label], clouds, {**options, **split(by_label[label].options)[1]}
            )
            for label, (clouds, options) in given.items()
        }

    return jax.jit(all_cases)


def _closed_form(case: Case, clouds: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return case.loss.gradient(*clouds, **options)


def _library(case: Case, clouds: tuple[Any, ...], options: dict[str, Any]) -> Found:
    def value(z: tuple[Any, ...]) -> Any:
        return case.loss.value(*z, **options)

    tangents: Any = tuple(jnp.roll(z, 1, axis=1) for z in clouds)
    out, by_grad = jax.value_and_grad(value)(clouds)
    _, change = jax.jvp(value, (clouds,), (tangents,))
    return Found(out, case.loss.gradient(*clouds, **options), by_grad, tangents, change)


def _plain(case: Case, clouds: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return jax.value_and_grad(lambda z: PLAIN[case.name](*z, **options))(clouds)


def closed_forms(given: Batch) -> dict[str, tuple[np.ndarray, ...]]:
    """Closed-form gradients of the trained clouds, by label."""
    clouds, _ = next(iter(given.values()))
    if clouds[0].shape == (7, 3) and clouds[0].dtype == np.float64:
        return {label: found.gradients for label, found in library(given).items()}
    return run(_closed_form, given)


def library(given: Batch) -> dict[str, Found]:
    """All that the library says, by label; for the shape (7, 3), which the files share."""
    return run(_library, given)


def plain(given: Batch) -> dict[str, tuple[np.ndarray, tuple[np.ndarray, ...]]]:
    """Value of the plain definition, and its ``jax.grad`` for all clouds, by label."""
    return run(_plain, given)
