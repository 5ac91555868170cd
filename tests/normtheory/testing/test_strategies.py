"""The hypothesis strategies keep their promises, and reach what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import normtheory as nt
from normtheory import testing

FEW = settings(max_examples=30, deadline=None, derandomize=True, database=None)
ANY = settings(FEW, max_examples=500, phases=(Phase.generate,))
"""For any example, not the simplest."""


@FEW
@given(testing.norms(1e-5, 1e2))
def test_norms_stay_within_their_bounds(norm: float) -> None:
    assert 1e-5 <= norm <= 1e2


@pytest.mark.parametrize(
    ("bounds", "simplest"), [((1e-3, 1e3), 1.0), ((5.0, 9.0), 5.0), ((0.1, 0.2), 0.2)]
)
def test_norms_shrink_towards_one(bounds: tuple[float, float], simplest: float) -> None:
    assert find(testing.norms(*bounds), lambda norm: True) == simplest


@pytest.mark.parametrize("wanted", [lambda x: x < 1e-2, lambda x: x > 1e2])
def test_norms_reach_both_ends(wanted: Any) -> None:
    assert wanted(find(testing.norms(1e-3, 1e3), wanted))


@pytest.mark.parametrize("angle", [0.0, 1e-6, 1.0, np.pi / 2, np.pi])
@pytest.mark.parametrize("dimension", [2, 7])
def test_pairs_are_at_their_angle(angle: float, dimension: int) -> None:
    @FEW
    @given(testing.pairs(dimension, angle=angle))
    def check(pair: tuple[np.ndarray, np.ndarray]) -> None:
        z, y = pair
        assert z.shape == y.shape == (dimension,)
        assert float(nt.angle(z, y)) == pytest.approx(angle, abs=1e-14)

    check()


@pytest.mark.parametrize("angle", [None, 1.0])
@pytest.mark.parametrize("longer", [0, 1])
def test_the_vectors_of_a_pair_have_norms_of_their_own(angle: float | None, longer: int) -> None:
    def apart(pair: tuple[np.ndarray, np.ndarray]) -> bool:
        norms = np.linalg.norm(pair, axis=1)
        return norms[longer] > 1e3 * norms[1 - longer]

    assert apart(find(testing.pairs(3, angle=angle), apart, settings=ANY))


def test_the_norms_of_a_pair_are_those_asked_for() -> None:
    strategy = testing.pairs(3, norms=st.sampled_from([2.0, 5.0]))
    for wanted in ([2.0, 5.0], [5.0, 2.0], [2.0, 2.0]):
        pair = find(
            strategy,
            lambda pair, w=wanted: bool(np.allclose(np.linalg.norm(pair, axis=1), w)),
            settings=ANY,
        )
        assert np.linalg.norm(pair, axis=1) == pytest.approx(wanted, rel=1e-14)
    for z in find(strategy, lambda pair: True, settings=ANY):
        assert min(abs(np.linalg.norm(z) - norm) for norm in (2.0, 5.0)) < 1e-14


@pytest.mark.parametrize("ends", [("z", "z"), ("z", "p"), ("p", "z"), ("p", "p")])
def test_every_row_and_every_positive_has_its_own_norm(ends: tuple[str, str]) -> None:
    """A row of one cloud is as short as can be, another of the same or the other cloud as long."""
    short, long = ends

    def apart(cloud: testing.PointCloud) -> bool:
        assert cloud.positives is not None
        norms = {"z": cloud.embeddings, "p": cloud.positives}
        shortest = np.linalg.norm(norms[short][0])
        longest = np.linalg.norm(norms[long][-1 if short == long else 0])
        return bool(longest > 100 * shortest)

    strategy = testing.point_clouds(3, 2, norm_spread=1e4, positives=0.5)
    assert apart(find(strategy, apart, settings=ANY))


def test_pairs_without_an_angle_meet_parallel_and_antiparallel_ones() -> None:
    for wanted in (0.0, np.pi):
        z, y = find(
            testing.pairs(4),
            lambda pair, w=wanted: abs(float(nt.angle(*pair)) - w) < 1e-7,
            settings=ANY,
        )
        assert np.abs(z / np.linalg.norm(z) - np.cos(wanted) * y / np.linalg.norm(y)).max() < 1e-6


@FEW
@given(
    testing.point_clouds(
        n=st.integers(4, 9),
        dimension=st.integers(2, 5),
        norm_spread=100.0,
        classes=3,
        positives=0.3,
    )
)
def test_clouds_keep_their_promises(cloud: testing.PointCloud) -> None:
    z, labels, positives = cloud
    norms = np.linalg.norm(z, axis=1)
    assert 4 <= len(z) <= 9
    assert 2 <= z.shape[1] <= 5
    assert norms.min() >= 0.1 * (1 - 1e-12)
    assert norms.max() <= 10 * (1 + 1e-12)
    assert set(labels) == {0, 1, 2}
    assert positives is not None
    assert np.asarray(nt.angle(z, positives)) == pytest.approx(0.3, abs=1e-13)


def test_a_spread_of_one_is_the_unit_sphere() -> None:
    cloud = find(testing.point_clouds(5, 3, norm_spread=1.0), lambda cloud: True, settings=ANY)
    assert np.linalg.norm(cloud.embeddings, axis=1) == pytest.approx(1.0, abs=1e-15)
    assert cloud.positives is None


def test_classes_lie_together() -> None:
    @FEW
    @given(testing.point_clouds(n=20, dimension=8, classes=2, concentration=1e4, norm_spread=1.0))
    def check(cloud: testing.PointCloud) -> None:
        u, labels, _ = cloud
        same = labels[:, None] == labels[None, :]
        assert (u @ u.T)[same].min() > 0.98

    check()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: testing.norms(0.0, 1.0), "norms: expected 0 < low <= high < inf, got low 0"),
        (lambda: testing.pairs(1), "dimension: expected an integer >= 2, got 1"),
        (lambda: testing.pairs(3, angle=4.0), r"angle: expected an angle in \[0, pi\] radians"),
        (lambda: testing.point_clouds(2, classes=3), "n: expected an integer >= 3, got 2 for 3 cl"),
        (lambda: testing.point_clouds(0), "n: expected an integer >= 1, got 0"),
        (lambda: testing.point_clouds(dimension=1), "dimension: expected an integer >= 2"),
        (lambda: testing.point_clouds(norm_spread=0.5), "norm_spread: expected a finite number"),
        (lambda: testing.point_clouds(classes=0), "classes: expected an integer >= 1, got 0"),
        (lambda: testing.point_clouds(concentration=0.0), "concentration: expected a finite"),
        (lambda: testing.point_clouds(positives=-1.0), r"positives: expected an angle in \[0, pi"),
    ],
)
def test_bad_options_are_named_at_once(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_a_cloud_of_any_size_is_one_seed() -> None:
    # Hypothesis' health checks refuse examples that are too large, so this fails if rows are drawn.
    seen = []

    @settings(max_examples=5, deadline=None, derandomize=True, database=None)
    @given(testing.point_clouds(n=512, dimension=3, norm_spread=1e4))
    def draw(cloud: testing.PointCloud) -> None:
        lengths = np.linalg.norm(cloud.embeddings, axis=1)
        assert ((lengths >= 0.999e-2) & (lengths <= 1.001e2)).all()
        seen.append(lengths.max() / lengths.min())

    draw()
    assert max(seen) > 10  # rows have norms of their own
