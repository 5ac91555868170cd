"""Values and gradients against slow loops written from each source's definition."""

from __future__ import annotations

import numpy as np
import pytest

from normtheory.losses import LOSSES
from tests.helpers import tolerance
from tests.normtheory.losses.batches import batch, library_of
from tests.normtheory.losses.cases import one_each
from tests.normtheory.losses.loops import LOOPS, exact


def test_every_loss_has_a_loop():
    assert set(LOOPS) == set(LOSSES)


@pytest.mark.parametrize("case", **one_each)
def test_value_and_gradient_are_those_of_the_loop(case):
    clouds, options = batch(5)[case.label]
    found = library_of(5)[case.label]
    entries = [(index, 1, component) for index in case.loss.trained for component in (0, 2)]
    loop, derivatives = exact(case.name, clouds, options, entries=entries, digits=60)
    assert abs(float(loop) - found.value) <= case.pull * tolerance("gradient")
    sizes = dict(zip(case.loss.trained, case.sizes(clouds, options), strict=True))
    for (index, row, component), derivative in zip(entries, derivatives, strict=True):
        gradient = found.gradients[case.loss.trained.index(index)][row, component]
        size = np.broadcast_to(sizes[index], len(clouds[index]))[row]
        off = abs(gradient - float(derivative)) * np.linalg.norm(clouds[index][row])
        assert off <= size * tolerance("gradient")


def _supcon_with_lone_points(u: np.ndarray, labels: list[int], temperature: float) -> float:
    """Khosla et al. 2020, eq. 2: the mean over the points that have a positive, of unit rows."""
    n, terms = len(u), []
    for i in range(n):
        positives = [j for j in range(n) if j != i and labels[j] == labels[i]]
        if positives:
            others = np.log(sum(np.exp(u[i] @ u[k] / temperature) for k in range(n) if k != i))
            terms.append(np.mean([others - u[i] @ u[j] / temperature for j in positives]))
    return float(np.mean(terms))


@pytest.mark.parametrize("block", [None, 2, 3])
def test_a_point_alone_in_its_class_is_a_negative_and_no_anchor(block):
    labels, temperature, step = [0, 0, 1, 2, 2, 2, 3], 0.3, 1e-5
    z = np.random.default_rng(0).standard_normal((7, 4))
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    loss, options = LOSSES["supcon"], {"labels": labels, "temperature": temperature}
    value, (gradient,) = loss.value_and_gradient(z, **options, block=block)
    assert value == pytest.approx(_supcon_with_lone_points(u, labels, temperature), rel=1e-12)
    slope = loss.option_gradient("temperature", z, **options, block=block)
    ends = [_supcon_with_lone_points(u, labels, temperature + h) for h in (-step, step)]
    # A central difference is off by its step squared, 1e-10, and by a rounding over it, 1e-11.
    assert slope == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-7)
    for i, k in np.ndindex(7, 4):
        ends = []
        for h in (-step, step):
            moved = z.copy()
            moved[i, k] += h
            v = moved / np.linalg.norm(moved, axis=1, keepdims=True)
            ends.append(_supcon_with_lone_points(v, labels, temperature))
        assert gradient[i, k] == pytest.approx((ends[1] - ends[0]) / (2 * step), abs=1e-8)
    assert gradient[2].any()  # alone, and pushed
