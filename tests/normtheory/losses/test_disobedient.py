"""The exponent is -1 for every loss of directions, and something else for the negative controls."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from normtheory.losses import DISOBEDIENT, gradient_norms, norm_exponent
from tests.helpers import precision
from tests.normtheory.losses.cases import ONE_EACH, draw

N, D = 24, 4
RANGE = np.geomspace(1e-4, 1e-2, 4)
RECORDS = {"argvalues": DISOBEDIENT.values(), "ids": list(DISOBEDIENT)}


# Of all losses the laws say it to the bit; these are measured as the others below are.
@pytest.mark.parametrize("name", ["attraction", "nt_xent", "dino"])
def test_a_loss_of_directions_has_exponent_minus_one(name):
    case = next(case for case in ONE_EACH if case.name == name)
    clouds, options = draw(case, 0, 7, 3)
    for row in (None, 1):
        found = norm_exponent(case.loss.value, clouds, RANGE, row=row, **options)
        assert found == pytest.approx(-1, abs=1e-9)


def _clouds(record):
    """Rows at norm 1, so that a row far below it is far below all others."""
    clouds = record.example(np.random.default_rng(2), N, D)
    return tuple(z / np.linalg.norm(z, axis=1, keepdims=True) for z in clouds)


@pytest.mark.parametrize("record", **RECORDS)
def test_the_others_have_the_exponents_they_are_listed_with(record):
    norms = np.geomspace(*record.norms, 4)  # pyright: ignore
    common = norm_exponent(record.value, _clouds(record), norms)
    # Away from the ends of its regime, so within 2 % of a whole number.
    assert common == pytest.approx(record.exponent, abs=0.02)
    own_norms = RANGE if record.name != "guarded_attraction" else norms
    own = norm_exponent(record.value, _clouds(record), own_norms, row=1)
    assert own == pytest.approx(record.own_exponent, abs=0.02)
    assert record.own_exponent != -1


@pytest.mark.parametrize("record", **RECORDS)
def test_their_gradient_is_not_orthogonal_to_the_row(record):
    clouds = _clouds(record)
    if record.name == "guarded_attraction":
        clouds = tuple(1e-10 * z for z in clouds)
    with precision(np.float64):
        gradient = np.asarray(jax.jit(jax.grad(lambda z: record.value(*z)))(clouds)[0])
    along = np.abs(np.sum(clouds[0] * gradient, axis=1))
    size = np.linalg.norm(clouds[0], axis=1) * np.linalg.norm(gradient, axis=1)
    active = size > 0  # a triplet may be satisfied
    assert active.any()
    assert np.median(along[active] / size[active]) > 0.01


def test_a_guarded_cosine_obeys_above_its_epsilon():
    record = DISOBEDIENT["guarded_attraction"]
    found = norm_exponent(record.value, _clouds(record), np.geomspace(1e-7, 1e-5, 4))
    assert found == pytest.approx(-1, abs=1e-9)


def test_vicreg_far_below_its_target_spread_is_flat():
    record = DISOBEDIENT["vicreg"]
    # The deviations are kept from 0 by 1e-4 under a root: above 0.01, below 1.
    found = norm_exponent(record.value, _clouds(record), np.geomspace(0.05, 0.1, 4))
    assert -0.5 < found < 0.5


def test_every_record_says_why():
    for name, record in DISOBEDIENT.items():
        assert name == record.name == record.value.__name__
        assert min(len(record.source), len(record.reason), len(record.behaviour)) > 20
        assert record.norms[0] < record.norms[1]


def test_the_gradient_norms_are_those_of_a_loss_with_a_known_gradient():
    # ½ Σ z²: the gradient is z
    z = np.random.default_rng(0).standard_normal((3, 2))
    norms = np.array([0.5, 2.0])
    every = gradient_norms(lambda x: 0.5 * (x**2).sum(), (z,), norms)
    np.testing.assert_allclose(every, norms * np.sqrt(3), rtol=1e-14)
    one = gradient_norms(lambda x: 0.5 * (x**2).sum(), (z,), norms, row=2)
    np.testing.assert_allclose(one, norms, rtol=1e-14)
    assert norm_exponent(lambda x: (x**4).sum(), (z,), norms) == pytest.approx(3)


def test_no_exponent_where_the_gradient_vanishes():
    z = np.ones((2, 2))
    assert np.isnan(norm_exponent(lambda x: 0 * x.sum(), (z,), np.array([1.0, 2.0])))


@pytest.mark.parametrize(
    ("norms", "text"),
    [
        ([1.0], "norms: expected at least two different norms"),
        ([1.0, -1.0], "norms: expected a finite number and > 0, got -1.0 at index 1"),
        ([1.0, np.inf], "norms: expected a finite number and > 0, got inf at index 1"),
    ],
)
def test_bad_norms_are_named(norms, text):
    with pytest.raises(ValueError, match=text):
        norm_exponent(lambda x: x.sum(), (np.ones((2, 2)),), np.array(norms))
