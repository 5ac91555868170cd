"""Further images and scores of the user, and what is said of those that don't fit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulations.encoders.reading import images_alone, load_images, load_scores

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (4, 16, 17, 3), dtype=np.uint8)
SHAPE = (16, 17, 3)


def test_images_of_files_and_folders_come_in_order(tmp_path: Path) -> None:
    np.save(tmp_path / "some.npy", IMAGES)
    np.savez(tmp_path / "some.npz", images=IMAGES, other=np.array([{}], dtype=object))
    np.savez(tmp_path / "one.npz", x=IMAGES)
    folder = tmp_path / "folder"
    (folder / "b").mkdir(parents=True)
    for i, name in enumerate(["a.png", "c.png", "b/0.png", "b/1.png"]):
        Image.fromarray(IMAGES[i]).save(folder / name)
    (folder / "readme.txt").write_text("no image")
    for path in ("some.npy", "some.npz", "one.npz", "folder"):
        np.testing.assert_array_equal(images_alone(tmp_path / path, SHAPE), IMAGES)


def test_objects_beside_images_and_labels_are_not_read(tmp_path: Path) -> None:
    images, labels = np.zeros((40, 16, 16, 1), np.uint8), np.repeat([0, 1], 20)
    more = np.array([{}], dtype=object)
    np.savez(tmp_path / "some.npz", images=images, labels=labels, more=more)
    assert len(load_images(tmp_path / "some.npz").images) == 40


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (IMAGES[..., :1], "uint8 of shape (4, 16, 17, 1)"),
        (IMAGES / 255, "float64 of shape (4, 16, 17, 3)"),
        (IMAGES[0], "uint8 of shape (16, 17, 3)"),
        (IMAGES[:0], "uint8 of shape (0, 16, 17, 3)"),
    ],
)
def test_images_that_do_not_fit(images: np.ndarray, got: str, tmp_path: Path) -> None:
    np.save(tmp_path / "some.npy", images)
    message = "expected images as bytes (uint8) of shape (n, 16, 17, 3), like those trained on"
    with pytest.raises(
        ValueError, match=re.escape(f"{tmp_path / 'some.npy'}: {message}, got {got}")
    ):
        images_alone(tmp_path / "some.npy", SHAPE)


def test_images_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        images_alone(tmp_path / "nothing", SHAPE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: expected png or jpg files, found none"):
        images_alone(tmp_path / "empty", SHAPE)
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(ValueError, match=r"text\.npy: expected an \.npy or \.npz file of numbers"):
        images_alone(tmp_path / "text.npy", SHAPE)
    np.savez(tmp_path / "two.npz", a=IMAGES, b=IMAGES)
    with pytest.raises(
        ValueError, match=r"two\.npz: expected an array 'images', found \['a', 'b'\]"
    ):
        images_alone(tmp_path / "two.npz", SHAPE)


SCORES = np.array([0.5, -1.0, np.nan, 3.0])


def test_scores_of_every_kind_of_file(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", SCORES.astype(">f4"))
    np.save(tmp_path / "1.npy", SCORES[:, None])
    np.savez(tmp_path / "2.npz", scores=SCORES, other=IMAGES)
    np.savez(tmp_path / "3.npz", anything=SCORES)
    (tmp_path / "4.csv").write_text("\ufeffagreement\r\n0.5\r\n-1\r\nnan\r\n3\r\n\r\n")
    (tmp_path / "5.txt").write_text("0.5\n-1e0\nNaN\n3")
    (tmp_path / "6.csv").write_text("\ufeff0.5\n-1\nnan\n3\n")  # no heading after the mark
    files = sorted(tmp_path.iterdir())
    assert len(files) == 7
    for path in files:
        found = load_scores(path, 4)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, SCORES)
    np.save(tmp_path / "yes.npy", SCORES > 0)
    assert load_scores(tmp_path / "yes.npy", 4).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", SCORES[:3], "expected one number for each of 4 images, got 3"),
        ("a.npy", np.ones((4, 2)), "expected one number for each of 4 images, got shape (4, 2)"),
        ("a.npy", np.array(list("abcd")), "expected numbers, got <U1"),
        ("a.npy", SCORES + 1j, "expected numbers, got complex128"),
        ("a.npy", np.array([1, 2, np.inf, 0]), "expected finite numbers, got infinity for image 2"),
        ("a.txt", "1\n2\n3\n", "expected one number for each of 4 images, got 3"),
        ("a.txt", "1\n2\n\n3\n4\n", "expected a number in line 3, got ''"),
        ("a.csv", "x\n1\ntwo\n3\n4\n", "expected a number in line 3, got 'two'"),
        ("a.csv", "x,y\n1,2\n", "expected a number in line 2, got '1,2'"),
        ("a.csv", "", "expected one number for each of 4 images, got 0"),
    ],
)
def test_scores_that_do_not_fit(name: str, content, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    else:
        np.save(path, content)
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")) as caught:
        load_scores(path, 4)
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        load_scores(tmp_path / f"not-{name}", 4)
