"""The ρ⁴ law in d-dimensional SGD, and what it says about classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from simulations import quartic_growth

from .smoke import smoke


@pytest.mark.slow
def test_mean_fourth_power_follows_the_law() -> None:
    last = smoke("quartic_growth").isel(step=-1)
    # The law is a lower bound with an excess of order γ² log t; the rest is chance. False alarms:
    # 2e-7 (Student's t of 39, four classes).
    excess = last.fourth_power - last.predicted
    allowed = 7 * last.fourth_power_error + 5 * quartic_growth.SMOKE.learning_rate**2
    assert (excess < allowed).all()
    assert (excess > -7 * last.fourth_power_error).all()
    assert (last.fourth_power > 50 * quartic_growth.SMOKE.norm**4).all()  # growth dominates


@pytest.mark.slow
def test_classes_end_in_the_ratio_of_frequencies_to_a_quarter() -> None:
    last = smoke("quartic_growth").isel(step=-1)
    ratio = (last.fourth_power / last.fourth_power[0]).values ** 0.25
    expected = (last.frequency / last.frequency[0]).values ** 0.25
    # False alarms: 1e-9 (40 points: 0.6 % on the root of the rarest, 0.4 % and less on the others).
    np.testing.assert_allclose(ratio, expected, rtol=0.045)
    assert ratio[-1] > 1.5


@pytest.mark.slow
def test_norms_never_shrink() -> None:
    assert (smoke("quartic_growth").fourth_power.diff("step") >= 0).all()


@pytest.mark.slow
def test_probabilities_are_shares() -> None:
    np.testing.assert_allclose(smoke("quartic_growth").probability, np.array([1, 2, 4, 8]) / 15)


def test_what_is_said_of_batches_is_the_mean_its_standard_error_and_the_binomial_law(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = quartic_growth.Settings(batch=64, batch_starts=6, batch_steps=100)
    norms = np.random.default_rng(0).uniform(1, 2, (2, 6, 4))
    answers = iter(norms)

    def sweep(*_: Any, **__: Any) -> xr.Dataset:
        return xr.Dataset({"class_norm": (("seed", "class"), next(answers))})

    monkeypatch.setattr(quartic_growth.particles, "sweep", sweep)
    probability = np.array([1, 2, 4, 8]) / 15
    found, error, predicted = quartic_growth._batches(settings, probability)
    np.testing.assert_allclose(found, (norms**4).mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(error, stats.sem(norms**4, axis=1), rtol=1e-13)
    # A class is seen k times in a batch; ρ⁴ grows by 2γ²E[k] or 2γ²E[k²], times E[sin²φ] = 19/20.
    seen = np.stack([stats.binom(64, probability).moment(m) for m in (1, 2)])
    expected = settings.norm**4 + 2 * settings.batch_rate**2 * seen * 19 / 20 * 100
    np.testing.assert_allclose(predicted, expected, rtol=1e-12)


@pytest.mark.slow
def test_batches_follow_the_law_and_coherent_ones_its_square() -> None:
    settings = quartic_growth.Settings(batch=64, batch_steps=200, batch_starts=24, dimension=8)
    probability = np.array([1, 2, 4, 8]) / 15
    found, error, predicted = quartic_growth._batches(settings, probability)
    # The excess of order γ²k⁴ log t of the first steps, from a small norm, and chance.
    assert (found > predicted - 4 * error).all()
    np.testing.assert_allclose(found, predicted, rtol=0.08)
    independent, coherent = (found[:, -1] / found[:, 0]) ** 0.25
    assert abs(np.log(independent) / np.log(8) - 0.25) < 0.03
    # 64 p₁ = 4.3 copies a batch: E k² is not quite its square, 2.4 % less in the exponent.
    assert abs(np.log(coherent) / np.log(8) - 0.5) < 0.04
