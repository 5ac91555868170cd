"""What is trained: a table of free embeddings, or networks on digits, one tower or two.

Both give two views of every pair of a batch, shape (2, groups, pairs, d), and say what of them
turns: embeddings, and the weights of layers as vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory.sphere import uniform
from simulations.encoders.data import AugmentedPairs


@jax.custom_vjp
def _all_rows(table: jax.Array, order: jax.Array) -> jax.Array:
    """All rows of a table (n, d) in an order (n,).

    Its derivative takes rows back by the inverse order: to add one row after the other, as that of
    any choice of rows does, takes longer than all else in a step.
    """
    return table[order]


def _reordered(table: jax.Array, order: jax.Array) -> tuple[jax.Array, jax.Array]:
    return table[order], order


def _in_place(order: jax.Array, slope: jax.Array) -> tuple[jax.Array, None]:
    number = jnp.arange(len(order), dtype=order.dtype)
    return slope[jnp.zeros_like(order).at[order].set(number, unique_indices=True)], None


_all_rows.defvjp(_reordered, _in_place)


@dataclass(frozen=True)
class _Order:
    """Draws an order of all items, and partners: see :class:`Table`."""

    items: int
    pairs: int
    members: int

    def __call__(self, key: jax.Array, data: None) -> jax.Array:
        """Numbers of the items of both views, shape (2, groups, pairs)."""
        del data
        for_order, for_partner = jax.random.split(key)
        number = jnp.arange(self.items, dtype=jnp.int32)
        order = jax.random.permutation(for_order, number)
        partner = jax.random.permutation(
            for_partner, number.reshape(-1, self.members), axis=1, independent=True
        )
        return jnp.stack([order, partner.reshape(-1)[order]]).reshape(2, -1, self.pairs)


@dataclass(frozen=True)
class Table:
    """An embedding for each of the two views of every item, a parameter of its own.

    A step sees all items, in batches drawn anew, so that every embedding has a gradient in it.

    Attributes:
        items: how many, in classes of one size that follow each other.
        dimension: of the embeddings.
        pairs: in a batch; must divide the items.
        members: items of a class, one of which, drawn anew, is the partner; 1 for partners that
            stay.
    """

    items: int
    dimension: int
    pairs: int
    members: int = 1

    def new(self, rng: np.random.Generator) -> jax.Array:
        """Unit embeddings, shape (2, items, d)."""
        found = uniform(rng, 2 * self.items, self.dimension).reshape(2, self.items, -1)
        return jnp.asarray(found.astype(np.float32))

    @property
    def draws(self) -> tuple[Callable[..., jax.Array], None]:
        """What draws a batch, compared by value, and what it draws from."""
        return _Order(self.items, self.pairs, self.members), None

    def batch(self, key: jax.Array) -> jax.Array:
        """Numbers of the items of both views, shape (2, groups, pairs)."""
        draw, data = self.draws
        return draw(key, data)

    def views(self, parameters: jax.Array, batch: jax.Array) -> jax.Array:
        """Embeddings of a batch, shape (2, groups, pairs, d)."""
        shape = (*batch.shape[1:], self.dimension)
        found = [_all_rows(parameters[v], batch[v].reshape(-1)).reshape(shape) for v in range(2)]
        return jnp.stack(found)

    def embeddings(self, parameters: jax.Array) -> jax.Array:
        """All of them, shape (2 items, d)."""
        return parameters.reshape(-1, self.dimension)

    def weights(self, parameters: jax.Array) -> list[jax.Array]:
        """None: nothing else turns."""
        return []


@dataclass(frozen=True)
class _Views:
    """Draws two views of random images: see :class:`Towers`."""

    sample: AugmentedPairs
    pixels: int

    def __call__(self, key: jax.Array, data: Any) -> jax.Array:
        """Both, shape (2, 1, pairs, pixels)."""
        step = jnp.zeros((), jnp.int32)
        found = self.sample.batch(self.sample.draw(key, step, data), data)
        views = jnp.stack([found.view_1, found.view_2])
        return views.reshape(2, 1, self.sample.pairs, self.pixels)


@dataclass(frozen=True, eq=False)
class Towers:
    """Bias-free ReLU networks on digits; with two, each sees a view of its own.

    Attributes:
        sizes: pixels, widths of the hidden layers, d.
        towers: 1 or 2.
        sample: draws the images of a batch and their views.
        data: what it draws from.
        probe: images whose embeddings are followed, shape (n, pixels).
    """

    sizes: tuple[int, ...]
    towers: int
    sample: AugmentedPairs
    data: Any
    probe: Any

    def new(self, rng: np.random.Generator) -> tuple[jax.Array, ...]:
        """Weights of every layer, shape (towers, outputs, inputs), PyTorch's default."""
        found = []
        for a, b in pairwise(self.sizes):
            drawn = rng.uniform(-(a**-0.5), a**-0.5, (self.towers, b, a))
            found.append(jnp.asarray(drawn.astype(np.float32)))
        return tuple(found)

    @property
    def draws(self) -> tuple[Callable[..., jax.Array], Any]:
        """What draws a batch, compared by value, and what it draws from."""
        return _Views(self.sample, self.sizes[0]), self.data

    def batch(self, key: jax.Array) -> jax.Array:
        """Two views of random images, shape (2, 1, pairs, pixels)."""
        draw, data = self.draws
        return draw(key, data)

    def views(self, parameters: tuple[jax.Array, ...], batch: jax.Array) -> jax.Array:
        """Embeddings of a batch, each view by its tower."""
        x = batch[:, 0] if self.towers == 2 else batch.reshape(1, -1, self.sizes[0])
        return _outputs(parameters, x).reshape(2, 1, self.sample.pairs, -1)

    def embeddings(self, parameters: tuple[jax.Array, ...]) -> jax.Array:
        """Of the probe by every tower, shape (towers · n, d)."""
        x = jnp.broadcast_to(self.probe[None], (self.towers, *self.probe.shape))
        return _outputs(parameters, x).reshape(-1, self.sizes[-1])

    def weights(self, parameters: tuple[jax.Array, ...]) -> list[jax.Array]:
        """Of every layer, as a vector a tower, shape (towers, outputs · inputs)."""
        return [w.reshape(self.towers, -1) for w in parameters]


def _outputs(parameters: tuple[jax.Array, ...], x: jax.Array) -> jax.Array:
    """Of every tower for its inputs (towers, n, pixels)."""
    for layer, weight in enumerate(parameters):
        x = jnp.einsum("tni,toi->tno", jax.nn.leaky_relu(x, 0.1) if layer else x, weight)
    return x
