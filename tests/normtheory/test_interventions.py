import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import normtheory as nt
from tests.helpers import PROPERTY


def attraction(z, y):
    return -jnp.sum(z * y) / jnp.sqrt(jnp.sum(z * z)) / jnp.sqrt(jnp.sum(y * y))


@PROPERTY
@given(st.floats(-2.0, 3.0), st.floats(1e-3, 1e3), st.integers(0, 2**31))
def test_the_value_is_untouched_and_the_gradient_multiplied_by_the_norm_to_the_power(
    power, norm, seed
):
    rng = np.random.default_rng(seed)
    z, y = rng.standard_normal((2, 5))
    z *= norm / np.linalg.norm(z)
    plain = -nt.cosine_gradient(z, y)
    with jax.enable_x64(True):
        alone = nt.grad_scale(jnp.asarray(z), power)
        value, back = jax.vjp(lambda z: nt.grad_scale(z, power), jnp.asarray(z))
        (scaled,) = back(jnp.asarray(plain))
    np.testing.assert_array_equal(value, z)
    np.testing.assert_array_equal(alone, z)
    # one power and one product: a few eps, relative to the gradient
    np.testing.assert_allclose(scaled, plain * norm**power, rtol=1e-12, atol=1e-14 / norm)


def test_every_row_is_scaled_by_its_own_norm():
    z = jnp.array([[3.0, 4.0], [0.0, 2.0]])
    gradient = jax.jit(jax.grad(lambda z: nt.grad_scale(z, 2.0).sum()))(z)
    np.testing.assert_allclose(gradient, [[25.0, 25.0], [4.0, 4.0]], rtol=1e-6)


def test_a_power_of_two_makes_the_steps_independent_of_the_norm():
    z, y = np.array([[1.0, 2.0], [2.0, -1.0]], np.float32)
    gradient = jax.jit(jax.grad(lambda z: attraction(nt.grad_scale(z, 2.0), y)))

    def turn(norm):
        far = np.float32(norm) * z
        return nt.angle(far, far - np.float32(0.1) * np.asarray(gradient(jnp.asarray(far))))

    np.testing.assert_allclose(turn(100.0), turn(0.01), rtol=1e-5)


def test_it_works_under_jit_and_vmap():
    z = jnp.array([[3.0, 4.0], [6.0, 8.0]])
    gradient = jax.jit(jax.vmap(jax.grad(lambda z: nt.grad_scale(z, 1.0).sum())))(z)
    np.testing.assert_allclose(gradient, [[5.0, 5.0], [10.0, 10.0]], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("power", [-1.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("place", ["low", "middle", "high"])
def test_norms_at_the_ends_of_the_range(dtype, power, place):
    info = jnp.finfo(dtype)
    # (3, 4) times a power of two near an end of the range, and back from the loss a gradient near
    # the end that the power leads away from.
    exponent = {"low": info.minexp // 2 - 2, "middle": 0, "high": info.maxexp // 2 + 2}[place]
    z = jnp.ldexp(jnp.array([3.0, 4.0], jnp.float32), exponent).astype(dtype)
    back = -exponent if power > 0 else exponent
    coming = jnp.ldexp(jnp.array([1.0, -2.0], jnp.float32), back).astype(dtype)
    (scaled,) = jax.vjp(lambda z: nt.grad_scale(z, power), z)[1](coming)
    assert scaled.dtype == z.dtype
    with jax.enable_x64(True):
        expected = np.float64(coming) * (5.0 * 2.0**exponent) ** power
    # one rounding to the dtype; in float32 two powers and three products as well
    eps = float(info.eps)
    np.testing.assert_allclose(np.float64(scaled), expected, rtol=4 * eps)


def test_half_precision_is_rounded_once():
    z = jnp.asarray(np.random.default_rng(0).standard_normal((200, 7)), jnp.float16)
    (scaled,) = jax.vjp(lambda z: nt.grad_scale(z, 1.5), z)[1](jnp.ones_like(z))
    exact = np.linalg.norm(np.float64(z), axis=-1, keepdims=True) ** 1.5 * np.ones(7)
    # half a unit in the last place, of 11 bits, and a little for float32
    np.testing.assert_allclose(np.float64(scaled), exact, rtol=2.0**-11 * 1.01)


def test_the_second_derivative_is_that_of_the_multiplied_gradient():
    z, y = jnp.array([3.0, 4.0]), jnp.array([1.0, 2.0])
    # v through d/dz of |z|^2 * 2(z - y), by hand: 4 ((z - y).v) z + 2 |z|^2 v
    v = jnp.array([1.0, -2.0])  # not across z - y: the norm is differentiated too

    def field(z):
        return jax.grad(lambda z: jnp.sum((nt.grad_scale(z, 2.0) - y) ** 2))(z)

    (along,) = jax.jit(lambda z, v: jax.vjp(field, z)[1](v))(z, v)
    by_hand = 2 * 2 * z * jnp.sum((z - y) * v) + 2 * 25.0 * v
    np.testing.assert_allclose(along, by_hand, rtol=1e-5)


@pytest.mark.parametrize(
    ("z", "power", "error", "message"),
    [
        (np.ones(3), 1.0, TypeError, "z: expected a JAX array or a PyTorch tensor, got ndarray"),
        (jnp.ones(3, int), 1.0, TypeError, "z: expected floating-point embeddings (..., d), got"),
        (jnp.ones((3, 0)), 1.0, TypeError, "z: expected floating-point embeddings (..., d), got"),
        (jnp.asarray(1.0), 1.0, TypeError, "z: expected floating-point embeddings (..., d), got"),
        (jnp.ones((2, 3)).at[1].set(0), 1.0, ValueError, "z row 1 is zero: a zero vector has no"),
        (jnp.ones((2, 3)).at[0, 1].set(jnp.nan), 1.0, ValueError, "z row 0 is not finite"),
        (jnp.ones(3), "1", TypeError, "power: expected a number, got str"),
        (jnp.ones(3), float("inf"), ValueError, "power: expected a finite number, got inf"),
    ],
)
def test_errors(z, power, error, message):
    with pytest.raises(error, match=re.escape(message)):
        nt.grad_scale(z, power)
