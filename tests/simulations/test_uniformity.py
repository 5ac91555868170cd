"""Particles spread over the sphere: the same curve for every norm, in units of ρ² steps."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from simulations import uniformity

SETTINGS = uniformity.Settings(norms=(1.0, 2.0), pairs=60, steps=512, frames=129)


@pytest.fixture(scope="module")
def result():
    return uniformity.run(SETTINGS)


def test_the_cluster_becomes_uniform(result):
    small = result.uniformity.isel(start_norm=0)
    # Uniform on S²: log ∫ exp(-4(1 - t)) dt/2 = log((1 - e^-8)/8); particles that repel each other
    # come below it.
    uniform = np.log((1 - np.exp(-8)) / 8)
    # False alarms: below 1e-9 (12 other seeds: nine standard deviations and more from the bounds).
    assert small[0] > uniform + 1.5
    assert uniform - 0.2 < small[-1] < uniform + 0.02


def test_twice_the_norm_is_four_times_as_slow(result):
    fast, slow = (result.uniformity.isel(start_norm=k).values for k in (0, 1))
    # Recorded every 4 steps: record k of the small norm is record 4k of the large one. What is left
    # is the size of the steps, x = 0.02 before the loss's 1/τ.
    np.testing.assert_allclose(fast[:33], slow[: 4 * 32 + 1 : 4], atol=0.05)
    assert abs(fast[16] - slow[16]) > 0.3  # and not alike at the same step


def test_norms_only_grow(result):
    largest = result.norms.sel(quantile=1.0)
    assert (largest.diff("step") >= -1e-12).all()


def test_frames_that_do_not_divide_the_steps_are_refused():
    with pytest.raises(ValueError, match="frames: expected one more than a divisor of the 10 "):
        uniformity.Settings(steps=10, frames=5)


class _Seen(Exception):
    """The start of a run, instead of the run."""


def _start(monkeypatch: pytest.MonkeyPatch, settings: uniformity.Settings) -> list[np.ndarray]:
    def init(system: Any, *clouds: np.ndarray, **options: Any) -> None:
        raise _Seen(*clouds)

    with monkeypatch.context() as patch:
        patch.setattr(uniformity.particles, "init", init)
        with pytest.raises(_Seen) as seen:
            uniformity.run(settings)
    return list(seen.value.args)


def test_the_noise_of_a_partner_is_its_own_in_every_coordinate(monkeypatch):
    settings = dataclasses.replace(
        uniformity.SMOKE, norms=(2.0,), pairs=4000, noise=0.1, concentration=1e6
    )
    first, second = _start(monkeypatch, settings)
    np.testing.assert_allclose(np.linalg.norm(second, axis=1), 2, rtol=1e-14)
    # All first views are at the pole, so that x and y of a partner are its noise.
    noise = (second - first)[:, :2] / second[:, 2:]
    # False alarms: 1e-7. A variance of 4000 draws is off by √(2/4000), of which this is 5.8.
    np.testing.assert_allclose(np.cov(noise.T), 0.01 * np.eye(2), atol=0.0013)


def test_the_directions_kept_are_those_of_the_first_views(monkeypatch):
    first, second = _start(monkeypatch, uniformity.SMOKE)
    found = uniformity.run(uniformity.SMOKE).directions.isel(step=0, start_norm=1)
    np.testing.assert_allclose(found, first, rtol=1e-12)
    assert abs(found - second).values.max() > 0.05
