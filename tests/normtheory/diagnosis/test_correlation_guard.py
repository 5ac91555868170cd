"""A column of two answers has no more samples than the rarer answer has."""

from __future__ import annotations

import numpy as np
import pytest

from normtheory.diagnosis._correlation import spearman


@pytest.mark.parametrize(
    ("wrong", "has_interval"), [(1, False), (9, False), (10, True), (50, True)]
)
@pytest.mark.parametrize("swapped", [False, True])
def test_no_interval_below_ten_of_the_rarer_answer(
    wrong: int, has_interval: bool, swapped: bool
) -> None:
    rng = np.random.default_rng(0)
    answer = np.arange(200) >= wrong
    x, y = rng.standard_normal(200), (answer if not swapped else ~answer).astype(float)
    for first, second in ((x, y), (y, x)):
        found = spearman(first, second, np.random.default_rng(1), ("norm", "answer"))
        assert found.rho is not None
        assert (found.low is not None) == has_interval
        if not has_interval:
            assert (
                found.why_not == f"{wrong} samples of the rarer answer are too few for an interval"
            )
    # A column with three values is no yes or no.
    graded = y.copy()
    graded[-1] = 2.0
    assert spearman(x, graded, np.random.default_rng(1), ("norm", "grade")).low is not None
