"""Nearest neighbours by cosine and their vote, in blocks of queries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from tqdm import tqdm

_BLOCK = 512  # queries at a time: 20 MiB of similarities with 5000 in double precision


class Neighbours(NamedTuple):
    """Of each query: the k nearest and their cosines, nearest first, (n, k) each."""

    places: np.ndarray
    cosines: np.ndarray


def nearest(
    queries: np.ndarray,
    k: int,
    known: np.ndarray | None = None,
    *,
    block: int = _BLOCK,
    progress: bool = False,
) -> Neighbours:
    """The k nearest of known unit vectors (m, d), k <= m, to each of the unit vectors (n, d).

    Without ``known`` those of the queries themselves, each left out of its own; k < n then.
    """
    among = queries if known is None else known
    n = len(queries)
    places = np.empty((n, k), dtype=np.int64)
    cosines = np.empty((n, k), dtype=np.result_type(queries, among))
    bar = tqdm(total=n, desc="neighbours", unit="row", disable=None if progress else True)
    for start in range(0, n, block):
        stop = min(n, start + block)
        similar = queries[start:stop] @ among.T
        if known is None:
            similar[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        found = np.argpartition(similar, -k, axis=1)[:, -k:]
        value = np.take_along_axis(similar, found, axis=1)
        order = np.argsort(-value, axis=1, kind="stable")
        places[start:stop] = np.take_along_axis(found, order, axis=1)
        cosines[start:stop] = np.take_along_axis(value, order, axis=1)
        bar.update(stop - start)
    bar.close()
    return Neighbours(places, cosines)


def vote(neighbours: Neighbours, codes: np.ndarray, *, by_cosine: bool = True) -> np.ndarray:
    """The class (n,) that most neighbours have.

    Args:
        neighbours: of n queries.
        codes: classes of those that vote, without gaps: memory goes with the largest.
        by_cosine: of classes with as many votes take the one nearer in sum of cosines, not the
            smallest.
    """
    n, k = neighbours.places.shape
    # A cosine in [-1, 1] can't outweigh a vote worth more than 2k.
    worth = neighbours.cosines + 2 * k + 1 if by_cosine else np.ones((n, k))
    best = np.empty(n, dtype=np.int64)
    count = int(codes.max()) + 1
    for start in range(0, n, _BLOCK):
        part = slice(start, start + _BLOCK)
        votes = np.zeros((len(worth[part]), count))
        np.add.at(
            votes, (np.arange(len(votes))[:, None], codes[neighbours.places[part]]), worth[part]
        )
        best[part] = votes.argmax(axis=1)
    return best
