"""Symmetric clouds that experiments start from."""

from __future__ import annotations

import numpy as np


def cloud(n: int, angle: float, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (n, n) with all cosines alike, at an angle ψ from collapse, turned at random."""
    flat = np.eye(n) - 1 / n
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    points = np.sin(angle / 2) * flat + np.cos(angle / 2) * np.full(n, 1 / np.sqrt(n))
    turn, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return points @ turn.T


def modalities(
    n: int, gap: float, common: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (n, n + 2) of two modalities: a simplex, q₊ in common, and a gap q₋ between."""
    shared = np.concatenate([cloud(n, np.pi, rng), np.zeros((n, 2))], axis=1)
    in_common, apart = np.eye(n + 2)[n:]
    base = np.sqrt(1 - gap**2 - common**2) * shared + common * in_common
    return base + gap * apart, base - gap * apart
