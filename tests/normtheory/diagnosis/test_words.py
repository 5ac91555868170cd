"""Word vectors, lines of text and vectors of benchmarks, written by hand byte by byte."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from normtheory.diagnosis._files import find, read
from tests.normtheory.diagnosis.data import embeddings

Z = embeddings(12, 4).astype(np.float32)


# Word vectors

WORDS = ["the", "New York", "café", "#"] * 3


def _word2vec_text(header: bool = True, end: str = "") -> str:
    rows = [
        " ".join([word, *map(repr, row)]) + end for word, row in zip(WORDS, Z.tolist(), strict=True)
    ]
    return "\n".join(["12 4"] * header + rows) + "\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("text", [_word2vec_text(), _word2vec_text(False), _word2vec_text(end=" ")])
def test_word_vectors_in_text(tmp_path: Path, text: str, packed: bool) -> None:
    path = tmp_path / ("z.vec.gz" if packed else "z.txt")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    if not text.startswith("12 4"):  # nothing tells where a word with a space ends, here
        text = text.replace("New York", "York")
    found = find(path)
    np.testing.assert_array_equal(found.values, Z)
    assert found.values.dtype == np.float32
    assert [x.decode() for x in read(path, "words")] == WORDS


def test_word_vectors_that_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "z.vec"
    lines = _word2vec_text().splitlines()
    path.write_text("\n".join(lines[:-2]))
    with pytest.raises(ValueError, match="10 vectors, its first line says 12"):
        read(path)
    path.write_text("\n".join([*lines[:4], lines[4].rpartition(" ")[0], *lines[5:]]))
    with pytest.raises(ValueError, match="row 3 is no word with a vector of 4 numbers"):
        read(path)
    assert np.flatnonzero(np.isnan(find(path, drop=True).values).all(axis=1)).tolist() == [3]


@pytest.mark.parametrize("newline", [b"", b"\n"])
@pytest.mark.parametrize("suffix", [".bin", ".bin.gz"])
def test_word_vectors_in_binary(
    tmp_path: Path, monkeypatch: Any, suffix: str, newline: bytes
) -> None:
    monkeypatch.setattr("normtheory.diagnosis._readers._words.CHUNK", 50)
    content = b"12 4\n" + b"".join(
        word.replace(" ", "_").encode() + b" " + struct.pack("<4f", *row) + newline
        for word, row in zip(WORDS, Z, strict=True)
    )
    path = tmp_path / f"z{suffix}"
    packed = gzip.compress if suffix == ".bin.gz" else bytes
    path.write_bytes(packed(content))
    np.testing.assert_array_equal(read(path), Z)
    assert [x.decode() for x in read(path, "words")] == [w.replace(" ", "_") for w in WORDS]
    path.write_bytes(packed(content[:-8]))
    with pytest.raises(ValueError, match="11 vectors, its first line says 12"):
        read(path)
    path.write_bytes(packed(content + b"x"))
    with pytest.raises(ValueError, match="more follows than the 12 vectors"):
        read(path)
    path.write_bytes(packed(struct.pack("<i", 793712314) + content))
    with pytest.raises(ValueError, match="a model of fastText: its vectors are in the"):
        read(path)


def test_a_matrix_in_text_and_a_label_a_line(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "z.txt", Z, fmt="%.9g")
    np.testing.assert_array_equal(read(tmp_path / "z.txt").astype(np.float32), Z)
    np.savetxt(tmp_path / "z.txt", [[3, 2], [1, 5]], fmt="%d")
    assert read(tmp_path / "z.txt").tolist() == [[3, 2], [1, 5]]
    path = tmp_path / "labels.txt"
    path.write_text("\ufeff" + "\r\n".join(WORDS) + "\n\n")
    assert [x.decode() for x in read(path, default="labels")] == WORDS
    path.write_text("a\n\nb\n")
    with pytest.raises(ValueError, match="row 1 has no label"):
        read(path, default="labels")


# Vectors of benchmarks


def test_fvecs_and_bvecs(tmp_path: Path) -> None:
    path = tmp_path / "z.fvecs"
    path.write_bytes(b"".join(struct.pack("<i4f", 4, *row) for row in Z))
    np.testing.assert_array_equal(read(path), Z)
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    with pytest.raises(ValueError, match="cut off: 17 bytes after 11 vectors of 20 bytes"):
        read(path)
    path.write_bytes(content[:40] + struct.pack("<i", 5) + content[44:])
    with pytest.raises(ValueError, match="vector 2 has length 5, expected 4 as vector 0"):
        read(path)
    numbers = np.arange(48, dtype=np.uint8).reshape(12, 4) * 5
    (tmp_path / "z.bvecs").write_bytes(b"".join(struct.pack("<i4B", 4, *row) for row in numbers))
    found = find(tmp_path / "z.bvecs")
    np.testing.assert_array_equal(found.values, numbers.astype(np.float32))
    assert found.notes == ("the components are bytes, numbers from 0 to 255",)
