"""What a loss is to the rest of the library: value, gradient, source, an example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Arguments = tuple[tuple[np.ndarray, ...], dict[str, Any]]


@dataclass(frozen=True)
class Loss:
    """A loss of directions.

    Attributes:
        name: its name, the same as that of its function.
        value: ``value(*clouds, **options)``, a scalar.
        gradient: the closed form, a tuple with one array for every trained cloud.
        source: author, year, equation.
        trained: positions of the trained clouds among the arguments of ``value``.
        example: ``example(rng, n, dimension)`` gives clouds of random norms, and options, to try
            the loss on.
        stop_gradient: whether some clouds count as constants, so that ``jax.grad`` gives 0 there.
    """

    name: str
    value: Callable[..., Any]
    gradient: Callable[..., Any]
    source: str
    trained: tuple[int, ...]
    example: Callable[[np.random.Generator, int, int], Arguments]
    stop_gradient: bool = False


def cloud(rng: np.random.Generator, n: int, dimension: int) -> np.ndarray:
    """A Gaussian cloud whose norms are spread over a factor of about e²."""
    return rng.standard_normal((n, dimension)) * np.exp(rng.uniform(-1, 1, (n, 1)))


def clouds(count: int, **options: Any) -> Callable[[np.random.Generator, int, int], Arguments]:
    """An example of independent clouds of the same shape."""

    def example(rng: np.random.Generator, n: int, dimension: int) -> Arguments:
        return tuple(cloud(rng, n, dimension) for _ in range(count)), dict(options)

    return example


def labelled(
    classes: int, *, prototypes: bool, **options: Any
) -> Callable[[np.random.Generator, int, int], Arguments]:
    """An example of a labelled cloud, every class present, with class prototypes if asked."""

    def example(rng: np.random.Generator, n: int, dimension: int) -> Arguments:
        labels = rng.permutation(np.arange(n) % classes)
        found = (cloud(rng, n, dimension),)
        if prototypes:
            found += (cloud(rng, classes, dimension),)
        return found, {"labels": labels, **options}

    return example


def by_name(losses: tuple[Loss, ...]) -> Mapping[str, Loss]:
    """A read-only mapping from names to losses, in the order given."""
    from types import MappingProxyType

    return MappingProxyType({loss.name: loss for loss in losses})
