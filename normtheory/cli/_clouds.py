"""The clouds of a configuration: where the particles of ``normtheory simulate`` start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from normtheory import sphere
from normtheory._arrays import check_count, check_values
from normtheory._text import quoted
from normtheory.cli._config import ConfigError, Table, checked, choice, section

DISTRIBUTIONS = ("uniform", "von_mises_fisher", "pairs")

_MOST = 10**12  # numbers in a cloud, 8 TB

_KINDS = {
    "n": "an integer",
    "dimension": "an integer",
    "distribution": "a word",
    "norm": "a number or a list of numbers or a table",
    "norm_j": "a number or a list of numbers or a table",
    "angle": "a number or a list of numbers",
    "mean": "a list of numbers",
    "concentration": "a number",
}
_ONLY = {
    "norm_j": "pairs",
    "angle": "pairs",
    "mean": "von_mises_fisher",
    "concentration": "von_mises_fisher",
}

Draw = Callable[[int], tuple[np.ndarray, ...]]


def clouds(config: Mapping[str, Any]) -> tuple[Draw, int]:
    """Read the tables ``[[clouds]]``.

    Returns:
        what draws all clouds from a seed, each (n, d), and the number of rows of the first. Every
        table has its own stream of random numbers, so that changing one leaves the others alone.
        Drawing raises ConfigError for values out of range.

    Raises:
        ConfigError: the key is named.
    """
    given = config.get("clouds")
    tables = [given] if isinstance(given, dict) else given
    if not isinstance(tables, list) or not tables or not all(isinstance(x, dict) for x in tables):
        raise ConfigError(f"clouds: expected one or more tables [[clouds]], got {quoted(given)}")
    dtype = np.dtype(choice("dtype", config.get("dtype", "float64"), ("float32", "float64")))
    read = []
    for k, found in enumerate(tables):
        name = f"clouds.{k}"
        about = {key: tables[0][key] for key in ("n", "dimension") if key in tables[0]}
        about |= checked(found, name, _KINDS)
        for key in ("n", "dimension"):
            if key not in about:
                raise ConfigError(f"{name}.{key}: missing, expected an integer >= 1")
        kind = choice(f"{name}.distribution", about.get("distribution", "uniform"), DISTRIBUTIONS)
        for key, only in _ONLY.items():
            if key in about and kind != only:
                raise ConfigError(f"{name}.{key}: only for distribution {only!r}, not {kind!r}")
        with section(name, _KINDS):
            check_count("n", about["n"], 1)
            check_count("dimension", about["dimension"], 2)
            if about["n"] * about["dimension"] > _MOST:
                raise ValueError(f"expected n · dimension of at most {_MOST:g}")
        read.append((kind, about))

    def draw(seed: int) -> tuple[np.ndarray, ...]:
        found: list[np.ndarray] = []
        for k, (kind, about) in enumerate(read):
            with section(f"clouds.{k}", _KINDS):
                found += _points(np.random.default_rng([seed, k]), kind, about)
        return tuple(z.astype(dtype) for z in found)

    return draw, read[0][1]["n"]


def _points(rng: np.random.Generator, kind: str, about: Table) -> list[np.ndarray]:
    """One cloud, or the two of pairs."""
    n, dimension = about["n"], about["dimension"]
    norm = about.get("norm", 1.0)
    if kind == "pairs":
        if "angle" not in about:
            raise ValueError("angle: missing, expected radians in [0, pi]")
        angle = np.asarray(about["angle"], np.float64)
        z, y = sphere.pairs_at_angle(rng, angle, dimension, n)
        second = _norms(rng, "norm_j", about.get("norm_j", norm), n)
        return [z * _norms(rng, "norm", norm, n), y * second]
    if kind == "uniform":
        z = sphere.uniform(rng, n, dimension)
    else:
        if "concentration" not in about:
            raise ValueError("concentration: missing, expected a number > 0")
        mean = np.asarray(about.get("mean", np.eye(dimension)[0]), np.float64)
        if mean.shape != (dimension,):
            raise ValueError(f"mean: expected {dimension} numbers, got {len(mean)}")
        z = sphere.von_mises_fisher(rng, n, mean, about["concentration"])
    return [z * _norms(rng, "norm", norm, n)]


def _norms(rng: np.random.Generator, name: str, given: Any, n: int) -> np.ndarray:
    """A norm for all, one for every row, or log-uniform between bounds, as (n, 1) or (1, 1)."""
    if isinstance(given, dict):
        if set(given) != {"low", "high"}:
            raise ValueError(f"{name}: expected {{low = ..., high = ...}}, got {quoted(given)}")
        return sphere.log_uniform_norms(rng, n, **given)[:, None]
    norms = np.asarray(given, np.float64).reshape(-1, 1)
    if isinstance(given, list) and len(norms) != n:
        raise ValueError(f"{name}: expected {n} numbers, one a row, got {len(norms)}")
    check_values(name, norms[:, 0] if isinstance(given, list) else np.asarray(given), above=0.0)
    return norms


def labels(config: Mapping[str, Any], n: int) -> np.ndarray | None:
    """Classes of the rows of the first cloud, in blocks: ``[classes] count`` or ``sizes``."""
    about = config.get("classes")
    if about is None:
        return None
    if not isinstance(about, dict):
        raise ConfigError(f"classes: expected a table [classes], got {quoted(about)}")
    about = checked(about, "classes", {"count": "an integer", "sizes": "a list of integers"})
    if len(about) != 1:
        raise ConfigError("classes: expected either count or sizes")
    if "count" in about:
        count = about["count"]
        if not 1 <= count <= n:
            raise ConfigError(f"classes.count: expected an integer in [1, {n}], got {count}")
        with section("classes"):
            return np.arange(n) * count // n
    sizes = about["sizes"]
    if min(sizes, default=0) < 1 or sum(sizes) != n:
        raise ConfigError(f"classes.sizes: expected integers >= 1 with sum {n}, got {sizes}")
    with section("classes"):
        return np.repeat(np.arange(len(sizes)), sizes)
