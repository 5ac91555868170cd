"""What a trained network is compared with: images themselves, and networks before training."""

from __future__ import annotations

import numpy as np

from simulations.encoders.colour import luminance
from simulations.encoders.relations import Estimate

LEAST = 0.05
"""Gain in accuracy over an untrained network below which training was too short."""


def contrast(images: np.ndarray) -> np.ndarray:
    """Standard deviation of the brightness over an image, which is 1 between black and white.

    Args:
        images: bytes (n, h, w, 1 or 3).

    Returns:
        Shape (n,), in [0, 0.5].
    """
    return luminance(images).std(axis=(1, 2)) / 255


def pixels(images: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """Raw pixels in place of embeddings: less their mean over the images trained on.

    Args:
        images: bytes (n, h, w, channels).
        fit: indices of the images trained on, shape (m,).

    Returns:
        Shape (n, h · w · channels), float32.
    """
    x = images.reshape(len(images), -1).astype(np.float32)
    return x - x[fit].mean(axis=0)


def too_short(method: str, trained: float, untrained: float, gain: Estimate) -> str:
    """A sentence if training was too short to mean anything, else nothing.

    Args:
        method: its name.
        trained: share of images held out that the neighbours get right.
        untrained: the same with the networks before training.
        gain: the difference, and its interval if there is one.
    """
    if gain.value >= LEAST and not gain.low <= 0:
        return ""
    low = (
        ""
        if np.isnan(gain.low)
        else f" (95 % of the gain from {gain.low:+.2f} to {gain.high:+.2f})"
    )
    return (
        f"{method}: training was too short, or these views unfit, to mean anything: neighbours are "
        f"right for {trained:.2f} of the images held out, and for {untrained:.2f} with untrained "
        f"networks{low}"
    )
