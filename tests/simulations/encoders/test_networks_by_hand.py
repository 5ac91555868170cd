"""How networks start, and the convolutional encoder against loops of numpy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from simulations.encoders.models import BATCH, Affine, Convolutional, Mlp


def affines(tree: Any) -> list[Affine]:
    found = jax.tree.leaves(tree, is_leaf=lambda x: isinstance(x, Affine))
    return [x for x in found if isinstance(x, Affine)]


@pytest.mark.parametrize(
    "make", [Mlp((100, 900, 500)), Convolutional(9, 100, 300)], ids=["mlp", "convolutional"]
)
def test_weights_and_biases_start_uniform_within_one_over_the_root_of_the_inputs(make: Any) -> None:
    """False alarms: 3e-7 (ten distributions at 1e-8, five correlations at 5.5 standard errors)."""
    layers = affines(make(np.random.default_rng(0)))
    assert len(layers) == (2 if isinstance(make, Mlp) else 5)
    for layer in layers:
        outputs, inputs = layer.weight.shape
        for array in (layer.weight, layer.bias):
            values = np.asarray(array, np.float64).ravel()[:5000] * np.sqrt(inputs)
            assert stats.kstest(values, "uniform", (-1, 2)).pvalue > 1e-8
        weight, bias = np.asarray(layer.weight), np.asarray(layer.bias)
        assert bias.shape == (outputs,)
        assert abs(np.corrcoef(weight[:, 0], bias)[0, 1]) < 5.5 / np.sqrt(outputs)


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A convolution 3 × 3 of stride 2 with a border of zeros, by loops."""
    h, w, channels = x.shape
    kernel = weight.reshape(-1, 3, 3, channels)
    found = np.tile(bias, (-(-h // 2), -(-w // 2), 1)).astype(float)
    for i, j in np.ndindex(found.shape[:2]):
        for a, b in np.ndindex(3, 3):
            y, z = 2 * i + a - 1, 2 * j + b - 1
            if 0 <= y < h and 0 <= z < w:
                found[i, j] += kernel[:, a, b] @ x[y, z]
    return found


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("norm_outputs", [False, True])
def test_the_convolutional_encoder_is_convolutions_relus_pooling_and_a_projector(
    norm: Any, norm_outputs: bool
) -> None:
    rng = np.random.default_rng(1)
    encoder = Convolutional(2, 3, 6, norm, norm_outputs)(rng)
    image = rng.standard_normal((16, 19, 2)).astype(np.float32)
    *convolutions, hidden, last = (
        (np.asarray(a.weight, float), np.asarray(a.bias, float)) for a in affines(encoder)
    )
    x = image.astype(float)
    for weight, bias in convolutions:
        x = np.maximum(convolved(x, weight, bias), 0)
    assert x.shape == (2, 3, 12)
    pooled = np.concatenate([x.mean(axis=(0, 1)), x.max(axis=(0, 1))])

    def normed(z: np.ndarray, does: bool) -> np.ndarray:
        return (z - z.mean()) / np.sqrt(z.var() + 1e-5) if does and norm == "layer" else z

    z = np.maximum(normed(hidden[0] @ pooled + hidden[1], True), 0)
    expected = normed(last[0] @ z + last[1], norm_outputs)
    found = np.asarray(jax.jit(lambda x: encoder(x))(jnp.asarray(image)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm_outputs", [False, True])
@pytest.mark.parametrize("make", [Convolutional, Mlp])
def test_outputs_are_normalised_over_the_batch_where_that_is_asked_for(
    make: Any, norm_outputs: bool
) -> None:
    rng = np.random.default_rng(2)
    if make is Mlp:
        network = Mlp((5, 8, 4), norm="batch", norm_outputs=norm_outputs)(rng)
        x = rng.standard_normal((12, 5))
    else:
        network = Convolutional(1, 2, 4, "batch", norm_outputs)(rng)
        x = rng.standard_normal((12, 16, 16, 1))
    encode = jax.jit(jax.vmap(network, axis_name=BATCH))
    z = np.asarray(encode(jnp.asarray(x, jnp.float32)))
    means, variances = abs(z.mean(axis=0)), z.var(axis=0)
    assert (means < 1e-5).all() == norm_outputs
    assert (abs(variances - 1) < 0.02).all() == norm_outputs
