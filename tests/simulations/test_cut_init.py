"""A cut is a larger rate: exactly without biases, and only nearly with them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

from simulations import cut_init
from simulations.cut_init import best

from .smoke import smoke


def test_without_biases_cut_and_control_train_to_the_same_directions() -> None:
    result = smoke("cut_init").sel(kind="no biases")
    # float32, 20 steps: the rounding of cos is 1e-7, and steps let it grow a little.
    np.testing.assert_allclose(result.agreement, 1, atol=1e-4)
    # With decay too, because the control's is divided by c².
    np.testing.assert_allclose(result.accuracy, result.control_accuracy, atol=0.05)


def test_with_biases_or_normalisation_they_differ() -> None:
    cut = smoke("cut_init").sel(cut=3.0).agreement
    for kind in ("biases", "normalised"):
        assert (cut.sel(kind=kind) < 0.999).all()


def test_uncut_runs_are_their_own_control() -> None:
    result = smoke("cut_init").sel(cut=1.0)
    np.testing.assert_array_equal(result.accuracy, result.control_accuracy)
    np.testing.assert_allclose(result.agreement, 1, atol=1e-5)


def test_without_biases_accuracy_depends_on_c_times_the_root_of_the_rate() -> None:
    result = smoke("cut_init").sel(kind="no biases")
    low, high = result.rate.values
    assert high / low == pytest.approx(9)
    np.testing.assert_allclose(
        result.tuned.sel(cut=3.0, rate=low), result.tuned.sel(cut=1.0, rate=high), atol=0.05
    )


def test_decay_changes_the_result() -> None:
    loss = smoke("cut_init").loss.sel(cut=3.0).isel(until=-1)
    assert (loss.isel(decay=0) != loss.isel(decay=1)).all()


def test_the_best_rate_is_chosen_on_other_points_than_it_is_judged_on() -> None:
    coords = {"kind": ["a"], "cut": [1.0, 3.0], "rate": [0.1, 1.0, 10.0], "run": [0]}
    dims = ("kind", "cut", "rate", "run")
    result = xr.Dataset(
        {
            "chosen_on": (dims, [[[[0.9], [0.5], [0.1]], [[0.4], [0.6], [0.2]]]]),
            "tuned": (dims, [[[[0.2], [0.8], [0.9]], [[0.1], [0.3], [0.7]]]]),
        },
        coords=coords,
    )
    found = best(result)
    assert found.best_rate.values.tolist() == [[0.1, 1.0]]
    assert found.accuracy.values.tolist() == [[[0.2], [0.3]]]
    assert found.inside.values.tolist() == [[False, True]]


def test_the_first_cut_is_none() -> None:
    with pytest.raises(ValueError, match="cuts: expected the first to be 1, got 3"):
        dataclasses.replace(cut_init.SMOKE, cuts=(3.0, 9.0))
