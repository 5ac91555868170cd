"""Positives of the same class, as the paper's public code has them: its batches and its loss.

Every point of a batch gets one random other point of its class in the batch as its positive, and
being a positive is mutual, so that a point may have several. The loss of a point is
-log(Σ over its positives of exp s / Σ over all others of exp s), with the sum inside the logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from simulations.encoders.data import Points
from simulations.encoders.models import BATCH
from simulations.encoders.objectives import Learner


class Positives(NamedTuple):
    """A batch and who is whose positive.

    Attributes:
        x: shape (n, inputs).
        positive: booleans (n, n), symmetric.
        present: booleans (n,); the rest fills the batch up.
    """

    x: jax.Array
    positive: jax.Array
    present: jax.Array


class Drawn(NamedTuple):
    """What chance decides of a batch.

    Attributes:
        index: of points, shape (n,).
        present: booleans (n,).
        which: of the others of a class, as a share of them, which is the positive, shape (n,).
    """

    index: jax.Array
    present: jax.Array
    which: jax.Array


def positives(labels: jax.Array, present: jax.Array, which: jax.Array) -> jax.Array:
    """One random other point of the class for every point, made mutual: booleans (n, n).

    Args:
        labels: of the points, shape (n,).
        present: booleans (n,).
        which: uniform numbers in [0, 1), shape (n,).
    """
    # In the order of the classes, those that only fill up last, a class is a range of ranks.
    kind = jnp.where(present, labels, jnp.iinfo(labels.dtype).max)
    order = jnp.argsort(kind)
    number = jnp.arange(len(labels), dtype=order.dtype)
    rank = jnp.zeros_like(order).at[order].set(number, unique_indices=True)
    first, end = (
        jnp.searchsorted(kind[order], kind, side=side, method="compare_all")
        for side in ("left", "right")
    )
    others = end - first - 1
    jump = 1 + jnp.floor(which * others.astype(which.dtype)).astype(first.dtype)
    partner = order[first + (rank - first + jump) % (others + 1)]
    found = present & (others > 0)
    one = found[:, None] & (partner[:, None] == number[None, :])
    return one | one.T


@dataclass(frozen=True)
class Batches:
    """Batches of points with their positives: compared by value, as all samplers.

    Attributes:
        size: points in a batch.
        by_class: whether a point is drawn by drawing its class, by the weights of the classes,
            with replacement. Otherwise all points are gone through in a random order, epoch for
            epoch, the short last batch included.
    """

    size: int
    by_class: bool = False

    def per_epoch(self, points: int) -> int:
        """Batches that it takes to go through so many points."""
        return math.ceil(points / self.size)

    def draw(self, key: jax.Array, step: int | jax.Array, data: Points) -> Drawn:
        """Numbers of points, and of their positives."""
        return self._draw(key, step, data, lambda epoch: self._order(key, epoch, data))

    def draws(self, key: jax.Array, begin: jax.Array, steps: int, data: Points) -> Drawn:
        """The same for steps one after the other; points are put in order once an epoch.

        Args:
            key: of the run.
            begin: number of the first step, an int32.
            steps: how many.
            data: the points.
        """
        per_epoch = self.per_epoch(len(data.labels))
        first = begin // per_epoch
        # As many as the steps may touch, wherever in an epoch they begin.
        epochs = first + jnp.arange(2 + (steps - 2) // per_epoch, dtype=jnp.int32)
        orders = jax.vmap(lambda epoch: self._order(key, epoch, data))(epochs)
        numbers = begin + jnp.arange(steps, dtype=jnp.int32)
        return jax.vmap(
            lambda step: self._draw(key, step, data, lambda epoch: orders[epoch - first])
        )(numbers)

    def _order(self, key: jax.Array, epoch: int | jax.Array, data: Points) -> jax.Array:
        """Numbers of all points, in the order of an epoch."""
        for_order, _ = jax.random.split(key)
        return jax.random.permutation(jax.random.fold_in(for_order, epoch), len(data.labels))

    def _draw(
        self,
        key: jax.Array,
        step: int | jax.Array,
        data: Points,
        order: Callable[[Any], jax.Array],
    ) -> Drawn:
        n = len(data.labels)
        _, for_step = jax.random.split(key)
        for_points, for_positives = jax.random.split(jax.random.fold_in(for_step, step))
        which = jax.random.uniform(for_positives, (self.size,), data.x.dtype)
        if self.by_class:
            share = jnp.log(data.weight.astype(data.x.dtype))
            for_class, for_member = jax.random.split(for_points)
            kind = jax.random.categorical(for_class, share, shape=(self.size,))
            first, count = data.first[kind], data.count[kind]
            jump = jax.random.randint(for_member, (self.size,), 0, count, jnp.int32)
            return Drawn(first + jump, jnp.ones(self.size, bool), which)
        epoch, place = jnp.divmod(step, self.per_epoch(n))
        number = place * self.size + jnp.arange(self.size, dtype=jnp.int32)
        index = order(epoch)[jnp.minimum(number, n - 1)]
        return Drawn(index.astype(jnp.int32), number < n, which)

    @property
    def without_draws(self) -> Batches:
        """One for all ways of drawing: what was drawn says which batch it is."""
        return Batches(self.size)

    def batch(self, drawn: Drawn, data: Points) -> Positives:
        """The points, and who is whose positive."""
        labels = data.labels[drawn.index]
        return Positives(
            data.x[drawn.index], positives(labels, drawn.present, drawn.which), drawn.present
        )


@dataclass(frozen=True)
class SameClass:
    """The loss of a point, -log Σ_P exp s / Σ_others exp s, averaged over those with a positive.

    Attributes:
        temperature: τ, of the cosines, at least 0.05: one exponential serves both sums.
        inside: whether the sum over positives is inside the logarithm; else SupCon's mean of the
            logarithms (Khosla et al. 2020, eq. 2 and 3).
    """

    temperature: float = 1.0
    inside: bool = True

    def __post_init__(self) -> None:
        """Refuse temperatures at which a sum could underflow."""
        if not self.temperature >= 0.05:
            raise ValueError(f"temperature: expected at least 0.05, got {self.temperature}")

    def __call__(self, learner: Learner, target: Any, batch: Positives) -> jax.Array:
        """The loss of a learner on a batch; there is no target."""
        z = jax.vmap(learner.encoder, axis_name=BATCH)(batch.x)
        u = z / jnp.linalg.norm(z, axis=-1, keepdims=True)
        logits = (u @ u.T - 1) / self.temperature
        others = batch.present[None, :] & ~jnp.eye(len(u), dtype=bool)
        powers = jnp.where(others, jnp.exp(logits), 0)
        positive = batch.positive.astype(logits.dtype)
        count = jnp.sum(positive, axis=1)
        anchors = count > 0
        total = jnp.log(jnp.where(anchors, jnp.sum(powers, axis=1), 1))
        if self.inside:
            pulled = jnp.log(jnp.where(anchors, jnp.sum(positive * powers, axis=1), 1))
        else:
            pulled = jnp.sum(positive * logits, axis=1) / jnp.maximum(count, 1)
        many = jnp.sum(anchors.astype(logits.dtype))
        return jnp.sum(jnp.where(anchors, total - pulled, 0)) / jnp.maximum(many, 1)
