"""Random views of images: crop, shift and blur as one resampling, then contrast and noise."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

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
        contrast: values are raised or lowered, and stretched or shrunk, by up to this share.
        noise: largest standard deviation of Gaussian noise.
    """

    crop: tuple[float, float] = (0.8, 1.0)
    shift: float = 0.08
    blur: float = 0.7
    contrast: float = 0.3
    noise: float = 0.1

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
        rows = resampling(h, (h - 1) / 2 + h * self.shift * down, scale, blur)
        columns = resampling(w, (w - 1) / 2 + w * self.shift * right, scale, blur)
        view = jnp.einsum("ih,hwc,jw->ijc", rows, image, columns)
        view = (1 + self.contrast * stretch) * view + self.contrast * lift / 4
        sigma = self.noise * jnp.abs(noise)
        return view + sigma * jax.random.normal(for_noise, view.shape, FLOAT)
