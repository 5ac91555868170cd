"""Inside ``jax.jit``, where no value can be seen: a bad row gives NaN in what depends on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from tests.normtheory.losses.batches import Found, batch, library, library_of
from tests.normtheory.losses.cases import ONE_EACH

PARTNERS = [case for case in ONE_EACH if not (case.loss.all_pairs or case.loss.stop_gradient)]
"""Losses in which a row sees its partners alone."""


@cache
def _changed(change: Callable[[np.ndarray], np.ndarray], position: int) -> dict[str, Found]:
    """What the library says of a batch in which one cloud of every loss is changed."""
    changed = {}
    for label, (clouds, options) in batch(0).items():
        moved = tuple(change(z.copy()) if i == position else z for i, z in enumerate(clouds))
        changed[label] = (moved, options)
    return library(changed)


def _zeroed(z: np.ndarray) -> np.ndarray:
    z[1] = 0.0
    return z


def _turned(z: np.ndarray) -> np.ndarray:
    z[1] = z[1, ::-1] * [1.0, -1.0, 1.0]
    return z


@pytest.mark.parametrize("case", ONE_EACH, ids=lambda case: case.name)
def test_under_jit_a_zero_row_spoils_what_depends_on_it_and_nothing_else(case):
    clouds, _ = batch(0)[case.label]
    before = library_of(0)[case.label].gradients
    for position in range(len(clouds)):
        spoilt = _changed(_zeroed, position)[case.label]
        moved = _changed(_turned, position)[case.label].gradients
        assert np.isnan(spoilt.value)
        for index, g in enumerate(spoilt.gradients):
            nan = np.asarray(np.isnan(g).any(axis=1))
            if case.loss.trained[index] == position:
                assert nan[1]
            # Rows that do not see the zero row keep their gradient, to the bit or nearly so.
            depends = np.abs(moved[index] - before[index]).max(axis=1) > 1e-12 * np.abs(
                before[index]
            ).max(axis=1)
            assert (nan >= depends).all(), "a row that depends on a zero row has a finite gradient"
            independent = ~depends & (np.arange(len(g)) != 1)
            assert not nan[independent].any(), "a zero row spoilt one that does not see it"
            np.testing.assert_allclose(g[~nan & ~depends], before[index][~nan & ~depends])


def _spoilt(z: np.ndarray) -> np.ndarray:
    z[4] = np.nan
    return z


@pytest.mark.parametrize("case", PARTNERS, ids=lambda case: case.name)
def test_under_jit_a_nan_row_spoils_its_partners_only(case):
    for g in _changed(_spoilt, 0)[case.label].gradients:
        assert np.flatnonzero(np.isnan(g).any(axis=1)).tolist() == [4]


CLASSIFIERS = [case for case in ONE_EACH if any(o.below for o in case.loss.options)]


@pytest.mark.parametrize("case", CLASSIFIERS, ids=lambda case: case.name)
@pytest.mark.parametrize("bad", [3, -1])
def test_under_jit_a_label_outside_the_classes_gives_nan(case, bad):
    drawn = dict(batch(0))
    clouds, options = drawn[case.label]
    labels = options["labels"].copy()
    labels[2] = bad
    drawn[case.label] = (clouds, {**options, "labels": labels})
    assert np.isnan(library(drawn)[case.label].value)
