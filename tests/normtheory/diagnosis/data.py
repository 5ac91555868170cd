"""Embeddings with known norms, directions and labels."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

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


class Planted(NamedTuple):
    """Norms, columns that may set them, what they may tell, and classes."""

    norms: np.ndarray
    covariates: dict[str, np.ndarray]
    target: np.ndarray
    codes: np.ndarray | None


def planted(driver: str, seed: int, *, yes_or_no: bool = True, classes: int = 0) -> Planted:
    """300 samples whose norms ``driver`` sets: "tokens", "frequency", "nothing" or "quality".

    The target goes by tokens, frequency and quality in every case, and is higher in some classes
    than in others, as are norms.
    """
    rng, n = np.random.default_rng(seed), 300
    tokens, frequency, quality = (
        rng.poisson(rng.lognormal(3, 0.5, n)) + 1,
        rng.pareto(1.2, n) + 1,
        (rng.standard_normal(n)),
    )
    codes, of_class = None, np.zeros((2, n))
    if classes:
        codes = np.arange(n) % classes
        of_class = 0.3 * rng.standard_normal((2, classes))[:, codes]
    log_norm = {
        "tokens": -0.5 * np.log(tokens),
        "frequency": 0.25 * np.log(frequency),
        "nothing": np.zeros(n),
        "quality": 0.25 * quality - 0.25 * np.log(tokens),
    }[driver] + 0.15 * (rng.standard_normal(n) + of_class[0])
    value = (
        quality + 1.5 * np.log(tokens) + np.log(frequency) + rng.standard_normal(n) + of_class[1]
    )
    return Planted(
        np.exp(log_norm),
        {"tokens": tokens.astype(float), "frequency": frequency},
        value > np.quantile(value, 0.6) if yes_or_no else value,
        codes,
    )
