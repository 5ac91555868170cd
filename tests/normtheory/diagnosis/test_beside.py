"""Frequency, an earlier checkpoint, tokens, two rankings: against plain definitions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import normtheory as nt
from normtheory import sphere
from normtheory.diagnosis._popularity import slopes, summarise_popularity
from tests.normtheory.diagnosis.data import embeddings


@pytest.mark.parametrize(("q", "fits"), [(0.25, [0.25]), (0.5, [0.5]), (0.0, [0.0]), (1.0, [])])
@pytest.mark.parametrize("classes", [0, 10])
def test_the_power_of_the_frequency_is_found(q, fits, classes):
    rng = np.random.default_rng(1)
    frequency = rng.pareto(1.0, 400) + 1
    log, noise = np.log(frequency[5:]), 0.1 * rng.standard_normal(400)
    # Without a slope of its own in those that count: the power is q exactly, whatever is drawn, and
    # its interval holds q, while all other laws are dozens of standard errors away.
    noise[5:] -= np.polyval(np.polyfit(log, noise[5:], 1), log)
    norms = 3 * frequency**q * np.exp(noise)
    codes = np.arange(400) % classes if classes else None
    frequency[:5] = 0  # never met: no power of it
    found = summarise_popularity(norms, frequency, codes, rng)
    assert found.n == 395
    assert found.exponent == pytest.approx(q, abs=1e-12)
    assert found.interval is not None
    assert found.interval[0] < q < found.interval[1]
    assert [law.exponent for law in found.laws if law.fits] == fits


def test_slopes_of_samples_that_count_several_times():
    rng = np.random.default_rng(0)
    x, y, counts = rng.standard_normal(9), rng.standard_normal(9), rng.integers(4, size=(3, 9))
    expected = [np.polyfit(np.repeat(x, c), np.repeat(y, c), 1)[0] for c in counts]
    np.testing.assert_allclose(slopes(x, y, iter([counts])), expected)


def test_a_frequency_in_logarithms_is_no_frequency():
    found = nt.diagnose(embeddings(20), covariates={"frequency": -np.arange(20.0)}).popularity
    assert found is not None
    assert found.n == 0
    assert found.exponent is None
    assert found.why_not == "fewer than two frequencies above 0"


def _step(z, rate, decay, radial, across):
    """A step of claim radial_drift, with a pull across of that length."""
    size = np.linalg.norm(z, axis=1, keepdims=True)
    xi = sphere.tangent_projection(z, np.random.default_rng(1).standard_normal(z.shape))
    xi *= across / np.linalg.norm(xi, axis=1, keepdims=True)
    return (1 - rate * decay) * z + rate * (radial * z / size + xi) / size


@pytest.mark.parametrize(("decay", "radial"), [(0.0, -0.5), (0.2, 0.3), (0.2, -0.3)])
def test_a_planted_drift_is_found_and_where_it_leads(decay, radial):
    z = 10 * embeddings(50)
    given: dict[str, Any] = {"learning_rate": 0.1, "weight_decay": decay} if decay else {}
    report = nt.diagnose(_step(z, 0.1, decay, radial, 2.0), before=z, **given)
    found = report.change
    assert found is not None
    assert found.radial == pytest.approx(0.1 * radial)
    assert found.tangential == pytest.approx(0.1 * 2.0)
    expected = nt.drift.radial_drift_norm(0.1, decay, radial, 2.0)
    assert found.norm == pytest.approx(float(expected))
    assert found.why_not == ""


def test_decay_of_several_updates_is_told_apart():
    z = 10 * embeddings(50)
    moved = _step(z, 1.0, 0.0, 0.3, 2.0) - z + (1 - 0.1 * 0.2) ** 5 * z
    given: dict[str, Any] = {"learning_rate": 0.1, "weight_decay": 0.2}
    found = nt.diagnose(moved, before=z, updates=5, **given).change
    assert found is not None
    assert found.radial == pytest.approx(0.3)
    assert found.tangential == pytest.approx(2.0)


def test_a_change_in_numbers():
    before = np.array([[2.0, 0], [0, 4], [6, 0]])
    found = nt.diagnose(np.array([[0.0, 1], [0, 8], [9, 0]]), before=before).change
    assert found is not None
    assert (found.growth, found.shrunk, found.turned) == (2.0, pytest.approx(1 / 3), 0.0)
    assert found.radial == pytest.approx((-2 * 2 + 4 * 4 + 6 * 3) / 3)
    assert found.tangential == pytest.approx(np.sqrt((2 * 1) ** 2 / 3))
    assert found.norm is None
    assert "grow for ever" in found.why_not


@pytest.mark.parametrize(
    ("dtype", "noise", "why", "norm"),
    [
        (np.float64, 0.0, "no direction has changed", False),
        (np.float16, 0.0, "no direction has changed", False),
        (np.float64, 0.1, "swing about it", True),
    ],
)
def test_where_nothing_settles_it_is_said(dtype, noise, why, norm):
    z = embeddings(30)
    now = 0.3 * z + noise * np.random.default_rng(5).standard_normal(z.shape)
    report = nt.diagnose(now.astype(dtype), before=z.astype(dtype))
    assert report.change is not None
    assert why in report.change.why_not
    assert (report.change.norm is not None) == norm
    assert why in str(report).lower()


def test_an_earlier_checkpoint_has_the_same_samples():
    with pytest.raises(ValueError, match=r"before has shape \(30, 8\): expected the same samples"):
        nt.diagnose(embeddings(31), before=embeddings(30))
    z, old = embeddings(30), embeddings(30, seed=1)
    old[4] = np.nan
    report = nt.diagnose(z, before=old, drop_bad_rows=True)
    assert report.dropped == (4,)
    good = np.delete(np.arange(30), 4)
    assert report.change == nt.diagnose(z[good], before=old[good]).change


def test_tokens_that_stand_out():
    rng = np.random.default_rng(0)
    z = sphere.uniform(rng, 40 * 6, 8).reshape(40, 6, 8)
    z[:, 0] *= 5  # a position
    z[7, 3] *= 20  # a token
    z[9] *= 10  # a sample, whose tokens are alike
    z[::2, 5] = 0  # padding
    report = nt.diagnose(z.astype(np.float32))
    found = report.tokens
    assert found is not None
    assert (report.n, report.dimension, report.dtype) == (40, 8, "float32")
    assert found.length == 6
    assert found.padding == pytest.approx(20 / 240)
    assert found.outliers == pytest.approx(41 / 220)
    assert found.samples == 1
    assert [(p.position, p.n) for p in found.positions] == [(0, 40)]
    assert found.positions[0].ratio == pytest.approx(5, rel=1e-5)
    assert found.largest[0][:2] == (7, 3)
    assert found.largest[0][2:] == pytest.approx((20, 20), rel=1e-5)
    # The rest is about the mean of those that are there.
    means = np.array([row[np.linalg.norm(row, axis=1) > 0].mean(axis=0) for row in z])
    assert report.norms.mean == pytest.approx(np.linalg.norm(means, axis=1).mean(), rel=1e-6)
    said = str(report)
    assert "Positions that stand out" in said
    assert "No position stands out" in str(nt.diagnose(z[:, 1:5]))


def test_rows_of_tokens_keep_their_numbers():
    z = np.ones((5, 3, 2)) + np.arange(5)[:, None, None]
    z[1] = 0
    z[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"1 of 5 rows is not finite: row 2 and 1 .* zero: row 1"):
        nt.diagnose(z)
    z[4, 2] *= 10
    report = nt.diagnose(z, drop_bad_rows=True)
    assert report.dropped == (1, 2)
    assert report.tokens is not None
    assert report.tokens.largest[0][:2] == (4, 2)
    with pytest.raises(TypeError, match="expected floats of 16, 32 or 64 bits, got int64"):
        nt.diagnose(np.ones((5, 3, 2), dtype=np.int64))


def test_two_rankings_against_a_slow_loop():
    z, k = embeddings(700), 5  # more than a block of queries
    norms = np.linalg.norm(z, axis=1)
    found = nt.diagnose(z, neighbours=k).retrieval
    common, seen = 0, [[], []]
    for i, query in enumerate(z):
        product = z @ query
        for places, ranking in zip(seen, (product / norms, product), strict=True):
            ranking[i] = -np.inf
            places.append(set(np.argsort(-ranking)[:k].tolist()))
        common += len(seen[0][-1] & seen[1][-1])
    assert found.overlap == pytest.approx(common / (700 * k))
    largest = set(np.argsort(norms)[-70:].tolist())
    large = [sum(len(s & largest) for s in places) / (700 * k) for places in seen]
    assert [found.large_by_cosine, found.large_by_product] == pytest.approx(large)
    absent = [1 - len(set().union(*places)) / 700 for places in seen]
    assert [found.absent_by_cosine, found.absent_by_product] == pytest.approx(absent)


def test_equal_norms_change_no_ranking():
    z = sphere.uniform(np.random.default_rng(0), 50, 4)
    assert nt.diagnose(z).retrieval.overlap == 1


def test_all_of_it_is_in_the_page_and_in_json():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((30, 4, 8))
    report = nt.diagnose(z, before=0.9 * z[::-1], covariates={"frequency": rng.pareto(1, 30)})
    page, found = report.to_html(), json.loads(report.to_json())
    for title in (
        "Cosine or dot product",
        "Norm and frequency",
        "Since the earlier checkpoint",
        "Tokens",
    ):
        assert f"<h2>{title}</h2>" in page
    assert found["popularity"]["laws"][0]["exponent"] == 0.25
    assert found["change"]["growth"] == pytest.approx(1 / 0.9)
    assert len(found["tokens"]["largest"]) == 10
    assert found["sources"]["retrieval.overlap"]["formula"]
