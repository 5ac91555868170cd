"""Files damaged at random: the same numbers, or one line that names the file; never a traceback."""

from __future__ import annotations

import gzip
import importlib
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from normtheory.diagnosis._files import read
from tests.normtheory.diagnosis.data import embeddings

Z = embeddings(12, 4).astype(np.float32)
CORRUPTIONS = 200


def _npy(path: Path) -> None:
    np.save(path, Z)


def _packed(path: Path) -> None:
    held = io.BytesIO()
    np.save(held, Z)
    path.write_bytes(gzip.compress(held.getvalue()))


def _npz(path: Path) -> None:
    np.savez(path, embeddings=Z, labels=np.arange(12))


def _deflated(path: Path) -> None:
    np.savez_compressed(path, embeddings=Z, labels=np.arange(12))


def _parquet(path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"id": np.arange(12), "embeddings": arrow.array(list(Z))})
    parquet = importlib.import_module("pyarrow.parquet")
    parquet.write_table(table, path, write_page_checksum=True, use_dictionary=False)


def _safetensors(path: Path) -> None:
    pytest.importorskip("safetensors")
    save = importlib.import_module("safetensors.numpy").save_file
    save({"embeddings": Z, "labels": np.arange(12)}, path)


def _torch(path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"embeddings": torch.tensor(Z), "labels": torch.arange(12)}, path)


def _torch_old(path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.tensor(Z), path, _use_new_zipfile_serialization=False)


def _hdf5(path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("embeddings", data=Z, fletcher32=True, chunks=(6, 4))


def _hdf5_plain(path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["embeddings"] = Z


def _csv(path: Path) -> None:
    rows = [",".join([f"P{k}", *map(repr, row)]) for k, row in enumerate(Z.tolist())]
    path.write_text("\n".join(["id,x0,x1,x2,x3", *rows]) + "\n")


def _words(path: Path) -> None:
    rows = [" ".join([f"P{k}", *map(repr, row)]) for k, row in enumerate(Z.tolist())]
    path.write_text("\n".join(["12 4", *rows]) + "\n")


def _binary(path: Path) -> None:
    path.write_bytes(b"12 4\n" + b"".join(b"P " + struct.pack("<4f", *row) for row in Z))


def _fvecs(path: Path) -> None:
    path.write_bytes(b"".join(struct.pack("<i4f", 4, *row) for row in Z))


TORCH = pytest.mark.torch


@pytest.mark.parametrize(
    ("suffix", "write", "checked"),
    [
        (".npy", _npy, False),
        (".npy.gz", _packed, True),
        (".npz", _npz, True),
        (".npz", _deflated, True),
        (".parquet", _parquet, True),
        (".safetensors", _safetensors, False),
        pytest.param(".pt", _torch, True, marks=TORCH),
        pytest.param(".pth", _torch_old, False, marks=TORCH),
        (".h5", _hdf5, True),
        (".h5", _hdf5_plain, False),
        (".csv", _csv, False),
        (".vec", _words, False),
        (".bin", _binary, False),
        (".fvecs", _fvecs, False),
    ],
)
def test_damage_is_told_or_does_no_harm(
    tmp_path: Path, suffix: str, write: Callable[[Path], None], checked: bool
) -> None:
    """A format with checksums gives the same numbers or an error; any other at least no traceback.

    Where nothing is summed, what hits the numbers can't be seen: then others have their places.
    """
    path = tmp_path / f"z{suffix}"
    write(path)
    np.testing.assert_array_equal(np.asarray(read(path)), Z)
    content, rng, told = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(CORRUPTIONS):
        path.unlink()  # a new file is written much faster than an old one overwritten
        path.write_bytes(_damaged(content, rng))
        try:
            found = np.asarray(read(path))
        except ValueError as error:
            told.append(str(error))
        else:
            assert not checked or np.array_equal(found, Z)
    assert len(told) > CORRUPTIONS / 20
    assert all(said.startswith(f"{path}: ") and "\n" not in said for said in told)


def _damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A bit changed, a run of bytes overwritten or left out, or the end cut off."""
    place, length = int(rng.integers(len(content))), int(rng.integers(1, 9))
    before, after = content[:place], content[place + length :]
    changed = bytes([content[place] ^ 1 << int(rng.integers(8))])
    noise = rng.integers(256, size=length, dtype=np.uint8).tobytes()
    return (
        before + changed + content[place + 1 :],
        before + noise + after,
        before + after,
        before or b"x",
    )[int(rng.integers(4))]
