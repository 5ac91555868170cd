"""Clouds of any size open as one pair does, and InfoNCE takes the steps of its closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import figures
from figures import equiangular as figure
from simulations import equiangular


@pytest.fixture(scope="module")
def result():
    return equiangular.run(
        equiangular.Settings(sizes=(2, 5), steps=150, temperatures=(0.5,), start=0.2)
    )


@pytest.mark.parametrize("n", [2, 3, 6])
def test_a_cloud_has_the_angle_it_was_asked_for(n):
    points = equiangular.cloud(n, 1.1, np.random.default_rng(3))
    cosines = points @ points.T
    m = n * np.cos(0.55) ** 2
    np.testing.assert_allclose(cosines[~np.eye(n, dtype=bool)], (m - 1) / (n - 1), atol=1e-14)
    np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-14)
    other = equiangular.cloud(n, 1.1, np.random.default_rng(4))
    assert abs(points - other).max() > 1e-8  # False alarms: 1e-8 (two angles in a plane).


def test_all_clouds_have_the_angle_of_one_pair(result):
    # Rounding of 150 steps, which a start near collapse magnifies about tan(ψ/2) ratios of 1e3.
    np.testing.assert_allclose(result.angle, result.mapped_angle, atol=1e-10)
    np.testing.assert_allclose(result.norm, result.mapped_norm, rtol=1e-12)
    pair = np.broadcast_to(result.pair_angle.values, result.angle.shape)
    np.testing.assert_allclose(result.angle, pair, atol=1e-10)
    # tan(ψ/2) grows by e^(2x) a step while steps are small.
    grown = np.log(np.tan(result.pair_angle[60] / 2) / np.tan(result.pair_angle[0] / 2))
    assert float(grown) == pytest.approx(60 * 2 * 0.02, rel=0.03)


def test_infonce_takes_the_steps_of_the_closed_form(result):
    assert float(result.counted[0]) == pytest.approx(float(result.closed_form[0]), rel=0.01)
    slower = equiangular.run(
        equiangular.Settings(sizes=(2,), steps=1, temperatures=(0.5,), contrast_rate=0.01)
    )
    # Half of the rate: twice the steps, and half of the error.
    assert float(slower.closed_form[0]) == pytest.approx(2 * float(result.closed_form[0]))
    errors = [float(r.counted[0] / r.closed_form[0]) - 1 for r in (result, slower)]
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.15)


def test_the_rows_are_angles_in_degrees_and_steps(result):
    rows = {row.quantity: row for row in figure.rows(result)}
    middle = int(abs(result.pair_angle.values - np.pi / 2).argmin())
    row = rows[f"angle of 5 points at step {middle}, degrees"]
    assert row.simulated == pytest.approx(np.rad2deg(float(result.angle[1, middle])))
    assert row.predicted == pytest.approx(np.rad2deg(float(result.pair_angle[middle])))
    row = rows["steps of InfoNCE, τ = 0.5"]
    assert (row.predicted, row.simulated) == (
        float(result.closed_form[0]),
        float(result.counted[0]),
    )


def test_the_picture_shows_the_angles_of_the_run(result):
    picture = figures.draw(figure, result)
    axes: Any = picture.axes[-2]
    bars: Any = picture.axes[-1].patches
    pair, small, large = axes.lines
    np.testing.assert_allclose(pair.get_ydata(), np.rad2deg(result.pair_angle))
    for line, row in ((small, 0), (large, 1)):
        steps = line.get_xdata().astype(int)
        np.testing.assert_allclose(line.get_ydata(), np.rad2deg(result.angle[row, steps]))
    heights = [bar.get_height() for bar in bars]
    assert heights == [float(result.closed_form[0]), float(result.counted[0])]


def test_what_is_no_cloud_is_refused():
    with pytest.raises(ValueError, match="at least 2 points"):
        equiangular.Settings(sizes=(1, 3))
    with pytest.raises(ValueError, match="start: expected an angle below pi"):
        equiangular.Settings(start=4.0)
