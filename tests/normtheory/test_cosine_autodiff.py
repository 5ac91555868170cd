"""Differentiating the value gives the gradient, at parallel vectors too, and a finite Hessian."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from tests.helpers import precision, tolerance

ANGLES = [0.0, 1e-16, 1e-9, 1e-3, 1.0, np.pi / 2, 2.0, np.pi - 1e-3, np.pi - 1e-9, np.pi]
NORMS = [1e-100, 1e-3, 1.0, 1e3, 1e100]

# Compiled once for all tests of this file.
GRADIENT = jax.jit(jax.vmap(jax.grad(nt.cosine_similarity, argnums=(0, 1))))
HESSIAN = jax.jit(jax.vmap(jax.hessian(nt.cosine_similarity)))


def _pairs(norm: float, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    z, y = nt.sphere.pairs_at_angle(np.random.default_rng(4), np.array(ANGLES), d)
    # Exactly parallel and antiparallel, not only to rounding.
    y[0], y[-1] = 2 * z[0], -z[-1]
    return z * norm, y / norm


@pytest.mark.parametrize("norm", NORMS)
def test_jax_grad_of_the_value_is_the_gradient(norm):
    z, y = _pairs(norm)
    with precision(np.float64):
        own, partner = map(np.asarray, GRADIENT(z, y))
    error = np.linalg.norm(own - nt.cosine_gradient(z, y), axis=-1) * norm
    assert error.max() <= tolerance("autodiff")
    error = np.linalg.norm(partner - nt.cosine_gradient(y, z), axis=-1) / norm
    assert error.max() <= tolerance("autodiff")


@pytest.mark.torch
@pytest.mark.parametrize("norm", NORMS)
def test_torch_autograd_of_the_value_is_the_gradient(norm):
    torch = pytest.importorskip("torch")
    z, y = _pairs(norm)
    leaf = torch.tensor(z, requires_grad=True)
    nt.cosine_similarity(leaf, torch.tensor(y)).sum().backward()
    error = np.linalg.norm(leaf.grad.numpy() - nt.cosine_gradient(z, y), axis=-1) * norm
    assert error.max() <= tolerance("autodiff")


def test_hessian_is_finite_and_is_the_closed_form():
    z, y = _pairs(2.0, d=4)
    with precision(np.float64):
        hessian = np.asarray(HESSIAN(z, y))
    assert np.isfinite(hessian).all()
    closed = nt.cosine_hessian(z, y)
    np.testing.assert_allclose(hessian, closed, rtol=0, atol=tolerance("hessian"))
    # A degree -2 law, to the end of the range; in the kind and dtype that come.
    far = nt.cosine_hessian(z * 2.0**400, y) * 2.0**400 * 2.0**400
    np.testing.assert_array_equal(far, closed)
    single = jax.jit(nt.cosine_hessian)(jnp.asarray(z, "float32"), jnp.asarray(y, "float32"))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, closed, rtol=0, atol=1e-6)


def test_forward_mode_and_the_derivative_of_the_gradient_agree():
    z, y = _pairs(2.0, d=4)
    with precision(np.float64):
        forward = jax.jit(jax.vmap(jax.jacfwd(nt.cosine_similarity)))(z, y)
        np.testing.assert_allclose(forward, GRADIENT(z, y)[0], rtol=0, atol=tolerance("autodiff"))
        inner = slice(3, 7)  # the gradient's own derivative is not promised at parallel vectors
        once = jax.jit(jax.vmap(jax.jacfwd(nt.cosine_gradient)))(z, y)
        np.testing.assert_allclose(
            once[inner], HESSIAN(z, y)[inner], rtol=0, atol=tolerance("hessian")
        )
