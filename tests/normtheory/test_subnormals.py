"""Rows of JAX whose entries lie about the smallest normal number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory import particles

CLOUDS = np.random.default_rng(0).standard_normal((2, 12, 8))
EPS = float(np.finfo(np.float32).eps)


def _rows(norm: float) -> np.ndarray:
    """float32 rows, of which the smallest normal number is 1.2e-38."""
    z = CLOUDS[0] / np.linalg.norm(CLOUDS[0], axis=1, keepdims=True)
    return (norm * z).astype(np.float32)


@pytest.mark.parametrize("norm", [1e-30, 3e-38, 1e-39])
def test_directions_are_those_of_the_bits(norm):
    z, y = _rows(norm), CLOUDS[1].astype(np.float32)
    wide, other = z.astype(np.float64), y.astype(np.float64)
    np.testing.assert_allclose(
        nt.cosine_similarity(jnp.asarray(z), y := jnp.asarray(y)),
        nt.cosine_similarity(wide, other), rtol=0, atol=8 * EPS,
    )  # fmt: skip
    np.testing.assert_allclose(
        nt.angle(jnp.asarray(z), y), nt.angle(wide, other), rtol=0, atol=8 * EPS
    )
    compiled = jax.jit(nt.cosine_similarity)(jnp.asarray(z), y)
    np.testing.assert_allclose(compiled, nt.cosine_similarity(wide, other), rtol=0, atol=8 * EPS)
    found = nt.losses.attraction(jnp.asarray(z), y)
    assert float(found) == pytest.approx(float(nt.losses.attraction(wide, other)), abs=8 * EPS)


def test_gradients_of_small_rows():
    z, y = _rows(3e-38), CLOUDS[1].astype(np.float32)
    exact = nt.cosine_gradient(z.astype(np.float64), y.astype(np.float64))
    found = nt.cosine_gradient(jnp.asarray(z), jnp.asarray(y))
    np.testing.assert_allclose(found * 3e-38, exact * 3e-38, rtol=0, atol=32 * EPS)
    by_loss = nt.losses.attraction.gradient(jnp.asarray(z), jnp.asarray(y))[0]
    by_jax = jax.grad(lambda x: nt.losses.attraction(x, jnp.asarray(y)))(jnp.asarray(z))
    exact = nt.losses.attraction.gradient(z.astype(np.float64), y.astype(np.float64))[0]
    for found in (by_loss, by_jax):
        np.testing.assert_allclose(found * 3e-38, exact * 3e-38, rtol=0, atol=32 * EPS)
    scaled = jax.grad(lambda x: nt.grad_scale(x, 1.0).sum())(jnp.asarray(4 * z))
    lengths = np.linalg.norm(4 * z.astype(np.float64), axis=1)
    np.testing.assert_allclose(np.asarray(scaled)[:, 0], lengths, rtol=1e-5)


def test_what_is_compiled_takes_them_for_zeros():
    """XLA on a CPU flushes them, and nobody can look inside a user's jit or the simulator.

    docs/losses.md and docs/how-to/run-a-simulation.md say so.
    """
    z, y = _rows(3e-38), CLOUDS[1].astype(np.float32)
    left = np.where(abs(z) < np.finfo(np.float32).tiny, np.float32(0), z)
    assert ((left == 0) & (z != 0)).any()
    compiled = jax.jit(lambda z, y: nt.losses.attraction(z, y))
    expected = float(nt.losses.attraction(left.astype(np.float64), y.astype(np.float64)))
    assert float(compiled(jnp.asarray(z), jnp.asarray(y))) == pytest.approx(expected, abs=8 * EPS)
    assert float(nt.losses.attraction(jnp.asarray(z), jnp.asarray(y))) != pytest.approx(
        expected, abs=0.01
    )
    assert np.isnan(compiled(jnp.asarray(_rows(1e-39)), jnp.asarray(y)))
    system = particles.System(particles.forces.attraction(), 1e-90)
    after = particles.step(system, particles.init(system, z, y)).positions[0]
    np.testing.assert_array_equal(after, left)
