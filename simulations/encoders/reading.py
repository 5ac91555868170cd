"""Images of the user, with labels or without, and numbers that belong to them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulations.encoders.data import Images

if TYPE_CHECKING:
    from PIL import Image


def load_images(path: str | Path) -> Images:
    """Images from a file or a folder.

    Args:
        path: an .npz file with ``images`` (bytes, n × h × w × channels) and ``labels``; or a folder
            with one folder of png or jpg files for every class, all of one size. Of channels of 16
            bits the upper 8 count.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: what is there is damaged or does not fit; it names the file and says what was
            expected.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file or folder: {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: expected an .npz file")
    found, names = archive(path, ("images", "labels"))
    if len(found) < 2:
        raise ValueError(f"{path}: expected images and labels, found {names}")
    images, labels = found["images"], found["labels"]
    if labels.dtype.kind in "fcmM" and np.isnan(labels).any():
        unknown = int(np.isnan(labels).sum())
        raise ValueError(f"{path}: expected a label for every image, got NaN for {unknown}")
    names, numbers = np.unique(labels, return_inverse=True)
    return _checked(path, images, numbers.reshape(labels.shape), [str(n) for n in names])


def archive(path: Path, wanted: tuple[str, ...]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays of an .npz file.

    Args:
        path: of the file.
        wanted: names of the arrays; ``*`` for all.

    Returns:
        Those of them that are there, by name, and the names of all that are there.

    Raises:
        ValueError: it is damaged, or what is wanted are objects.
    """
    # What a damaged archive raises depends on the place of the damage.
    damaged = (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
    try:
        with zipfile.ZipFile(path) as file:
            if broken := file.testzip():  # or numpy reads a header that may say anything
                raise zipfile.BadZipFile(broken)
        with np.load(path, allow_pickle=False) as file:
            read = [name for name in file.files if name in wanted or "*" in wanted]
            return {name: file[name] for name in read}, file.files
    except damaged as error:
        raise ValueError(
            f"{path}: expected arrays of numbers, not of objects, in an undamaged .npz file"
        ) from error


def _bytes(picture: Image.Image, file: Path, *, is_png: bool) -> np.ndarray:
    """A picture as bytes (h, w, channels), grey or of three colours."""
    # Grey of 16 bits in a png is I;16, or I in older versions of Pillow.
    if picture.mode.startswith("I;16") or (picture.mode == "I" and is_png):
        return (np.asarray(picture) >> 8).astype(np.uint8)[..., None]
    if picture.mode in ("I", "F"):
        raise ValueError(
            f"{file}: expected 8 or 16 bits a channel, got Pillow's mode {picture.mode}"
        )
    return np.atleast_3d(np.asarray(picture.convert("L" if picture.mode in ("1", "L") else "RGB")))


def picture_files(folder: Path) -> list[Path]:
    """The png and jpg files of a folder, by name."""
    kinds = {".png", ".jpg", ".jpeg"}
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in kinds)


def read_picture(file: Path) -> np.ndarray:
    """A png or jpg file as bytes (h, w, channels); ValueError if it can't be read."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            is_png, picture = opened.format == "PNG", opened.copy()
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{file}: not an image that can be read") from error
    return _bytes(picture, file, is_png=is_png)


def of_one_shape(path: Path, images: Sequence[np.ndarray]) -> np.ndarray:
    """Images of a folder in one array; ValueError if their shapes differ."""
    shapes = sorted({i.shape for i in images})
    if len(shapes) > 1:
        raise ValueError(f"{path}: expected images of one shape, found {shapes[0]} and {shapes[1]}")
    return np.stack(images)


def _from_folder(path: Path) -> Images:
    images, labels, names = [], [], []
    for folder in sorted(p for p in path.iterdir() if p.is_dir()):
        files = picture_files(folder)
        for file in files:
            images.append(read_picture(file))
            labels.append(len(names))
        names += [folder.name] if files else []
    if not images:
        raise ValueError(f"{path}: expected folders of png or jpg files, one for every class")
    return _checked(path, of_one_shape(path, images), np.array(labels), names)


def _checked(path: Path, images: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Images:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"{path}: expected images as bytes (uint8) of shape (n, h, w, 1 or 3), "
            f"got {images.dtype} of shape {images.shape}"
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{path}: expected one label for each of {len(images)} images, got shape {labels.shape}"
        )
    if min(images.shape[1:3]) < 16:
        raise ValueError(f"{path}: expected images of at least 16 × 16, got {images.shape[1:3]}")
    counts = np.bincount(labels, minlength=len(names))
    if len(names) < 2 or counts.min() < 20:
        rarest = names[int(counts.argmin())] if len(names) else "none"
        raise ValueError(
            f"{path}: expected at least 2 classes of at least 20 images, got {len(names)} classes, "
            f"{counts.min() if len(names) else 0} of {rarest!r}"
        )
    return Images(images, labels.astype(np.int32), tuple(names))


def images_alone(path: str | Path, shape: tuple[int, ...]) -> np.ndarray:
    """Images without regard to labels, any number of them.

    Args:
        path: an .npz file with ``images``, an .npy file, or a folder of png and jpg files,
            which may lie in folders of their own; they come in the order of their paths.
        shape: that they must have, (h, w, channels).

    Returns:
        Bytes (n, h, w, channels).

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: what is there is damaged, no image, or of another shape.
    """
    path = Path(path)
    if path.is_dir():
        folders = sorted([path, *(p for p in path.rglob("*") if p.is_dir())])
        pictures = [read_picture(file) for folder in folders for file in picture_files(folder)]
        if not pictures:
            raise ValueError(f"{path}: expected png or jpg files, found none")
        images = of_one_shape(path, pictures)
    else:
        images = _array(path, "images")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape or not len(images):
        size = ", ".join(map(str, shape))
        raise ValueError(
            f"{path}: expected images as bytes (uint8) of shape (n, {size}), like those "
            f"trained on, got {images.dtype} of shape {images.shape}"
        )
    return images


def load_scores(path: str | Path, count: int) -> np.ndarray:
    """One number for every image.

    Args:
        path: an .npy file, an .npz file with ``scores`` or one array alone, or text (.csv, .txt)
            with a number a line and perhaps a heading.
        count: images there are.

    Returns:
        Shape (count,), float64; NaN where a score is missing.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: not numbers, not as many, or infinite ones.
    """
    path = Path(path)
    if path.suffix.lower() in (".csv", ".txt"):
        scores = _numbers(path)
    else:
        scores = _array(path, "scores")
    if scores.dtype.kind not in "biuf":
        raise ValueError(f"{path}: expected numbers, got {scores.dtype}")
    scores = scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores
    if scores.shape != (count,):
        got = len(scores) if scores.ndim == 1 else f"shape {scores.shape}"
        raise ValueError(f"{path}: expected one number for each of {count} images, got {got}")
    scores = scores.astype(np.float64)
    if np.isinf(scores).any():
        first = int(np.isinf(scores).argmax())
        raise ValueError(f"{path}: expected finite numbers, got infinity for image {first}")
    return scores


def _first(scores: np.ndarray) -> int:
    return int(np.flatnonzero(np.isinf(scores))[0])


def _array(path: Path, name: str) -> np.ndarray:
    """The array of an .npy file, or the one of that name, or the only one, of an .npz file."""
    if not path.exists():
        raise FileNotFoundError(f"no such file or folder: {path}")
    if zipfile.is_zipfile(path):
        found, names = archive(path, (name,))
        if not found and len(names) == 1:
            found, _ = archive(path, (names[0],))
        if not found:
            raise ValueError(f"{path}: expected an array {name!r}, found {names}")
        return next(iter(found.values()))
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: expected an .npy or .npz file of numbers") from error


def _numbers(path: Path) -> np.ndarray:
    """The numbers of a text, one a line; a first line that is no number is a heading."""
    if not path.exists():
        raise FileNotFoundError(f"no such file or folder: {path}")
    try:
        lines = path.read_text("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected text in UTF-8") from error
    found = []
    for i, line in enumerate(lines):
        try:
            found.append(float(line))
        except ValueError:
            if i:
                shown = line if len(line) < 40 else line[:37] + "..."
                raise ValueError(
                    f"{path}: expected a number in line {i + 1}, got {shown!r}"
                ) from None
    return np.array(found, dtype=np.float64)
