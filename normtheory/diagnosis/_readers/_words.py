"""Word vectors as word2vec, fastText and GloVe write them, and plain matrices of text.

Text: a word and its numbers a line, after a line with the number and length of the vectors (which
GloVe leaves out). Binary: that line, then each word, a space, and its floats of 32 bits.
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
from array import array
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from normtheory.diagnosis._readers._entries import NAMELESS, Ask, Contents, Entry, described
from normtheory.diagnosis._readers._streams import CHUNK, unpacked

_FASTTEXT = (793712314).to_bytes(4, "little")
_FLOAT = np.dtype("<f4")


class _Vectors(NamedTuple):
    values: np.ndarray
    words: list[bytes]


@contextlib.contextmanager
def text(path: Path, ask: Ask) -> Iterator[Contents]:
    """Words with vectors; a matrix of numbers; or, where labels are wanted, a label a line."""
    with unpacked(path) as file:
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        if ask.default == "labels" and ask.key is None:
            yield Contents({NAMELESS: Entry("lines", partial(_read_labels, file))})
        else:
            yield _contents(_read_text(file, ask))


@contextlib.contextmanager
def binary(path: Path, ask: Ask) -> Iterator[Contents]:
    """Words with vectors, as word2vec writes them with ``-binary 1``."""
    with unpacked(path) as file:
        yield _contents(_read_binary(file))


def _read_labels(file: BinaryIO) -> np.ndarray:
    lines = [line.strip() for line in file.read().rstrip().split(b"\n")]
    if b"" in lines:
        raise ValueError(f"row {lines.index(b'')} has no label")
    return np.array(lines, dtype=object)


def _contents(found: _Vectors) -> Contents:
    vectors = Entry(described(found.values.dtype, found.values.shape), lambda: found.values)
    if not found.words:
        return Contents({NAMELESS: vectors})
    words = Entry(
        f"text, {len(found.words)}", lambda: np.array(found.words, dtype=object), alone=False
    )
    return Contents({"vectors": vectors, "words": words})


def _size(line: bytes) -> tuple[int, int] | None:
    """Number and length of the vectors, if that is what a line says."""
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return None
    return int(fields[0]), int(fields[1])


def _are_numbers(fields: list[bytes]) -> bool:
    try:
        return bool([float(field) for field in fields])
    except ValueError:
        return False


def _read_text(file: BinaryIO, ask: Ask) -> _Vectors:
    lines = (line for line in file if line.strip())
    first = list(itertools.islice(lines, 20))
    size = _size(first[0]) if len(first) > 1 else None
    if size is not None and len(first[1].split()) <= size[1]:
        size = None  # a row of two whole numbers
    plain = size is None and all(_are_numbers(line.split()) for line in first)
    d = size[1] if size else len(first[0].split()) - (not plain)
    words: list[bytes] = []
    numbers = array("d")
    for row, line in enumerate(itertools.chain(first[size is not None :], lines)):
        word, cells = _split(line, d, plain)
        if len(cells) != d or not _are_numbers(cells):
            ask.bad_row(
                f"row {row} is no {'row' if plain else 'word with a vector'} of {d} numbers"
            )
            cells = [b"nan"] * d
        numbers.extend(map(float, cells))
        words.append(word)
    values = np.frombuffer(numbers).reshape(-1, d)
    if size is not None and len(values) != size[0]:
        raise ValueError(
            f"cut off or damaged: {len(values)} vectors, its first line says {size[0]}"
        )
    return _Vectors(values, []) if plain else _Vectors(values.astype(_FLOAT), words)


def _split(line: bytes, d: int, plain: bool) -> tuple[bytes, list[bytes]]:
    """A word, which may have spaces in it, and what stands after it."""
    if plain:
        return b"", line.split()
    word, *cells = line.rstrip().rsplit(None, d)
    return word, cells


def _read_binary(file: BinaryIO) -> _Vectors:
    data = file.read(CHUNK)
    if data.startswith(_FASTTEXT):
        raise ValueError("a model of fastText: its vectors are in the .vec file beside it")
    line = data[:100].partition(b"\n")[0]
    size = _size(line)
    if size is None or not size[1]:
        raise ValueError("expected word vectors: a first line with their number and length")
    n, d = size
    values, words, start = np.empty((n, d), _FLOAT), [], len(line) + 1
    for row in range(n):
        while (end := data.find(b" ", start) + 1) == 0 or len(data) < end + values[row].nbytes:
            more = file.read(CHUNK)
            if not more:
                raise ValueError(f"cut off or damaged: {row} vectors, its first line says {n}")
            data, start = data[start:] + more, 0
        values[row] = np.frombuffer(data, _FLOAT, d, end)
        words.append(data[start : end - 1].lstrip(b"\n"))
        start = end + values[row].nbytes
    if (data[start:] + file.read(CHUNK)).strip():
        raise ValueError(f"damaged: more follows than the {n} vectors that its first line says")
    return _Vectors(values, words)
