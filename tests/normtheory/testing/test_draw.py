"""The clouds that a loss is tried on: their norms, their seed, and that a loss is shown them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import normtheory as nt
from normtheory.testing._draw import Example, examples
from normtheory.testing._search import simplest

from . import plain

RANGES = [(1e-3, 1e3), (1e-9, 1e-6), (1e-2, 1e8), (20.0, 30.0)]
"""Centred at 1, far below, off it, and narrow."""


def _norms(example: Example) -> np.ndarray:
    return np.linalg.norm(example.cloud, axis=1)


@pytest.mark.parametrize("norms", RANGES, ids=str)
def test_clouds_have_the_norms_of_the_range(norms: tuple[float, float]) -> None:
    low, high = norms
    drawn = list(examples(6, 4, norms, 200, 0))
    middle = np.sqrt(low * high)
    every = np.array([_norms(example) for example in drawn])
    assert every.shape == (200, 6)
    assert every.min() >= low * (1 - 1e-12)
    assert every.max() <= high * (1 + 1e-12)
    for example in drawn:
        assert np.linalg.norm(example.base, axis=1) == pytest.approx(middle, rel=1e-14)
    # The ends come first: of the whole cloud, then of a single row.
    assert every[0] == pytest.approx(low, rel=1e-12)
    assert every[1] == pytest.approx(high, rel=1e-12)
    for row, end in ((2, low), (3, high)):
        off = ~np.isclose(every[row], middle, rtol=1e-9)
        assert off.sum() == 1
        assert every[row][off] == pytest.approx(end, rel=1e-12)
    # Then every fourth has one norm, and the rows of the others have their own, down to one end
    # and up to the other, evenly over the decades.
    own = np.array([norm for i, norm in enumerate(every) if i >= 4 and i % 4]).ravel()
    for i in range(4, 200):
        assert (np.ptp(every[i]) <= 1e-12 * high) == (i % 4 == 0)
    counts, _ = np.histogram(np.log(own / low) / np.log(high / low), 4, (0, 1))
    assert counts.min() > 0.2 * len(own)
    alike = every[4::4, 0]
    assert np.log(alike.max() / alike.min()) > 0.75 * np.log(high / low)


@pytest.mark.parametrize("norms", RANGES[1:], ids=str)
def test_a_loss_is_shown_norms_of_the_range_alone(norms: tuple[float, float]) -> None:
    seen: list[np.ndarray] = []

    def loss(z: np.ndarray) -> float:
        seen.append(np.linalg.norm(z, axis=1))
        return plain.attraction(z)

    nt.testing.assert_loss_of_directions(loss, norms=norms, max_examples=12)
    # Finite differences move a row by up to 2·2^-13 of its norm.
    assert np.min(seen) >= norms[0] * (1 - 2**-11)
    assert np.max(seen) <= norms[1] * (1 + 2**-11)


def test_every_seed_has_its_own_clouds_and_always_the_same() -> None:
    def clouds(seed: int) -> np.ndarray:
        return np.array([e.cloud for e in examples(5, 3, (0.1, 10.0), 9, seed)])

    drawn = [clouds(seed) for seed in range(4)]
    for i, one in enumerate(drawn):
        np.testing.assert_array_equal(one, clouds(i))
        for other in drawn[:i]:
            assert (one != other).all()


def test_a_loss_is_shown_the_clouds_of_the_seed() -> None:
    """All of them: ordinary clouds, which the size of a gradient is taken from, and examples."""

    def shown(seed: int) -> set[bytes]:
        seen: set[bytes] = set()

        def loss(z: Any) -> float:
            seen.add(z.tobytes())
            return plain.attraction(z)

        nt.testing.assert_scale_invariant(loss, max_examples=5, seed=seed)
        return seen

    assert shown(1) == shown(1)
    assert not shown(1) & shown(2)


def _example(rows: int) -> Example:
    return Example(np.tile([0.3, -0.4], (rows, 1)), np.full(rows, 7.0))


@pytest.mark.parametrize(
    ("a_row", "kept"),
    [
        # In tolerances, and the fewest rows that are not within one: 5 · 0.19 is, and 2 · 0.45.
        (0.19, 6),
        (0.45, 3),
        (0.9, 2),
        (5.0, 1),
        (50.0, 1),
    ],
)
def test_a_simplified_counterexample_fails_too(a_row: float, kept: int) -> None:
    tolerance = 1e-5

    def judge(example: Example) -> float:
        return a_row * tolerance * len(example.base)

    small = simplest(judge, _example(6), tolerance)
    assert judge(small) > tolerance
    assert len(small.base) == kept


def test_a_simplified_counterexample_is_no_borderline_case() -> None:
    """A tenth of the first failure, or ten tolerances if that is less, is still broken."""

    def judge(example: Example) -> float:
        return 1e-5 * {6: 1000.0, 3: 11.0, 2: 9.0, 1: 9.0}.get(len(example.base), 0.0)

    assert len(simplest(judge, _example(6), 1e-5).base) == 3

    def slight(example: Example) -> float:
        return 1e-5 * {6: 50.0, 3: 5.5, 2: 4.5, 1: 4.5}.get(len(example.base), 0.0)

    assert len(simplest(slight, _example(6), 1e-5).base) == 3


@pytest.mark.parametrize(("first", "kept"), [(1.0, 6), (np.inf, 1)])
def test_a_loss_that_is_undefined_on_fewer_points_has_not_failed_there(
    first: float, kept: int
) -> None:
    def judge(example: Example) -> float:
        return first if len(example.base) == 6 else np.inf

    assert len(simplest(judge, _example(6), 1e-5).base) == kept
