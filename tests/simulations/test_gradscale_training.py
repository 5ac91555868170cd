"""Two powers of GradScale, each at its own rate."""

from __future__ import annotations

import numpy as np

from simulations.gradscale_training import best_rate

from .smoke import smoke


def test_both_powers_start_alike_and_end_apart() -> None:
    result = smoke("gradscale_training")
    start, end = (result.chosen_on.isel(step=i) for i in (0, -1))
    np.testing.assert_array_equal(start.sel(power=0.0), start.sel(power=1.0))
    assert (end.sel(power=0.0) != end.sel(power=1.0)).any()


def test_the_rate_is_chosen_at_the_end_on_the_points_to_choose_on() -> None:
    result = smoke("gradscale_training")
    result["chosen_on"][:] = 0.5
    result["chosen_on"].loc[{"power": 0.0, "rate": 1e-2, "step": 20}] = 0.9
    result["chosen_on"].loc[{"power": 1.0, "rate": 1e-3, "step": 20}] = 0.9
    result["accuracy"][:] = 1 - result.chosen_on
    assert best_rate(result).values.tolist() == [1e-2, 1e-3]


def test_accuracies_are_shares() -> None:
    result = smoke("gradscale_training")
    for name in ("accuracy", "rare", "chosen_on"):
        assert ((result[name] >= 0) & (result[name] <= 1)).all()
    assert float(result.accuracy.max()) > 0.5  # four classes
