"""Spearman's correlation with its intervals: against scipy, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from normtheory._ranks import (
    FEW,
    class_variance,
    for_other_classes,
    rank_correlation,
    with_interval,
    without_each,
)
from tests.coverage import DRAWS, assert_held

RESAMPLES = 199


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """As scipy has it."""
    return float(np.asarray(stats.spearmanr(x, y)[0]))


def tied(n: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two columns with many ties, and classes of unequal sizes, one of a single sample."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, n)
    return x, (x + rng.integers(0, 15, n) > 11), np.r_[7, rng.integers(0, 7, n - 1)]


def test_correlations_are_those_of_scipy() -> None:
    x, y, labels = tied()
    assert rank_correlation(x, y) == pytest.approx(spearman(x, y), abs=1e-14)
    assert np.isnan(rank_correlation(x, np.ones(len(x))))
    left = without_each(x, y, labels, np.arange(8))
    expected = [spearman(x[labels != k], y[labels != k]) for k in range(8)]
    np.testing.assert_allclose(left, expected, rtol=0, atol=1e-14)


def test_resamples_are_ranked_with_their_ties() -> None:
    x, y, _ = tied(40)
    found = with_interval(x, y, np.random.default_rng(3), RESAMPLES)
    draws = np.random.default_rng(3).integers(40, size=(RESAMPLES, 40))
    expected = np.quantile([spearman(x[d], y[d]) for d in draws], [0.025, 0.975])
    assert found[1:] == pytest.approx(expected, abs=1e-12)


def test_resamples_with_a_constant_column_are_left_out() -> None:
    x = np.arange(20.0)
    low, high = with_interval(x, x > 18, np.random.default_rng(0), RESAMPLES)[1:]
    assert 0 < low < high < 1


def test_batches_of_resamples_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, labels = tied()
    whole = with_interval(x, y, np.random.default_rng(0), 50), for_other_classes(x, y, labels)
    monkeypatch.setattr("normtheory._ranks._BATCH", 300)
    parts = with_interval(x, y, np.random.default_rng(0), 50), for_other_classes(x, y, labels)
    assert parts == whole


def test_the_variance_of_a_mean_is_students() -> None:
    values = np.random.default_rng(0).standard_normal(8)
    others = (values.sum() - values) / 7
    assert class_variance(others) == pytest.approx(stats.sem(values) ** 2)


def test_for_other_classes_it_is_students_interval_on_fishers_scale() -> None:
    x, y, labels = tied()
    left = [np.arctanh(spearman(x[labels != k], y[labels != k])) for k in range(8)]
    error = np.sqrt(7 / 8 * ((np.array(left) - np.mean(left)) ** 2).sum())
    ends = np.arctanh(spearman(x, y)) + stats.t.ppf(0.975, 7) * error * np.array([-1, 1])
    assert for_other_classes(x, y, labels) == pytest.approx((spearman(x, y), *np.tanh(ends)))


def test_where_one_class_decides_there_is_no_interval() -> None:
    x, labels = np.arange(60.0), np.repeat(np.arange(6), 10)
    answer = labels == 2  # without that class it is the same for all
    for y in (x**2, -x, answer, np.where(answer, x[::-1], x)):
        value, low, high = for_other_classes(x, y, labels)
        assert value == pytest.approx(spearman(x, y))
        assert np.isnan([low, high]).all()


def test_an_interval_from_resamples_holds_the_truth_in_95_percent() -> None:
    """False alarms: 4e-7 (measured over 20,000 draws: 94.8 %)."""
    rng = np.random.default_rng(0)
    # Spearman's ρ of normal pairs with Pearson's 0.6: 6/π arcsin(0.3) (Pearson 1907).
    truth, held = 6 / np.pi * np.arcsin(0.3), []
    for _ in range(DRAWS):
        x, noise = rng.standard_normal((2, 30))
        _, low, high = with_interval(x, 0.6 * x + 0.8 * noise, rng, RESAMPLES)
        held.append(low <= truth <= high)
    assert_held(held, 0.948)


@pytest.mark.parametrize(
    ("kind", "probability"),
    [pytest.param("continuous", 0.942, marks=pytest.mark.slow), ("yes or no", 0.905)],
)
def test_an_interval_of_few_unrelated_samples_holds_0_as_often_as_is_said(
    kind: str, probability: float
) -> None:
    rng = np.random.default_rng(0)
    held = []
    while len(held) < DRAWS:
        x, y = rng.standard_normal((2, FEW))
        if kind == "yes or no":
            y = (y > 0).astype(float)
        if (y == y[0]).all():
            continue
        _, low, high = with_interval(x, y, rng, RESAMPLES)
        held.append(low <= 0 <= high)
    assert_held(held, probability)


@pytest.mark.parametrize(
    ("classes", "apart", "share"),
    [(6, 3.0, 0.946), pytest.param(10, 0.5, 0.958, marks=pytest.mark.slow)],
)
def test_of_unrelated_columns_and_classes_an_interval_for_others_holds_0(
    classes: int, apart: float, share: float
) -> None:
    """False alarms: 4e-7 (the shares are those measured over 20,000 draws)."""
    rng = np.random.default_rng(0)
    labels, held = np.repeat(np.arange(classes), 10), []
    for _ in range(DRAWS):
        centres = apart * rng.standard_normal((2, classes))
        x, y = centres[:, labels] + rng.standard_normal((2, len(labels)))
        _, low, high = for_other_classes(x, y, labels)
        held.append(low <= 0 <= high)
    assert_held(held, share)
