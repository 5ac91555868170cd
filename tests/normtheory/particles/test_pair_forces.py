"""The step at the speed of memory is the step of the theory."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.particles._pairs import attraction_step, default_pairs
from tests.helpers import precision, tolerance

N, D = 21, 12
STEP = jax.jit(attraction_step, static_argnames=("block", "repel"))


def clouds(dtype: Any, exponent: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of norms spread over two decades, with a parallel, an antipodal and a near pair."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2, N, D)) * 10 ** rng.uniform(-1, 1, (2, N, 1))
    z[1, 0], z[1, 1] = 2 * z[0, 0], -3 * z[0, 1]
    z[1, 2] = z[0, 2] * (1 + 1e-4 * rng.standard_normal(D))
    z *= 10.0**exponent
    return z[0].astype(dtype), z[1].astype(dtype)


def exact_step(a: np.ndarray, b: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions plus γ ∇cos, from the stable closed form in float64."""
    wide = a.astype(np.float64), b.astype(np.float64)
    return (
        wide[0] + rate * nt.cosine_gradient(*wide),
        wide[1] + rate * nt.cosine_gradient(*wide[::-1]),
    )


def off(found: Any, exact: np.ndarray, z: np.ndarray, rate: float) -> float:
    """Largest error of a position over ‖z‖ + γ/‖z‖."""
    size = np.abs(z.astype(np.float64)).max()  # so that numpy's squares stay in range
    norm = np.linalg.norm(z / size, axis=-1)
    error = np.linalg.norm(np.asarray(found, np.float64) / size - exact / size, axis=-1)
    return float((error / (norm + abs(rate) / size / norm / size)).max())


@pytest.mark.parametrize(
    ("block", "dtype"),
    [
        (None, np.float32),
        (None, np.float64),
        (4, np.float64),
        pytest.param(4, np.float32, marks=pytest.mark.slow),
    ],
)
def test_a_step_is_that_of_the_closed_form(block, dtype):
    a, b = clouds(dtype)
    with precision(dtype):
        for rate in (0.02, 3.0):
            x, y, loss = STEP(jnp.asarray(a), jnp.asarray(b), rate, block=block)
            assert x.dtype == y.dtype == loss.dtype == dtype
            exact = exact_step(a, b, rate)
            assert off(x, exact[0], a, rate) <= tolerance("gradient", dtype)
            assert off(y, exact[1], b, rate) <= tolerance("gradient", dtype)
            cosine = nt.cosine_similarity(a.astype(np.float64), b.astype(np.float64))
            assert abs(float(loss) + cosine.mean()) <= tolerance("similarity", dtype)


@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [(np.float32, 19), (np.float32, -21), (np.float64, 160), (np.float64, -170)],
)
def test_extreme_norms_go_the_scaled_way(dtype, exponent):
    # Squares of these under- or overflow; γ grows with them, so that the step is not lost.
    a, b = clouds(dtype, exponent)
    most = 37 if dtype == np.float32 else 300
    rate = 10.0 ** np.clip(2 * exponent, -most, most)
    with precision(dtype):
        x, y, loss = STEP(jnp.asarray(a), jnp.asarray(b), rate, block=None)
        exact = exact_step(a, b, rate)
        assert off(x, exact[0], a, rate) <= tolerance("gradient", dtype)
        assert off(y, exact[1], b, rate) <= tolerance("gradient", dtype)
        assert np.isfinite(loss)


def test_norms_grow_by_the_law_and_repulsion_reverses_the_step():
    a, b = clouds(np.float64)
    with jax.enable_x64(True):
        x, y, loss = map(np.asarray, STEP(jnp.asarray(a), jnp.asarray(b), 0.5, block=None))
        u, _, repelled = map(
            np.asarray, STEP(jnp.asarray(a), jnp.asarray(b), 0.5, block=None, repel=True)
        )
    for before, after, partner in ((a, x, b), (b, y, a)):
        pull = nt.cosine_gradient(before, partner)
        grown = np.linalg.norm(before, axis=-1) ** 2 + 0.25 * np.sum(pull**2, axis=-1)
        square = np.linalg.norm(after, axis=-1) ** 2
        assert np.max(np.abs(square / grown - 1)) <= tolerance("law")
    np.testing.assert_allclose(u - a, a - x, atol=tolerance("gradient"))
    assert repelled == -loss


def test_it_works_in_place_without_a_copy_of_a_cloud():
    z = jax.ShapeDtypeStruct((100_000, 8), np.float32)
    step = jax.jit(partial(attraction_step, block=1000), donate_argnums=(0, 1))
    memory: Any = step.lower(z, z, 0.02).compile().memory_analysis()
    assert memory.alias_size_in_bytes == 2 * 100_000 * 8 * 4
    assert memory.temp_size_in_bytes < 16 * 1000 * 8 * 4  # some blocks


def test_bad_clouds_are_refused_and_a_bad_pair_stays_alone():
    a, b = clouds(np.float32)
    b[4] = 0
    with pytest.raises(ValueError, match="z_2 row 4 is zero"):
        attraction_step(jnp.asarray(a), jnp.asarray(b), 0.1)
    with pytest.raises(ValueError, match="block: expected an integer >= 1, got 0"):
        attraction_step(jnp.asarray(a), jnp.asarray(a), 0.1, block=0)
    x, _, loss = STEP(jnp.asarray(a), jnp.asarray(b), 0.1, block=None)
    assert jnp.isnan(loss)
    assert np.flatnonzero(np.isnan(x).any(axis=-1)).tolist() == [4]


def test_a_block_is_two_mebibytes_of_a_cloud():
    assert default_pairs(10**6, 64, np.float32) == 8192
    assert default_pairs(10**6, 64, np.float64) == 4096
    assert default_pairs(10, 64, np.float32) == 10
