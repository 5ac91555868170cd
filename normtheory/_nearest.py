"""Nearest neighbours by cosine and their vote: for a diagnosis and for the experiments alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def similarities(
    queries: np.ndarray, known: np.ndarray, rows: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Products of queries (n, d) with all known (m, d), ``rows`` queries at a time."""
    for start in range(0, len(queries), rows):
        part = slice(start, min(start + rows, len(queries)))
        yield part, queries[part] @ known.T


def without_itself(part: slice, similarity: np.ndarray) -> np.ndarray:
    """The same array, in which queries, rows ``part`` of the known, are not their own."""
    row = np.arange(len(similarity))
    similarity[row, part.start + row] = -np.inf
    return similarity


def nearest(similarity: np.ndarray, k: int) -> np.ndarray:
    """Places of the k most similar, (n, m) -> (n, k), in no particular order."""
    return np.argpartition(similarity, -k, axis=1)[:, -k:]


def vote(codes: np.ndarray, count: int, worth: np.ndarray | None = None) -> np.ndarray:
    """The class (n,) that wins the vote of k neighbours; of equals the smallest.

    Args:
        codes: classes of the neighbours, (n, k), each in 0 … count - 1.
        count: how many classes there are.
        worth: what a vote counts, (n, k); 1 by default.
    """
    votes = np.zeros((len(codes), count))
    np.add.at(votes, (np.arange(len(codes))[:, None], codes), 1.0 if worth is None else worth)
    return votes.argmax(axis=1)
