"""Rare classes get small norms, and the control does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

from simulations import class_imbalance
from simulations.class_imbalance import ordered, orders

from .smoke import smoke


def test_the_rare_class_ends_smaller_in_every_run_though_it_starts_alike() -> None:
    norm = smoke("class_imbalance").norm.mean("assignment")
    growth = norm.isel(epoch=-1) - norm.isel(epoch=0)
    assert (growth.sel(frequency=8.0) > growth.sel(frequency=1.0)).all()
    start = norm.isel(epoch=0)
    # Every class has had every frequency; what differs is the draw of some twenty points.
    assert abs(start.sel(frequency=8.0) / start.sel(frequency=1.0) - 1).max() < 0.1


@pytest.mark.slow
def test_with_equal_frequencies_the_labels_mean_nothing() -> None:
    even = dataclasses.replace(class_imbalance.SMOKE, frequencies=(1.0, 1.0))
    norm = class_imbalance.run(even).norm.mean("assignment").isel(epoch=-1)
    np.testing.assert_allclose(norm[:, 0], norm[:, 1], rtol=0.03)


def test_every_class_gets_every_frequency_equally_often() -> None:
    for n in (2, 3, 4, 6):
        given = np.array(orders(n))
        assert len({tuple(o) for o in given.tolist()}) == len(given)
        for column in given.T:
            assert (np.bincount(column) == len(given) / n).all()


def test_ordered_is_by_frequency_and_strict() -> None:
    norm = xr.DataArray(
        [[3.0, 1.0, 2.0], [3.0, 2.0, 2.0], [1.0, 2.0, 3.0]],
        dims=("run", "frequency"),
        coords={"frequency": [4.0, 1.0, 2.0]},
    )
    assert ordered(norm).values.tolist() == [True, False, False]


def test_records_must_divide_the_epochs() -> None:
    with pytest.raises(ValueError, match="records: expected a divisor of the 20 epochs, got 3"):
        dataclasses.replace(class_imbalance.SMOKE, records=3)
