"""One rule for arrays, gradients and truth values in everything about one pair."""

from __future__ import annotations

import re

import numpy as np
import pytest

import normtheory as nt
from tests.helpers import random_angles

START = nt.PairState(1.0, 2.0, 2.0)


def formulas(rate):
    """Every formula of one pair, at a rate of 0.3."""
    yield nt.effective_learning_rate(rate, 2.0)
    yield nt.pair_step(START, rate, weight_decay=0.1).angle
    yield nt.flow_angle(1.0, 2.0, 2.0, rate)
    yield nt.random_pair_steps(20, 2.0, rate)
    yield nt.equilibrium_norm(rate, 0.1, 0.9)
    yield nt.equilibrium_angular_step(rate, 0.1)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_formulas_of_tensors_are_tensors_of_the_dtype_with_the_right_derivative(dtype):
    torch = pytest.importorskip("torch")
    rate = torch.tensor(0.3, dtype=getattr(torch, dtype), requires_grad=True)
    h = 1e-6
    above, below = formulas(0.3 + h), formulas(0.3 - h)
    for found, high, low in zip(formulas(rate), above, below, strict=True):
        assert isinstance(found, torch.Tensor)
        assert found.dtype == rate.dtype
        (slope,) = torch.autograd.grad(found, rate)
        assert float(slope) == pytest.approx(float(high - low) / (2 * h), rel=1e-4)


def test_random_pair_steps_keeps_float32():
    steps = nt.random_pair_steps(20, np.ones(3, np.float32), 0.02)
    assert steps.dtype == np.float32


@pytest.mark.torch
def test_what_solves_or_counts_refuses_tensors_that_require_grad():
    torch = pytest.importorskip("torch")
    norm = torch.tensor([1.0, 2.0], requires_grad=True)
    for function in (nt.steps_to_converge, nt.simulate_pairs):
        message = rf"norm_i requires grad, and {function.__name__} .* pass norm_i.detach\(\)"
        with pytest.raises(TypeError, match=message):
            function(1.0, norm, 1.0, 0.01)
    given = nt.steps_to_converge(1.0, norm.detach(), 1.0, 0.01)
    plain = nt.steps_to_converge(1.0, np.array([1.0, 2.0]), 1.0, 0.01)
    np.testing.assert_allclose(given, plain, rtol=1e-7)  # the rate was rounded to float32


FLAGS = [
    (lambda flag: nt.pair_step(START, 0.1, repel=flag), "repel"),
    (lambda flag: nt.pair_step(START, 0.1, stop_gradient=flag), "stop_gradient"),
    (lambda flag: nt.flow_angle(1.0, 2.0, 2.0, 1.0, repel=flag), "repel"),
    (lambda flag: nt.flow_angle(1.0, 2.0, 2.0, 1.0, stop_gradient=flag), "stop_gradient"),
    (lambda flag: nt.steps_to_converge(1.0, 2.0, 2.0, 0.1, stop_gradient=flag), "stop_gradient"),
    (lambda flag: nt.simulate_pairs(1.0, 2.0, 2.0, 0.1, max_steps=3, repel=flag), "repel"),
    (
        lambda flag: nt.simulate_pairs(1.0, 2.0, 2.0, 0.1, max_steps=3, stop_gradient=flag),
        "stop_gradient",
    ),
]


@pytest.mark.parametrize(("function", "name"), FLAGS)
@pytest.mark.parametrize("word", ["False", "false", "", 0, None])
def test_truth_values_are_no_words(function, name, word):
    with pytest.raises(TypeError, match=re.escape(f"{name}: expected True or False, got {word!r}")):
        function(word)
    function(np.False_)


@pytest.mark.filterwarnings("ignore::normtheory.FlowApproximationWarning")
def test_the_accuracy_of_the_flow_is_as_its_docstring_says_by_tolerance():
    angle = random_angles(500, 20)

    def error(rate, epsilon):
        flow = nt.steps_to_converge(angle, 1.0, 1.0, rate, tolerance=epsilon, ensemble_axis=0)
        exact = nt.simulate_pairs(angle, 1.0, 1.0, rate, tolerance=epsilon).steps
        return 100 * (float(flow) / float(exact) - 1)

    tolerances = (1e-2, 1e-3, 1e-4, 1e-5)
    assert max(abs(error(0.001, e)) for e in tolerances) < 0.05
    for rate, low, high in ((0.1, -4, 3), (0.3, -10, 8)):
        errors = [error(rate, e) for e in tolerances]
        assert low < errors[0] < low + 2
        assert all(0 < e < high for e in errors[1:])
        assert max(errors) > high - 2


def test_a_recursion_that_leaves_the_range_of_floats_says_so():
    with pytest.raises(ValueError, match="the recursion left the range of floats"):
        nt.simulate_pairs(2.0, 1.0, 1.0, 10.0, gradscale=5.0, repel=True, max_steps=2000)
