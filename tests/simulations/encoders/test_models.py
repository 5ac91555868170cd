"""Networks against plain numpy and against JAX's own convolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulations.encoders.models import (
    BATCH,
    Affine,
    BatchNorm,
    Convolution,
    Convolutional,
    Mlp,
    _largest,
    referring,
)


def over_a_batch(network: Callable[..., Any]) -> Callable[..., Any]:
    """The network for all rows at once, which know of each other."""
    return jax.jit(jax.vmap(network, axis_name=BATCH))


def test_mlp_is_matrix_products_and_relus() -> None:
    rng = np.random.default_rng(0)
    network = Mlp((5, 7, 6, 3))(rng)
    x = rng.standard_normal(5).astype(np.float32)
    y = x
    for i, layer in enumerate(network.layers):
        # Summed by numpy: a BLAS may raise the flag of an invalid number for right products.
        y = (np.asarray(layer.weight) * y).sum(1) + np.asarray(layer.bias)
        y = np.maximum(y, 0) if i < 2 else y
    np.testing.assert_allclose(network(jnp.asarray(x)), y, rtol=1e-4, atol=1e-6)


def test_without_biases_the_network_is_homogeneous() -> None:
    network = Mlp((5, 7, 3), biases=False)(np.random.default_rng(0))
    assert all(layer.bias is None for layer in network.layers)
    x = jnp.arange(1.0, 6.0)
    np.testing.assert_allclose(network(4 * x), 4 * network(x), rtol=1e-5)


def test_normalised_hidden_layers_forget_the_size_of_their_input() -> None:
    network = Mlp((5, 7, 3), biases=False, norm="layer")(np.random.default_rng(0))
    x = jnp.arange(1.0, 6.0)
    np.testing.assert_allclose(network(100 * x), network(10 * x), rtol=1e-2)


def test_batch_normalisation_takes_mean_and_variance_of_the_batch_or_of_its_head() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, (9, 4)).astype(np.float32)
    scale, shift = rng.standard_normal((2, 4)).astype(np.float32)
    norm = BatchNorm(jnp.asarray(scale), jnp.asarray(shift))
    for reference in (0, 5):
        some = x[:reference] if reference else x
        wanted = (x - some.mean(axis=0)) / np.sqrt(some.var(axis=0) + 1e-5) * scale + shift
        found = over_a_batch(referring(norm, reference))(jnp.asarray(x))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_batch_normalised_outputs_have_mean_0_and_variance_1_over_a_batch() -> None:
    x = jnp.asarray(np.random.default_rng(0).standard_normal((50, 5)), jnp.float32)
    network = Mlp((5, 7, 3), norm="batch", norm_outputs=True)(np.random.default_rng(0))
    z = np.asarray(over_a_batch(network)(x))
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.var(axis=0), 1, rtol=1e-2)  # the 1e-5 under the root


def test_weights_start_within_one_over_the_root_of_the_inputs() -> None:
    (layer,) = Mlp((400, 100))(np.random.default_rng(0)).layers
    weight = np.asarray(layer.weight)
    assert 0.0499 < abs(weight).max() <= 0.05
    np.testing.assert_allclose(weight.std(), 0.05 / np.sqrt(3), rtol=0.02)
    assert abs(np.asarray(layer.bias)).max() <= 0.05


def test_convolution_is_that_of_jax() -> None:
    rng = np.random.default_rng(0)
    image = rng.standard_normal((7, 6, 2)).astype(np.float32)
    weight = rng.standard_normal((4, 3 * 3 * 2)).astype(np.float32)
    bias = rng.standard_normal(4).astype(np.float32)
    found = Convolution(Affine(jnp.asarray(weight), jnp.asarray(bias)), 3, 2)(jnp.asarray(image))
    expected = jax.lax.conv_general_dilated(
        jnp.asarray(image[None]),
        jnp.asarray(weight.reshape(4, 3, 3, 2)),
        (2, 2),
        [(1, 1), (1, 1)],
        dimension_numbers=("NHWC", "OHWI", "NHWC"),
    )[0]
    assert found.shape == (4, 3, 4)
    np.testing.assert_allclose(found, expected + bias[None, None], rtol=1e-4, atol=1e-5)


def test_convolutional_encoders_take_images_of_any_size() -> None:
    encoder = Convolutional(3, 2, 5)(np.random.default_rng(0))
    for size in (16, 33):
        assert jax.eval_shape(encoder, jnp.ones((size, size, 3))).shape == (5,)


@pytest.mark.slow
def test_convolutions_with_batch_normalisation_are_normalised_over_images_and_places() -> None:
    made = Convolutional(3, 2, 5, "batch", norm_convolutions=True)
    encoder = made(np.random.default_rng(0))
    assert [len(norm.scale) for norm in encoder.norms] == [2, 4, 8]
    assert Convolutional(3, 2, 5)(np.random.default_rng(0)).norms == ()
    x = np.random.default_rng(1).uniform(size=(6, 16, 16, 3)).astype(np.float32)
    y = jnp.asarray(x)
    for convolution in encoder.convolutions:
        y = np.asarray(over_a_batch(convolution)(jnp.asarray(y)))
        y = (y - y.mean(axis=(0, 1, 2))) / np.sqrt(y.var(axis=(0, 1, 2)) + 1e-5)
        y = np.maximum(y, 0)
    wanted = np.concatenate([y.mean(axis=(1, 2)), y.max(axis=(1, 2))], axis=1)
    found = over_a_batch(encoder.features)(jnp.asarray(x))
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
    whole = over_a_batch(encoder)(jnp.asarray(x))
    projected = over_a_batch(encoder.projector)(found)
    np.testing.assert_allclose(whole, projected, rtol=1e-4, atol=1e-5)


def test_the_maximum_has_a_derivative_at_one_place() -> None:
    x = np.random.default_rng(0).integers(0, 3, (3, 4, 5)).astype(np.float32)  # with ties
    slope = np.asarray(jax.grad(lambda a: _largest(a) @ jnp.arange(1.0, 6))(jnp.asarray(x)))
    np.testing.assert_array_equal(_largest(jnp.asarray(x)), x.max(axis=(0, 1)))
    np.testing.assert_allclose(slope.sum(axis=(0, 1)), np.arange(1, 6))
    assert (x[slope > 0] == np.broadcast_to(x.max(axis=(0, 1)), x.shape)[slope > 0]).all()
    assert np.count_nonzero(slope) == 5


def test_of_images_batch_normalisation_takes_mean_and_variance_over_their_places_too() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (9, 4, 5, 2)).astype(np.float32)
    norm = BatchNorm(jnp.full(2, 3.0), jnp.ones(2))
    found = over_a_batch(norm)(jnp.asarray(x))
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    wanted = 3 * (x - mean) / np.sqrt(variance + 1e-5) + 1
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_normalised_convolutions_forget_the_size_of_their_images() -> None:
    encoder = Convolutional(1, 2, 5, "batch", norm_convolutions=True)(np.random.default_rng(0))
    assert [norm.scale.shape for norm in encoder.norms] == [(2,), (4,), (8,)]
    x = jnp.asarray(np.random.default_rng(1).standard_normal((6, 16, 16, 1)), jnp.float32)
    one, same = (over_a_batch(encoder)(a) for a in (10 * x, 100 * x))
    np.testing.assert_allclose(one, same, rtol=1e-2, atol=1e-2)
    assert not Convolutional(1, 2, 5, "batch")(np.random.default_rng(0)).norms
