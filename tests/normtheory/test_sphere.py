"""The tangent projection: accuracy against exact arithmetic, and the laws of a projection."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import normtheory as nt
from tests.awkward import batches
from tests.exact import exact_projection
from tests.helpers import PROPERTY, call, floor, tolerance, underflow
from tests.strategies import rotation, vector_pairs

LAW = tolerance("law")


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


class Exact(NamedTuple):
    """Pairs of vectors, and of each pair P_z v, its length and ‖v‖, as mpmath numbers."""

    z: np.ndarray
    v: np.ndarray
    rows: list[tuple[list[Any], Any, Any]]


@cache
def exact(dtype: Any, dimension: int) -> Exact:
    (batch,) = (batch for batch in batches(dtype) if batch.z.shape[1] == dimension)
    z, v, rows = batch.z[:60], batch.y[:60], []
    for one_z, one_v in zip(z, v, strict=True):
        projection, length = exact_projection(one_z, one_v)
        with mp.workprec(400):
            size = mp.sqrt(mp.fsum(mp.mpf(float(a)) ** 2 for a in one_v))
        rows.append((projection, length, size))
    return Exact(z, v, rows)


@pytest.mark.parametrize(
    ("library", "dtype"),
    [
        ("numpy", np.float32),
        ("numpy", np.float64),
        ("jax", np.float32),
        pytest.param("jax", np.float64, marks=pytest.mark.slow),
        ("jax.jit", np.float32),
        ("jax.jit", np.float64),
        pytest.param("torch", np.float32, marks=pytest.mark.torch),
        pytest.param("torch", np.float64, marks=pytest.mark.torch),
    ],
)
def test_projection_is_accurate_relative_to_its_own_length(library, dtype):
    for dimension in (3,) if library == "jax" else (3, 100):
        z, v, rows = exact(dtype, dimension)
        found = call(library, nt.tangent_projection, z, v)
        for row, (projection, length, size) in zip(found, rows, strict=True):
            with mp.workprec(400):
                off = [abs(mp.mpf(float(a)) - b) for a, b in zip(row, projection, strict=True)]
                off = [max(o - underflow(library, dtype), 0) for o in off]
                error = mp.sqrt(mp.fsum(o * o for o in off))
                assert error <= tolerance("relative", dtype) * length + floor(dtype) * size


def test_projection_removes_the_part_along_z():
    z, v = np.array([0.0, 3.0, 4.0]), np.array([5.0, 1.0, -2.0])
    # ẑ·v = -1: v + ẑ = (5, 1.6, -1.2)
    np.testing.assert_allclose(nt.tangent_projection(z, v), [5.0, 1.6, -1.2], rtol=1e-15)


@PROPERTY
@given(vector_pairs(decades=50))
def test_projection_is_idempotent_orthogonal_and_does_not_lengthen(pair):
    z, v = pair
    once = nt.tangent_projection(z, v)
    size, length = np.linalg.norm(v), np.linalg.norm(once)
    assert np.linalg.norm(nt.tangent_projection(z, once) - once) <= LAW * length
    assert abs(once @ _unit(z)) <= LAW * length + floor(np.float64) * size
    assert length <= size * (1 + LAW)


@PROPERTY
@given(vector_pairs(decades=50), st.integers(0, 1000))
def test_projection_and_the_part_along_z_give_back_v(pair, seed):
    z, v = pair
    size = np.linalg.norm(v)
    rest = v - nt.tangent_projection(z, v)
    assert np.linalg.norm(rest - (rest @ _unit(z)) * _unit(z)) <= LAW * size
    turn = rotation(seed, len(z))
    turned = nt.tangent_projection(turn @ z, turn @ v)
    assert np.linalg.norm(turned - turn @ nt.tangent_projection(z, v)) <= LAW * size


@PROPERTY
@given(vector_pairs(), st.integers(-200, 200), st.integers(-200, 200))
def test_projection_scales_exactly_with_v_and_not_with_z(pair, a, b):
    z, v = pair
    expected = np.ldexp(nt.tangent_projection(z, v), b)
    np.testing.assert_array_equal(nt.tangent_projection(np.ldexp(z, a), np.ldexp(v, b)), expected)
    np.testing.assert_array_equal(nt.tangent_projection(-z, v), nt.tangent_projection(z, v))


def test_projecting_zero_gives_zero_and_z_itself_vanishes():
    z = np.array([[1.0, 2.0], [3e-300, 1e-300]])
    np.testing.assert_array_equal(nt.tangent_projection(z, np.zeros(2)), np.zeros((2, 2)))
    left = np.linalg.norm(nt.tangent_projection(z, z), axis=-1)
    assert (left <= floor(np.float64) * np.linalg.norm(z, axis=-1)).all()


def test_mean_direction_of_opposite_points_has_length_0_and_still_is_a_direction():
    points = np.array([[[2.0, 0.0], [-5.0, 0.0]], [[0.0, 1e-200], [0.0, 1e200]]])
    found = nt.sphere.mean_direction(points)
    np.testing.assert_array_equal(found.direction, [[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(found.length, [0.0, 1.0])
    with pytest.raises(ValueError, match=r"points: expected shape \(..., n, d\) with n >= 1"):
        nt.sphere.mean_direction(np.ones(3))
