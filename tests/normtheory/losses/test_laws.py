"""What holds for every loss of directions, whatever it is: by hypothesis, over LOSSES."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normtheory.losses import LOSSES
from tests.helpers import tolerance
from tests.normtheory.losses.cases import (
    SPREADS,
    closed_form,
    draw,
    error,
    one_each,
    value_and_gradient,
)
from tests.strategies import rotation

N, D = 7, 3
FEW = settings(max_examples=15, deadline=None, derandomize=True, database=None)
SEEDS = st.integers(0, 2**16)


def _batch(case, seed, spread="uniform"):
    return draw(case, np.random.default_rng(seed), N, D, spread)


def _bound(case):
    # Rounding the rotated or scaled inputs moves a cosine by eps: 1/τ in a logarithm, 1/τ again in
    # the gradient.
    return case.inverse_temperature**2 * tolerance("law")


@pytest.mark.parametrize("case", **one_each)
@FEW
@given(seed=SEEDS, spread=st.sampled_from(SPREADS))
def test_the_gradient_is_orthogonal_to_every_row(case, seed, spread):
    clouds, options = _batch(case, seed, spread)
    for position, g in zip(case.loss.trained, closed_form(case)(clouds, options), strict=True):
        # Beyond rounding: relative to the gradient's own length, however small that is.
        along = np.abs(np.sum(clouds[position] * g, axis=1))
        size = np.linalg.norm(clouds[position], axis=1) * np.linalg.norm(g, axis=1)
        assert (along <= tolerance("relative") * size).all()


@pytest.mark.parametrize("case", **one_each)
@FEW
@given(seed=SEEDS, decades=st.lists(st.floats(-6, 6), min_size=8, max_size=8))
def test_a_row_times_alpha_has_its_gradient_divided_by_alpha(case, seed, decades):
    clouds, options = _batch(case, seed)
    scales = [10.0 ** np.resize(decades, len(z))[:, None] for z in clouds]
    moved = tuple(z * s for z, s in zip(clouds, scales, strict=True))
    value, _ = value_and_gradient(case)(clouds, options)
    same, _ = value_and_gradient(case)(moved, options)
    assert abs(value - same) <= case.inverse_temperature * tolerance("law") * max(1, abs(value))
    before, after = closed_form(case)(clouds, options), closed_form(case)(moved, options)
    for position, g, h in zip(case.loss.trained, before, after, strict=True):
        assert error(h * scales[position], g, clouds[position]).max() <= _bound(case)


@pytest.mark.parametrize("case", **one_each)
@FEW
@given(seed=SEEDS, exponents=st.lists(st.integers(-40, 40), min_size=8, max_size=8))
def test_a_row_times_a_power_of_two_has_the_same_gradient_bit_for_bit(case, seed, exponents):
    clouds, options = _batch(case, seed)
    scales = [2.0 ** np.resize(exponents, len(z))[:, None] for z in clouds]
    moved = tuple(z * s for z, s in zip(clouds, scales, strict=True))
    before, after = closed_form(case)(clouds, options), closed_form(case)(moved, options)
    for position, g, h in zip(case.loss.trained, before, after, strict=True):
        np.testing.assert_array_equal(h * scales[position], g)


@pytest.mark.parametrize("case", **one_each)
@FEW
@given(seed=SEEDS)
def test_turning_the_clouds_turns_the_gradient(case, seed):
    clouds, options = _batch(case, seed)
    turn = rotation(seed, D)
    turned = tuple(z @ turn.T for z in clouds)
    before, after = closed_form(case)(clouds, options), closed_form(case)(turned, options)
    for position, g, h in zip(case.loss.trained, before, after, strict=True):
        assert error(h, g @ turn.T, clouds[position]).max() <= _bound(case)


@pytest.mark.parametrize("case", **one_each)
@FEW
@given(seed=SEEDS)
def test_shuffling_the_batch_shuffles_the_gradient(case, seed):
    clouds, options = _batch(case, seed)
    order = np.random.default_rng(seed).permutation(N)
    # Prototypes, class weights and the queue have an order of their own.
    of_the_batch = [len(z) == N for z in clouds]
    moved = tuple(z[order] if own else z for z, own in zip(clouds, of_the_batch, strict=True))
    shuffled = {
        key: value[order] if np.shape(value)[:1] == (N,) else value
        for key, value in options.items()
    }
    before, after = closed_form(case)(clouds, options), closed_form(case)(moved, shuffled)
    for position, g, h in zip(case.loss.trained, before, after, strict=True):
        expected = g[order] if of_the_batch[position] else g
        assert error(h, expected, moved[position]).max() <= _bound(case)


@pytest.mark.parametrize("case", **one_each)
@FEW
@given(seed=SEEDS, spread=st.sampled_from(SPREADS), decade=st.floats(-3, 3))
def test_one_step_grows_every_norm_by_pythagoras(case, seed, spread, decade):
    clouds, options = _batch(case, seed, spread)
    for position, g in zip(case.loss.trained, closed_form(case)(clouds, options), strict=True):
        z = clouds[position]
        square = np.sum(z**2, axis=1)
        rate = 10.0**decade * square.min()
        after = np.sum((z - rate * g) ** 2, axis=1)
        expected = square + rate**2 * np.sum(g**2, axis=1)
        np.testing.assert_allclose(after, expected, rtol=tolerance("law"))
        assert (after >= square * (1 - tolerance("similarity"))).all()


def test_every_loss_is_under_these_laws():
    assert {case.name for case in one_each["argvalues"]} == set(LOSSES)
