"""Norms, neighbours, classes, views, directions, intervals: against slow plain definitions."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import stats

import normtheory as nt
from normtheory import sphere
from normtheory.diagnosis._correlation import spearman, wilson
from normtheory.diagnosis._neighbours import Neighbours, nearest, vote
from tests.normtheory.diagnosis.data import clusters, embeddings, rank_correlation

NAMES = ("x", "y")


def test_norms():
    z = embeddings()
    norms = np.sqrt((z**2).sum(axis=1))
    found = nt.diagnose(z).norms
    assert found.mean == pytest.approx(norms.mean())
    assert found.spread == pytest.approx(norms.std() / norms.mean())
    assert found.median == pytest.approx(np.median(norms))
    assert found.range_ratio == pytest.approx(np.quantile(norms, 0.95) / np.quantile(norms, 0.05))
    assert sum(found.histogram_counts) == len(z)
    assert found.histogram_edges[0] == pytest.approx(norms.min())
    assert found.histogram_edges[-1] == pytest.approx(norms.max())


def test_unexpected_are_the_smallest_norms():
    z, labels = clusters()
    norms = np.linalg.norm(z, axis=1)
    found = nt.diagnose(z, labels, unexpected=5).unexpected
    expected = sorted(range(len(z)), key=lambda i: norms[i])[:5]
    assert list(found.rows) == expected
    assert found.labels == tuple(str(labels[i]) for i in expected)
    assert len(nt.diagnose(z[:3], unexpected=5).unexpected.rows) == 3


def _slow_vote(z: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """One sample at a time, from the definition."""
    out = []
    for i, a in enumerate(z):
        cosines = [
            (a @ b / np.linalg.norm(a) / np.linalg.norm(b), int(labels[j]))
            for j, b in enumerate(z)
            if j != i
        ]
        best = sorted(cosines, reverse=True)[:k]
        score: dict[int, tuple[int, float]] = {}
        for cosine, label in best:
            votes, total = score.get(label, (0, 0.0))
            score[label] = votes + 1, total + cosine
        out.append(max(score, key=lambda label: score[label]))
    return np.array(out)


def test_neighbours_against_a_slow_loop():
    z, labels = clusters(120)
    right = _slow_vote(z, labels, 4) == labels  # of four, ties are common
    found = nt.diagnose(z, labels, neighbours=4, buckets=6).neighbours
    assert found.accuracy == pytest.approx(right.mean())
    assert found.chance == pytest.approx(np.bincount(labels).max() / 120)
    norms = np.linalg.norm(z, axis=1)
    order = np.argsort(norms)
    assert [b.accuracy for b in found.buckets] == pytest.approx(
        [right[part].mean() for part in np.array_split(order, 6)]
    )
    assert [b.n for b in found.buckets] == [20] * 6
    assert found.norm_and_accuracy is not None
    assert found.norm_and_accuracy.rho == pytest.approx(rank_correlation(norms, right))


def test_blocks_of_queries_fit_together():
    unit = sphere.uniform(np.random.default_rng(0), 1100, 3)
    found = nearest(unit, 3)
    similar = unit @ unit.T - 9 * np.eye(1100)
    np.testing.assert_array_equal(found.places, np.argsort(-similar, axis=1)[:, :3])
    codes = np.arange(1100) % 2
    np.testing.assert_array_equal(
        vote(found, codes)[600:], (codes[found.places].sum(1) > 1.5)[600:]
    )


def test_votes_count_before_cosines_do():
    places = np.array([[0, 1, 2], [0, 1, 3]])
    cosines = np.array([[0.99, -0.9, -0.9], [0.99, 0.3, 0.2]])
    # Two far ones outvote a near one; of one vote each, the nearest wins.
    assert vote(Neighbours(places, cosines), np.array([2, 1, 1, 0])).tolist() == [1, 2]


def test_a_sample_is_not_its_own_neighbour():
    # With itself counted, the single neighbour would always be right.
    z = embeddings(400)
    labels = np.random.default_rng(1).integers(2, size=400)
    found = nt.diagnose(z, labels, neighbours=1).neighbours
    assert found.accuracy is not None
    # False alarms: 3e-8. Samples that are each other's neighbours are right together: the variance
    # is at most that of 200 draws, and this 5.6 standard errors.
    assert 0.3 < found.accuracy < 0.7


def test_norm_that_tells_confidence_is_seen_and_one_that_does_not_is_not():
    z, labels = clusters(600, noise=1.5, classes=6)
    seen = nt.diagnose(z, labels)
    assert seen.neighbours.norm_and_accuracy is not None
    assert seen.neighbours.norm_and_accuracy.sign == 1
    assert "Larger norms are classified better here" in str(seen)
    rng, stated = np.random.default_rng(0), 0
    for _ in range(8):
        hidden = nt.diagnose(
            z * rng.uniform(1, 2, (600, 1)) / np.linalg.norm(z, axis=1)[:, None], labels
        )
        assert hidden.neighbours.norm_and_accuracy is not None
        nothing = hidden.neighbours.norm_and_accuracy.sign == 0
        assert ("No relation of norm and accuracy shows here" in str(hidden)) is nothing
        stated += not nothing
    assert stated <= 6  # False alarms: 2e-8 (intervals that leave out 0 in 6 % of draws).


def test_sample_is_seeded_and_said():
    z, labels = clusters(300)
    first, same = (nt.diagnose(z, labels, sample=100, seed=3) for _ in range(2))
    other = nt.diagnose(z, labels, sample=100, seed=4)
    assert first == same
    assert first.neighbours != other.neighbours
    assert first.neighbours.sample == 100
    assert "Done on 100 of 300 embeddings, drawn with seed 3" in str(first)
    # What needs no pairs is done on all.
    assert first.norms == nt.diagnose(z).norms


def test_spearman_against_scipy_with_ties():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, 80), rng.standard_normal(80)
    found = spearman(x, y, rng, NAMES)
    assert found.rho == pytest.approx(rank_correlation(x, y))
    assert found.rho is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.rho < found.high


@pytest.mark.parametrize("n", [5, 9, 10])
def test_few_samples_get_no_interval(n):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(n)
    y = x + rng.standard_normal(n)
    found = spearman(x, y, rng, NAMES)
    assert found.rho == pytest.approx(rank_correlation(x, y))
    assert (found.low is None) == (found.high is None) == (n < 10)
    assert found.why_not == (f"{n} samples are too few for an interval" if n < 10 else "")
    if n < 10:
        assert found.sign == 0


def test_a_report_without_an_interval_says_so():
    z = embeddings(35)
    found = nt.diagnose(z, np.repeat(list("abcdefg"), range(2, 9)))
    assert found.classes is not None
    assert found.classes.frequency_and_norm.rho is not None
    said = " ".join(str(found).split())
    assert "(no interval: 7 samples are too few for an interval)" in said
    few = nt.diagnose(*clusters(9, noise=1.5), neighbours=3)
    assert few.neighbours.norm_and_accuracy is not None
    assert few.neighbours.norm_and_accuracy.rho is not None
    assert "No relation of norm and accuracy" not in str(few)


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (np.ones(9), np.arange(9.0), "x is the same for all"),
        (np.arange(9.0), np.ones(9), "y is the same for all"),
        (np.arange(3.0), np.arange(3.0), "3 samples are too few"),
    ],
)
def test_correlation_that_is_not_defined_says_why(x, y, why):
    found = spearman(x, y, np.random.default_rng(0), NAMES)
    assert found.rho is None
    assert found.why_not == why
    assert found.sign == 0


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (3, 20), (700, 1000)])
def test_wilson_against_scipy(right, n):
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high))


def test_classes_are_ordered_by_norm():
    rng = np.random.default_rng(0)
    labels = np.repeat(["often", "rare", "some", "few", "many"], [80, 10, 40, 20, 60])
    size = dict(zip(*np.unique(labels, return_counts=True), strict=True))
    norms = np.array([size[label] ** 0.25 for label in labels]) * rng.uniform(0.99, 1.01, 210)
    found = nt.diagnose(sphere.uniform(rng, 210, 4) * norms[:, None], labels).classes
    assert found is not None
    assert [row.label for row in found.by_norm] == ["rare", "few", "some", "many", "often"]
    assert [row.n for row in found.by_norm] == [10, 20, 40, 60, 80]
    assert found.frequency_and_norm.rho == pytest.approx(1)
    medians = [np.median(norms[labels == row.label]) for row in found.by_norm]
    assert [row.median for row in found.by_norm] == pytest.approx(medians)
    assert found.ratio == pytest.approx(medians[-1] / medians[0])


def test_quartiles_of_classes_against_numpy():
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(9), [1, 2, 3, 4, 5, 6, 7, 8, 50]))
    z = sphere.uniform(rng, 86, 4) * rng.lognormal(size=(86, 1))
    norms = np.linalg.norm(z, axis=1)
    found = nt.diagnose(z, labels).classes
    assert found is not None
    assert found.singletons == 1
    for row in found.by_norm:
        own = norms[labels == int(row.label)]
        assert row.n == len(own)
        assert (row.low, row.median, row.high) == pytest.approx(np.quantile(own, (0.25, 0.5, 0.75)))


def test_memory_does_not_grow_with_the_number_of_classes():
    rng = np.random.default_rng(0)
    n = 100_000
    z = sphere.uniform(rng, n, 2) * rng.lognormal(size=(n, 1))
    tracemalloc.start()
    try:
        found = nt.diagnose(z, np.arange(n), sample=500)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.classes is not None
    assert found.classes.count == n
    assert len(found.to_json()) < 300_000
    # A dozen columns; votes of a block for every class would be 400 MB.
    assert peak < 60e6


def test_classes_are_ordered_by_norm_and_not_by_size():
    labels = np.repeat(["large", "middle", "small"], [5, 30, 15])
    norms = np.repeat([3.0, 1.0, 2.0], [5, 30, 15])
    z = sphere.uniform(np.random.default_rng(0), 50, 4) * norms[:, None]
    found = nt.diagnose(z, labels).classes
    assert found is not None
    assert [row.label for row in found.by_norm] == ["middle", "small", "large"]


def test_views():
    z = embeddings(100)
    y = embeddings(100, seed=1)
    found = nt.diagnose(z, second_view=y).views
    unit_z, unit_y = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (z, y))
    cosine = (unit_z * unit_y).sum(axis=1)
    assert found is not None
    assert found.alignment == pytest.approx(((unit_z - unit_y) ** 2).sum(axis=1).mean())
    assert found.mean_cosine == pytest.approx(cosine.mean())
    assert found.angles["50"] == pytest.approx(np.median(np.arccos(cosine)))
    norms = np.linalg.norm(z, axis=1)
    expected = rank_correlation(norms, cosine)
    assert found.norm_and_agreement.rho == pytest.approx(expected)
    order = np.argsort(norms)
    assert [row.cosine for row in found.by_norm] == pytest.approx(
        [cosine[part].mean() for part in np.array_split(order, 10)]
    )


def test_views_that_agree_exactly():
    z = embeddings(50)
    found = nt.diagnose(z, second_view=2 * z).views
    assert found is not None
    assert found.alignment < 1e-30
    assert found.norm_and_norm.rho == pytest.approx(1)


def test_dimensions_in_use():
    rng = np.random.default_rng(0)
    flat = np.zeros((2000, 10))
    flat[:, :4] = sphere.uniform(rng, 2000, 4)
    found = nt.diagnose(flat).directions
    # False alarms: 1e-7 (5 other seeds: 0.15 ± 0.03 %; 8000 resultant² is χ² of 4).
    assert found.participation == pytest.approx(4, rel=0.01)
    assert found.possible == 10
    assert found.resultant < 0.07
    # More dimensions than samples: from the other Gram matrix.
    wide = np.hstack([flat[:30], np.zeros((30, 90))])
    centred = flat[:30] - flat[:30].mean(axis=0)
    eigenvalues = np.linalg.svd(centred, compute_uv=False) ** 2
    assert nt.diagnose(wide).directions.participation == pytest.approx(
        eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    )
