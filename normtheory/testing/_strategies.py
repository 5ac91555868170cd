"""Hypothesis strategies for embeddings: norms, pairs at an angle, clouds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from normtheory import sphere
from normtheory._arrays import check_count, check_option


class PointCloud(NamedTuple):
    """A drawn cloud of embeddings.

    Attributes:
        embeddings: float64, shape (n, d), nonzero rows.
        labels: integers (n,), every class present.
        positives: shape (n, d), row i the positive of embedding i, of its own norm; None unless
            asked for.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    positives: np.ndarray | None


def norms(low: float = 1e-3, high: float = 1e3) -> st.SearchStrategy[float]:
    """Norms, spread over the decades, that shrink towards the one nearest to 1.

    Args:
        low: smallest norm, > 0.
        high: largest norm, >= low.

    Returns:
        A strategy of floats in [low, high].

    Raises:
        ValueError: bad bounds.

    Example:
        >>> from hypothesis import given, settings
        >>> @settings(max_examples=5)
        ... @given(norms(0.1, 10.0))
        ... def test(norm):
        ...     assert 0.1 <= norm <= 10.0
        >>> test()
    """
    low, high = check_option("low", low), check_option("high", high)
    if not 0 < low <= high:
        raise ValueError(f"norms: expected 0 < low <= high < inf, got low {low!r}, high {high!r}")
    return _norms(low, high)


@st.composite
def _norms(draw: st.DrawFn, low: float, high: float) -> float:
    start = min(max(1.0, low), high)
    up = draw(st.booleans()) if low < start < high else start < high
    room = math.log10(high / start) if up else math.log10(start / low)
    # From 0, the simplest number, which is the norm nearest to 1.
    decades = draw(st.floats(0, room)) if room > 0 else 0.0
    return min(max(start * 10.0 ** (decades if up else -decades), low), high)


def _generators() -> st.SearchStrategy[np.random.Generator]:
    """Sources of randomness: hypothesis picks the seed, numpy draws the many numbers."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


def _check_angle(name: str, angle: float) -> None:
    if not 0 <= check_option(name, angle) <= math.pi:
        raise ValueError(f"{name}: expected an angle in [0, pi] radians, got {angle!r}")


def pairs(
    dimension: int = 3,
    *,
    angle: float | None = None,
    norms: st.SearchStrategy[float] | None = None,
) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    """Pairs of vectors at a chosen angle, in random position, each of its own norm.

    Args:
        dimension: d >= 2.
        angle: radians in [0, pi]; None draws one, 0, pi/2 and pi often among them.
        norms: strategy of the norms; by default :func:`norms`, 1e-3 to 1e3.

    Returns:
        A strategy of two float64 vectors (d,).

    Raises:
        ValueError: a bad dimension or angle.

    Example:
        >>> from hypothesis import given, settings
        >>> @settings(max_examples=5)
        ... @given(pairs(dimension=5, angle=np.pi / 2))
        ... def test(pair):
        ...     z, y = pair
        ...     assert abs(z @ y) <= 1e-14 * np.linalg.norm(z) * np.linalg.norm(y)
        >>> test()
    """
    check_count("dimension", dimension, 2)
    if angle is not None:
        _check_angle("angle", angle)
    return _pairs(dimension, angle, _norms(1e-3, 1e3) if norms is None else norms)


@st.composite
def _pairs(
    draw: st.DrawFn, dimension: int, angle: float | None, norms: st.SearchStrategy[float]
) -> tuple[np.ndarray, np.ndarray]:
    ends = st.sampled_from([0.0, math.pi / 2, math.pi])
    wanted = draw(st.one_of(ends, st.floats(0, math.pi))) if angle is None else angle
    z, y = sphere.pairs_at_angle(draw(_generators()), wanted, dimension, 1)
    return draw(norms) * z[0], draw(norms) * y[0]


def point_clouds(
    n: int | st.SearchStrategy[int] = 6,
    dimension: int | st.SearchStrategy[int] = 3,
    *,
    norm_spread: float = 1e3,
    classes: int = 1,
    concentration: float = 20.0,
    positives: float | None = None,
) -> st.SearchStrategy[PointCloud]:
    """Clouds of embeddings with a chosen spread of norms, in classes, with positives if asked.

    Args:
        n: number of points, >= 1, or a strategy of it.
        dimension: d >= 2, or a strategy of it.
        norm_spread: s >= 1: norms lie within [s^-1/2, s^1/2], each row having its own.
        classes: number of classes, from 1 (directions uniform on the sphere) to n.
        concentration: kappa > 0 of the directions of one class about their mean (von Mises-Fisher).
        positives: angle in radians, [0, pi], from each embedding to its positive; None for none.

    Returns:
        A strategy of :class:`PointCloud`.

    Raises:
        ValueError: bad options; where n or dimension is a strategy, when an example is drawn.

    Example:
        >>> from hypothesis import given, settings
        >>> @settings(max_examples=5)
        ... @given(point_clouds(n=8, classes=2, positives=0.1))
        ... def test(cloud):
        ...     assert cloud.embeddings.shape == cloud.positives.shape == (8, 3)
        ...     assert set(cloud.labels) == {0, 1}
        >>> test()
    """
    check_count("classes", classes, 1)
    if check_option("norm_spread", norm_spread) < 1:
        raise ValueError(f"norm_spread: expected a finite number >= 1, got {norm_spread!r}")
    if check_option("concentration", concentration) <= 0:
        raise ValueError(f"concentration: expected a finite number > 0, got {concentration!r}")
    if positives is not None:
        _check_angle("positives", positives)
    for name, size, least in (("n", n, classes), ("dimension", dimension, 2)):
        if not isinstance(size, st.SearchStrategy):
            check_count(name, size, least, _classes_need(name, classes))
    return _point_clouds(n, dimension, norm_spread, classes, concentration, positives)


def _classes_need(name: str, classes: int) -> str:
    return f" for {classes} classes" if name == "n" and classes > 1 else ""


@st.composite
def _point_clouds(
    draw: st.DrawFn,
    n: int | st.SearchStrategy[int],
    dimension: int | st.SearchStrategy[int],
    norm_spread: float,
    classes: int,
    concentration: float,
    positives: float | None,
) -> PointCloud:
    rows = draw(n) if isinstance(n, st.SearchStrategy) else n
    d = draw(dimension) if isinstance(dimension, st.SearchStrategy) else dimension
    check_count("n", rows, classes, _classes_need("n", classes))
    check_count("dimension", d, 2)
    rng = draw(_generators())
    labels = rng.permutation(np.arange(rows) % classes)
    directions = sphere.uniform(rng, rows, d)
    if classes > 1:
        for label, mean in enumerate(sphere.uniform(rng, classes, d)):
            mine = labels == label
            count = int(mine.sum())
            directions[mine] = sphere.von_mises_fisher(rng, count, mean, concentration)
    size = _norms(norm_spread**-0.5, norm_spread**0.5)
    sizes = st.lists(size, min_size=rows, max_size=rows).map(lambda x: np.array(x)[:, None])
    embeddings = draw(sizes) * directions
    if positives is None:
        return PointCloud(embeddings, labels, None)
    return PointCloud(embeddings, labels, draw(sizes) * _turned(rng, directions, positives))


def _turned(rng: np.random.Generator, directions: np.ndarray, angle: float) -> np.ndarray:
    """Turn unit rows by an angle, each towards a random side."""
    tangent = sphere.tangent_projection(directions, rng.standard_normal(directions.shape))
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    return math.cos(angle) * directions + math.sin(angle) * tangent
