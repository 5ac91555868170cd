"""Classes behind a linear map, pairs of a class, and images of files and folders."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from simulations.encoders.augmentations import Augmentation, resampling
from simulations.encoders.data import (
    AugmentedPairs,
    LatentClasses,
    SameClassPairs,
    choose,
)
from simulations.encoders.reading import load_images

RNG = np.random.default_rng(0)


def test_classes_have_the_wanted_sizes_and_lie_on_a_map_of_the_sphere() -> None:
    train, held_out = LatentClasses((1.0, 3.0), 80, 3, 7, 0.2)(0, 2)
    assert np.asarray(train.count).tolist() == [[20, 60]] * 2
    assert np.bincount(np.asarray(train.labels[1])).tolist() == [20, 60]
    for world in range(2):
        both = np.concatenate([np.asarray(p.x[world]) for p in (train, held_out)])
        assert np.linalg.matrix_rank(both, tol=1e-2) == 3  # one map for both samples
    assert not np.array_equal(train.x, held_out.x)


def test_partners_are_other_points_of_the_same_class() -> None:
    train, _ = LatentClasses((1.0, 3.0), 12, 3, 4, 0.2)(0, 1)
    one = jax.tree.map(lambda a: a[0], train)
    i, j = (np.asarray(a) for a in SameClassPairs(5000).draw(jax.random.key(0), 0, one))
    labels = np.asarray(one.labels)
    assert (labels[i] == labels[j]).all()
    assert (i != j).all()
    pairs = {(a, b) for a, b in zip(i.tolist(), j.tolist(), strict=True)}
    assert len(pairs) == 3 * 2 + 9 * 8  # every one of them, of which each has 52 draws on average


def test_views_are_drawn_from_chosen_images_only() -> None:
    images = np.zeros((6, 16, 16, 1), np.uint8)
    labels = np.arange(6)
    chosen = choose(np.array([5, 1, 3, 2]), np.array([True, False, True, False]))
    data = ((jnp.asarray(images), jnp.asarray(labels)), chosen)
    sampler = AugmentedPairs(50, Augmentation())
    batch = jax.jit(lambda data: sampler.batch(sampler.draw(jax.random.key(0), 0, data), data))(
        data
    )
    assert set(np.asarray(batch.labels).tolist()) == {5, 3}
    assert batch.view_1.shape == (50, 16, 16, 1)
    assert not np.array_equal(batch.view_1, batch.view_2)


def test_resampling_reads_where_it_is_told() -> None:
    values = np.arange(9.0)
    same = resampling(9, jnp.float32(4), jnp.float32(1), jnp.float32(0))
    np.testing.assert_allclose(same, np.eye(9), atol=1e-6)
    magnified = resampling(9, jnp.float32(4), jnp.float32(0.5), jnp.float32(0))
    np.testing.assert_allclose(magnified @ values, np.linspace(2, 6, 9), atol=1e-5)
    blurred = np.asarray(resampling(9, jnp.float32(4), jnp.float32(1), jnp.float32(1)))
    np.testing.assert_allclose(blurred[4].sum(), 1, atol=1e-3)
    spread = (blurred[4] * (np.arange(9) - 4) ** 2).sum()
    np.testing.assert_allclose(spread, 1, atol=0.01)


def test_a_file_of_colour_images(tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (40, 32, 33, 3), dtype=np.uint8)
    labels = np.repeat(["cat", "dog"], 20)
    np.savez(tmp_path / "some.npz", images=images, labels=labels)
    found = load_images(tmp_path / "some.npz")
    np.testing.assert_array_equal(found.images, images)
    assert found.names == ("cat", "dog")
    assert found.labels.tolist() == [0] * 20 + [1] * 20


@pytest.mark.parametrize(("kind", "mode"), [("png", "RGB"), ("png", "L"), ("jpg", "RGB")])
def test_a_folder_of_images(kind: str, mode: str, tmp_path: Path) -> None:
    channels = 3 if mode == "RGB" else 1
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(20):
            level = 200 if name == "dog" else 50
            pixels = np.full((32, 32, channels), level, np.uint8)
            Image.fromarray(pixels.squeeze()).save(tmp_path / name / f"{i}.{kind}")
    found = load_images(tmp_path)
    assert found.images.shape == (40, 32, 32, channels)
    assert found.names == ("cat", "dog")
    level = found.images.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(level, np.where(found.labels == 1, 200, 50), atol=2)


IMAGES, LABELS = np.zeros((40, 16, 16, 1), np.uint8), np.repeat([0, 1], 20)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES}, "expected images and labels, found ['images']"),
        ({"images": IMAGES / 1, "labels": LABELS}, "got float64 of shape (40, 16, 16, 1)"),
        ({"images": IMAGES[..., 0], "labels": LABELS}, "got uint8 of shape (40, 16, 16)"),
        ({"images": IMAGES, "labels": LABELS[1:]}, "one label for each of 40 images"),
        ({"images": IMAGES[:, :9], "labels": LABELS}, "at least 16 × 16, got (9, 16)"),
        ({"images": IMAGES, "labels": 0 * LABELS}, "got 1 classes, 40 of '0'"),
        ({"images": IMAGES, "labels": np.arange(40) // 30}, "got 2 classes, 10 of '1'"),
        (
            {"images": IMAGES, "labels": np.where(LABELS == 0, np.nan, 1.0)},
            "expected a label for every image, got NaN for 20",
        ),
    ],
)
def test_files_that_do_not_fit(arrays, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(ValueError, match=re.escape(message)):
        load_images(tmp_path / "some.npz")


def folder_of(pixels: np.ndarray, path: Path, kind: str = "PNG") -> Path:
    """Two classes of 20 times one picture, the last of which ends on 19.png."""
    for name in ("cat", "dog"):
        (path / name).mkdir()
        for i in range(20):
            Image.fromarray(pixels).save(path / name / f"{i}.png", format=kind)
    return path


def sixteen_bits() -> np.ndarray:
    """Pixels whose upper bytes are 0 to 255, their lower ones the other way round."""
    upper = np.arange(256, dtype=np.uint16).reshape(16, 16)
    return 256 * upper + (255 - upper)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_of_16_bits_the_upper_ones_count(kind: str, tmp_path: Path) -> None:
    pixels = sixteen_bits()
    found = load_images(folder_of(pixels, tmp_path, kind))
    assert found.images.shape == (40, 16, 16, 1)
    np.testing.assert_array_equal(found.images[7].ravel(), np.arange(256))


def test_of_16_bits_as_older_versions_of_pillow_open_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = sixteen_bits()
    folder, opened = folder_of(pixels, tmp_path), Image.open

    def wider(file: Path) -> Image.Image:
        picture = Image.fromarray(np.asarray(opened(file)).astype(np.int32))
        picture.format = "PNG"
        return picture

    monkeypatch.setattr(Image, "open", wider)
    np.testing.assert_array_equal(load_images(folder).images[7].ravel(), np.arange(256))


@pytest.mark.parametrize(("dtype", "mode"), [(np.int32, "I"), (np.float32, "F")])
def test_images_of_unknown_range_are_refused(dtype: type, mode: str, tmp_path: Path) -> None:
    folder = folder_of(np.full((16, 16), 70_000, dtype), tmp_path, "TIFF")
    message = rf"cat/0\.png: expected 8 or 16 bits a channel, got Pillow's mode {mode}"
    with pytest.raises(ValueError, match=message):
        load_images(folder)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_named_wherever_the_damage_is(
    save: Callable[..., None], tmp_path: Path
) -> None:
    path = tmp_path / "some.npz"
    save(path, images=RNG.integers(0, 256, IMAGES.shape, dtype=np.uint8), labels=LABELS)
    whole, expected = path.read_bytes(), load_images(path)
    refused = []
    for k, place in enumerate(range(0, len(whole), 31)):
        damaged = bytearray(whole)
        damaged[place] ^= (1, 32)[k % 2]
        path.write_bytes(damaged)
        try:
            found = load_images(path)
        except ValueError as error:
            refused.append(str(error))
        else:  # what says nothing about the arrays, such as a date
            np.testing.assert_array_equal(found.images, expected.images)
            np.testing.assert_array_equal(found.labels, expected.labels)
    assert len(refused) > 100
    assert all(str(path) in message for message in refused)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"some\.npz: expected an \.npz file"):
        load_images(path)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    folder = folder_of(RNG.integers(0, 256, (16, 16), dtype=np.uint8), tmp_path)
    file = folder / "dog" / "19.png"
    whole = file.read_bytes()
    size = whole.index(b"IHDR") + 6  # a byte of the width, which a checksum covers
    flipped = whole[:size] + bytes([whole[size] ^ 128]) + whole[size + 1 :]
    for damaged in (flipped, whole[: len(whole) // 2], b""):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"19\.png: not an image that can be read"):
            load_images(folder)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        load_images(tmp_path / "nothing")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"text.npz: expected an \.npz file"):
        load_images(tmp_path / "text.npz")
    np.savez(tmp_path / "objects.npz", images=np.array([{}], dtype=object), labels=LABELS)
    with pytest.raises(
        ValueError, match=r"objects\.npz: expected arrays of numbers, not of objects"
    ):
        load_images(tmp_path / "objects.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="expected folders of png or jpg files"):
        load_images(tmp_path / "empty")
    (tmp_path / "broken" / "cat").mkdir(parents=True)
    (tmp_path / "broken" / "cat" / "0.png").write_text("no image")
    with pytest.raises(ValueError, match=r"0\.png: not an image that can be read"):
        load_images(tmp_path / "broken")
