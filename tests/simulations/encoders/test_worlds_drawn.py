"""Latent classes: what is observed of them tells the latent points, whose laws are known."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from normtheory.losses import LOSSES
from simulations.encoders.data import LatentClasses
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import Batch, NewLearner
from simulations.encoders.reading import load_images
from simulations.encoders.worlds import LatentSettings

SEEN = 2000
"""Observed dimensions: so many that lengths and angles are seen to 3 %."""


def latent_gram(world: LatentClasses, seed: int) -> np.ndarray:
    """Products of latent points, from what is observed of them.

    Observed are u·O with entries of O of variance 100, so that x·x'/(100 dimensions) is u·u' but
    for 1/√dimensions.
    """
    train, _ = world(seed, 1)
    x = np.asarray(train.x[0], np.float64)
    return x @ x.T / (100 * world.data_dimension)


@pytest.mark.parametrize(("latent", "noise"), [(2, 0.0), (3, 0.4), (10, 0.25), (10, 3.0)])
def test_latent_points_are_on_the_unit_sphere_however_large_the_noise(
    latent: int, noise: float
) -> None:
    gram = latent_gram(LatentClasses((1.0, 2.0), 90, latent, 10 * SEEN, noise), 3)
    # False alarms: 3e-8 (a square is seen to √(2/20,000): 6.5 of that for each of 90, 6 for all).
    np.testing.assert_allclose(np.diag(gram), 1, atol=0.065)
    assert np.diag(gram).mean() == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize(("latent", "noise"), [(3, 0.4), (10, 0.25), (10, 0.1), (20, 0.5)])
def test_noise_is_of_every_latent_coordinate(latent: int, noise: float) -> None:
    gram = latent_gram(LatentClasses((1.0,), 800, latent, 2 * SEEN, noise), 5)
    cosine = gram[np.triu_indices(800, 1)].mean() / np.diag(gram).mean()
    # Of independent points around one centre E[u·u'] = |E u|²; E u is along the centre.
    points = noise * np.random.default_rng(0).standard_normal((100_000, latent))
    points[:, 0] += 1
    along = (points[:, 0] / np.linalg.norm(points, axis=1)).mean()
    # False alarms: 1e-9 (measured: in 1000 dimensions a cosine is seen to 0.013).
    assert cosine == pytest.approx(along**2, abs=0.04)


def test_centres_are_anywhere_on_the_sphere_in_every_world() -> None:
    centres = []
    for seed in range(24):
        train, held_out = LatentClasses((1.0, 1.0, 1.0), 6, 3, SEEN, 0.0)(seed, 2)
        for world in range(2):
            # Without noise all points of a class are its centre, those held out too.
            x, other = (np.asarray(part.x[world], np.float64) for part in (train, held_out))
            np.testing.assert_array_equal(x, other)
            np.testing.assert_array_equal(x[::2], x[1::2])
            gram = x[::2] @ x[::2].T / (100 * SEEN)
            centres.append(gram[np.triu_indices(3, 1)])
    cosines = np.ravel(centres)
    # Between uniform directions in space cosines are uniform in [-1, 1]. False alarms: 1e-9 (of 144
    # the mean is off by 0.048, the deviation by 4 %).
    assert abs(cosines.mean()) < 0.3
    assert cosines.std() == pytest.approx(3**-0.5, rel=0.3)


@pytest.mark.parametrize("empty", ["aardvark", "cow", "zebra"])
@pytest.mark.parametrize("other", [None, "notes.txt", "picture.tiff"])
def test_a_folder_without_images_is_no_class(tmp_path: Path, empty: str, other: str | None) -> None:
    for name, level in (("cat", 40), ("dog", 90)):
        (tmp_path / name).mkdir()
        for i in range(20):
            picture = Image.fromarray(np.full((16, 16), level, np.uint8))
            picture.save(tmp_path / name / f"{i}.png")
    (tmp_path / empty).mkdir()
    if other is not None:
        (tmp_path / empty / other).write_text("no image")
    found = load_images(tmp_path)
    assert found.names == ("cat", "dog")
    assert found.labels.tolist() == [0] * 20 + [1] * 20
    assert found.images.mean(axis=(1, 2, 3)).tolist() == [40] * 20 + [90] * 20


@pytest.mark.parametrize("temperature", [0.2, 0.5, 2.0])
def test_the_recipe_has_the_temperature_of_the_settings(temperature: float) -> None:
    rng = np.random.default_rng(0)
    views = rng.standard_normal((2, 6, 5)).astype(np.float32)
    learner = NewLearner(Mlp((5, 3)))(rng)
    (layer,) = learner.encoder.layers
    u, v = (x @ np.asarray(layer.weight).T + np.asarray(layer.bias) for x in views)
    batch = Batch(*map(jnp.asarray, (*views, np.zeros(6, np.int32))))
    for gradscale in (0.0, 1.0):  # which changes gradients alone
        recipe = LatentSettings(temperature=temperature).recipe(gradscale)
        found = float(recipe.objective(learner, None, batch))
        expected = float(LOSSES["nt_xent"].value(u, v, temperature=temperature))
        assert found == pytest.approx(expected, rel=1e-5)


def test_worlds_have_the_sizes_of_the_settings() -> None:
    settings = LatentSettings(points=40, latent_dimension=3, data_dimension=7, noise=0.125)
    assert settings.worlds((1.0, 3.0)) == LatentClasses((1.0, 3.0), 40, 3, 7, 0.125)
