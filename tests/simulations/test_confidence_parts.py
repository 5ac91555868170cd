"""Parts of the experiment on real images, each on images and embeddings that are made up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from simulations import confidence
from simulations.confidence import SMOKE, Trained, _accuracy, _strangers
from simulations.encoders.data import Images


def numbered(path: Path) -> Path:
    """Two classes of 60 images in turn; the first pixels of an image are its number."""
    images = np.zeros((120, 16, 16, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(120)
    np.savez(path / "some.npz", images=images, labels=np.arange(120) % 2)
    return path / "some.npz"


def test_of_every_class_random_images_are_kept(tmp_path: Path) -> None:
    settings = dataclasses.replace(SMOKE, data=str(numbered(tmp_path)), per_class=20)
    kept = []
    for seed in (0, 1):
        images = dataclasses.replace(settings, seed=seed).images
        numbers = images.images[:, 0, 0, 0]
        assert images.labels.tolist() == [0] * 20 + [1] * 20
        assert (numbers % 2 == images.labels).all()
        assert len(set(numbers.tolist())) == 40
        # Of 60 images of a class a random 20 reach into the last third, and leave some out.
        for part in (numbers[:20], numbers[20:]):
            assert part.max() >= 80
            assert np.count_nonzero(part < 40) < 15
        kept.append(set(numbers.tolist()))
    assert kept[0] != kept[1]
    every = dataclasses.replace(settings, per_class=100).images
    assert sorted(every.images[:, 0, 0, 0].tolist()) == list(range(120))


def test_norms_are_scaled_by_the_extremes_of_their_own_run() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    one = rng.standard_normal((40, 3))
    z = np.stack([one, 10 * one, one + 5])
    settings = dataclasses.replace(SMOKE, buckets=4, neighbours=3, runs=3)
    fit, out = np.tile(np.arange(20), (3, 1)), np.tile(np.arange(20, 40), (3, 1))
    found = _accuracy(settings, labels, z, fit, out)
    for run, count in zip(z, found["count"], strict=True):
        norm = np.linalg.norm(run[20:], axis=1)
        ends = np.linspace(norm.min(), norm.max(), 5)
        assert count.tolist() == np.histogram(norm, ends)[0].tolist()
    np.testing.assert_array_equal(found["count"][0], found["count"][1])
    np.testing.assert_array_equal(found["right"][0], found["right"][1])


def test_strangers_are_others_noise_and_inverted_images_of_the_trained_classes() -> None:
    images = Images(np.zeros((8, 16, 16, 1), np.uint8), np.repeat([0, 1, 2, 3], 2), tuple("abcd"))
    trained = images.labels < 2

    def of_norm(*runs: np.ndarray | float) -> np.ndarray:
        return np.stack([np.broadcast_to(r, 8)[:, None] * np.eye(2)[0] for r in runs])

    # The two runs have every answer the other way round.
    z = of_norm(np.where(trained, 3.0, 1.0), np.where(trained, 3.0, 9.0))
    inverted = of_norm(np.where(trained, 1.0, 9.0), np.where(trained, 9.0, 1.0))
    noise = of_norm(1.0, 9.0)
    out = np.array([[0, 2, 5, 6], [1, 3, 4, 7]])
    area = _strangers(images, z, noise, inverted, out)
    assert area.tolist() == [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]


def test_strangers_are_judged_by_the_networks_that_saw_half_of_the_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    images = Images(
        rng.integers(0, 100, (20, 16, 16, 1), dtype=np.uint8), np.arange(20) % 2, ("a", "b")
    )
    settings = dataclasses.replace(SMOKE, runs=2, neighbours=1, buckets=3)

    def embeddings(trained: Trained, some: np.ndarray, batch: int = 500) -> np.ndarray:
        """Of the images norms about 2; of others 9 by the first two networks, 1 by the last."""
        if np.array_equal(some, images.images):
            norm = rng.uniform(1.5, 2.5, (4, len(some)))
        else:
            norm = np.repeat([9.0, 9.0, 1.0, 1.0], len(some)).reshape(4, -1)
        return norm[..., None] * np.eye(2)[0]

    monkeypatch.setattr(confidence, "_train", lambda *_: None)
    monkeypatch.setattr(confidence, "_embeddings", embeddings)
    order = np.tile(np.arange(20), (2, 1))
    found = confidence._one_method(settings, "SimSiam", images, order[:, :10], order[:, 10:])
    np.testing.assert_array_equal(found["auroc"][:, 1:], 1.0)
