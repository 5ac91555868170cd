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
from simulations.confidence import SMOKE, _check_splits, _splits
from simulations.encoders.buckets import buckets
from simulations.encoders.controls import too_short
from simulations.encoders.data import Images, mnist
from simulations.encoders.judged import Votes, of_run, strangers
from simulations.encoders.models import Convolutional
from simulations.encoders.relations import Estimate

from .smoke import smoke

pytest.importorskip("mlxtend")


@pytest.mark.slow
def test_every_held_out_image_is_in_one_bucket() -> None:
    result = smoke("confidence")
    assert (result["count"].sum("bucket") == round(0.4 * 200)).all()
    assert (result.right <= result["count"]).all()
    assert (result.authors_count.sum("bucket") == round(0.6 * 200)).all()
    assert (result.authors_right <= result.authors_count).all()
    assert ((result.auroc >= 0) & (result.auroc <= 1)).all()


@pytest.mark.slow
def test_controls_stand_beside_what_training_gives() -> None:
    result = smoke("confidence")
    right, count = result.right.sum("bucket"), result["count"].sum("bucket")
    of_trained = result.accuracy.sel(classifier="trained")
    np.testing.assert_allclose(of_trained, right / count)
    gain = of_trained - result.accuracy.sel(classifier="untrained")
    np.testing.assert_allclose(result.gain.sel(part="value"), gain.mean("run"))
    # Raw pixels of digits need no training; chance is 0.1. False alarms: below 1e-9 (the worse of
    # two splits 0.70 ± 0.05, of 30 seeds).
    assert (result.accuracy.sel(classifier="raw pixels") > 0.4).all()
    assert result.relation.values.tolist() == [
        "norm, right",
        "untrained norm, right",
        "contrast, right",
        "norm, contrast",
    ]
    overall = result.correlation.sel(scope="all images", relation="norm, contrast")
    # Not with NaN, where one of the small networks has collapsed to one output: one seed of six.
    assert not (overall.sel(part="low") >= overall.sel(part="value")).any()
    assert not (overall.sel(part="value") >= overall.sel(part="high")).any()


@pytest.mark.slow
def test_the_outcome_is_said_and_whether_training_was_too_short() -> None:
    result = smoke("confidence")
    share = float(result.accuracy.sel(classifier="raw pixels").mean())
    trained, untrained = (
        float(result.accuracy.sel(classifier=name).mean()) for name in ("trained", "untrained")
    )
    said = result.attrs["outcome"].splitlines()
    start = f"SimSiam: trained {trained:.3f}, untrained {untrained:.3f}, raw pixels {share:.3f}; by"
    assert said[2].startswith(start)
    assert [line.partition(":")[0].strip() for line in said[3:]] == [
        f"({name})" for name in result.relation.values
    ]
    gain = Estimate(*result.gain.sel(objective="SimSiam").values)
    said = too_short("SimSiam", trained, untrained, gain)
    notes = result.attrs["notes"]
    assert notes.startswith(said) if said else "too short" not in notes


def test_encoders_are_made_as_the_settings_say() -> None:
    plain = SMOKE.encoder("SimCLR", 3)
    assert plain == Convolutional(3, 2, 4)
    assert SMOKE.encoder("SimSiam", 1) == Convolutional(1, 2, 4, "batch", norm_outputs=True)
    batch = dataclasses.replace(SMOKE, backbone="batch")
    assert batch.encoder("SimCLR", 3) == Convolutional(3, 2, 4, "batch", norm_convolutions=True)
    assert SMOKE.learner("SimCLR", 3).predictor is None
    assert SMOKE.learner("SimSiam", 3).predictor is not None


def test_scores_go_with_their_images(tmp_path: Path) -> None:
    """Whichever images are kept, in whatever order: here the score is the mean of the pixels."""
    all_images = dataclasses.replace(SMOKE, per_class=10**9).images.images
    data = mnist().images
    assert len(all_images) == len(data)
    np.save(tmp_path / "scores.npy", data.mean(axis=(1, 2, 3)))
    images, index, scores = dataclasses.replace(
        SMOKE, scores=str(tmp_path / "scores.npy"), seed=3
    ).chosen
    assert scores is not None
    np.testing.assert_allclose(scores, images.images.mean(axis=(1, 2, 3)))
    np.testing.assert_array_equal(images.images, data[index])
    np.save(tmp_path / "few.npy", np.ones(4999))
    with pytest.raises(ValueError, match=r"few\.npy: .* each of 5000 images, got 4999"):
        _ = dataclasses.replace(SMOKE, scores=str(tmp_path / "few.npy")).chosen


def test_splits_share_no_image() -> None:
    fit, out = _splits(SMOKE, 50)
    for known, new in zip(fit, out, strict=True):
        assert sorted([*known, *new]) == list(range(50))
    assert (fit[0] != fit[1]).any()


def test_a_norm_that_is_a_confidence_is_found() -> None:
    """Embeddings made so that the large ones, and only they, point at their class.

    False alarms: 1e-9 (a correlation of 800 is found to 0.03, a share of 400 to 0.025).
    """
    rng = np.random.default_rng(0)
    n = 2000
    labels = np.arange(n) % 2
    sure = rng.uniform(size=n) < 0.5
    angle = np.where(sure, labels, rng.uniform(size=n)) * np.pi / 2
    z = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    z *= np.where(sure, 2.0, 1.0)[:, None] * rng.uniform(0.99, 1.01, (n, 1))
    fit, out = _splits(dataclasses.replace(SMOKE, runs=1), n)
    norm, right = Votes(labels, fit, out, 5).judge(z[None])
    found = buckets(norm, right, 2)
    low, high = (found.right / found.count)[0]
    assert high > 0.95
    assert low < 0.75
    value, below, above = of_run(norm[0], right[0], np.random.default_rng(0))
    assert 0.2 < below < value < above


def test_strangers_with_smaller_norms_have_an_auroc_of_one() -> None:
    images = Images(np.zeros((8, 16, 16, 1), np.uint8), np.repeat([0, 1], 4), ("a", "b"))
    z = np.where(images.labels[:, None] == 0, 3.0, 1.0) * np.ones((1, 8, 2))
    area = strangers(images, z, z / 9, 5 * z, np.array([[1, 2, 5, 6]]))
    assert area.tolist() == [[1.0, 1.0, 0.0]]


def test_files_of_the_user_count_for_the_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez(path, images=np.zeros(3))
    settings = dataclasses.replace(SMOKE, data=str(path))
    before = fingerprint("confidence", settings)
    np.savez(path, images=np.ones(3))
    assert fingerprint("confidence", settings) != before
    scored = dataclasses.replace(SMOKE, scores=str(tmp_path / "scores.txt"))
    (tmp_path / "scores.txt").write_text("1\n")
    before = fingerprint("confidence", scored)
    (tmp_path / "scores.txt").write_text("2\n")
    assert fingerprint("confidence", scored) != before


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
    with pytest.raises(ValueError, match="colour: expected a strength of at most 1, got 2"):
        dataclasses.replace(SMOKE, colour=2.0)
    with pytest.raises(ValueError, match="backbone: expected plain or batch, got 'deep'"):
        dataclasses.replace(SMOKE, backbone="deep")
    assert dataclasses.replace(SMOKE, colour=0.0).colour == 0
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
