"""GradScale: the exponent of the steps in the norm is 2 - p."""

from __future__ import annotations

import numpy as np
import pytest

from simulations import gradscale

from .smoke import smoke


def test_recursion_and_sgd_differ_by_at_most_one_step() -> None:
    result = smoke("gradscale")
    assert np.abs(result.recursion - result.sgd).max() <= 1


@pytest.mark.parametrize("answer", ["closed_form", "recursion", "sgd"])
def test_exponents(answer: str) -> None:
    # Three norms a factor 4 apart and an own start of 50 pairs for each. False alarms: 1e-9 (20
    # other seeds: 0.011 off).
    exponents = smoke("gradscale")[f"{answer}_exponent"].values
    np.testing.assert_allclose(exponents, [2, 1, 0], atol=0.07)


def test_powers_agree_at_norm_one() -> None:
    steps = smoke("gradscale").sel(norm=1.0)
    np.testing.assert_allclose(steps.closed_form, steps.closed_form[0])
    # Norms grow a little on the way, and so do the rates of the higher powers.
    assert np.ptp(steps.recursion.values) <= 1
    assert np.ptp(steps.sgd.values) <= 1


def test_fit_recovers_a_known_exponent_and_its_error() -> None:
    rng = np.random.default_rng(0)
    norms = np.geomspace(1, 10, 50)
    steps = 7 * norms**1.5 * np.exp(0.01 * rng.standard_normal(50))
    slope, error = gradscale._exponent(norms, steps)
    assert abs(slope - 1.5) < 6 * error  # False alarms: 3e-7 (Student's t of 48).
    assert 0.001 < error < 0.004  # 0.01 / (0.67 √50), 0.67 the spread of log norms
    assert np.isnan(gradscale._exponent(norms[:2], steps[:2])).all()


@pytest.mark.parametrize("points", [3, 4, 9])
def test_the_error_of_an_exponent_is_that_of_a_regression(points: int) -> None:
    rng = np.random.default_rng(points)
    norms = np.geomspace(0.5, 20, points)
    steps = 7 * norms**1.5 * np.exp(0.1 * rng.standard_normal(points))
    fit, covariance = np.polyfit(np.log(norms), np.log(steps), 1, cov=True)
    expected = fit[0], covariance[0, 0] ** 0.5
    np.testing.assert_allclose(gradscale._exponent(norms, steps), expected, rtol=1e-9)
