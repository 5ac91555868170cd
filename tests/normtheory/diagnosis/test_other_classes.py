"""Samples of a class are no independent draws: where there are labels, classes count."""

from __future__ import annotations

import numpy as np
import pytest

import normtheory as nt
from normtheory import sphere
from normtheory._ranks import for_other_classes
from normtheory.diagnosis._neighbours import nearest, vote
from normtheory.diagnosis._parts import text_of
from tests.normtheory.diagnosis.data import clusters, embeddings

CLASSES = 8


def unrelated(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Norms and noise of a class are drawn apart; within a class nothing tells accuracy."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), 50)
    norm, noise = np.exp(rng.standard_normal(CLASSES)), rng.uniform(0.1, 1.5, CLASSES)
    u = np.eye(CLASSES)[labels] + noise[labels, None] * rng.standard_normal((400, CLASSES)) / 2
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return u * (norm[labels] * np.exp(0.1 * rng.standard_normal(400)))[:, None], labels


def test_no_relation_is_stated_where_classes_differ_by_chance() -> None:
    """False alarms: 6e-8 (intervals that leave out 0 in 6 % of draws; those of samples in 58 %)."""
    stated = 0
    for seed in range(20):
        report = nt.diagnose(*unrelated(seed))
        found = report.neighbours.norm_and_accuracy
        assert found is not None
        assert ("No relation of norm and accuracy shows here" in str(report)) is (found.sign == 0)
        stated += found.sign != 0
    assert stated <= 9


def test_every_correlation_of_samples_counts_the_classes_of_those_drawn() -> None:
    z, labels = clusters(300, noise=1.5, classes=6)
    names = np.array(list("fedcba"))[labels]
    second = embeddings(300, 6)
    report = nt.diagnose(z, names, second_view=second, sample=200, neighbours=5, seed=3)
    places = np.sort(np.random.default_rng(3).choice(300, 200, replace=False))
    norm, other = (np.linalg.norm(a, axis=1)[places] for a in (z, second))
    unit, codes = z[places] / norm[:, None], labels[places]
    near = nearest(unit, 5)
    cosine = nt.cosine_similarity(z, second)[places]
    assert report.views is not None
    for found, y in (
        (report.neighbours.norm_and_closeness, near.cosines.mean(axis=1)),
        (report.neighbours.norm_and_accuracy, vote(near, codes) == codes),
        (report.views.norm_and_agreement, cosine),
        (report.views.norm_and_norm, other),
    ):
        expected = for_other_classes(norm, y, codes)
        assert found is not None
        assert (found.rho, found.low, found.high) == pytest.approx(expected)
        assert (found.n, found.classes) == (200, 6)
        assert text_of(found).endswith("(n\u00a0=\u00a0200 in 6 classes)")
    assert "Intervals of correlations are for other classes" in " ".join(
        report.text(formulas=True).split()
    )


def test_without_labels_samples_count() -> None:
    found = nt.diagnose(embeddings())
    assert found.neighbours.norm_and_closeness.classes is None
    assert "Intervals take the samples as independent draws (95 %, 999 resamples)." in found.text(
        formulas=True
    )


def test_of_fewer_than_six_classes_there_is_no_interval() -> None:
    z, labels = clusters(300, noise=1.5, classes=6)
    few = labels < 5
    for kept, why in ((few, "5 classes are too few for an interval"), (labels < 6, "")):
        found = nt.diagnose(z[kept], labels[kept]).neighbours.norm_and_accuracy
        assert found is not None
        assert found.rho is not None
        assert found.why_not == why
        assert (found.low is None) == (found.high is None) == bool(why)


def test_where_one_class_decides_it_says_so() -> None:
    labels = np.repeat(np.arange(6), 10)
    z = sphere.uniform(np.random.default_rng(0), 60, 4) * np.arange(1.0, 61)[:, None]
    found = nt.diagnose(z, labels, second_view=2 * z).views
    assert found is not None
    assert found.norm_and_norm.rho == pytest.approx(1)
    assert found.norm_and_norm.low is None
    assert found.norm_and_norm.why_not == "without one of the classes it is not defined, or ±1"
