"""numpy and JAX, float32 and float64, dense and in blocks: each within 64 eps of autodiff.

What autodiff differentiates is the plain definition, in float64 at the same numbers. The unit of
errors is the natural size of a result (:class:`Case`): the sum of the terms it is made of, without
what cancels between them. A rounding of a cosine, of about eps, is magnified by the steepness 1/τ
of the loss, which the pull of a row contains: so 64 eps leave some dozen roundings in each term.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory.losses import LOSSES
from tests.helpers import precision, tolerance
from tests.normtheory.losses import batches
from tests.normtheory.losses.batches import (
    BLOCK,
    All,
    Batch,
    as_dtype,
    batch,
    full,
    ours,
    part,
    split,
)
from tests.normtheory.losses.cases import ALIKE, CASES, SPREADS, Case, error, one_each

N = 7

DRAWS = {
    np.float32: ((0, "uniform"), (1, "von_mises_fisher")),
    np.float64: tuple(enumerate(SPREADS)),
}
"""Nearly parallel points coincide in float32, where the plain definitions have no derivative."""


def _rounded(x: Any, dtype: Any) -> Any:
    """Real numbers as the dtype holds them, written as float64; all else as it is."""
    if isinstance(x, float):
        return float(dtype(x))
    return (
        x.astype(dtype).astype(np.float64) if getattr(x, "dtype", np.dtype(int)).kind == "f" else x
    )


@cache
def _drawn(dtype: Any, seed: int, spread: str) -> Batch:
    """Numbers that the dtype holds, as float64."""
    return {
        case.label: (
            tuple(_rounded(z, dtype) for z in clouds),
            {k: _rounded(x, dtype) for k, x in full(case, options).items()},
        )
        for case in CASES
        for clouds, options in [batch(seed, spread=spread)[case.label]]
    }


@cache
def _exact(*draw: Any) -> dict[str, All]:
    return batches.plain(_drawn(*draw))


@cache
def _by_jax(alike: bool, block: int | None, dtype: Any, *draw: Any) -> dict[str, All]:
    given = {
        label: (tuple(z.astype(dtype) for z in clouds), options)
        for label, (clouds, options) in part(_drawn(dtype, *draw), alike).items()
    }
    if block is None:
        return batches.dense(given)
    return {k: All(x.value, x.gradients, x.options) for k, x in batches.in_blocks(given).items()}


def _by_numpy(case: Case, block: int | None, dtype: Any, *draw: Any) -> All:
    clouds, options = _drawn(dtype, *draw)[case.label]
    found = ours(block, case, tuple(z.astype(dtype) for z in clouds), options)
    assert all(isinstance(g, np.ndarray) for g in found.clouds)
    assert all(isinstance(x, np.floating) for x in (found.value, *found.options.values()))
    return found


WAYS = [
    # A program of all losses each: JAX dense in float64 is in test_closed_forms, too.
    (None, np.float32, "numpy", False, "dense-float32-numpy"),
    (None, np.float64, "numpy", False, "dense-float64-numpy"),
    (BLOCK, np.float32, "numpy", False, "blocks-float32-numpy"),
    (BLOCK, np.float64, "numpy", False, "blocks-float64-numpy"),
    (None, np.float32, "JAX", False, "dense-float32-JAX"),
    (None, np.float64, "JAX", True, "dense-float64-JAX"),
    (BLOCK, np.float32, "JAX", True, "blocks-float32-JAX"),
    (BLOCK, np.float64, "JAX", False, "blocks-float64-JAX"),
]


@pytest.mark.parametrize(
    ("case", "block", "dtype", "library"),
    [
        pytest.param(
            *(case, block, dtype, library),
            marks=[pytest.mark.slow] * (slow or (library == "JAX" and case.label in ALIKE)),
            id=f"{case.label}-{way}",
        )
        for block, dtype, library, slow, way in WAYS
        for case in CASES
        if case.loss.all_pairs or not block
    ],
)
def test_value_and_every_derivative_are_those_of_autodiff(case, block, dtype, library):
    eps = tolerance("gradient", dtype)
    for draw in DRAWS[dtype]:
        exact = _exact(dtype, *draw)[case.label]
        if library == "JAX":
            found = _by_jax(case.label in ALIKE, block, dtype, *draw)[case.label]
        else:
            found = _by_numpy(case, block, dtype, *draw)
        everything = (found.value, *found.clouds, *found.options.values())
        assert {x.dtype for x in everything} == {np.dtype(dtype)}
        assert {np.shape(x) for x in (found.value, *found.options.values())} == {()}
        clouds, options = _drawn(dtype, *draw)[case.label]
        size = max(abs(exact.value), case.value_size(N))
        assert abs(found.value - exact.value) <= eps * size, draw
        sizes = case.sizes(clouds, options)
        assert len(found.clouds) == len(case.loss.trained)
        by_cloud = [exact.clouds[i] for i in case.loss.trained]
        for i, g, e, size in zip(case.loss.trained, found.clouds, by_cloud, sizes, strict=True):
            assert g.shape == clouds[i].shape
            assert (error(g, e, clouds[i]) / size).max() <= eps, (draw, i)
        assert found.options.keys() == {
            option.name for option in case.loss.options if option.trained
        }
        for name, derivative in found.options.items():
            off = abs(derivative - exact.options[name])
            assert off <= eps * max(abs(exact.options[name]), case.option_size(N)), (draw, name)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize("case", **one_each)
def test_half_precision_is_computed_in_float32(case, half):
    clouds, options = batch(0)[case.label]
    if half == "float16":
        narrow: Any = [np.clip(z, -1e3, 1e3).astype(half) for z in clouds]
        wide = [z.astype(np.float32) for z in narrow]
        back = np.float16
    else:
        narrow = [jnp.asarray(z, jnp.bfloat16) for z in clouds]
        wide = [z.astype(jnp.float32) for z in narrow]
        back = jnp.bfloat16
        if case.name not in ("attraction", "info_nce", "normface"):
            pytest.skip("JAX takes one way for all; compiling takes the time")
    found, exact = (ours(BLOCK, case, z, options) for z in (narrow, wide))
    assert found.value == exact.value
    assert found.value.dtype == np.float32
    assert found.options == exact.options
    for g, e in zip(found.clouds, exact.clouds, strict=True):
        assert g.dtype == back
        np.testing.assert_array_equal(np.asarray(g), np.asarray(e.astype(back)))


@pytest.mark.parametrize("case", **one_each)
def test_numpy_beside_jax_is_a_constant_of_jax(case):
    clouds, options = batch(0, dtype=np.float32)[case.label]
    options = as_dtype(split(options)[0], np.float32) | split(options)[1]
    expected = case.loss(*(jnp.asarray(z) for z in clouds), **options)
    for last in {0, len(clouds) - 1}:
        mixed = [jnp.asarray(z) if i == last else z for i, z in enumerate(clouds)]
        assert isinstance(value := case.loss(*mixed, **options), jax.Array)
        assert value == expected
    for option in case.loss.options:  # and an option of JAX makes it JAX
        if option.trained:
            number = jnp.asarray(options.get(option.name, option.default), jnp.float32)
            others = {k: x if k in split(options)[1] else np.asarray(x) for k, x in options.items()}
            value = case.loss(*clouds, **{**others, option.name: number})
            assert isinstance(value, jax.Array)
            assert value == expected


SCALARS = [
    (loss, option)
    for loss in LOSSES.values()
    for option in loss.options
    if option.kind == "number" and not option.per_row
]


@pytest.mark.parametrize(
    ("loss", "option"), SCALARS, ids=[f"{loss.name}-{option.name}" for loss, option in SCALARS]
)
def test_a_number_may_come_as_an_array_of_one_or_as_an_integer(loss, option):
    clouds, options = loss.example(np.random.default_rng(0), 4, 3)
    clouds = tuple(z.astype(np.float32) for z in clouds)
    expected, slopes = loss.value_and_gradient(*clouds, **{**options, option.name: 1.0})
    forms: list[Any] = [1, np.int64(1), np.float64(1), np.array(1)]
    for one in forms if option.shape else [*forms, np.array([1.0]), [1]]:
        value, gradients = loss.value_and_gradient(*clouds, **{**options, option.name: one})
        assert (value, value.dtype, np.shape(value)) == (expected, np.float32, ())
        for found, exact in zip(gradients, slopes, strict=True):
            np.testing.assert_array_equal(found, exact)
        if option.trained:
            found = loss.option_gradient(option.name, *clouds, **{**options, option.name: one})
            assert (np.shape(found), found.dtype) == ((), np.float32)


def test_in_jax_too_and_the_derivative_has_the_shape_of_the_parameter():
    clouds, _ = LOSSES["siglip"].example(np.random.default_rng(0), 4, 3)
    z = tuple(jnp.asarray(z, jnp.float32) for z in clouds)

    def value(numbers: Any) -> Any:
        return LOSSES["siglip"](*z, temperature=numbers[0], bias=numbers[1])

    as_numbers = value((1.0, -2.0))
    assert value((np.int64(1), np.array([-2]))) == as_numbers
    parameters = jnp.ones(1, jnp.float32), jnp.full(1, -2, jnp.float32)
    found, slopes = jax.value_and_grad(value)(parameters)
    assert found == as_numbers
    exact = jax.grad(value)((jnp.float32(1), jnp.float32(-2)))
    for one, number in zip(slopes, exact, strict=True):
        assert one.shape == (1,)
        assert one[0] == number != 0


def test_float64_is_kept_in_jax():
    clouds, options = batch(0)["clip()"]
    with precision(np.float64):
        value, gradients = LOSSES["clip"].value_and_gradient(*map(jnp.asarray, clouds), **options)
        assert {x.dtype for x in (value, *gradients)} == {np.dtype(np.float64)}
