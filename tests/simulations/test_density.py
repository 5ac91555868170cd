"""Norm and distance to the neighbours, on points that the encoder saw and on others."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from simulations import density
from simulations.density import _less_class_mean

from .smoke import smoke


def test_within_classes_norm_falls_with_distance_on_held_out_points_too() -> None:
    trained = smoke("density").sel(stage="trained")
    assert (trained.within_classes.sel(part="high") < 0).all()


def test_the_interval_contains_the_value() -> None:
    for name in ("spearman", "within_classes"):
        found = smoke("density")[name]
        assert (found.sel(part="low") < found.sel(part="value")).all()
        assert (found.sel(part="value") < found.sel(part="high")).all()


def test_ranks_within_classes_have_no_class_mean() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1, 2], [5, 7, 9])
    left = _less_class_mean(rng.standard_normal(21) + 10 * label, label)
    for k in range(3):
        assert left[label == k].mean() == pytest.approx(0, abs=1e-12)
        assert left[label == k].std() > 1


def test_there_must_be_so_many_neighbours() -> None:
    with pytest.raises(ValueError, match="neighbour: expected less than the 120 points, got 120"):
        dataclasses.replace(density.SMOKE, neighbour=120)
