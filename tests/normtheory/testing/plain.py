"""Losses in plain numpy, as a user would write them: some true, some with a planted fault.

A finite difference takes some hundred values of a loss, and most tests ask for the same clouds: so
every loss remembers what it was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

KEYS = np.random.default_rng(0).standard_normal((6, 4)) * np.geomspace(0.5, 2, 6)[:, None]
"""A fixed cloud of positives, rows of several norms."""

Loss = Callable[[np.ndarray], float]


def remembering(loss: Loss) -> Loss:
    """The same loss, evaluated once for each of the last clouds."""

    @functools.lru_cache(maxsize=2**16)
    def known(shape: tuple[int, ...], dtype: Any, numbers: bytes) -> float:
        return loss(np.frombuffer(numbers, dtype).reshape(shape))

    @functools.wraps(loss)
    def call(z: np.ndarray) -> float:
        return known(z.shape, z.dtype, z.tobytes())

    return call


def norms(z: np.ndarray) -> np.ndarray:
    """Norms of the rows, shape (n, 1)."""
    return np.sqrt(np.einsum("ij,ij->i", z, z))[:, None]


def unit(z: np.ndarray) -> np.ndarray:
    """Divide rows by their norms."""
    return z / norms(z)


UNIT_KEYS = unit(KEYS)


def cross_entropy(similarity: np.ndarray, temperature: float = 0.2) -> float:
    """InfoNCE of a matrix of similarities, positives on the diagonal."""
    logits = similarity / temperature
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    return float((total - logits.diagonal()).sum() / len(logits))


@remembering
def attraction(z: np.ndarray) -> float:
    """Minus the mean cosine."""
    return -float(np.sum(unit(z) * UNIT_KEYS) / len(z))


@remembering
def info_nce(z: np.ndarray) -> float:
    """InfoNCE against the keys."""
    return cross_entropy(unit(z) @ UNIT_KEYS.T)


@remembering
def hinge(z: np.ndarray) -> float:
    """Triplet loss on cosines, which has kinks."""
    cosines = unit(z) @ UNIT_KEYS.T
    return float(np.mean(np.maximum(0, 0.2 + np.roll(cosines, 1, axis=1) - cosines)))


@remembering
def uniformity(z: np.ndarray) -> float:
    """Log of the mean Gaussian potential of all pairs of one cloud."""
    u = unit(z)
    square = np.sum((u[:, None] - u[None, :]) ** 2, axis=-1)
    return float(np.log(np.mean(np.exp(-2 * square[~np.eye(len(z), dtype=bool)]))))


TRUE: dict[str, Loss] = {
    "attraction": attraction,
    "info_nce": info_nce,
    "hinge": hinge,
    "uniformity": uniformity,
    "tiny": lambda z: 1e-9 * info_nce(z),
    "huge": lambda z: 1e9 * info_nce(z),
    "shifted": lambda z: info_nce(z) + 1e3,
}


@remembering
def offset(z: np.ndarray) -> float:
    """A thousandth of the norms is added."""
    return info_nce(z) + 1e-3 * float(norms(z).sum())


@remembering
def decay(z: np.ndarray) -> float:
    """A weight decay inside of the loss."""
    return info_nce(z) + 1e-2 * float(np.sum(z * z))


@remembering
def logarithm(z: np.ndarray) -> float:
    """A part with the logarithm of the norm, whose gradient is ∝ 1/norm, and radial."""
    return info_nce(z) + 0.1 * float(np.log(norms(z)).sum())


@remembering
def centred(z: np.ndarray) -> float:
    """Centring before normalisation."""
    return info_nce(z - z.mean(axis=0))


@remembering
def epsilon_on_norm(z: np.ndarray) -> float:
    """An epsilon of 0.01 added to the norm."""
    return cross_entropy(z / (norms(z) + 1e-2) @ UNIT_KEYS.T)


@remembering
def epsilon_on_square(z: np.ndarray) -> float:
    """An epsilon of 1e-4 added to the squared norm."""
    return cross_entropy(z / np.sqrt(np.sum(z * z, axis=1, keepdims=True) + 1e-4) @ UNIT_KEYS.T)


@remembering
def clamped_norm(z: np.ndarray) -> float:
    """A norm of at least 0.01."""
    return cross_entropy(z / np.maximum(norms(z), 1e-2) @ UNIT_KEYS.T)


@remembering
def clamped_product(z: np.ndarray) -> float:
    """A product of two norms of at least 1e-4, within one cloud."""
    norm = norms(z)
    cosines = z @ z.T / np.maximum(norm * norm.T, 1e-4)
    return float(np.mean(np.exp(2 * cosines[np.triu_indices(len(z), 1)])))


@remembering
def dot_product(z: np.ndarray) -> float:
    """InfoNCE of dot products."""
    return cross_entropy(z @ KEYS.T, temperature=1.0)


@remembering
def euclidean_triplet(z: np.ndarray) -> float:
    """A triplet loss of distances."""
    near = np.linalg.norm(z - KEYS, axis=1)
    far = np.linalg.norm(z - KEYS[::-1], axis=1)
    return float(np.mean(np.maximum(0, 1 + near - far)))


@remembering
def barlow_twins(z: np.ndarray) -> float:
    """Cross-correlation of standardised features."""
    a, b = ((x - x.mean(axis=0)) / x.std(axis=0) for x in (z, KEYS))
    c = a.T @ b / len(z)
    return float(np.sum((np.diag(c) - 1) ** 2) + 0.005 * np.sum((c - np.diag(np.diag(c))) ** 2))


@remembering
def whitened(z: np.ndarray) -> float:
    """Attraction after symmetric whitening, as W-MSE."""
    values, vectors = np.linalg.eigh(np.cov(z.T))
    white = (z - z.mean(axis=0)) @ (vectors / np.sqrt(values)) @ vectors.T
    return attraction(white)


@remembering
def shared_scale(z: np.ndarray) -> float:
    """All rows are divided by one number."""
    return cross_entropy(z / np.linalg.norm(z) @ UNIT_KEYS.T)


FALSE: dict[str, tuple[Loss, str]] = {
    "offset": (offset, r"depends on the norm: L\(2z\) - L\(z\) = 0\.006,.*goes like norm\^1\.00"),
    "decay": (decay, r"depends on the norm: .*goes like norm\^2\.00"),
    "logarithm": (logarithm, "depends on the norm: .*goes like the logarithm of the norm"),
    "centred": (centred, "centring before normalisation"),
    "epsilon_on_norm": (epsilon_on_norm, r"epsilon of about 1e-2 dominates .*\(added to a norm\)"),
    "epsilon_on_square": (epsilon_on_square, r"epsilon of about 1e-4 .*added to a squared norm"),
    "clamped_norm": (clamped_norm, r"epsilon of about 1e-2 .*below norm 0\.01 \(the least norm\)"),
    "clamped_product": (
        clamped_product,
        r"epsilon of about 1e-4 .*below norm 0\.01 \(the least value of a product",
    ),
    "dot_product": (dot_product, "the loss depends on the norm"),
    "euclidean_triplet": (euclidean_triplet, "the loss depends on the norm"),
    "barlow_twins": (barlow_twins, "each feature is standardised over the batch"),
    "whitened": (whitened, "statistics of the batch enter: it is centred, and perhaps whitened"),
    "shared_scale": (shared_scale, "the norms of different rows are compared or summed"),
}
"""A loss that breaks the law, and what the diagnosis must say."""


def decay_only(z: np.ndarray) -> float:
    """The squared norm, and nothing of a direction."""
    return float(np.sum(z * z))
