"""Some of the listed errors, drawn at random, and what they say of all of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from scipy import stats

Listed = TypeVar("Listed")

LEVEL = 0.95
"""Confidence of the lower bound, which is one-sided."""


def drawn(listed: Sequence[Listed], number: int, seed: int) -> list[Listed]:
    """So many of a list in its order, without replacement, every choice as likely as any other.

    Raises:
        ValueError: the list is shorter.
    """
    places = random.Random(seed).sample(range(len(listed)), number)
    return [listed[i] for i in sorted(places)]


def fewest_killed(killed: int, sample: int, listed: int) -> int:
    """Lower confidence bound of the number killed among all that are listed.

    The smallest K with P(X ≥ killed) > 1 − ``LEVEL``, where X is how many of a sample drawn without
    replacement are killed if K of all are: X is hypergeometric, so the bound is exact. It is at
    least that of Clopper and Pearson, and the number killed where all are drawn.

    Args:
        killed: number killed in the sample.
        sample: size of the sample.
        listed: number of errors that it was drawn from.
    """
    of_all = np.arange(listed + 1)
    at_least_as_many = stats.hypergeom(listed, of_all, sample).sf(killed - 1)
    return int(np.argmax(at_least_as_many > 1 - LEVEL))
