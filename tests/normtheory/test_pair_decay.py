"""What an optimizer's weight decay is to one pair: particles settle where the pair theory says."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import normtheory as nt
from normtheory.particles import System, forces, init, run
from tests.helpers import PROPERTY

N, D = 64, 16


@pytest.mark.slow
@pytest.mark.parametrize(("reduction", "rate", "decay"), [("mean", 1.0, 0.05), ("sum", 0.1, 0.2)])
def test_particles_settle_at_the_norm_of_the_converted_pair(reduction, rate, decay):
    system = System(forces.attraction(), rate, reduction=reduction, weight_decay=decay, fresh=(1,))
    rng = np.random.default_rng(0)
    start = 0.5 * nt.sphere.uniform(rng, N, D)
    state = init(system, start, nt.sphere.uniform(rng, N, D), seed=1)
    fourth, rounds = 0.0, 40
    state = run(system, state, 200, record=()).state  # decay alone forgets the start: 0.95**800
    for k in range(1, rounds + 1):
        state = run(system, state, 200 + 25 * k, record=()).state
        fourth += float((np.linalg.norm(state.positions[0], axis=-1) ** 4).mean()) / rounds
    settled = fourth**0.25
    of_one = nt.pair_rate(rate, N, reduction), nt.pair_decay(decay, N, reduction)
    predicted = nt.equilibrium_norm(*of_one, (D - 1) / D)
    if reduction == "mean":
        assert float(predicted) == pytest.approx(0.220, abs=5e-4)
    # False alarms: 1e-9 (64 embeddings over 1000 steps of memory 5: 3e-4 and below, as measured).
    assert settled == pytest.approx(float(predicted), rel=2e-3)


@PROPERTY
@given(st.floats(1e-3, 1e2), st.floats(0.0, 1.0), st.integers(1, 1000))
def test_a_step_shrinks_by_the_same_in_both_languages(rate, decay, n):
    for reduction in ("mean", "sum"):
        product = nt.pair_rate(rate, n, reduction) * nt.pair_decay(decay, n, reduction)
        assert product == pytest.approx(rate * decay, rel=1e-15)
    assert nt.pair_decay(decay, n, "sum") == decay


@pytest.mark.parametrize(
    ("decay", "n", "reduction", "error", "message"),
    [
        (-0.1, 5, "mean", ValueError, "weight_decay: expected a finite number and >= 0, got -0.1"),
        ("0.1", 5, "mean", TypeError, "weight_decay: expected a number, got str"),
        (0.1, 0, "mean", ValueError, "n: expected an integer >= 1, got 0"),
        (0.1, 5, "avg", ValueError, "reduction: expected 'mean' or 'sum', got 'avg'"),
    ],
)
def test_errors(decay, n, reduction, error, message):
    with pytest.raises(error, match=re.escape(message)):
        nt.pair_decay(decay, n, reduction)
