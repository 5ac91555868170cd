"""The clouds that a loss is tried on: from a seed, awkward ones first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from normtheory import sphere


class Example(NamedTuple):
    """A cloud, written as directions at one norm, and what each row is multiplied by.

    Attributes:
        base: rows of ordinary norm, shape (n, d).
        factors: positive numbers, shape (n,).
    """

    base: np.ndarray
    factors: np.ndarray

    @property
    def cloud(self) -> np.ndarray:
        """The embeddings, shape (n, d)."""
        return self.base * self.factors[:, None]


def source(seed: int, use: int) -> np.random.Generator:
    """Random numbers of a seed for one use.

    They are not those of ``numpy.random.default_rng(seed)``, from which people draw the clouds that
    their losses hold fixed: attraction to a copy of itself has no gradient.
    """
    return np.random.default_rng([seed, use, 0x6E6F726D])


def ordinary(rng: np.random.Generator, n: int, dimension: int, norm: float) -> np.ndarray:
    """Points of one norm, uniform on the sphere, shape (n, d)."""
    return norm * sphere.uniform(rng, n, dimension)


def middle(norms: tuple[float, float]) -> float:
    """The norm in the middle of a range, on a logarithmic scale."""
    return float(np.sqrt(norms[0]) * np.sqrt(norms[1]))


def _directions(rng: np.random.Generator, kind: int, n: int, dimension: int) -> np.ndarray:
    u = sphere.uniform(rng, n, dimension)
    if kind == 1:  # a collapsed batch: all within a few degrees
        u = u[:1] + 0.1 * u
    elif kind == 2:  # a solved batch: the second half repeats the first, nearly
        half = n // 2
        u[half : 2 * half] = u[:half] + 0.02 * u[half : 2 * half]
    return u / np.linalg.norm(u, axis=-1, keepdims=True)


def examples(
    n: int, dimension: int, norms: tuple[float, float], count: int, seed: int
) -> Iterator[Example]:
    """Yield ``count`` examples: clouds and single rows at both ends of the range, then others.

    No row is exactly parallel to another: at such ties losses with a maximum have no gradient.
    """
    rng = source(seed, 0)
    low, high = norms
    reference = middle(norms)
    for index in range(count):
        factors = np.ones(n)
        if index < 2:
            factors[:] = norms[index] / reference
        elif index < 4:
            factors[rng.integers(n)] = norms[index - 2] / reference
        elif index % 4 == 0:
            factors[:] = sphere.log_uniform_norms(rng, 1, low, high) / reference
        else:
            factors = sphere.log_uniform_norms(rng, n, low, high) / reference
        yield Example(reference * _directions(rng, index % 3, n, dimension), factors)
