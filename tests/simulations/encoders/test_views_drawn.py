"""Random views of an image: every effect alone, read off the view, and all of them at once."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

from simulations.encoders.augmentations import Augmentation

H, W, KEYS = 9, 25, 3500
TALL = 17
"""Rows of an image whose noise is measured."""
NONE: dict[str, Any] = {
    "crop": (1.0, 1.0),
    "shift": 0.0,
    "blur": 0.0,
    "contrast": 0.0,
    "noise": 0.0,
}


def views(image: np.ndarray, keys: int = KEYS, **effects: Any) -> np.ndarray:
    """Many views with some effects alone; the same keys every time, shape (keys, h, w, c)."""
    see = jax.jit(jax.vmap(Augmentation(**{**NONE, **effects}), in_axes=(0, None)))
    found = see(jax.random.split(jax.random.key(0), keys), jnp.asarray(image, jnp.float32))
    return np.asarray(found, np.float64)


def slopes() -> np.ndarray:
    """An image (h, w, 2) whose values are the coordinates of its pixels, from the middle."""
    y, x = np.meshgrid(np.arange(H) - H // 2, np.arange(W) - W // 2, indexing="ij")
    return np.stack([y, x], axis=-1)


@cache
def numbers() -> dict[str, np.ndarray]:
    """What every view has drawn, each from its effect alone."""
    y, x = H // 2, W // 2
    cropped = views(slopes(), crop=(0.25, 0.75))
    shifted = views(slopes(), shift=0.1)
    half = np.zeros((H, W, 1))
    half[:, : W // 2] = 1
    lifted = views(half, contrast=0.4)
    point = np.zeros((H, W, 1))
    point[y, x] = 1
    blurred = views(point, blur=2.0)[..., 0]
    share = blurred[:, y] / blurred[:, y].sum(axis=-1, keepdims=True)
    noisy = views(np.zeros((TALL, W, 1)), noise=0.2)
    return {
        "crop": cropped[:, y + 1, x, 0] - cropped[:, y, x, 0],
        "crop along the other axis": cropped[:, y, x + 1, 1] - cropped[:, y, x, 1],
        "down": shifted[:, y, x, 0] / H,
        "right": shifted[:, y, x, 1] / W,
        "stretch": lifted[:, 0, 0, 0] - lifted[:, 0, -1, 0] - 1,
        "lift": lifted[:, 0, -1, 0],
        "blur": np.sqrt(share @ (np.arange(W) - x) ** 2),
        "noise": noisy.std(axis=(1, 2, 3)),
    }


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("crop", 0.25, 0.75),  # pixels of the image a pixel of the view
        ("crop along the other axis", 0.25, 0.75),
        ("down", -0.1, 0.1),
        ("right", -0.1, 0.1),
        ("stretch", -0.4, 0.4),
        ("lift", -0.1, 0.1),
        ("noise", 0.0, 0.2),
    ],
)
def test_every_number_is_uniform_over_its_range(name: str, low: float, high: float) -> None:
    found = numbers()[name]
    # False alarms: 5e-7 (chance gives a distance of 0.05 in 5e-8 of draws). The noise of a view is
    # read off 425 pixels, to 3.4 %: near its end 0.04 are 5.8 of that.
    assert stats.kstest(found, "uniform", (low, high - low)).statistic < 0.05
    slack = 0.04 * high if name == "noise" else 1e-5
    margin = 0.01 * (high - low)
    assert low - slack <= found.min() < low + margin + slack
    assert high - margin - slack < found.max() <= high + slack * (5 if name == "noise" else 1)


def test_both_axes_are_magnified_alike() -> None:
    found = numbers()
    np.testing.assert_allclose(found["crop"], found["crop along the other axis"], atol=1e-5)


def test_half_of_the_views_stay_sharp_and_the_others_are_blurred_up_to_the_largest() -> None:
    """False alarms: 2e-7 (two shares at 5.5 standard errors, a distribution at 1e-7 and less)."""
    blur = numbers()["blur"]
    # Uniform between -2 and 2, of which all below 0.4 pixels interpolate: 2.4 of 4.
    sharp = blur < 1e-3
    assert sharp.mean() == pytest.approx(0.6, abs=5.5 * (0.6 * 0.4 / KEYS) ** 0.5)
    blurred = blur[~sharp]
    # At the pixels 0 and ±1 a Gaussian of 0.4 has weights 1 and 0.044: a deviation of 0.284.
    assert 0.284 < blurred.min() < 0.33
    assert 1.95 < blurred.max() <= 2.001
    wide = blurred[blurred > 0.8]
    assert stats.kstest(wide, "uniform", (0.8, 1.2)).statistic < 0.1
    assert len(wide) / len(blur) == pytest.approx(
        0.3, abs=5.5 * (0.3 * 0.7 / KEYS) ** 0.5
    )  # 1.2 of 4


def test_no_number_tells_another() -> None:
    found = {name: x for name, x in numbers().items() if "axis" not in name}
    correlation = np.corrcoef([*found.values()])
    for i, one in enumerate(found):
        for j, other in enumerate(found):
            if i != j:  # False alarms: 8e-8 (chance alone is 0.017, 21 pairs).
                assert abs(correlation[i, j]) < 0.1, (one, other)


def test_all_effects_at_once_are_one_reading_then_contrast() -> None:
    found, some = numbers(), 40
    image = np.random.default_rng(0).uniform(size=(H, W))
    together = views(image[..., None], crop=(0.25, 0.75), shift=0.1, contrast=0.4)[:some, ..., 0]
    y, x = np.meshgrid(np.arange(H) - H // 2, np.arange(W) - W // 2, indexing="ij")
    scale, down, right, stretch, lift = (
        found[name] for name in ("crop", "down", "right", "stretch", "lift")
    )
    for k in range(some):
        place = H // 2 + H * down[k] + scale[k] * y, W // 2 + W * right[k] + scale[k] * x
        read = ndimage.map_coordinates(image, place, order=1, mode="grid-constant", cval=0.0)
        expected = (1 + stretch[k]) * read + lift[k]
        np.testing.assert_allclose(together[k], expected, atol=3e-4)


def test_noise_is_drawn_anew_for_every_pixel_and_channel() -> None:
    noisy = views(np.full((TALL, W, 3), 0.5), 200, noise=0.2) - 0.5
    # False alarms: 3e-7 (the distribution; 0.02 are 5.8 standard errors of the others).
    sigma = noisy.std(axis=(1, 2, 3))
    pixels = (noisy / sigma[:, None, None, None]).reshape(-1, 3)
    assert stats.kstest(pixels.ravel()[:20000], "norm").statistic < 0.02
    assert abs(np.corrcoef(pixels.T) - np.eye(3)).max() < 0.02
    assert abs(pixels.mean(axis=0)).max() < 0.02


def test_without_effects_a_view_is_the_image() -> None:
    image = np.random.default_rng(0).uniform(size=(H, W, 3))
    np.testing.assert_allclose(views(image, 3), np.stack([image] * 3), atol=1e-6)
