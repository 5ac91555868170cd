"""What holds for every loss of directions, whatever it is: by hypothesis, over LOSSES.

One example draws clouds for all losses, which are evaluated together; a failure names the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from normtheory.losses import LOSSES
from tests.helpers import PROPERTY, tolerance
from tests.normtheory.losses.batches import Batch, batch, closed_forms, library
from tests.normtheory.losses.cases import CASES, SPREADS, error
from tests.strategies import rotation

N, D = 7, 3
FEW = settings(PROPERTY, max_examples=15)
"""An example is of all losses, of some ten rows each."""
SEEDS = st.integers(0, 2**16)


class Row(NamedTuple):
    """A trained cloud: name of the case, position, cloud, gradient, natural size of a gradient."""

    name: str
    position: int
    z: np.ndarray
    g: np.ndarray
    size: Any


def _rows(drawn: Batch) -> Iterator[Row]:
    found = closed_forms(drawn)
    for case in CASES:
        clouds, options = drawn[case.label]
        sizes = case.sizes(clouds, options)
        for i, g, size in zip(case.loss.trained, found[case.label], sizes, strict=True):
            yield Row(case.label, i, clouds[i], g, size)


def _moved(drawn: Batch, move: Callable[[np.ndarray], np.ndarray]) -> Batch:
    return {label: (tuple(map(move, z)), options) for label, (z, options) in drawn.items()}


@FEW
@given(seed=SEEDS, spread=st.sampled_from(SPREADS))
def test_the_gradient_is_orthogonal_to_every_row(seed, spread):
    for row in _rows(batch(seed, N, D, spread)):
        # Beyond rounding: relative to the gradient's own length, however small that is.
        along = np.abs(np.sum(row.z * row.g, axis=1))
        length = np.linalg.norm(row.z, axis=1) * np.linalg.norm(row.g, axis=1)
        assert (along <= tolerance("relative") * length).all(), row.name


@FEW
@given(seed=SEEDS, decades=st.lists(st.floats(-6, 6), min_size=8, max_size=8))
def test_a_row_times_alpha_has_its_gradient_divided_by_alpha(seed, decades):
    drawn = batch(seed, N, D)

    def factors(z: np.ndarray) -> np.ndarray:
        return 10.0 ** np.resize(decades, len(z))[:, None]

    moved = _moved(drawn, lambda z: z * factors(z))
    for before, after in zip(_rows(drawn), _rows(moved), strict=True):
        off = error(after.g * factors(before.z), before.g, before.z) / before.size
        assert off.max() <= tolerance("law"), before.name
    one, other = library(drawn), library(moved)
    for case in CASES:
        value, same = float(one[case.label].value), float(other[case.label].value)
        off = abs(value - same) / max(case.steepness, abs(value))
        assert off <= tolerance("law"), case.label


@FEW
@given(seed=SEEDS, exponents=st.lists(st.integers(-40, 40), min_size=8, max_size=8))
def test_a_row_times_a_power_of_two_has_the_same_gradient_bit_for_bit(seed, exponents):
    drawn = batch(seed, N, D)

    def factors(z: np.ndarray) -> np.ndarray:
        return 2.0 ** np.resize(exponents, len(z))[:, None]

    moved = _moved(drawn, lambda z: z * factors(z))
    for before, after in zip(_rows(drawn), _rows(moved), strict=True):
        np.testing.assert_array_equal(after.g * factors(before.z), before.g, before.name)


@FEW
@given(seed=SEEDS)
def test_turning_the_clouds_turns_the_gradient(seed):
    drawn, turn = batch(seed, N, D), rotation(seed, D)
    moved = _moved(drawn, lambda z: z @ turn.T)
    for before, after in zip(_rows(drawn), _rows(moved), strict=True):
        off = error(after.g, before.g @ turn.T, before.z) / before.size
        assert off.max() <= tolerance("law"), before.name


@FEW
@given(seed=SEEDS)
def test_shuffling_the_batch_shuffles_the_gradient(seed):
    drawn, order = batch(seed, N, D), np.random.default_rng(seed).permutation(N)

    def shuffled(x: Any) -> Any:
        # Prototypes, class weights and the queue have an order of their own.
        return x[order] if np.shape(x)[:1] == (N,) else x

    moved = {
        label: (tuple(map(shuffled, z)), {key: shuffled(x) for key, x in options.items()})
        for label, (z, options) in drawn.items()
    }
    for before, after in zip(_rows(drawn), _rows(moved), strict=True):
        off = error(after.g, shuffled(before.g), after.z) / after.size
        assert off.max() <= tolerance("law"), before.name


@FEW
@given(seed=SEEDS, spread=st.sampled_from(SPREADS), decade=st.floats(-3, 3))
def test_one_step_grows_every_norm_by_pythagoras(seed, spread, decade):
    for row in _rows(batch(seed, N, D, spread)):
        square = np.sum(row.z**2, axis=1)
        rate = 10.0**decade * square.min()
        after = np.sum((row.z - rate * row.g) ** 2, axis=1)
        expected = square + rate**2 * np.sum(row.g**2, axis=1)
        np.testing.assert_allclose(after, expected, rtol=tolerance("law"), err_msg=row.name)
        assert (after >= square * (1 - tolerance("similarity"))).all(), row.name


def test_every_loss_is_under_these_laws():
    assert {case.name for case in CASES} == set(LOSSES)
