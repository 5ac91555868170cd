"""Settings to call functions with. Nothing is measured: what is compared has a closed form."""

from __future__ import annotations

from typing import Any

import numpy as np

from normtheory.verify import _clouds as clouds
from normtheory.verify._sample import Sample

#: Effective rates stay below this, where the flow is said to hold.
LARGEST_RATE = 0.09


def _options(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    return {
        "gradscale": rng.choice([0.0, 0.5, 1.0, 1.5, 2.0], (n, 1)),
        "one_sided": rng.integers(0, 2, (n, 1)).astype(float),
        "repel": rng.integers(0, 2, (n, 1)).astype(float),
    }


def _rate(rng: np.random.Generator, first: Any, second: Any, power: Any) -> np.ndarray:
    """A rate (n, 1) for norms (n, m) at which no effective rate exceeds the largest."""
    fastest = np.maximum(first ** (power - 2), second ** (power - 2)).max(axis=1, keepdims=True)
    return clouds.log_uniform(rng, 1e-4, LARGEST_RATE, len(first)) / fastest


def pair_draws(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Single pairs: angle, goal, two norms, rate, time, momentum, and every option.

    Args:
        d: Dimension of the random pairs, more than 3.
        points: A quarter of the number of pairs.
        rng: Source of randomness.
    """
    n = 4 * points
    first, second = (clouds.log_uniform(rng, 1e-2, 1e2, n) for _ in range(2))
    options = _options(rng, n)
    power = options["gradscale"]
    rate = _rate(rng, first, second, power)
    speed = first ** (power - 2) + (1 - options["one_sided"]) * second ** (power - 2)
    inputs = {
        "start": rng.uniform(0.6, 3.1, (n, 1)),
        "target": clouds.log_uniform(rng, 1e-3, 0.5, n),
        "norm": first,
        "norm_i": first,
        "norm_j": second,
        "learning_rate": rate,
        "time": rng.uniform(0.1, 3, (n, 1)) / speed,
        "tolerance": clouds.log_uniform(rng, 1e-6, 1e-2, n),
        "dimension": np.full((n, 1), float(d)),
        "seed": np.full((n, 1), float(rng.integers(2**31))),
        "momentum": rng.uniform(0, 0.95, (n, 1)),
    }
    return Sample(inputs | options, {}, ("pairs with all options",) * n)


def ensemble_draws(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Ensembles of 40 pairs, each pair with norms of its own in every second ensemble."""
    n, many = points, 40
    angles = rng.uniform(0.05, 3.1, (n, many))
    own = np.exp(rng.uniform(-1, 1, (2, n, many)))
    own[:, ::2] = 1.0  # one norm for all: another branch
    first, second = own * clouds.log_uniform(rng, 1e-2, 1e2, n)
    options = _options(rng, n)
    inputs = {
        "angles": angles,
        "norms_i": first,
        "norms_j": second,
        "learning_rate": _rate(rng, first, second, options["gradscale"]),
        "tolerance": clouds.log_uniform(rng, 1e-5, 0.1, n),
    }
    del d  # a pair is three numbers
    return Sample(inputs | options, {}, ("ensembles with all options",) * n)


def axes(d: int, points: int, rng: np.random.Generator) -> Sample:
    """The axes of a space, one a row, and a seed for draws in it."""
    del points
    inputs = {
        "dimension": np.full((d, 1), float(d)),
        "seed": np.full((d, 1), float(rng.integers(2**31))),
    }
    return Sample(inputs, {}, tuple(f"axis {k} of {d}" for k in range(d)))
