"""Embeddings of tokens or patches, (n, tokens, d): which of them stand out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from normtheory.diagnosis._quantity import PLAIN, quantity
from normtheory.diagnosis._rows import BLOCK_BYTES, row_norms

OUTLIER = 3.0
"""A token of more than so many times the median norm of its sample stands out."""

POSITION = 2.0
"""A position stands out whose median norm is so many times that of all tokens, or that part."""

_LISTED = 10
_HIGH = "Darcet et al. 2024 speak of such tokens"


class Position(NamedTuple):
    """A place in the sequence.

    Attributes:
        position: from 0.
        n: samples that have a token there.
        ratio: median norm there over that of all tokens.
    """

    position: int
    n: int
    ratio: float


class Token(NamedTuple):
    """One token.

    Attributes:
        row: of its sample in the array that was handed over.
        position: from 0.
        norm: in the unit of the embeddings.
        ratio: over the median of its sample.
    """

    row: int
    position: int
    norm: float
    ratio: float


@dataclass(frozen=True)
class TokenSummary:
    """The norms of tokens.

    Attributes:
        length: positions in the array.
        padding: share of tokens that are zero, and taken for padding.
        outliers: share of the others with more than ``OUTLIER`` times the median of their sample.
        samples: share of the samples that have such a token.
        positions: those that stand out, furthest first, at most 10.
        largest: the 10 tokens furthest above the median of their sample.
    """

    length: int = field(metadata=quantity("positions", "second axis of the array", PLAIN))
    padding: float = field(metadata=quantity("padding", "share of tokens that are zero", PLAIN))
    outliers: float = field(
        metadata=quantity(
            "tokens of high norm", f"share above {OUTLIER:g} × the median of their sample", _HIGH
        )
    )
    samples: float = field(metadata=quantity("samples with such a token", "share", _HIGH))
    positions: tuple[Position, ...]
    largest: tuple[Token, ...]


def pool(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means (n, d) over the tokens of each sample, and norms (n, tokens), from (n, tokens, d).

    Tokens that are zero are padding and no part of the mean; a sample of nothing else is zero.
    """
    n, length, dimension = values.shape
    means, norms = np.empty((n, dimension)), np.empty((n, length))
    step = max(1, BLOCK_BYTES // (8 * max(1, length * dimension)))
    for start in range(0, n, step):
        block = np.asarray(values[start : start + step], dtype=np.float64)
        part = slice(start, start + len(block))
        norms[part] = row_norms(block.reshape(-1, dimension)).reshape(-1, length)
        count = np.maximum(1, (norms[part] != 0).sum(axis=1))
        # Divided first: a sum may be beyond the largest float.
        means[part] = (block / count[:, None, None]).sum(axis=1)
    return means, norms


def summarise_tokens(norms: np.ndarray, kept: np.ndarray) -> TokenSummary:
    """From norms (n, tokens) of samples, 0 for padding, and the numbers (n,) of their rows."""
    there = norms > 0
    known = np.where(there, norms, np.nan)
    ratio = known / np.nanmedian(known, axis=1, keepdims=True)
    above = ratio > OUTLIER
    whole = np.nanmedian(known)
    places = [
        Position(k, int(there[:, k].sum()), float(np.nanmedian(known[:, k]) / whole))
        for k in np.flatnonzero(there.any(axis=0)).tolist()
    ]
    far = [p for p in places if not 1 / POSITION < p.ratio < POSITION]
    far.sort(key=lambda p: -abs(np.log(p.ratio)))
    order = np.argsort(np.where(there, -ratio, np.inf), axis=None, kind="stable")
    rows, columns = np.unravel_index(order[: min(_LISTED, int(there.sum()))], norms.shape)
    return TokenSummary(
        length=norms.shape[1],
        padding=float(1 - there.mean()),
        outliers=float(above.sum() / there.sum()),
        samples=float(above.any(axis=1).mean()),
        positions=tuple(far[:_LISTED]),
        largest=tuple(
            Token(int(kept[i]), int(j), float(norms[i, j]), float(ratio[i, j]))
            for i, j in zip(rows, columns, strict=True)
        ),
    )
