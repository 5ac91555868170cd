"""Embeddings with known norms, directions and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import stats

from normtheory import sphere

SENTENCES = Path(__file__).resolve().parents[2] / "data" / "sentences.npz"
DIGITS = SENTENCES.with_name("digits.npz")


def embeddings(n: int = 200, dimension: int = 8, seed: int = 0) -> np.ndarray:
    """Uniform directions, log-normal norms."""
    rng = np.random.default_rng(seed)
    return sphere.uniform(rng, n, dimension) * np.exp(rng.normal(1, 0.4, (n, 1)))


def clusters(
    n: int = 300, noise: float = 0.5, seed: int = 0, classes: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Up to six classes around axes in six dimensions; the smaller the norm, the noisier."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    norms = np.exp(rng.normal(0, 0.5, n))
    z = np.eye(6)[labels] + noise / norms[:, None] * rng.standard_normal((n, 6)) / np.sqrt(6)
    return z / np.linalg.norm(z, axis=1, keepdims=True) * norms[:, None], labels


def rank_correlation(x: object, y: object) -> float:
    """Spearman's ρ by scipy."""
    return float(np.asarray(stats.spearmanr(x, y))[0])
