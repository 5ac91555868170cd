"""Random views of images: crop, shift and blur as one resampling, then contrast and noise.

Of grey images the values change, of colour images the colours (:mod:`colour`).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from simulations.encoders.colour import ColourJitter, of_strength
from simulations.encoders.models import FLOAT


def resampling(size: int, centre: jax.Array, scale: jax.Array, blur: jax.Array) -> jax.Array:
    """Weights (size, size) that read ``size`` values along an axis, evenly around a centre.

    Outside of the image is the background 0.

    Args:
        size: pixels of the axis.
        centre: pixel in the middle of what is read.
        scale: pixels from one value to the next; below 1 the image is magnified.
        blur: standard deviation in pixels of a Gaussian; 0 interpolates linearly between pixels.
    """
    at = jnp.arange(size, dtype=FLOAT)
    position = centre + scale * (at - (size - 1) / 2)
    distance = jnp.abs(position[:, None] - at[None, :])
    linear = jnp.maximum(1 - distance, 0)
    # With the interpolation's own variance of 1/6 the two meet at a blur of about 0.4 pixels.
    spread = jnp.maximum(blur, 0.4)
    gaussian = jnp.exp(-((distance / spread) ** 2) / 2) / (spread * jnp.sqrt(2 * jnp.pi))
    return jnp.where(blur < 0.4, linear, gaussian.astype(FLOAT))


@dataclass(frozen=True)
class Augmentation:
    """A random view of an image (h, w, channels) with values in [0, 1].

    Attributes:
        crop: smallest and largest side of the part that is seen, as a share of the image.
        shift: largest shift of its centre, as a share of the image.
        blur: largest standard deviation in pixels; half of the views stay sharp.
        contrast: values are stretched or shrunk by up to this share, and raised or lowered by up to
            a quarter of it.
        noise: largest standard deviation of Gaussian noise.
        inside: whether the part that is seen is kept inside of the image, however it is shifted.
        flip: chance that left and right change places.
        colour: changes of the colours of an image of three channels; None for none.
    """

    crop: tuple[float, float] = (0.8, 1.0)
    shift: float = 0.08
    blur: float = 0.7
    contrast: float = 0.3
    noise: float = 0.1
    inside: bool = False
    flip: float = 0.0
    colour: ColourJitter | None = None

    def __call__(self, key: jax.Array, image: jax.Array) -> jax.Array:
        """One view."""
        for_numbers, for_noise = jax.random.split(key)
        # All numbers in one draw: every draw of its own takes time to compile.
        crop, down, right, blur, stretch, lift, noise = jax.random.uniform(
            for_numbers, (7,), FLOAT, -1.0, 1.0
        )
        h, w, _ = image.shape
        smallest, largest = self.crop
        scale = (largest + smallest) / 2 + crop * (largest - smallest) / 2
        blur = jnp.maximum(self.blur * blur, 0)
        if self.inside:
            room = (1 - scale) / 2 / self.shift  # of the distance between the outermost pixels
            down = jnp.clip(down, -room * (1 - 1 / h), room * (1 - 1 / h))
            right = jnp.clip(right, -room * (1 - 1 / w), room * (1 - 1 / w))
        rows = resampling(h, (h - 1) / 2 + h * self.shift * down, scale, blur)
        columns = resampling(w, (w - 1) / 2 + w * self.shift * right, scale, blur)
        # A key of its own, so that views without these stay as they are. The number is none that
        # the split above may have used.
        for_flip, for_colour = jax.random.split(jax.random.fold_in(key, 1000))
        if self.flip:
            mirrored = jax.random.uniform(for_flip, (), FLOAT) < self.flip
            columns = jnp.where(mirrored, columns[::-1], columns)
        view = jnp.einsum("ih,hwc,jw->ijc", rows, image, columns)
        view = (1 + self.contrast * stretch) * view + self.contrast * lift / 4
        if self.colour is not None:
            view = self.colour(for_colour, view)
        sigma = self.noise * jnp.abs(noise)
        return view + sigma * jax.random.normal(for_noise, view.shape, FLOAT)


def views(channels: int, colour: float) -> Augmentation:
    """The views of digits for grey images, and those of SimCLR for small colour images.

    The latter (Chen et al. 2020, appendix B.9): parts of half to all of a side, mirrored or not, in
    other colours, neither blurred nor with noise.

    Args:
        channels: 1 or 3.
        colour: strength of the changes of colours, in [0, 1]; 0 for none.
    """
    if channels == 1:
        return Augmentation()
    jitter = of_strength(colour) if colour else None
    return Augmentation((0.5, 1.0), 0.25, 0.0, 0.0, 0.0, True, 0.5, jitter)
