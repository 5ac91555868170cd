"""What a loss says of itself: its clouds, its options, its slope, its source, an example."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from normtheory._arrays import check_flag
from normtheory.losses._parts import REQUIRED, Cloud, Option
from normtheory.losses._slope import Slope

Example = tuple[tuple[np.ndarray, ...], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Definition:
    """All that there is to know of a loss before it is called; attributes as in ``Loss``."""

    name: str
    summary: str
    clouds: tuple[Cloud, ...]
    slope: Callable[..., Slope]
    source: str
    options: tuple[Option, ...] = ()
    all_pairs: bool = False
    check: Callable[[Mapping[str, Any]], None] | None = None
    notes: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse a loss that trains nothing or has two arguments of one name."""
        check_flag("all_pairs", self.all_pairs)
        names = [part.name for part in (*self.clouds, *self.options)]
        if len(set(names)) < len(names) or {"block", "group"} & set(names):
            raise ValueError(f"{self.name}: expected different names of arguments, got {names}")
        if not any(cloud.trained for cloud in self.clouds):
            raise ValueError(f"{self.name}: expected at least one trained cloud")

    @cached_property
    def signature(self) -> inspect.Signature:
        """Of the value: clouds, options, block, group."""
        kind = inspect.Parameter
        parameters = [kind(c.name, kind.POSITIONAL_OR_KEYWORD) for c in self.clouds]
        for option in self.options:
            if option.default is REQUIRED:
                parameters.append(kind(option.name, kind.POSITIONAL_OR_KEYWORD))
            else:
                parameters.append(kind(option.name, kind.KEYWORD_ONLY, default=option.default))
        if self.all_pairs:
            parameters.append(kind("block", kind.KEYWORD_ONLY, default=None))
        parameters.append(kind("group", kind.KEYWORD_ONLY, default=None))
        return inspect.Signature(parameters)

    @cached_property
    def trained(self) -> tuple[int, ...]:
        """Positions of the trained clouds."""
        return tuple(i for i, cloud in enumerate(self.clouds) if cloud.trained)

    @cached_property
    def stop_gradient(self) -> bool:
        """Whether some clouds count as constants, so that autodiff gives 0 there."""
        return len(self.trained) < len(self.clouds)

    @cached_property
    def derivatives(self) -> frozenset[str]:
        """Names of the clouds and options that it has derivatives for."""
        return frozenset(x.name for x in (*self.clouds, *self.options) if x.trained)

    def option(self, name: str) -> Option:
        """The option of that name.

        Raises:
            ValueError: there is none; the names are said.
        """
        for option in self.options:
            if option.name == name:
                return option
        known = ", ".join(option.name for option in self.options) or "none"
        raise ValueError(f"{name}: {self.name} has no such option; it has {known}")

    def steepness(self, options: Mapping[str, Any]) -> float:
        """By how much at most it multiplies a change of a cosine: 1/τ, a scale, 2t, or 1."""
        values = {option.name: option.default for option in self.options} | dict(options)
        steep = (o.steepness(values[o.name]) for o in self.options if o.steepness is not None)
        return float(max([1.0, *steep]))

    def example(self, rng: np.random.Generator, n: int, dimension: int) -> Example:
        """Clouds of random norms, and options, to try the loss on.

        Args:
            rng: source of randomness.
            n: rows of the first cloud.
            dimension: d.

        Returns:
            The clouds, float64, whose norms are spread over a factor of about e², and options by
            name.
        """
        sizes = {cloud.rows: cloud.size(n) for cloud in reversed(self.clouds)}
        options: dict[str, Any] = {}

        def draw(option: Option) -> None:
            made = option.example
            options[option.name] = made(rng, sizes) if callable(made) else made

        shown = [o for o in self.options if o.example is not None]
        for option in shown:
            if option.per_row:
                draw(option)
        clouds = tuple(cloud_of(rng, sizes[cloud.rows], dimension) for cloud in self.clouds)
        for option in shown:
            if not option.per_row:
                draw(option)
        return clouds, options


def cloud_of(rng: np.random.Generator, n: int, dimension: int) -> np.ndarray:
    """A Gaussian cloud whose norms are spread over a factor of about e²."""
    return rng.standard_normal((n, dimension)) * np.exp(rng.uniform(-1, 1, (n, 1)))
