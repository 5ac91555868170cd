"""What is drawn, counted, warned of and told: each choice at a place where another would show."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy import stats

import normtheory as nt
from normtheory.diagnosis._classes import summarise_classes
from normtheory.diagnosis._norms import by_norm
from normtheory.diagnosis._views import summarise_views
from tests.normtheory.diagnosis.data import embeddings

RATE = {"learning_rate": 2.0, "batch_size": 100, "reduction": "mean"}  # γ = 0.02


def with_norms(norms: np.ndarray, seed: int = 0, dimension: int = 8) -> np.ndarray:
    """Uniform directions at given norms."""
    z = embeddings(len(norms), dimension, seed)
    return z * (np.asarray(norms) / np.linalg.norm(z, axis=1))[:, None]


def test_a_draw_of_rows_has_each_once_and_keeps_its_norms():
    norms = np.random.default_rng(1).uniform(1, 9, 400)
    z = with_norms(norms, dimension=64)
    drawn = nt.diagnose(z, sample=300, neighbours=1).neighbours
    assert drawn.sample == 300
    # The same rows, each once, with their norms: the same correlation, to the bit.
    places = np.sort(np.random.default_rng(0).choice(400, 300, replace=False))
    alone = nt.diagnose(z[places], neighbours=1).neighbours
    assert drawn.norm_and_closeness.rho == alone.norm_and_closeness.rho


def test_classes_for_the_correlation_are_drawn_once_each():
    rng = np.random.default_rng(0)
    count, most = 40, 30
    sizes = np.arange(1, count + 1)
    codes = np.repeat(np.arange(count), sizes)
    norms = rng.uniform(1, 2, len(codes))
    names = np.array([str(k) for k in range(count)])
    found = summarise_classes(norms, names, codes, np.random.default_rng(3), most)
    drawn = np.sort(np.random.default_rng(3).choice(count, most, replace=False))
    medians = np.array([np.median(norms[codes == k]) for k in drawn])
    expected = stats.spearmanr(sizes[drawn], medians)[0]
    assert found.frequency_and_norm.rho == pytest.approx(expected)
    assert found.frequency_and_norm.n == most
    # Of all classes, those not drawn too: the one of one sample is not among these.
    seeds = [s for s in range(50) if 0 not in np.random.default_rng(s).choice(count, most, False)]
    assert (
        summarise_classes(norms, names, codes, np.random.default_rng(seeds[0]), most).singletons
        == 1
    )


def test_a_wide_spread_is_one_of_speeds_not_of_norms():
    warned = "wide spread of norms: the largest decile turns 9.0 times slower"
    three = np.repeat([1.0, 2.0, 3.0], [10, 80, 10])  # norms 3 times apart: speeds 9 times
    assert any(said.startswith(warned) for said in nt.diagnose(with_norms(three)).warnings)
    with_gradscale = nt.diagnose(with_norms(three), gradscale=1.0)  # speeds 3 times
    assert not any("wide spread" in said for said in with_gradscale.warnings)


def test_some_views_may_be_opposite_and_are_told():
    z = with_norms(np.ones(100))
    other = z + 0.1 * embeddings(100, seed=1)
    said = "some views are exactly opposite"
    some = other.copy()
    some[:10] = -z[:10]  # the 95th percentile of steps is infinite, the median is not
    report = nt.diagnose(z, second_view=some, **RATE)
    assert report.turning.steps_of_views is not None
    assert np.isfinite(report.turning.steps_of_views["50"])
    assert any(warning.startswith(said) for warning in report.warnings)
    assert not any(said in w for w in nt.diagnose(z, second_view=other, **RATE).warnings)


def test_n_samples_vary_in_one_dimension_fewer():
    assert nt.diagnose(embeddings(6, 32)).directions.possible == 5
    assert nt.diagnose(embeddings(200, 8)).directions.possible == 8


@pytest.mark.parametrize(("n", "shares"), [(4, 1), (9, 1), (10, 2), (24, 4), (50, 10), (500, 10)])
def test_buckets_hold_five_samples_or_more(n: int, shares: int):
    parts = by_norm(np.random.default_rng(0).uniform(1, 2, n), 10)
    assert len(parts) == shares
    assert min(len(p) for p in parts) >= min(n, 5)


def test_after_rows_were_dropped_labels_stay_with_their_rows():
    z = with_norms(np.arange(1.0, 41))
    z[:3] = 0
    labels = [f"label {i}" for i in range(40)]
    found = nt.diagnose(z, labels, drop_bad_rows=True, unexpected=3).unexpected
    assert found.rows == (3, 4, 5)
    assert found.labels == ("label 3", "label 4", "label 5")
    np.testing.assert_allclose(found.norms, [4, 5, 6])


def test_the_tolerance_moves_the_predicted_steps():
    z = with_norms(np.full(100, 3.0))
    for tolerance in (1e-3, 1e-5):
        steps = nt.diagnose(z, tolerance=tolerance, **RATE).turning.steps_from_right_angle
        assert steps is not None
        # ln[tan(π/4)/tan(φ/2)]·ρ²/2γ, tan²(φ/2) = (1 - cos φ)/(1 + cos φ)
        expected = -np.log(np.sqrt(tolerance / (2 - tolerance))) * 9 / 0.04
        assert steps["50"] == pytest.approx(expected, rel=1e-6)


def test_the_equilibrium_is_that_of_the_power_in_use():
    z = with_norms(np.full(100, 3.0))
    decay, square = 0.01, 7 / 8
    for power in (0.0, 1.0):
        found = nt.diagnose(z, weight_decay=decay, gradscale=power, **RATE).turning.equilibrium_norm
        lost = 2.0 * decay  # ηλ = γλ'
        # ρ^(4-2p) = γ² E sin²φ/(ηλ(2 - ηλ))
        expected = (0.02**2 * square / (lost * (2 - lost))) ** (1 / (4 - 2 * power))
        assert found == pytest.approx(expected, rel=1e-9)


def test_the_error_of_a_cosine_is_its_standard_error():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, np.pi, 60)
    norms = np.sort(rng.uniform(1, 2, 60))
    found = summarise_views(angles, norms, norms, np.arange(60), None, 3, rng).by_norm
    for k, row in enumerate(found):
        cosines = np.cos(angles[20 * k : 20 * k + 20])
        assert row.cosine == pytest.approx(cosines.mean())
        assert row.error == pytest.approx(cosines.std() / 20**0.5)


def test_the_table_of_many_classes_has_both_ends():
    norms = np.repeat(np.arange(1.0, 51), 4)
    text = str(nt.diagnose(with_norms(norms), [f"of {norm:g}" for norm in norms]))
    listed = re.findall(r"^\s*of (\d+) ", text, flags=re.MULTILINE)
    assert listed == [str(k) for k in (*range(1, 13), *range(39, 51))]


def test_left_out_of_the_list_is_not_drawn():
    z, labels = embeddings(2400), np.arange(2400) // 2
    found = nt.diagnose(z, labels, sample=2000)
    assert found.classes is not None
    assert found.classes.left_out == 200
    assert "The correlation is over" not in str(found)


@pytest.mark.parametrize(
    ("power", "said"),
    [
        (0.0, "GradScale with p = 1.00"),
        (1.0, "The power of GradScale in use suits the spread."),
        (1.5, "GradScale with p = 1.00"),
    ],
)
def test_a_power_is_suggested_whether_larger_or_smaller_than_the_one_in_use(power, said):
    norms = np.repeat([1.0, 2.0, 3.0], [10, 80, 10])
    report = nt.diagnose(with_norms(norms), gradscale=power, target_slowdown=3.0)
    assert report.advice.gradscale == pytest.approx(1.0)
    assert said in " ".join(str(report).split())
    assert json.loads(report.to_json())["advice"]["gradscale"] == pytest.approx(1.0)
