"""Laws of the cosine, the angle and the gradient, on whatever hypothesis comes up with."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import normtheory as nt
from tests.helpers import PROPERTY, floor, tolerance
from tests.strategies import rotation, vector_pairs

LAW = tolerance("law")
EXPONENTS = st.integers(-200, 200)


@PROPERTY
@given(vector_pairs(), EXPONENTS, EXPONENTS)
def test_powers_of_two_scale_exactly(pair, a, b):
    z, y = pair
    scaled = np.ldexp(z, a), np.ldexp(y, b)
    assert nt.cosine_similarity(*scaled) == nt.cosine_similarity(z, y)
    assert nt.angle(*scaled) == nt.angle(z, y)
    # The gradient is one over the norm: Draganov et al. 2025, Proposition 3.1.
    np.testing.assert_array_equal(
        nt.cosine_gradient(*scaled), np.ldexp(nt.cosine_gradient(z, y), -a)
    )


@PROPERTY
@given(vector_pairs(decades=50), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_any_positive_scale_changes_nothing_but_the_gradients_length(pair, a, b):
    z, y = pair
    scaled = a * z, b * y
    assert abs(nt.cosine_similarity(*scaled) - nt.cosine_similarity(z, y)) <= LAW
    assert abs(nt.angle(*scaled) - nt.angle(z, y)) <= LAW
    change = a * nt.cosine_gradient(*scaled) - nt.cosine_gradient(z, y)
    assert np.linalg.norm(change) * np.linalg.norm(z) <= LAW


@PROPERTY
@given(vector_pairs(decades=50), st.integers(0, 1000))
def test_rotating_both_rotates_the_gradient(pair, seed):
    z, y = pair
    turn = rotation(seed, len(z))
    assert abs(nt.cosine_similarity(turn @ z, turn @ y) - nt.cosine_similarity(z, y)) <= LAW
    assert abs(nt.angle(turn @ z, turn @ y) - nt.angle(z, y)) <= LAW
    change = nt.cosine_gradient(turn @ z, turn @ y) - turn @ nt.cosine_gradient(z, y)
    assert np.linalg.norm(change) * np.linalg.norm(z) <= LAW


@PROPERTY
@given(vector_pairs())
def test_similarity_and_angle_are_symmetric_and_flip_with_the_sign(pair):
    z, y = pair
    cosine, angle = nt.cosine_similarity(z, y), nt.angle(z, y)
    assert abs(nt.cosine_similarity(y, z) - cosine) <= LAW
    assert abs(nt.angle(y, z) - angle) <= LAW * angle + floor(np.float64)
    assert nt.cosine_similarity(-z, y) == -cosine
    assert abs(nt.angle(-z, y) + angle - np.pi) <= LAW


@PROPERTY
@given(vector_pairs())
def test_similarity_is_the_cosine_of_the_angle_and_within_bounds(pair):
    cosine, angle = nt.cosine_similarity(*pair), nt.angle(*pair)
    assert -1 <= cosine <= 1
    assert 0 <= angle <= np.pi
    assert abs(np.cos(angle) - cosine) <= LAW


@PROPERTY
@given(vector_pairs(decades=50))
def test_gradient_is_orthogonal_and_as_long_as_the_sine_over_the_norm(pair):
    z, y = pair
    norm = np.linalg.norm(z)
    gradient = nt.cosine_gradient(z, y) * norm
    length = np.linalg.norm(gradient)
    assert abs(gradient @ (z / norm)) <= LAW * length + floor(np.float64)
    assert abs(length - np.sin(nt.angle(z, y))) <= LAW


@PROPERTY
@given(vector_pairs())
def test_a_vector_is_parallel_to_itself(pair):
    z, _ = pair
    assert nt.cosine_similarity(z, z) == 1
    assert nt.cosine_similarity(z, -z) == -1
    assert nt.angle(z, z) <= floor(np.float64)
    assert nt.angle(z, -z) == np.pi
