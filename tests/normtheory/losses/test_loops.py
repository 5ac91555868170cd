"""Values and gradients against slow loops written from each source's definition."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import tolerance
from tests.normtheory.losses.cases import ONE_EACH, closed_form, draw, value_and_gradient
from tests.normtheory.losses.loops import LOOPS, exact

LOOPED = [case for case in ONE_EACH if case.name in LOOPS]


@pytest.mark.parametrize("case", LOOPED, ids=lambda case: case.name)
def test_value_and_gradient_are_those_of_the_loop(case):
    clouds, options = draw(case, np.random.default_rng(5), 7, 3)
    value, _ = value_and_gradient(case)(clouds, options)
    found = closed_form(case)(clouds, options)
    entries = [(index, 1, component) for index in case.loss.trained for component in (0, 2)]
    loop, derivatives = exact(case.name, clouds, options, entries=entries)
    bound = case.inverse_temperature * tolerance("gradient")
    assert abs(float(loop) - value) <= bound
    for (index, row, component), derivative in zip(entries, derivatives, strict=True):
        gradient = found[case.loss.trained.index(index)][row, component]
        off = abs(gradient - float(derivative)) * np.linalg.norm(clouds[index][row])
        assert off <= bound
