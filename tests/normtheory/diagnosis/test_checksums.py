"""Archives that carry checksums have them checked."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from normtheory.diagnosis._files import read

DATA = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)


def _flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.torch
def test_a_flipped_byte_of_a_pt_file_is_noticed(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "z.pt"
    torch.save(torch.from_numpy(DATA), path)
    np.testing.assert_array_equal(np.asarray(read(path)), DATA)
    with zipfile.ZipFile(path) as archive:
        (entry,) = [i for i in archive.infolist() if i.filename.endswith("data/0")]
    _flip(path, path.read_bytes().index(DATA.tobytes()) + 100)
    with pytest.raises(ValueError, match=f"damaged: {entry.filename} doesn't have the checksum"):
        read(path)


def test_a_flipped_byte_of_a_parquet_page_is_noticed(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    column = arrow.FixedSizeListArray.from_arrays(arrow.array(DATA.ravel()), 8)
    wide = {f"dim_{k}": DATA[:, k] for k in range(8)}
    for name, table in (
        ("vectors", arrow.table({"embeddings": column})),
        ("wide", arrow.table(wide)),
    ):
        path = tmp_path / f"{name}.parquet"
        options = {"compression": "none", "use_dictionary": False}
        parquet.write_table(table, path, write_page_checksum=True, **options)
        np.testing.assert_array_equal(read(path), DATA)
        some = DATA.tobytes() if name == "vectors" else np.ascontiguousarray(DATA[:, 3]).tobytes()
        _flip(path, path.read_bytes().index(some) + 40)
        with pytest.raises(ValueError, match=r"cannot be read: .*CRC checksum"):
            read(path)


def test_a_name_that_an_archive_lists_otherwise_than_it_stands_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "z.npz"
    np.savez(path, embeddings=DATA, labels=np.arange(40))
    content = path.read_bytes()
    place = content.rindex(b"embeddings.npy")  # in the list at its end: labels were the only array
    path.write_bytes(content[:place] + b"embeddings.npx" + content[place + 14 :])
    with pytest.raises(ValueError, match=r"cannot be read: File name in directory .* and header"):
        read(path)
