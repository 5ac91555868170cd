"""Encoders, one item at a time: fully connected ReLU networks, and a small convolutional one.

Weights and biases start uniform within ±1/√(inputs), which is PyTorch's default and so that of the
paper's simulations. They are drawn by numpy: to compile one draw of JAX for every array would take
longer than to train a small network.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

FLOAT = jnp.float32


class Affine(eqx.Module):
    """A linear map of one vector, with or without a bias.

    Attributes:
        weight: shape (outputs, inputs).
        bias: shape (outputs,), or None.
    """

    weight: jax.Array
    bias: jax.Array | None

    def __call__(self, x: jax.Array) -> jax.Array:
        """The output for one input."""
        y = self.weight @ x
        return y if self.bias is None else y + self.bias


def _affine(rng: np.random.Generator, inputs: int, outputs: int, biases: bool) -> Affine:
    bound = inputs**-0.5
    weight = rng.uniform(-bound, bound, (outputs, inputs)).astype(np.float32)
    bias = rng.uniform(-bound, bound, outputs).astype(np.float32)
    return Affine(jnp.asarray(weight), jnp.asarray(bias) if biases else None)


class Network(eqx.Module):
    """Layers with ReLUs, and normalisations if there are any, between them.

    Attributes:
        layers: maps of one item, the last of which is followed by nothing.
        norms: a normalisation for every layer but the last, or none.
    """

    layers: tuple[Any, ...]
    norms: tuple[Any, ...] = ()

    def __call__(self, x: jax.Array) -> jax.Array:
        """The output of one item."""
        for i, layer in enumerate(self.layers[:-1]):
            x = layer(x)
            x = jax.nn.relu(self.norms[i](x) if self.norms else x)
        return self.layers[-1](x)


@dataclass(frozen=True)
class Mlp:
    """How to make a fully connected ReLU network: call it with a generator.

    Attributes:
        sizes: inputs, widths of the hidden layers, outputs.
        biases: whether layers have them.
        normalised: put a layer normalisation before every ReLU.
    """

    sizes: tuple[int, ...]
    biases: bool = True
    normalised: bool = False

    def __call__(self, rng: np.random.Generator) -> Network:
        """A new network."""
        layers = tuple(_affine(rng, a, b, self.biases) for a, b in pairwise(self.sizes))
        norms = tuple(eqx.nn.LayerNorm(b, dtype=FLOAT) for b in self.sizes[1:-1])
        return Network(layers, norms if self.normalised else ())


class Convolution(eqx.Module):
    """A convolution of an image (h, w, channels), written as one matrix product over patches.

    A convolution that is batched over networks, each with its own kernel, becomes a grouped one in
    XLA, which is slow on a CPU; a matrix product stays a matrix product.

    Attributes:
        affine: of patches, kernel * kernel * channels inputs.
        kernel: its side in pixels.
        stride: in pixels.
    """

    affine: Affine
    kernel: int = eqx.field(static=True)
    stride: int = eqx.field(static=True)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The image after it, shape (⌈h/stride⌉, ⌈w/stride⌉, outputs)."""
        h, w, _ = x.shape
        before = (self.kernel - 1) // 2
        after = self.kernel - 1 - before
        x = jnp.pad(x, ((before, after), (before, after), (0, 0)))
        patches = [
            x[i : i + h : self.stride, j : j + w : self.stride]
            for i in range(self.kernel)
            for j in range(self.kernel)
        ]
        return jax.vmap(jax.vmap(self.affine))(jnp.concatenate(patches, axis=-1))


class ConvolutionalEncoder(eqx.Module):
    """Three strided convolutions, the mean and maximum over the image, and a projector.

    Attributes:
        convolutions: with a ReLU after each.
        projector: a network from features to the embedding.
    """

    convolutions: tuple[Convolution, ...]
    projector: Network

    def __call__(self, x: jax.Array) -> jax.Array:
        """The embedding of one image (h, w, channels)."""
        for convolution in self.convolutions:
            x = jax.nn.relu(convolution(x))
        pooled = jnp.concatenate([jnp.mean(x, axis=(0, 1)), jnp.max(x, axis=(0, 1))])
        return self.projector(pooled)


@dataclass(frozen=True)
class Convolutional:
    """How to make a small convolutional encoder for images of any size: call it with a generator.

    Attributes:
        channels: of the image.
        width: channels after the first convolution; twice and four times that after the others.
        dimension: of the embedding.
    """

    channels: int
    width: int
    dimension: int

    def __call__(self, rng: np.random.Generator) -> ConvolutionalEncoder:
        """A new encoder."""
        kernel = 3
        widths = (self.channels, self.width, 2 * self.width, 4 * self.width)
        convolutions = tuple(
            Convolution(_affine(rng, kernel**2 * a, b, True), kernel, 2)
            for a, b in pairwise(widths)
        )
        features = 2 * widths[-1]
        projector = Mlp((features, features, self.dimension), normalised=True)
        return ConvolutionalEncoder(convolutions, projector(rng))
