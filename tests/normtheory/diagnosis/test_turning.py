"""Speeds, steps and the equilibrium, against plain simulations that know no formula."""

from __future__ import annotations

import numpy as np
import pytest

import normtheory as nt
from normtheory import sphere
from normtheory.diagnosis._parts import number
from tests.normtheory.diagnosis.data import embeddings

RATE = {"learning_rate": 2.0, "batch_size": 100, "reduction": "mean"}  # γ = 0.02


def _attract(z: np.ndarray, y: np.ndarray, rate: float) -> np.ndarray:
    """One plain step of z, by central differences of -cos in each component."""
    gradient = np.empty_like(z)
    for i in range(len(z)):
        up, down = z.copy(), z.copy()
        up[i] += 1e-6
        down[i] -= 1e-6
        cosines = [a @ y / np.linalg.norm(a) / np.linalg.norm(y) for a in (up, down)]
        gradient[i] = -(cosines[0] - cosines[1]) / 2e-6
    return z - rate * gradient


def _turned(norm: float, rate: float) -> float:
    """Radians that a point of that norm turns by towards a partner at a right angle."""
    z, y = np.array([norm, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    step = _attract(z, y, rate)
    return float(np.arctan2(step[1], step[0]))


def test_slowdown_is_how_much_less_the_large_norms_turn():
    norms = np.repeat([1.0, 2.0, 5.0], [10, 80, 10])
    z = sphere.uniform(np.random.default_rng(0), 100, 3) * norms[:, None]
    found = nt.diagnose(z).turning
    measured = _turned(1.0, 1e-3) / _turned(5.0, 1e-3)
    assert found.slowdown == pytest.approx(measured, rel=1e-4)
    assert found.decile_ratio == pytest.approx(5)
    assert found.decile_speeds[0] == pytest.approx(
        _turned(1.0, 1e-3) / _turned(2.0, 1e-3), rel=1e-4
    )
    assert found.decile_speeds[5] == pytest.approx(1)


def test_effective_rate_is_the_turn_in_a_step():
    norms = np.full(50, 3.0)
    z = sphere.uniform(np.random.default_rng(0), 50, 4) * norms[:, None]
    found = nt.diagnose(z, **RATE).turning
    assert found.pair_rate == pytest.approx(0.02)
    assert found.effective_rates is not None
    assert found.effective_rates["50"] == pytest.approx(_turned(3.0, 0.02), rel=1e-4)


def test_without_batch_size_the_rate_is_that_of_a_sum_and_no_steps_are_told():
    z = embeddings()
    known, unknown = nt.diagnose(z, **RATE), nt.diagnose(z, learning_rate=2.0, weight_decay=0.01)
    assert known.turning.effective_rates is not None
    assert unknown.turning.effective_rates is not None
    assert unknown.turning.effective_rates["50"] == pytest.approx(
        100 * known.turning.effective_rates["50"]
    )
    assert unknown.turning.steps_from_right_angle is None
    assert unknown.turning.equilibrium_norm is None
    assert unknown.advice.cut_factor is None
    assert "free embeddings" not in str(unknown)
    assert "give batch_size and reduction" in str(unknown)


def test_steps_are_those_of_the_exact_recursion_and_marked_as_of_free_embeddings():
    report = nt.diagnose(embeddings(), **RATE)
    steps = report.turning.steps_from_right_angle
    assert steps is not None
    for percentile, predicted in steps.items():
        norm = report.norms.quantiles[percentile]
        exact = nt.simulate_pairs(np.pi / 2, norm, norm, 0.02)
        # The flow is good to a few per cent here: effective rates up to 0.015.
        assert predicted == pytest.approx(float(exact.steps), rel=0.02)
    assert "As free embeddings" in str(report)


def test_steps_of_views_start_from_their_angles():
    z = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    y = np.array([[0.0, 4.0], [0.0, 4.0], [4.0 * np.cos(1), 4.0 * np.sin(1)]])
    steps = nt.diagnose(z, second_view=y, **RATE).turning.steps_of_views
    assert steps is not None
    assert steps["5"] == 0
    for percentile, angle in (("50", 1.0), ("95", np.pi / 2)):
        exact = nt.simulate_pairs(angle, 2.0, 4.0, 0.02)
        assert steps[percentile] == pytest.approx(float(exact.steps), rel=0.02)


def test_opposite_views_never_meet():
    z = embeddings(20)
    report = nt.diagnose(z, second_view=-z, **RATE)
    assert report.turning.steps_of_views is not None
    assert report.turning.steps_of_views["50"] == np.inf
    assert any("exactly opposite" in said for said in report.warnings)
    assert report.to_dict()["turning"]["steps_of_views"]["50"] is None


def test_equilibrium_is_where_plain_sgd_on_a_mean_with_decay_settles():
    n, dimension, rate, decay = 16, 10, 1.0, 0.01
    rng = np.random.default_rng(0)
    z = sphere.uniform(rng, n, dimension)
    squares = []
    for step in range(2400):
        y = sphere.uniform(rng, n, dimension)
        norm = np.linalg.norm(z, axis=1, keepdims=True)
        unit = z / norm
        gradient = -(y - (y * unit).sum(axis=1, keepdims=True) * unit) / norm / n  # of a mean
        z = z - rate * (gradient + decay * z)
        if step >= 600:
            squares.append((z * z).sum(axis=1) ** 2)
    found = nt.diagnose(
        z, learning_rate=rate, weight_decay=decay, batch_size=n, reduction="mean"
    ).turning
    # The mean of ρ⁴ over 1800 steps of 16 points, whose memory is 1/4γλ = 25 steps. False alarms:
    # below 1e-9 (11 other seeds: 0.02 % off).
    assert found.equilibrium_norm == pytest.approx(np.mean(squares) ** 0.25, rel=0.02)
    assert found.equilibrium_angular_step == pytest.approx(np.arccos(1 - rate * decay))
    # The mistake this guards against: decay with the rate of a pair.
    wrong = nt.equilibrium_norm(rate / n, decay, (dimension - 1) / dimension)
    assert abs(float(wrong) / np.mean(squares) ** 0.25 - 1) > 0.5


def test_cut_brings_the_median_to_the_target_and_equals_a_learning_rate():
    z = embeddings()
    report = nt.diagnose(z, weight_decay=0.01, target_rate=0.3, **RATE)
    advice = report.advice
    assert advice.cut_factor is not None
    assert advice.cut_factor > 1
    cut = nt.diagnose(z / advice.cut_factor, **RATE)
    faster = nt.diagnose(z, **{**RATE, "learning_rate": advice.same_as_learning_rate})
    for other in (cut, faster):
        assert other.turning.effective_rates is not None
        assert other.turning.effective_rates["50"] == pytest.approx(0.3)
    # Rate times decay stays.
    assert advice.same_as_learning_rate is not None
    assert advice.same_as_weight_decay is not None
    assert advice.same_as_learning_rate * advice.same_as_weight_decay == pytest.approx(2.0 * 0.01)
    assert "same as tuning the learning rate" in report.text(formulas=True)


def _network(layers: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """A bias-free ReLU network, linear at its end."""
    for weight in layers[:-1]:
        x = np.maximum(x @ weight, 0)
    return x @ layers[-1]


def test_cut_factor_of_a_network_is_spread_over_its_layers_as_the_report_says():
    rng = np.random.default_rng(0)
    layers = [rng.standard_normal(shape) for shape in ((5, 16), (16, 16), (16, 4))]
    x = rng.standard_normal((60, 5))
    report = nt.diagnose(_network(layers, x), target_rate=0.3, **RATE)
    c = report.advice.cut_factor
    assert c is not None
    assert c > 2

    def median_rate(cut: list[np.ndarray]) -> float:
        found = nt.diagnose(_network(cut, x), **RATE).turning.effective_rates
        assert found is not None
        return found["50"]

    spread = nt.cut_init(layers, c ** (1 / 3))
    last = [*layers[:-1], np.asarray(nt.cut_init(layers[-1:], c)[0])]
    for cut in (spread, last):
        assert median_rate([np.asarray(w) for w in cut]) == pytest.approx(0.3, rel=1e-5)
    # All layers by c, as a hasty reader would: c^L.
    hasty = [np.asarray(w) for w in nt.cut_init(layers, c)]
    assert median_rate(hasty) == pytest.approx(0.3 * c**4, rel=1e-5)
    text = " ".join(report.text(formulas=True).split())
    advice, details = text.split(" Norms ----- ")
    assert "diagnose the untrained encoder with these options" in advice
    assert 'nt.cut_init(model, c, part="last")' in advice
    # What holds for free embeddings is said of them alone, and no advice.
    rate = number(report.advice.same_as_learning_rate or 0.0)
    assert rate not in advice
    assert rate in details.split("The target for free embeddings")[1]
    for said in (
        "As free embeddings, cutting is the same as tuning the learning rate",
        "divided by c^(1/L), or the last alone by c",
        "nt.cut_init(model, c) divides all by c, and so the output by c^L",
        "For an encoder c is no factor for weights",
    ):
        assert said in details
    assert "exactly" not in text
    for name in ("cut_factor", "same_as_learning_rate", "same_as_weight_decay"):
        source = report.to_dict()["sources"][f"advice.{name}"]
        assert "as free embeddings" in source["formula"]


@pytest.mark.parametrize("power", [0.5, 1.5])
def test_cut_under_gradscale_obeys_the_scale_theorem(power):
    z = embeddings()
    options = {**RATE, "gradscale": power, "target_rate": 0.5}
    advice = nt.diagnose(z, **options).advice
    assert advice.cut_factor is not None
    cut = nt.diagnose(z / advice.cut_factor, **options)
    assert cut.turning.effective_rates is not None
    assert cut.turning.effective_rates["50"] == pytest.approx(0.5)
    faster = nt.diagnose(z, **{**options, "learning_rate": advice.same_as_learning_rate})
    assert faster.turning.effective_rates is not None
    assert faster.turning.effective_rates["50"] == pytest.approx(0.5)


def test_no_cut_where_embeddings_are_fast_or_blind_to_the_norm():
    z = embeddings()
    fast = nt.diagnose(z, target_rate=1e-6, **RATE)
    assert fast.advice.cut_factor == 1
    assert "No cut: the median is as fast as the target" in str(fast)
    blind = nt.diagnose(z, gradscale=2.0, **RATE)
    assert blind.advice.cut_factor is None
    assert blind.turning.slowdown == 1
    assert "p = 2 is blind to the norm" in str(blind)


def test_gradscale_power_leaves_the_wanted_slowdown_and_the_median_speed():
    z = embeddings()
    before = nt.diagnose(z, target_slowdown=1.5, **RATE)
    power, factor = before.advice.gradscale, before.advice.gradscale_rate_factor
    assert 0 < power < 2
    after = nt.diagnose(z, gradscale=power, **{**RATE, "learning_rate": 2.0 * factor})
    assert after.turning.slowdown == pytest.approx(1.5)
    assert before.turning.effective_rates is not None
    assert after.turning.effective_rates is not None
    assert after.turning.effective_rates["50"] == pytest.approx(
        before.turning.effective_rates["50"]
    )
    # Asked again with the power in use, it stays.
    again = nt.diagnose(z, gradscale=power, target_slowdown=1.5)
    assert again.advice.gradscale == pytest.approx(power)
    assert nt.diagnose(z, target_slowdown=1e9).advice.gradscale == 0
    assert nt.diagnose(z, target_slowdown=1.0).advice.gradscale == 2


@pytest.mark.parametrize("scale", [2.0**-600, 2.0**600])
def test_extreme_norms_change_units_only(scale):
    z = embeddings()
    plain, scaled = nt.diagnose(z), nt.diagnose(z * scale)
    assert scaled.turning == plain.turning
    assert scaled.neighbours.norm_and_closeness == plain.neighbours.norm_and_closeness
    assert scaled.norms.quantiles["50"] == plain.norms.quantiles["50"] * scale
    assert scaled.norms.spread == pytest.approx(plain.norms.spread)


@pytest.mark.parametrize("unit", [1e-300, 1e155, 1e300])
def test_advice_follows_the_unit_of_the_embeddings(unit):
    z = np.random.default_rng(0).standard_normal((30, 8))
    options = {"learning_rate": 0.5, "batch_size": 10, "reduction": "mean", "weight_decay": 0.1}
    with np.errstate(all="raise"):
        plain, found = nt.diagnose(z, **options), nt.diagnose(unit * z, **options)
        assert str(found)
        assert found.to_json()
    assert found.advice.gradscale == pytest.approx(plain.advice.gradscale, rel=1e-12)
    small = unit < 1  # turns fast enough, and more than that
    cut = 1.0 if small else plain.advice.cut_factor * unit  # c ∝ ρ
    assert found.advice.cut_factor == pytest.approx(cut, rel=1e-9)
    assert found.advice.same_as_learning_rate == (0.5 if small else np.inf)
    assert found.norms.median == pytest.approx(plain.norms.median * unit, rel=1e-12)
