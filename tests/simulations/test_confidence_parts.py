"""Parts of the experiment on real images, each on images and embeddings that are made up."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from simulations import confidence
from simulations.confidence import SMOKE
from simulations.encoders.data import Images
from simulations.encoders.judged import strangers
from simulations.encoders.relations import Estimate


def numbered(path: Path) -> Path:
    """Two classes of 120 images in turn; the first pixels of an image are its number."""
    images = np.zeros((240, 16, 16, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(240)
    np.savez(path / "some.npz", images=images, labels=np.arange(240) % 2)
    return path / "some.npz"


@pytest.mark.parametrize(("classes", "few"), [(5, True), (6, False)])
def test_notes_say_that_few_classes_have_no_interval(classes: int, few: bool) -> None:
    labels = np.repeat(np.arange(classes), 2)
    images = Images(np.zeros((2 * classes, 16, 16, 1), np.uint8), labels, ("a",) * classes)
    data = confidence.Data(images, labels, None, labels[None], labels[None])
    found = {"accuracy": np.array([[0.9, 0.4, 0.5]]), "gain": Estimate(0.5, 0.4, 0.6)}
    notes = list(confidence._notes(SMOKE, data, [found]))
    said = "classes are too few for intervals of correlations over all images, which take 6"
    assert notes == [f"{classes} {said}"] * few


def test_of_every_class_random_images_are_kept(tmp_path: Path) -> None:
    settings = dataclasses.replace(SMOKE, data=str(numbered(tmp_path)), per_class=40)
    kept = []
    for seed in (0, 1):
        images = dataclasses.replace(settings, seed=seed).images
        numbers = images.images[:, 0, 0, 0]
        assert images.labels.tolist() == [0] * 40 + [1] * 40
        assert (numbers % 2 == images.labels).all()
        assert len(set(numbers.tolist())) == 80
        # Of 120 images of a class a random 40 reach into the last third, and leave out a quarter of
        # the first. False alarms: 4e-9 (four draws, hypergeometric).
        for part in (numbers[:40], numbers[40:]):
            assert part.max() >= 160
            assert np.count_nonzero(part < 80) < 30
        kept.append(set(numbers.tolist()))
    assert kept[0] != kept[1]
    every = dataclasses.replace(settings, per_class=200).images
    assert sorted(every.images[:, 0, 0, 0].tolist()) == list(range(240))


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
    area = strangers(images, z, noise, inverted, out)
    assert area.tolist() == [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]


class _Networks(NamedTuple):
    """Four networks that make norms about 2 of the images, and of others 9, 9, 1, 1."""

    images: np.ndarray

    def embeddings(self, some: np.ndarray, _: int) -> np.ndarray:
        if np.array_equal(some, self.images):
            norm = np.random.default_rng(1).uniform(1.5, 2.5, (4, len(some)))
        else:
            norm = np.repeat([9.0, 9.0, 1.0, 1.0], len(some)).reshape(4, -1)
        return norm[..., None] * np.eye(2)[0]

    def saved(self, *_: Any) -> None:
        return None


def test_strangers_are_judged_by_the_networks_that_saw_half_of_the_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 100, (20, 16, 16, 1), dtype=np.uint8)
    images = Images(pixels, np.arange(20) % 2, ("a", "b"))
    settings = dataclasses.replace(SMOKE, runs=2, neighbours=1, buckets=3)
    networks = _Networks(pixels)
    monkeypatch.setattr(confidence, "_train", lambda *_: (networks, networks))
    order = np.tile(np.arange(20), (2, 1))
    data = confidence.Data(images, np.arange(20), None, order[:, :10], order[:, 10:])
    found, _ = confidence._one_method(settings, "SimSiam", data)
    # By the last two networks noise and inverted images have smaller norms; by the first larger.
    np.testing.assert_array_equal(found["auroc"][:, 1:], 1.0)
