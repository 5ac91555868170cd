"""Does an interval hold the truth as often as it says? Enough draws to tell 95 % from 90 %."""

from __future__ import annotations

from collections.abc import Iterable

from scipy import stats

FALSE_ALARM = 1e-7
"""Of a test, where the share is as given; one that is off by a standard error of 20,000 draws, as
the measured ones may be, makes it 4e-7."""
DRAWS = 2000


def accepted(probability: float, draws: int) -> tuple[int, int]:
    """Fewest and most of the draws that hold the truth, but for one in ten million runs."""
    law = stats.binom(draws, probability)
    return int(law.ppf(FALSE_ALARM / 2)), int(law.isf(FALSE_ALARM / 2))


def assert_held(held: Iterable[bool], probability: float = 0.95) -> None:
    """Whether intervals hold the truth, one a draw, agrees with a probability."""
    found = list(held)
    low, high = accepted(probability, len(found))
    assert low <= sum(found) <= high, (sum(found), low, high)
