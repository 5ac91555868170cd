"""All losses on one draw of clouds, by label, compiled as one module.

Compiling is nearly all that these tests cost, and XLA compiles equal pieces of a module once: all
losses together take less than half of the time that they take one by one. A module is kept for
every function, dtype and shape, and serves all files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from normtheory.verify._plain_losses import PLAIN
from tests.helpers import precision
from tests.normtheory.losses.cases import ALIKE, CASES, Case, draw

BLOCK = 3
"""No divisor of 7, of the 14 views of NT-Xent, nor of the 15 keys of a queue."""

Batch = Mapping[str, tuple[tuple[np.ndarray, ...], dict[str, Any]]]
"""Clouds and options of every case, by label."""


class All(NamedTuple):
    """Value, gradients of the clouds (of ours: the trained ones), derivatives by option."""

    value: Any
    clouds: tuple[Any, ...]
    options: dict[str, Any]


class Found(NamedTuple):
    """What the library says of one case.

    Attributes:
        value: the loss.
        gradients: the closed form, one array for every trained cloud.
        options: the closed form by every trained option.
        by_grad: ``jax.grad`` of the value, for all clouds.
        by_option: and by every option that is a number.
        tangents: a direction in all clouds.
        change: ``jax.jvp`` of the value along them, and along a half of every number.
    """

    value: Any
    gradients: tuple[Any, ...]
    options: dict[str, Any]
    by_grad: tuple[Any, ...]
    by_option: dict[str, Any]
    tangents: tuple[Any, ...]
    change: Any


@lru_cache(maxsize=32)
def batch(
    seed: int, n: int = 7, dimension: int = 3, spread: str = "uniform", dtype: Any = np.float64
) -> Batch:
    """Draw clouds and options of every case."""
    drawn = {}
    for case in CASES:
        clouds, options = draw(case, seed, n, dimension, spread)
        drawn[case.label] = (tuple(z.astype(dtype) for z in clouds), options)
        for z in drawn[case.label][0]:
            z.flags.writeable = False  # many tests have it
    return drawn


def full(case: Case, options: dict[str, Any]) -> dict[str, Any]:
    """Options with the defaults of all that are numbers, a single number as one of Python."""
    numbers = {o.name: o.default for o in case.loss.options if o.kind == "number"} | options
    return {
        name: float(x) if name in _numbers(case) and np.ndim(x) == 0 else x
        for name, x in numbers.items()
    }


def _numbers(case: Case) -> list[str]:
    return [option.name for option in case.loss.options if option.kind == "number"]


def _trained(case: Case) -> list[str]:
    return [option.name for option in case.loss.options if option.trained]


def part(given: Batch, alike: bool) -> Batch:
    """The cases that are like another, or all but these."""
    return {label: x for label, x in given.items() if (label in ALIKE) == alike}


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


def ours(block: int | None, case: Case, clouds: Any, options: dict[str, Any]) -> All:
    """Closed forms, by any library."""
    if case.loss.all_pairs:
        options = {**options, "block": block}
    value, gradients = case.loss.value_and_gradient(*clouds, **options)
    by_option = {
        name: case.loss.option_gradient(name, *clouds, **options) for name in _trained(case)
    }
    return All(value, gradients, by_option)


_dense = partial(ours, None)


def _autodiff(
    block: int | None, case: Case, clouds: tuple[Any, ...], options: dict[str, Any]
) -> tuple[All, tuple[Any, ...], Any]:
    """Derivatives of the value, a direction in all clouds, and the change along it.

    Along it every number grows by a half of itself.
    """
    numbers = {name: jnp.asarray(options[name], clouds[0].dtype) for name in _numbers(case)}
    others = {name: x for name, x in options.items() if name not in numbers}
    if block is not None:
        others["block"] = block

    def value(z: Any, x: Any) -> Any:
        return case.loss.value(*z, **others, **x)

    out, (by_grad, by_option) = jax.value_and_grad(value, (0, 1))(clouds, numbers)
    tangents: Any = tuple(jnp.roll(z, 1, axis=1) for z in clouds)
    halves = {name: 0.5 * x for name, x in numbers.items()}
    _, change = jax.jvp(value, (clouds, numbers), (tangents, halves))
    return All(out, by_grad, by_option), tangents, change


def _library(case: Case, clouds: tuple[Any, ...], options: dict[str, Any]) -> Found:
    closed = _dense(case, clouds, options)
    found, tangents, change = _autodiff(None, case, clouds, options)
    return Found(
        found.value, closed.clouds, closed.options, found.clouds, found.options, tangents, change
    )


def _in_blocks(case: Case, clouds: tuple[Any, ...], options: dict[str, Any]) -> Found:
    closed = ours(BLOCK, case, clouds, options)
    found, tangents, change = _autodiff(BLOCK, case, clouds, options)
    return Found(
        closed.value, closed.clouds, closed.options, found.clouds, found.options, tangents, change
    )


def _plain(case: Case, clouds: tuple[Any, ...], options: dict[str, Any]) -> All:
    numbers = {name: jnp.asarray(options[name]) for name in _trained(case)}
    others = {name: x for name, x in options.items() if name not in numbers}
    value, (by_cloud, by_option) = jax.value_and_grad(
        lambda z, x: PLAIN[case.name](*z, **others, **x), (0, 1)
    )(clouds, numbers)
    return All(value, by_cloud, by_option)


def _filled(given: Batch) -> Batch:
    """With all numbers stated, so that every batch has the same program."""
    by_label = {case.label: case for case in CASES}
    return {label: (z, full(by_label[label], options)) for label, (z, options) in given.items()}


def closed_forms(given: Batch) -> dict[str, tuple[np.ndarray, ...]]:
    """Closed-form gradients of the trained clouds, by label."""
    clouds, _ = next(iter(given.values()))
    if clouds[0].shape == (7, 3) and clouds[0].dtype == np.float64:
        return {label: found.gradients for label, found in library(given).items()}
    return {label: found.clouds for label, found in dense(given).items()}


def dense(given: Batch) -> dict[str, All]:
    """Closed forms, by label."""
    return run(_dense, _filled(given))


def in_blocks(given: Batch) -> dict[str, Found]:
    """All that the library says in blocks of three rows, of losses of all pairs."""
    pairs = {case.label for case in CASES if case.loss.all_pairs}
    return run(_in_blocks, _filled({label: x for label, x in given.items() if label in pairs}))


def library(given: Batch) -> dict[str, Found]:
    """All that the library says, by label; for the shape (7, 3), which the files share."""
    return run(_library, _filled(given))


@cache
def library_of(seed: int) -> dict[str, Found]:
    """All that the library says of a batch, once for all cases."""
    return library(batch(seed))


def plain(given: Batch) -> dict[str, All]:
    """Value of the plain definition, and its derivatives by autodiff, by label."""
    return run(_plain, _filled(given))


@cache
def plain_of(seed: int) -> dict[str, All]:
    """What autodiff says of the plain definitions on a batch, once for all cases."""
    return plain(batch(seed))
