"""The tests of coverage are sharp."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.coverage import DRAWS, FALSE_ALARM, accepted, assert_held


def test_an_interval_of_90_percent_fails_where_95_are_due() -> None:
    low, high = accepted(0.95, DRAWS)
    right, wrong = stats.binom(DRAWS, [[0.95], [0.9]]).cdf([low - 1, high])
    assert right[0] + 1 - right[1] < FALSE_ALARM
    assert wrong[1] - wrong[0] < 0.01
    for share, fits in ((0.95, True), (0.9, False), (0.985, False)):
        held = np.arange(DRAWS) < share * DRAWS
        if fits:
            assert_held(held)
        else:
            with pytest.raises(AssertionError):
                assert_held(held)
