"""Step counts of the recursion against SGD by automatic differentiation in d dimensions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from tests.helpers import precision

PAIRS, DIMENSION, RATE, TOLERANCE = 40, 20, 10.0, 1e-3


def _cosines(z, y):
    norms = jnp.sqrt(jnp.sum(z * z, axis=-1)) * jnp.sqrt(jnp.sum(y * y, axis=-1))
    return jnp.sum(z * y, axis=-1) / norms


@jax.jit
def _train(z, y, rate):
    """Plain SGD on minus the mean cosine until it has come within the tolerance of -1."""
    gradient = jax.grad(lambda z, y: -jnp.mean(_cosines(z, y)), argnums=(0, 1))

    def step(carry):
        k, z, y = carry
        g_z, g_y = gradient(z, y)
        return k + 1, z - rate * g_z, y - rate * g_y

    return jax.lax.while_loop(
        lambda carry: jnp.mean(_cosines(carry[1], carry[2])) < 1 - TOLERANCE, step, (0, z, y)
    )


@pytest.mark.parametrize("norms", [(0.25, 0.25), (1.0, 1.0), (3.0, 3.0), (7.0, 7.0), (0.5, 4.0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_steps_differ_by_at_most_one(norms, seed):
    rng = np.random.default_rng(seed)
    z, y = (nt.sphere.uniform(rng, PAIRS, DIMENSION) for _ in range(2))
    with precision(np.float64):
        steps, z_end, y_end = _train(norms[0] * z, norms[1] * y, RATE)
        z_end, y_end = np.asarray(z_end), np.asarray(y_end)
    rate = nt.pair_rate(RATE, PAIRS, "mean")
    run = nt.simulate_pairs(nt.angle(z, y), norms[0], norms[1], rate, tolerance=TOLERANCE)
    assert abs(int(steps) - int(run.steps)) <= 1
    assert run.converged
    if int(steps) == int(run.steps):
        # Thousands of steps, each of a few roundings in each of 20 components.
        np.testing.assert_allclose(run.angle, nt.angle(z_end, y_end), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(run.norm_i, np.linalg.norm(z_end, axis=-1), rtol=1e-9)
        np.testing.assert_allclose(run.norm_j, np.linalg.norm(y_end, axis=-1), rtol=1e-9)
