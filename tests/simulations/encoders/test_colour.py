"""Colours of views: known colours, what must stay, and how often anything happens.

Shares are held to six standard deviations of their draws and more: with other seeds a right program
would fail in less than one of 10⁸ runs.
"""

from __future__ import annotations

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulations.encoders.augmentations import Augmentation, views
from simulations.encoders.colour import LUMA, ColourJitter, _recoloured, luminance, of_strength

RNG = np.random.default_rng(0)
IMAGE = jnp.asarray(RNG.uniform(0.3, 0.7, (8, 9, 3)), jnp.float32)
recoloured = jax.jit(_recoloured)
OFF = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0, "grey": 0.0}


def many(jitter: ColourJitter, n: int = 2000) -> np.ndarray:
    keys = jax.random.split(jax.random.key(0), n)
    return np.asarray(jax.jit(jax.vmap(lambda k: jitter(k, IMAGE)))(keys))


def test_brightness_contrast_and_saturation_are_those_of_their_definitions() -> None:
    image = np.asarray(IMAGE)
    seen = image @ np.array(LUMA)
    near = {"rtol": 0, "atol": 2e-4}  # the matrices have four digits
    np.testing.assert_allclose(recoloured(IMAGE, 1.2, 1.0, 1.0, 0.0), 1.2 * image, **near)
    mean = seen.mean()
    wanted = mean + 0.6 * (image - mean)
    np.testing.assert_allclose(recoloured(IMAGE, 1.0, 0.6, 1.0, 0.0), wanted, **near)
    wanted = seen[..., None] + 0.5 * (image - seen[..., None])
    np.testing.assert_allclose(recoloured(IMAGE, 1.0, 1.0, 0.5, 0.0), wanted, **near)
    assert float(recoloured(IMAGE, 3.0, 1.0, 1.0, 0.0).max()) == 1


def test_a_third_of_the_circle_takes_red_towards_another_colour_of_the_same_brightness() -> None:
    dull_red = jnp.full((1, 1, 3), 0.4).at[0, 0, 0].set(0.6)
    turned = np.asarray(recoloured(dull_red, 1.0, 1.0, 1.0, 1 / 3))[0, 0]
    assert turned @ np.array(LUMA) == pytest.approx(
        float(dull_red[0, 0] @ np.array(LUMA)), abs=1e-3
    )
    hue = colorsys.rgb_to_hsv(*turned)[0]
    assert min(abs(hue - 1 / 3), abs(hue - 2 / 3)) < 0.12
    back = np.asarray(recoloured(jnp.asarray(turned)[None, None], 1.0, 1.0, 1.0, -1 / 3))
    np.testing.assert_allclose(back, dull_red, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "amount", "factor"),
    [
        ("brightness", 0.4, lambda v: v.mean(axis=(1, 2, 3))),
        ("contrast", 0.4, lambda v: v.std(axis=(1, 2, 3))),
    ],
)
def test_factors_are_even_between_their_ends(name: str, amount: float, factor) -> None:
    found = many(ColourJitter(**{**OFF, name: amount}, share=1.0))
    at = factor(found) / factor(np.asarray(IMAGE)[None])[0]
    assert 1 - amount - 1e-3 < at.min() < 1 - 0.97 * amount
    assert 1 + 0.97 * amount < at.max() < 1 + amount + 1e-3
    assert at.mean() == pytest.approx(1, abs=0.05)


def test_colours_change_in_four_of_five_views_and_one_of_five_is_grey() -> None:
    found = many(ColourJitter(), 8000)
    grey = (np.ptp(found, axis=-1) < 1e-6).all(axis=(1, 2))
    seen = (np.asarray(IMAGE) @ np.array(LUMA))[None]
    close = np.abs(found[grey][..., 0] - seen).max(axis=(1, 2)) < 1e-5
    assert close.mean() == pytest.approx(0.2, abs=0.08)  # of the grey ones, those not changed
    same = (found == np.asarray(IMAGE)).all(axis=(1, 2, 3))
    assert grey.mean() == pytest.approx(0.2, abs=0.03)
    assert same.mean() == pytest.approx(0.2 * 0.8, abs=0.03)
    assert found.min() >= 0
    assert found.max() <= 1


def test_strength_is_simclrs() -> None:
    assert of_strength(0.5) == ColourJitter(0.4, 0.4, 0.4, 0.1, 0.8, 0.2)
    assert views(3, 0.0).colour is None
    assert views(3, 0.25).colour == ColourJitter(0.2, 0.2, 0.2, 0.05)


def test_views_of_grey_images_are_as_they_were() -> None:
    """Of the version before there were colours, on jax 0.9.2: the digits' numbers rest on it."""
    image = jnp.linspace(0, 1, 16 * 16, dtype=jnp.float32).reshape(16, 16, 1)
    view = np.asarray(jax.jit(views(1, 0.5))(jax.random.key(3), image))
    assert views(1, 0.5) == Augmentation()
    np.testing.assert_allclose(view[3, 4:7, 0], BEFORE, atol=1e-5)


BEFORE = [0.262263119, 0.236250833, 0.238797814]


def test_half_of_the_views_are_mirrored_and_all_stay_inside_of_the_image() -> None:
    ramp = jnp.broadcast_to(
        jnp.linspace(0.4, 0.9, 32, dtype=jnp.float32)[None, :, None], (4, 32, 3)
    )
    keys = jax.random.split(jax.random.key(1), 1600)
    found = np.asarray(jax.jit(jax.vmap(lambda k: views(3, 0.0)(k, ramp)))(keys))
    falls = found[:, 0, 0, 0] > found[:, 0, -1, 0]
    assert falls.mean() == pytest.approx(0.5, abs=0.08)
    assert found.min() >= 0.4 - 1e-4  # nothing of the background 0
    seen = np.ptp(found[:, 0, :, 0], axis=1) / 0.5
    assert 0.47 < seen.min() < 0.53
    assert 0.97 < seen.max() <= 1 + 1e-4
    left = np.minimum(found[:, 0, 0, 0], found[:, 0, -1, 0])
    assert left.max() > 0.4 + 0.5 * 0.4  # parts at the other end of the image


def test_luminance_of_bytes() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)
    np.testing.assert_allclose(luminance(pixels), [[76.245, 149.685, 29.07, 9]])
    assert luminance(pixels[..., :1]).tolist() == [[255, 0, 0, 9]]
