"""The phase diagram: one variable, the flow below x = 1, self-taming above it."""

from __future__ import annotations

import numpy as np
import pytest

import normtheory as nt
from normtheory import sphere
from simulations import phase_diagram

SETTINGS = phase_diagram.Settings(
    norms=(0.25, 4.0), learning_rates=(1 / 64, 64.0), grid=5, pairs=50
)


@pytest.fixture(scope="module")
def result():
    return phase_diagram.run(SETTINGS)


def test_only_the_effective_rate_counts(result):
    # Norms 1/4 … 4 and rates 1/64 … 64: a step along the norms is a factor of 2, of 4 in x, and
    # along the rates a factor of 8. So x is the same three norms and two rates further on.
    x, steps, final = (result[k].values for k in ("effective_rate", "steps", "final_rate"))
    for i in range(2):
        for j in range(3):
            assert x[i, j] == pytest.approx(x[i + 3, j + 2], rel=1e-12)
            assert steps[i, j] == steps[i + 3, j + 2]
            assert final[i, j] == pytest.approx(final[i + 3, j + 2], rel=1e-9)


def test_steps_follow_the_flow_where_the_rate_is_small(result):
    small = result.effective_rate.values <= 0.02
    assert small.sum() >= 3
    ratio = result.steps.values[small] / result.flow.values[small]
    # False alarms: 1e-9 (16 other ensembles of 50 pairs: 1 % off).
    np.testing.assert_allclose(ratio, 1, rtol=0.06)


def test_a_rate_too_large_by_a_factor_is_as_slow_as_one_too_small(result):
    x, steps = result.effective_rate.values.ravel(), result.steps.values.ravel()
    for large in np.unique(x[x >= 16]):
        (slow,) = np.unique(steps[x == large])
        flow = float(result.flow.values.ravel()[x == large][0]) * large * (large + 1 / large)
        # Of random pairs that are orthogonal to 0.2. False alarms: 1e-9 (16 other seeds: 5 ± 1 %).
        assert slow == pytest.approx(flow, rel=0.12)
    assert result.converged.all()


def test_a_large_rate_ends_as_its_reciprocal(result):
    x, final = result.effective_rate.values, result.final_rate.values
    # The median pair has E sin² = 0.95. False alarms: 1e-9 (16 other seeds: 3 ± 1 %).
    np.testing.assert_allclose(final[x >= 16], 1 / x[x >= 16], rtol=0.1)
    np.testing.assert_allclose(final[x <= 1 / 16], x[x <= 1 / 16], rtol=0.1)


def test_the_flow_is_that_of_random_pairs_in_the_dimension(result):
    norm, rate = result.norm.values[:, None], result.learning_rate.values
    expected = norm**2 / (4 * rate) * np.log(2 * 19 / (17 * 1e-3))
    np.testing.assert_allclose(result.flow, expected, rtol=1e-3)


def test_the_final_rate_is_that_of_the_median_pair(result):
    rng = np.random.default_rng(SETTINGS.seed)
    z, y = (sphere.uniform(rng, 50, 20) for _ in range(2))
    for i, j in ((0, 4), (2, 3), (1, 1)):
        norm, rate = result.norm.values[i], result.learning_rate.values[j]
        end = nt.simulate_pairs(nt.angle(z, y), norm, norm, rate, tolerance=1e-3)
        rates = np.sort(rate / end.norm_i**2)
        expected = (rates[24] + rates[25]) / 2
        assert float(result.final_rate[i, j]) == pytest.approx(expected, rel=1e-9)
