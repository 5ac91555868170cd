"""Derivatives with respect to temperature, scale, bias, margin, power, sharpness."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import tolerance
from tests.normtheory.losses.batches import library_of, plain_of
from tests.normtheory.losses.cases import CASES, draw

WITH_NUMBERS = [case for case in CASES if any(o.kind == "number" for o in case.loss.options)]


@pytest.mark.parametrize("case", WITH_NUMBERS, ids=lambda case: case.label)
def test_every_parameter_has_the_derivative_of_the_plain_definition(case):
    ours, exact = library_of(4)[case.label], plain_of(4)[case.label].options
    closed = ours.options
    size = case.option_size(7)
    assert ours.by_option.keys() == {o.name for o in case.loss.options if o.kind == "number"}
    for name, derivative in ours.by_option.items():
        if case.loss.option(name).trained:
            assert abs(derivative - exact[name]) <= size * tolerance("gradient"), name
            assert abs(closed[name] - derivative) <= size * tolerance("similarity"), name
            assert abs(exact[name]) > 1e-6
        else:
            assert name not in closed
            assert not np.any(derivative), f"{name} is documented to be a constant"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_the_steepness_is_what_multiplies_a_cosine(case):
    assert case.loss.steepness(draw(case, 0, 7, 3)[1]) == case.steepness
