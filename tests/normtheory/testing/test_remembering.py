"""The kit differentiates a loss once at each cloud, and mistakes no cloud for another."""

from __future__ import annotations

import numpy as np
import pytest

import normtheory as nt
from normtheory.testing._evaluate import NumpyEvaluator, Remembering

from . import plain

CLOUD = np.random.default_rng(0).standard_normal((3, 2))


class Counted:
    """A loss that differs between shapes, and how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, z: np.ndarray) -> float:
        self.calls += 1
        return float(np.sum(z[0] ** 2)) + len(z)


def test_one_cloud_is_differentiated_once() -> None:
    loss = Counted()
    evaluator = Remembering(NumpyEvaluator(loss))
    first = evaluator.slope(CLOUD)
    calls = loss.calls
    again = evaluator.slope(CLOUD.copy())
    assert evaluator.value(CLOUD) == first.value == again.value
    np.testing.assert_array_equal(again.gradient, first.gradient)
    assert loss.calls == calls > 0


def test_other_clouds_are_not_that_one() -> None:
    evaluator = Remembering(NumpyEvaluator(Counted()))
    cloud = CLOUD.copy()
    evaluator.slope(cloud)
    reshaped = cloud.reshape(2, 3).copy()  # the same bytes
    cloud[0, 0] += 1  # changed in place
    for z in (reshaped, cloud):
        exact = np.zeros(z.shape)
        exact[0] = 2 * z[0]
        np.testing.assert_allclose(evaluator.slope(z).gradient, exact, atol=1e-9)
        assert evaluator.value(z) == float(np.sum(z[0] ** 2)) + len(z)


@pytest.mark.parametrize(
    ("others", "rows", "kept"), [(511, 1, True), (512, 1, False), (0, 1025, False)]
)
def test_the_oldest_clouds_and_large_ones_are_forgotten(others: int, rows: int, kept: bool) -> None:
    class Slow(NumpyEvaluator):
        calls = 0

        def slope(self, z: np.ndarray):
            Slow.calls += 1
            return NumpyEvaluator(lambda z: float(z[0, 0])).slope(z[:1])

    evaluator = Remembering(Slow(Counted()))
    cloud = np.ones((rows, 4))
    evaluator.slope(cloud)
    for k in range(others):
        evaluator.slope(np.full((1, 4), 2.0 + k))
    assert Slow.calls == 1 + others
    evaluator.slope(cloud)
    assert Slow.calls == 1 + others + (not kept)


def test_several_laws_cost_hardly_more_than_one() -> None:
    calls = []
    for check in (nt.testing.assert_inverse_norm_gradient, nt.testing.assert_loss_of_directions):
        seen = [0]

        def loss(z: np.ndarray, seen: list[int] = seen) -> float:
            seen[0] += 1
            return plain.info_nce(z)

        check(loss)
        calls += seen
    assert calls[1] < 1.01 * calls[0]
