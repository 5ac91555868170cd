"""Random colours of an image: brightness, contrast, saturation and hue, or none at all.

As SimCLR changes them (Chen et al. 2020, appendix A), but for two things that make it one matrix
product: the four come in one order, and the hue is turned in the plane of the two colour
differences (YIQ) rather than on the hexagon of HSV.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from simulations.encoders.models import FLOAT

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the brightness that is seen (ITU-R BT.601)."""

_YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_BACK = np.linalg.inv(_YIQ)


def luminance(images: np.ndarray) -> np.ndarray:
    """Brightness (..., h, w) of grey or colour images (..., h, w, 1 or 3), in their own unit."""
    if images.shape[-1] == 1:
        return images[..., 0].astype(np.float64)
    return images @ np.array(LUMA)


@dataclass(frozen=True)
class ColourJitter:
    """Other colours for an image (h, w, 3) with values in [0, 1], which its result keeps to.

    Attributes:
        brightness: values are multiplied by up to 1 ± this.
        contrast: distances from the mean brightness, likewise.
        saturation: distances from grey, likewise.
        hue: largest turn of the hue, as a share of the circle.
        share: chance that colours change at all.
        grey: chance that the image becomes grey, changed or not.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    share: float = 0.8
    grey: float = 0.2

    def __call__(self, key: jax.Array, image: jax.Array) -> jax.Array:
        """The image in other colours."""
        bright, contrast, saturation, turn, change, grey = jax.random.uniform(key, (6,), FLOAT)
        changes = change < self.share
        other = _recoloured(
            image,
            1 + self.brightness * (2 * bright - 1),
            1 + self.contrast * (2 * contrast - 1),
            1 + self.saturation * (2 * saturation - 1),
            self.hue * (2 * turn - 1),
        )
        view = jnp.where(changes, other, image)
        luma = jnp.asarray(LUMA, FLOAT)
        return jnp.where(grey < self.grey, (view @ luma)[..., None], view)


def of_strength(strength: float) -> ColourJitter:
    """SimCLR's jitter of a strength in [0, 1]; 0.5 is theirs for small images (appendix B.9)."""
    amount = 0.8 * strength
    return ColourJitter(amount, amount, amount, 0.2 * strength)


def _recoloured(
    image: jax.Array,
    bright: jax.Array | float,
    contrast: jax.Array | float,
    saturation: jax.Array | float,
    turn: jax.Array | float,
) -> jax.Array:
    """The image with its brightness multiplied, and so on, cut to [0, 1] at the end.

    Args:
        image: shape (h, w, 3).
        bright: factor of all values.
        contrast: factor of the distances from the mean brightness.
        saturation: factor of the distances from grey.
        turn: of the hue, as a share of the circle.
    """
    luma = jnp.asarray(LUMA, FLOAT)
    view = bright * image
    mean = jnp.mean(view @ luma)
    view = mean + contrast * (view - mean)
    angle = 2 * jnp.pi * jnp.asarray(turn, FLOAT)
    cosine, sine = saturation * jnp.cos(angle), saturation * jnp.sin(angle)
    # Both colour differences turn and are stretched; the brightness, the first row, stays.
    plane = jnp.stack([jnp.stack([cosine, -sine]), jnp.stack([sine, cosine])]).astype(FLOAT)
    middle = jnp.zeros((3, 3), FLOAT).at[0, 0].set(1).at[1:, 1:].set(plane)
    matrix = jnp.asarray(_BACK, FLOAT) @ middle @ jnp.asarray(_YIQ, FLOAT)
    return jnp.clip(view @ matrix.T, 0, 1)
