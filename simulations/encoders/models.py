"""Encoders, one item at a time: fully connected ReLU networks, and a small convolutional one.

Weights and biases start uniform within ±1/√(inputs), which is PyTorch's default and so that of the
paper's simulations. They are drawn by numpy: to compile one draw of JAX for every array would take
longer than to train a small network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

FLOAT = jnp.float32
Norm = Literal["none", "layer", "batch"]
BATCH = "batch"
"""The axis of the items of a batch, by which a batch normalisation knows it under ``vmap``."""


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


class BatchNorm(eqx.Module):
    """Batch normalisation of one item of a batch (Ioffe & Szegedy 2015, algorithm 1).

    Of an image (h, w, features) all places count alike (section 3.2 there). It keeps no averages.
    An item is judged by what stands at the head of its batch instead: give the first items as
    ``reference``, and the others don't change each other's outputs.

    Attributes:
        scale: shape (features,).
        shift: likewise.
        reference: items at the head of the batch whose mean and variance are taken; 0 for all.
    """

    scale: jax.Array
    shift: jax.Array
    reference: int = eqx.field(static=True, default=0)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The normalised features (..., features) of an item, under ``vmap`` over ``BATCH``."""
        items = jax.lax.all_gather(x, BATCH)
        items = items[: self.reference] if self.reference else items
        over = tuple(range(items.ndim - 1))
        spread = jnp.sqrt(jnp.var(items, axis=over) + 1e-5)
        mean, scale, shift = jnp.mean(items, axis=over), self.scale, self.shift
        rank = (None,) * (x.ndim - 1)
        mean, spread, scale, shift = (a[rank] for a in (mean, spread, scale, shift))
        return (x - mean) / spread * scale + shift


def _batch_norms(features: Sequence[int]) -> tuple[BatchNorm, ...]:
    """Normalisations that start with scale 1 and shift 0."""
    ones = [jnp.ones(b, FLOAT) for b in features]
    return tuple(BatchNorm(one, jnp.zeros_like(one)) for one in ones)


def referring(tree: Any, reference: int) -> Any:
    """The same networks, their batch normalisations with that many items of reference."""
    return jax.tree.map(
        lambda m: BatchNorm(m.scale, m.shift, reference) if isinstance(m, BatchNorm) else m,
        tree,
        is_leaf=lambda m: isinstance(m, BatchNorm),
    )


class Network(eqx.Module):
    """Layers with ReLUs, and normalisations if there are any, between them.

    Attributes:
        layers: maps of one item, the last of which is followed by no ReLU.
        norms: normalisations of the outputs of the first layers, before the ReLU.
    """

    layers: tuple[Any, ...]
    norms: tuple[Any, ...] = ()

    def __call__(self, x: jax.Array) -> jax.Array:
        """The output of one item."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x)
            x = self.norms[i](x) if i < len(self.norms) else x
            x = x if i == last else jax.nn.relu(x)
        return x


@dataclass(frozen=True)
class Mlp:
    """How to make a fully connected ReLU network: call it with a generator.

    Attributes:
        sizes: inputs, widths of the hidden layers, outputs.
        biases: whether layers have them.
        norm: the normalisation of hidden layers, before the ReLU.
        norm_outputs: whether outputs are normalised too.
    """

    sizes: tuple[int, ...]
    biases: bool = True
    norm: Norm = "none"
    norm_outputs: bool = False

    def __call__(self, rng: np.random.Generator) -> Network:
        """A new network."""
        layers = tuple(_affine(rng, a, b, self.biases) for a, b in pairwise(self.sizes))
        normed = self.sizes[1:] if self.norm_outputs else self.sizes[1:-1]
        if self.norm == "layer":
            return Network(layers, tuple(eqx.nn.LayerNorm(b, dtype=FLOAT) for b in normed))
        if self.norm == "batch":
            return Network(layers, _batch_norms(normed))
        return Network(layers)


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


def _largest(x: jax.Array) -> jax.Array:
    """The maximum over an image (h, w, features), with a derivative at one place of it.

    The derivative of ``jnp.max`` asks where the image equals its maximum. A compiled program may
    compute a normalised image twice, rounded differently; then it does so nowhere, and 0 is divided
    by 0 (seen with jax 0.9.2 on CPU).
    """
    flat = x.reshape(-1, x.shape[-1])
    return jnp.take_along_axis(flat, jnp.argmax(flat, axis=0)[None], axis=0)[0]


class ConvolutionalEncoder(eqx.Module):
    """Three strided convolutions, the mean and maximum over the image, and a projector.

    Attributes:
        convolutions: with a ReLU after each.
        projector: a network from features to the embedding.
        norms: batch normalisations, one after each convolution and before its ReLU, or none.
    """

    convolutions: tuple[Convolution, ...]
    projector: Network
    norms: tuple[BatchNorm, ...] = ()

    def features(self, x: jax.Array) -> jax.Array:
        """What the backbone makes of one image (h, w, channels), before the projector."""
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)
            x = self.norms[i](x) if self.norms else x
            x = jax.nn.relu(x)
        largest = _largest(x) if self.norms else jnp.max(x, axis=(0, 1))
        return jnp.concatenate([jnp.mean(x, axis=(0, 1)), largest])

    def __call__(self, x: jax.Array) -> jax.Array:
        """The embedding of one image (h, w, channels)."""
        return self.projector(self.features(x))


@dataclass(frozen=True)
class Convolutional:
    """How to make a small convolutional encoder for images of any size: call it with a generator.

    Attributes:
        channels: of the image.
        width: channels after the first convolution; twice and four times that after the others.
        dimension: of the embedding.
        norm: the normalisation in the projector.
        norm_outputs: whether embeddings are normalised too.
        norm_convolutions: whether convolutions have batch normalisation.
    """

    channels: int
    width: int
    dimension: int
    norm: Norm = "layer"
    norm_outputs: bool = False
    norm_convolutions: bool = False

    def __call__(self, rng: np.random.Generator) -> ConvolutionalEncoder:
        """A new encoder."""
        kernel = 3
        widths = (self.channels, self.width, 2 * self.width, 4 * self.width)
        convolutions = tuple(
            Convolution(_affine(rng, kernel**2 * a, b, True), kernel, 2)
            for a, b in pairwise(widths)
        )
        features = 2 * widths[-1]
        projector = Mlp(
            (features, features, self.dimension), norm=self.norm, norm_outputs=self.norm_outputs
        )
        norms = _batch_norms(widths[1:]) if self.norm_convolutions else ()
        return ConvolutionalEncoder(convolutions, projector(rng), norms)
