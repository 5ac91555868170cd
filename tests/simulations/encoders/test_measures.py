"""Measures against loops and against scipy."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from simulations.encoders import measures
from simulations.encoders.measures import (
    alive,
    auroc,
    interval,
    neighbour_distance,
    neighbours_are_right,
    networks_are_right,
    spearman,
)

RNG = np.random.default_rng(0)


def test_distance_is_that_to_the_kth_other_direction() -> None:
    z = RNG.standard_normal((30, 4)) * RNG.uniform(0.1, 9, (30, 1))
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    for k in (1, 5):
        expected = [np.sort(np.linalg.norm(u - x, axis=1))[k] for x in u]  # [0] is itself
        np.testing.assert_allclose(neighbour_distance(z, k), expected, atol=1e-7)


def test_neighbours_vote_by_direction() -> None:
    known = np.array([[9.0, 0.0], [1.0, 0.1], [0.0, 0.2], [0.1, 5.0], [-1.0, 0.0]])
    labels = np.array([0, 0, 1, 1, 2])
    z = np.array([[0.1, 0.01], [0.01, 7.0], [-3.0, 0.1]])
    found = neighbours_are_right(z, np.array([0, 1, 0]), known, labels, 2)
    assert found.tolist() == [True, True, False]


def test_queries_in_blocks_find_the_same_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    # Small integers along the axes: every product is exact, however it is divided.
    z, known = (np.eye(4)[RNG.integers(0, 4, n)] * RNG.integers(1, 9, (n, 1)) for n in (101, 60))
    labels, known_labels = RNG.integers(0, 3, 101), RNG.integers(0, 3, 60)
    votes = (z, labels, known, known_labels, 7)
    as_many = int(z[:, 0].astype(bool).sum())  # so those of the first axis have one too few others
    right, distance = neighbours_are_right(*votes), neighbour_distance(z, as_many)
    assert 0 < right.sum() < 101
    assert 0 < np.count_nonzero(distance) < 101
    for entries in (60 * 40, 60, 1):  # blocks that are equal, of one query, and larger than wanted
        monkeypatch.setattr(measures, "_SIMILARITIES", entries)
        np.testing.assert_array_equal(neighbours_are_right(*votes), right)
        np.testing.assert_array_equal(neighbour_distance(z, as_many), distance)


def test_similarities_are_never_held_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "_SIMILARITIES", 2**16)
    z, labels = RNG.standard_normal((1200, 3)).astype(np.float32), np.arange(1200) % 2
    whole = 4 * len(z) ** 2  # bytes
    for measure in (
        lambda: neighbours_are_right(z, labels, z, labels, 3),
        lambda: neighbour_distance(z, 3),
    ):
        tracemalloc.start()
        measure()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < whole / 3


def test_a_dead_network_classifies_nothing() -> None:
    z = np.stack([np.ones((3, 2)), np.zeros((3, 2)), np.full((3, 2), np.nan)])
    labels = np.zeros((3, 3), int)
    found = networks_are_right(z, labels, z, labels, 1)
    assert found.tolist() == [[True] * 3, [False] * 3, [False] * 3]


def spoilt(kind: str) -> np.ndarray:
    """Embeddings (3, 2) of a network, with one thing wrong."""
    z = np.array([[1.0, 2.0], [3.0, -1.0], [0.0, 1.0]])
    row, entry = {
        "fine": ((), None),
        "one is zero": (1, 0.0),
        "all are zero": (slice(None), 0.0),
        "one entry is not a number": ((2, 1), np.nan),
        "one entry is infinite": ((0, 0), np.inf),
    }[kind]
    if entry is not None:
        z[row] = entry
    return z


KINDS = (
    "fine",
    "one is zero",
    "all are zero",
    "one entry is not a number",
    "one entry is infinite",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_alive_only_if_every_embedding_has_a_direction(kind: str) -> None:
    assert alive(spoilt(kind)) == (kind == "fine")
    many = np.stack([spoilt("fine"), spoilt(kind), spoilt("fine")])
    assert alive(many).tolist() == [True, kind == "fine", True]


@pytest.mark.parametrize("known", KINDS)
@pytest.mark.parametrize("asked", KINDS)
def test_a_network_dead_on_either_side_classifies_nothing(asked: str, known: str) -> None:
    one, other = (np.stack([spoilt("fine"), spoilt(kind)]) for kind in (asked, known))
    labels = np.array([[0, 1, 2], [2, 0, 1]])  # every point is its own nearest known one
    found = networks_are_right(one, labels, other, labels, 1)
    assert found.tolist() == [[True] * 3, [asked == known == "fine"] * 3]


def test_rank_correlation_is_that_of_scipy_and_its_interval_about_normal() -> None:
    off = []
    for _ in range(32):
        x = RNG.standard_normal(500)
        y = x + RNG.standard_normal(500)
        value, *found = spearman(x, y, np.random.default_rng(1))
        assert value == pytest.approx(stats.spearmanr(x, y)[0])
        # Bonett and Wright (2000): standard error of the Fisher transform.
        error = np.sqrt((1 + value**2 / 2) / (500 - 3))
        off.append(found - np.tanh(np.arctanh(value) + 1.96 * error * np.array([-1, 1])))
    # False alarms: 1e-8 (measured: intervals are too narrow by 0.002 at each end, ± 0.0006). Those
    # of 90 % would be by 0.01.
    np.testing.assert_allclose(np.mean(off, axis=0), 0, atol=0.006)


def test_a_constant_has_no_rank_correlation() -> None:
    """As where every vote of neighbours is right."""
    found = spearman(np.arange(9.0), np.ones(9), np.random.default_rng(0))
    assert np.isnan(found).all()


def test_auroc_counts_pairs() -> None:
    a, b = RNG.integers(0, 5, 20), RNG.integers(1, 7, 15)
    expected = np.mean([(x > y) + 0.5 * (x == y) for x in a for y in b])
    assert auroc(a, b) == pytest.approx(expected)


def test_interval_is_students() -> None:
    values = RNG.standard_normal((5, 2))
    low, high = stats.t.interval(0.95, 4, loc=values.mean(axis=0), scale=stats.sem(values, axis=0))
    np.testing.assert_allclose(interval(values), (high - low) / 2)
    assert np.isnan(interval(np.ones((1, 3)))).tolist() == [True, True, True]
    assert np.isnan(interval(np.ones(1)))


def test_steps_to_a_target_by_hand() -> None:
    step = np.array([0, 10, 30, 60])
    curves = np.array(
        [
            [0.0, 0.2, 0.6, 0.9],  # 0.5 is three quarters of the way from 10 to 30
            [0.5, 0.1, 0.1, 0.1],  # there at the start
            [0.0, 0.1, 0.2, 0.4],  # never
            [0.0, 0.6, 0.1, 0.9],  # the first time counts
            [0.0, 0.5, 0.5, 0.5],  # at a look
        ]
    )
    found = measures.steps_to_reach(curves, step, 0.5)
    np.testing.assert_allclose(found, [25, 0, np.inf, 10 * 0.5 / 0.6, 10])
    assert measures.steps_to_reach(curves[None, :2], step, 0.5).shape == (1, 2)


def test_holm_by_hand() -> None:
    # Ascending 0.01 · 4, 0.02 · 3, 0.03 · 2, 0.6; the third may not be less than the second.
    np.testing.assert_allclose(
        measures.holm(np.array([0.6, 0.01, 0.03, 0.02])), [0.6, 0.04, 0.06, 0.06]
    )
    np.testing.assert_allclose(measures.holm(np.array([0.9, 0.8])), [1, 1])
