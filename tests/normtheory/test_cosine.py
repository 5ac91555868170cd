"""Accuracy of the cosine, the angle and the gradient on awkward pairs, against exact arithmetic."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import numpy as np
import pytest

import normtheory as nt
from tests.awkward import Batch, batches
from tests.exact import gradient_error
from tests.helpers import DTYPES, LIBRARIES, call, floor, precision, tolerance, underflow


def _cases(library: str, dtype: type) -> list[Batch]:
    """All batches; fewer dimensions for JAX, which compiles anew for every shape."""
    kept = {"jax": (3,), "jax.jit": (2, 1024)}.get(library)
    return [b for b in batches(dtype) if kept is None or b.z.shape[1] in kept]


@pytest.mark.parametrize("dtype", DTYPES)
def test_awkward_cases_are_awkward(dtype):
    every = batches(dtype)
    size = np.concatenate([b.exact.size for b in every])
    angle = np.concatenate([b.exact.angle for b in every])
    exponent = np.concatenate([b.exact.exponent for b in every])
    eps = np.finfo(dtype).eps
    assert len(size) > 900
    assert (size == 0).sum() > 100  # exactly parallel or antiparallel
    assert ((size > 0) & (size < eps) & (angle < 1)).sum() > 15
    assert ((size > 0) & (size < eps) & (angle > 3)).sum() > 15
    assert exponent.max() - exponent.min() > (1500 if dtype == np.float64 else 180)
    assert max(b.z.shape[1] for b in every) == 1024


FUNCTIONS = (nt.cosine_gradient, nt.cosine_similarity, nt.angle)


@jax.jit
def _all_three(z: Any, y: Any) -> list[Any]:
    return [function(z, y) for function in FUNCTIONS]


def _of_batch(library: str, batch: Batch) -> list[np.ndarray]:
    if library != "jax.jit":
        return [call(library, function, batch.z, batch.y) for function in FUNCTIONS]
    with precision(batch.z.dtype):
        found = _all_three(batch.z, batch.y)
    assert all(isinstance(x, jax.Array) and x.dtype == batch.z.dtype for x in found)
    return [np.asarray(x) for x in found]


@cache
def _found(library: str, dtype: type) -> list[tuple[Batch, list[np.ndarray]]]:
    """Gradient, similarity and angle of every batch; under ``jax.jit`` in one program a shape."""
    return [(batch, _of_batch(library, batch)) for batch in _cases(library, dtype)]


IN_EACH = [
    # One operation at a time JAX does in float32 what it does in float64.
    pytest.param(
        *(*getattr(library, "values", (library,)), dtype),
        marks=[
            *getattr(library, "marks", ()),
            *[pytest.mark.slow] * (library == "jax" and dtype is np.float32),
        ],
    )
    for library in LIBRARIES
    for dtype in DTYPES
]


@pytest.mark.parametrize(("library", "dtype"), IN_EACH)
def test_gradient_is_accurate(library, dtype):
    errors, relative = [], []
    for batch, (found, _, _) in _found(library, dtype):
        assert np.isfinite(found).all()
        error = gradient_error(found, batch.exact, underflow(library, dtype))
        errors.append(error)
        relative.append(error - tolerance("relative", dtype) * batch.exact.size)
        assert found[batch.exact.size > 0].any(axis=-1).all(), "a silent zero"
    errors = np.concatenate(errors)
    assert errors.max() <= tolerance("gradient", dtype)
    assert np.quantile(errors, 0.99) <= tolerance("gradient_99", dtype)
    assert np.concatenate(relative).max() <= floor(dtype)


@pytest.mark.parametrize(("library", "dtype"), IN_EACH)
def test_similarity_is_accurate_and_within_bounds(library, dtype):
    for batch, (_, found, _) in _found(library, dtype):
        assert (np.abs(found) <= 1).all()
        np.testing.assert_allclose(
            found.astype(np.float64),
            batch.exact.cosine,
            rtol=0,
            atol=tolerance("similarity", dtype),
        )


@pytest.mark.parametrize(("library", "dtype"), IN_EACH)
def test_angle_is_accurate_relative_to_itself(library, dtype):
    for batch, (_, _, angle) in _found(library, dtype):
        found = angle.astype(np.float64)
        assert (found >= 0).all()
        assert (found <= float(dtype(np.pi))).all()
        error = np.abs(found - batch.exact.angle)
        assert (error <= tolerance("relative", dtype) * batch.exact.angle + floor(dtype)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_angle_near_zero_keeps_its_digits(dtype):
    # arccos of a similarity gives 0 here, or sqrt(2 eps)
    small = dtype(np.finfo(dtype).eps ** 0.75)
    found = nt.angle(np.array([1, 0], dtype), np.array([1, small], dtype))
    assert found == pytest.approx(float(small), rel=4 * float(np.finfo(dtype).eps))


def test_a_tiny_angle_keeps_its_digits_beside_a_large_one():
    # Scaled by the largest of the batch, its square would underflow.
    z = np.array([1.0, 0.0])
    found = nt.angle(z, np.array([[1.0, 1e-200], [0.0, 1.0]]))
    np.testing.assert_allclose(found, [1e-200, np.pi / 2], rtol=1e-15)


@pytest.mark.parametrize("function", [nt.cosine_similarity, nt.angle, nt.cosine_gradient])
def test_leading_axes_broadcast(function):
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal((5, 1, 3)), rng.standard_normal((4, 3))
    out = function(z, y)
    assert out.shape[:2] == (5, 4)
    np.testing.assert_allclose(out[2, 1], function(z[2, 0], y[1]), rtol=1e-13)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_under_jit_a_bad_row_is_nan_and_no_other(bad):
    rng = np.random.default_rng(1)
    z = rng.standard_normal((4, 3)).astype(np.float32)
    y = rng.standard_normal((4, 3)).astype(np.float32)
    before = [np.asarray(x) for x in _all_three(z, y)]
    z[2] = bad
    after = [np.asarray(x) for x in _all_three(z, y)]
    for good, out in zip(before, after, strict=True):
        assert np.isnan(out[2]).all()
        np.testing.assert_array_equal(np.delete(out, 2, axis=0), np.delete(good, 2, axis=0))


@pytest.mark.torch
@pytest.mark.parametrize("function", [nt.cosine_similarity, nt.angle, nt.cosine_gradient])
def test_under_torch_vmap_a_bad_row_is_nan_and_no_other(function):
    torch = pytest.importorskip("torch")
    z = torch.tensor([[1.0, 2.0], [0.0, 0.0], [3.0, 1.0]])
    y = torch.tensor([[2.0, 2.0], [1.0, 0.0], [0.5, 0.0]])
    out = torch.func.vmap(function)(z, y)
    assert torch.isnan(out[1]).all()
    assert torch.isfinite(out[[0, 2]]).all()


def test_vmap_over_single_pairs_is_the_batch():
    with precision(np.float64):
        z, y = np.random.default_rng(2).standard_normal((2, 6, 4))
        one_by_one = jax.jit(jax.vmap(nt.cosine_gradient))(z, y)
        np.testing.assert_allclose(one_by_one, nt.cosine_gradient(z, y), rtol=1e-13)


def test_empty_batch_gives_empty_results():
    z = np.empty((0, 3))
    assert nt.cosine_similarity(z, z).shape == (0,)
    assert nt.cosine_gradient(z, z).shape == (0, 3)
