"""Values and gradients against slow loops written from each source's definition."""

from __future__ import annotations

import numpy as np
import pytest

from normtheory.losses import LOSSES
from tests.helpers import tolerance
from tests.normtheory.losses.batches import batch, library
from tests.normtheory.losses.cases import one_each
from tests.normtheory.losses.loops import LOOPS, exact


def test_every_loss_has_a_loop():
    assert set(LOOPS) == set(LOSSES)


@pytest.mark.parametrize("case", **one_each)
def test_value_and_gradient_are_those_of_the_loop(case):
    clouds, options = batch(5)[case.label]
    found = library(batch(5))[case.label]
    entries = [(index, 1, component) for index in case.loss.trained for component in (0, 2)]
    loop, derivatives = exact(case.name, clouds, options, entries=entries, digits=60)
    assert abs(float(loop) - found.value) <= case.pull * tolerance("gradient")
    sizes = dict(zip(case.loss.trained, case.sizes(clouds, options), strict=True))
    for (index, row, component), derivative in zip(entries, derivatives, strict=True):
        gradient = found.gradients[case.loss.trained.index(index)][row, component]
        size = np.broadcast_to(sizes[index], len(clouds[index]))[row]
        off = abs(gradient - float(derivative)) * np.linalg.norm(clouds[index][row])
        assert off <= size * tolerance("gradient")
