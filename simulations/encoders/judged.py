"""What embeddings of images say: votes of neighbours, norms, and how they go together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from normtheory._ranks import Ranks
from simulations.encoders.controls import contrast
from simulations.encoders.data import Images
from simulations.encoders.measures import auroc, neighbours_are_right, spearman
from simulations.encoders.relations import Column, enough, overall, within

STRANGERS = ("other classes", "noise", "inverted")
SCOPES = ("all images", "within classes")


class Judged(NamedTuple):
    """Images held out.

    Attributes:
        norm: of their embeddings, shape (runs, q).
        right: whether their neighbours are right, booleans (runs, q).
    """

    norm: np.ndarray
    right: np.ndarray


class Votes(NamedTuple):
    """Who votes on whom.

    Attributes:
        labels: of all images, shape (n,).
        fit: indices of the images trained on, shape (runs, m).
        out: of those held out, shape (runs, q).
        neighbours: that vote.
    """

    labels: np.ndarray
    fit: np.ndarray
    out: np.ndarray
    neighbours: int

    def held_out(self, z: np.ndarray) -> np.ndarray:
        """Whether the nearest images trained on are right about images held out.

        Args:
            z: embeddings of all images by the network of every run, shape (runs, n, d).

        Returns:
            Booleans (runs, q).
        """
        return self._right(z, self.out)

    def judge(self, z: np.ndarray) -> Judged:
        """The same, and norms."""
        return Judged(_norms(z, self.out), self.held_out(z))

    def by_authors(self, z: np.ndarray) -> Judged:
        """Norms and votes as in the paper's code: of images trained on, with a vote of their own.

        Returns:
            Shapes (runs, m).
        """
        return Judged(_norms(z, self.fit), self._right(z, self.fit))

    def _right(self, z: np.ndarray, who: np.ndarray) -> np.ndarray:
        label, k = self.labels, self.neighbours
        runs = zip(z, self.fit, who, strict=True)
        return np.array(
            [neighbours_are_right(a[o], label[o], a[f], label[f], k) for a, f, o in runs]
        )


def _norms(z: np.ndarray, which: np.ndarray) -> np.ndarray:
    return np.array([np.linalg.norm(a[i], axis=-1) for a, i in zip(z, which, strict=True)])


def of_run(norm: np.ndarray, right: np.ndarray, rng: np.random.Generator) -> Ranks:
    """Rank correlation in one run, with an interval for new images of the same classes.

    NaN where fewer than ten images are right, or wrong.
    """
    return spearman(norm, right, rng) if enough(right) else Ranks(np.nan, np.nan, np.nan)


def relations(
    images: Images, out: np.ndarray, before: Judged, after: Judged, scores: np.ndarray | None
) -> dict[str, Any]:
    """How norm, contrast, being right and scores go together on images held out.

    Args:
        images: all of them.
        out: indices of those held out, shape (runs, q).
        before: by the networks before training, with their own votes.
        after: by the trained networks.
        scores: a number an image (n,), NaN where there is none; None without scores.

    Returns:
        The names ``relation``; the ``correlation`` (relations, scopes, 3) and the number of
        ``classes`` (relations,) that the mean within classes is of.
    """
    sharp = contrast(images.images)[out]
    pairs = {
        "norm, right": (after.norm, after.right),
        "untrained norm, right": (before.norm, before.right),
        "contrast, right": (sharp, after.right),
        "norm, contrast": (after.norm, sharp),
    }
    if scores is not None:
        score = scores[out]
        signals = {"norm": after.norm, "untrained norm": before.norm, "contrast": sharp}
        pairs |= {f"{name}, score": (signal, score) for name, signal in signals.items()}
    correlation, classes = [], []
    for x, y in pairs.values():
        columns = []
        for a, b, labels in zip(x, y, images.labels[out], strict=True):
            known = np.isfinite(b)
            columns.append(Column(a[known], b[known], labels[known]))
        inside, count = within(columns)
        correlation.append([overall(columns), inside])
        classes.append(count)
    return {
        "relation": list(pairs),
        "correlation": np.array(correlation),
        "classes": np.array(classes),
    }


def strangers(
    images: Images, z: np.ndarray, noise: np.ndarray, inverted: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """AUROC of the norm of held-out images of trained classes against strangers.

    Args:
        images: all of them.
        z: their embeddings by networks trained on the first half of the classes, (runs, n, d).
        noise: embeddings of noise.
        inverted: embeddings of all images inverted.
        out: indices of the images held out, a row for every run.

    Returns:
        Shape (runs, strangers).
    """
    known = of_half(images)
    found = []
    for r, i in enumerate(out):
        trained, others = i[known[i]], i[~known[i]]
        mine = np.linalg.norm(z[r, trained], axis=-1)
        strangers = (z[r, others], noise[r], inverted[r, trained])
        found.append([auroc(mine, np.linalg.norm(s, axis=-1)) for s in strangers])
    return np.array(found)


def of_half(images: Images) -> np.ndarray:
    """Whether an image is of the first half of the classes, booleans (n,)."""
    return images.labels < len(images.names) // 2
