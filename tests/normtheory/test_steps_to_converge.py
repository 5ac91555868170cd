"""Steps to convergence in closed form, for pairs and ensembles, against the flow integrated."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import normtheory as nt
from tests.helpers import PROPERTY, tolerance
from tests.strategies import INNER_ANGLES

CLOSED = tolerance("closed_form")
SLOW = 1e-3  # an effective rate at which the flow is a good answer and nothing is warned of


def _integrated(angle, norm_i, norm_j, rate, tolerance, power=0.0, stop_gradient=False) -> float:
    """Steps until the mean cosine is 1 - tolerance, from the flow integrated numerically."""
    angle = np.atleast_1d(angle)
    kappa = norm_i ** (power - 2) + (0.0 if stop_gradient else norm_j ** (power - 2))

    def reached(_: float, phi: np.ndarray, *args: object) -> float:
        return float(np.mean(2 * np.sin(phi / 2) ** 2)) - tolerance

    reached.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    run = solve_ivp(
        lambda _, phi: -rate * kappa * np.sin(phi), (0, 1e7), angle, events=reached,
        method="DOP853", rtol=1e-11, atol=1e-14,
    )  # fmt: skip
    return float(run.t_events[0][0])


@pytest.mark.parametrize("angle", [0.3, 1.5, 3.0, np.pi - 1e-5])
@pytest.mark.parametrize("epsilon", [0.5, 1e-3, 1e-6])
@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("stop_gradient", [False, True])
def test_one_pair_is_the_flow_integrated(angle, epsilon, power, stop_gradient):
    found = nt.steps_to_converge(
        angle, 2.0, 3.0, SLOW, tolerance=epsilon, gradscale=power, stop_gradient=stop_gradient
    )
    already = 1 - np.cos(angle) <= epsilon
    exact = 0 if already else _integrated(angle, 2.0, 3.0, SLOW, epsilon, power, stop_gradient)
    assert found == pytest.approx(exact, rel=1e-7)  # what the integrator was asked for, summed


@pytest.mark.parametrize("spread", [0.0, 1.0])
@pytest.mark.parametrize("epsilon", [0.3, 1e-3])
def test_an_ensemble_is_the_flow_integrated(spread, epsilon):
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 3.1, 12)
    norms = 2.0 * np.exp(spread * rng.uniform(-0.5, 0.5, (2, 12)))
    first, second = norms
    found = nt.steps_to_converge(angle, first, second, SLOW, tolerance=epsilon, ensemble_axis=0)
    assert found == pytest.approx(_integrated(angle, first, second, SLOW, epsilon), rel=1e-7)


def test_norms_broadcast_over_one_ensemble():
    angle = np.random.default_rng(2).uniform(0, 3.1, 20)
    norms = np.array([1.0, 2.0, 5.0])[:, None]
    rows = nt.steps_to_converge(angle, norms, norms, SLOW, ensemble_axis=-1)
    assert rows.shape == (3,)
    # The embedding-norm effect: steps grow as the square of the norm.
    np.testing.assert_allclose(rows / rows[0], [1, 4, 25], rtol=CLOSED)
    columns = nt.steps_to_converge(angle[:, None], norms.T, norms.T, SLOW, ensemble_axis=0)
    np.testing.assert_allclose(columns, rows, rtol=CLOSED)
    columns = nt.steps_to_converge(angle[:, None], norms.T, norms.T, SLOW, ensemble_axis=-2)
    np.testing.assert_allclose(columns, rows, rtol=CLOSED)
    # Written out, every norm for itself, the equation is solved anew each time.
    full = np.broadcast_to(norms, (3, 20)).copy()
    np.testing.assert_allclose(
        nt.steps_to_converge(angle, full, full, SLOW, ensemble_axis=1), rows, rtol=1e-10
    )


def test_many_ensembles_at_once_are_each_for_themselves():
    rng = np.random.default_rng(5)
    angle = rng.uniform(0, 3.1, (2, 3, 4))
    norm = rng.uniform(1, 5, (2, 3, 1))
    mixed = np.broadcast_to(norm, (2, 3, 4)) * np.array([1.0, 1.0, 2.0, 3.0])
    for norms, one_row in ((norm, (1, 2, 0)), (mixed, (1, 2))):
        for axis in (2, -1):
            found = nt.steps_to_converge(angle, norms, 1.0, SLOW, ensemble_axis=axis)
            assert found.shape == (2, 3)
            alone = nt.steps_to_converge(angle[1, 2], norms[one_row], 1.0, SLOW, ensemble_axis=0)
            assert found[1, 2] == pytest.approx(alone, rel=1e-12)
        middle = nt.steps_to_converge(
            np.moveaxis(angle, 2, 1), np.moveaxis(norms, 2, 1), 1.0, SLOW, ensemble_axis=1
        )
        np.testing.assert_array_equal(middle, found)


@pytest.mark.parametrize("angle", [2.0, 0.05])  # the second has nearly arrived
def test_an_ensemble_of_equal_pairs_is_one_pair(angle):
    one = nt.steps_to_converge(angle, 1.0, 3.0, SLOW)
    assert one > 0
    many = nt.steps_to_converge(np.full(7, angle), 1.0, 3.0, SLOW, ensemble_axis=0)
    assert many == pytest.approx(one, rel=1e-12)
    written_out = nt.steps_to_converge(
        np.full(7, angle), 1.0, np.full(7, 3.0), SLOW, ensemble_axis=0
    )
    assert written_out == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize("huge", [1e155, 1e200])  # a rate below the normal floats, and none at all
def test_a_pair_too_slow_for_floats(huge):
    angle, norms = np.array([0.3, 1.0]), np.array([huge, 1.0])
    # The slow pair alone costs 0.02 of the mean.
    assert nt.steps_to_converge(angle, norms, norms, SLOW, ensemble_axis=0) == np.inf
    found = nt.steps_to_converge(angle, norms, norms, SLOW, tolerance=0.03, ensemble_axis=0)
    still = 1 - np.cos(0.3)
    one = nt.steps_to_converge(1.0, 1.0, 1.0, SLOW, tolerance=0.06 - still)
    assert found == pytest.approx(one, rel=1e-9)


def test_already_there_is_zero_and_pi_is_never():
    angle = np.array([0.0, 1e-3, 0.0447, np.pi])
    np.testing.assert_array_equal(
        nt.steps_to_converge(angle, 1.0, 1.0, SLOW, tolerance=1e-3), [0, 0, 0, np.inf]
    )
    assert nt.steps_to_converge(angle[:3], 1.0, 1.0, SLOW, ensemble_axis=0) == 0


@pytest.mark.parametrize("norms", [1.0, np.array([1.0, 2.0, 3.0, 4.0])])
def test_an_ensemble_can_leave_a_few_pairs_at_the_antipode(norms):
    angle = np.array([np.pi, 1.0, 1.5, 2.0])
    # The stuck pair costs 2/4 of the mean for ever.
    assert nt.steps_to_converge(angle, norms, norms, SLOW, tolerance=0.5, ensemble_axis=0) == np.inf
    found = nt.steps_to_converge(angle, norms, norms, SLOW, tolerance=0.6, ensemble_axis=0)
    moving = norms if np.ndim(norms) == 0 else norms[1:]
    # The others must get to a mean of (4 * 0.6 - 2)/3.
    exact = _integrated(angle[1:], moving, moving, SLOW, 0.4 / 3)
    assert found == pytest.approx(exact, rel=1e-7)


def test_rates_far_apart_are_solved():
    # The first pair is quick and carries the mean; the second alone would take 1e32 times as long.
    norms = np.array([1e-8, 1e8])
    found = nt.steps_to_converge(
        np.array([1.5, 0.055]), norms, norms, 1e-18, tolerance=1e-3, ensemble_axis=0
    )
    still = 1 - np.cos(0.055)
    one = nt.steps_to_converge(1.5, 1e-8, 1e-8, 1e-18, tolerance=2e-3 - still)
    assert found == pytest.approx(one, rel=1e-9)


@PROPERTY
@given(INNER_ANGLES, st.floats(1, 50), st.floats(1e-6, 0.5), st.floats(1.01, 3))
def test_steps_grow_with_norm_angle_and_precision(angle, norm, epsilon, factor):
    steps = nt.steps_to_converge(angle, norm, norm, SLOW, tolerance=epsilon)
    assert nt.steps_to_converge(angle, factor * norm, norm, SLOW, tolerance=epsilon) >= steps
    assert nt.steps_to_converge(angle, norm, norm, SLOW, tolerance=epsilon / factor) >= steps
    higher = min(angle * factor, np.pi)
    assert nt.steps_to_converge(higher, norm, norm, SLOW, tolerance=epsilon) >= steps
    slower = nt.steps_to_converge(angle, norm, norm, SLOW / factor, tolerance=epsilon)
    assert slower == pytest.approx(factor * steps, rel=CLOSED)
    # The flow has just got there.
    if steps:
        end = nt.flow_angle(angle, norm, norm, SLOW * steps)
        assert 1 - np.cos(end) == pytest.approx(epsilon, rel=1e-7)


@PROPERTY
@given(st.floats(0.5, 3), st.floats(2, 50), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_gradscale_lowers_the_power_of_the_norm(angle, norm, power):
    unit = nt.steps_to_converge(angle, 1.0, 1.0, SLOW, gradscale=power)
    steps = nt.steps_to_converge(angle, norm, norm, SLOW, gradscale=power)
    assert steps == pytest.approx(norm ** (2 - power) * unit, rel=CLOSED)


@PROPERTY
@given(st.integers(4, 200), st.floats(1, 100), st.floats(1e-9, 1e-2), st.sampled_from([0.0, 1.0]))
def test_random_pairs_in_closed_form(d, norm, epsilon, power):
    steps = nt.random_pair_steps(d, norm, SLOW, tolerance=epsilon, gradscale=power)
    expected = norm ** (2 - power) / (4 * SLOW) * np.log(2 * (d - 1) / ((d - 3) * epsilon))
    assert steps == pytest.approx(expected, rel=CLOSED)


def test_random_pairs_agree_with_a_drawn_ensemble():
    rng = np.random.default_rng(3)
    angle = nt.angle(nt.sphere.uniform(rng, 20_000, 20), nt.sphere.uniform(rng, 20_000, 20))
    drawn = nt.steps_to_converge(angle, 1.0, 1.0, SLOW, tolerance=1e-6, ensemble_axis=0)
    # The mean of tan² is known to 1 % or so from 20,000 draws, and enters by its logarithm over 14.
    # False alarms: 1e-9 (38 other seeds: 0.03 % off).
    assert drawn == pytest.approx(nt.random_pair_steps(20, 1.0, SLOW, tolerance=1e-6), rel=2e-3)


def test_opposite_halves_cost_a_logarithm():
    # Theory, item 12: K ≈ (ρ²/2γ)[ln(2/(π-φ)) + ln cot(φ_ε/2)].
    gap = 1e-6
    half = np.arccos(1 - 1e-3) / 2
    expected = (np.log(2 / gap) - np.log(np.tan(half))) / (2 * SLOW)
    assert nt.steps_to_converge(np.pi - gap, 1.0, 1.0, SLOW) == pytest.approx(expected, rel=1e-8)


def test_above_a_tenth_the_flow_warns():
    text = (
        r"^the effective learning rate reaches 0\.25: above 0\.1 the flow is a rough prediction; "
    )
    with pytest.warns(nt.FlowApproximationWarning, match=text):
        nt.steps_to_converge(1.0, 2.0, 2.0, 1.0)
    with pytest.warns(nt.FlowApproximationWarning, match=r"simulate_pairs is exact"):
        nt.steps_to_converge(1.0, 2.0, 20.0, 1.0)
    with pytest.warns(nt.FlowApproximationWarning):
        nt.steps_to_converge(1.0, 20.0, 2.0, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nt.steps_to_converge(1.0, 2.0, 2.0, 0.4)
        # The second embedding does not move, so its rate is of no account.
        nt.steps_to_converge(1.0, 20.0, 2.0, 1.0, stop_gradient=True)


def test_the_warning_points_at_the_call():
    with pytest.warns(nt.FlowApproximationWarning) as seen:
        nt.steps_to_converge(1.0, 2.0, 2.0, 1.0)
    assert seen[0].filename == __file__


def test_traced_input_is_refused():
    text = (
        r"^steps_to_converge: expected arrays with values, not ones traced by JAX or PyTorch(\n|$)"
    )
    with pytest.raises(TypeError, match=text):
        jax.jit(lambda a: nt.steps_to_converge(a, 1.0, 1.0, SLOW))(1.0)


def test_single_precision_is_read_and_computed_in_double():
    angle = np.array([0.5, 1.5], dtype=np.float32)
    rate = 2.0**-10  # a number takes the dtype of the arrays: this one is the same in both
    for axis in (None, 0):
        found = nt.steps_to_converge(angle, np.float32(3), 1.0, rate, ensemble_axis=axis)
        exact = nt.steps_to_converge(angle.astype(float), 3.0, 1.0, rate, ensemble_axis=axis)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, exact)


@pytest.mark.parametrize("huge", [1e155, 1e200])
def test_norms_beyond_all_steps(huge):
    np.testing.assert_array_equal(
        nt.steps_to_converge(np.array([0.0, 1.0]), huge, huge, SLOW), [0, np.inf]
    )


def test_jax_and_torch_arrays_are_read():
    angle = np.array([0.5, 1.5], dtype=np.float32)
    expected = nt.steps_to_converge(angle.astype(float), 1.0, 1.0, SLOW)
    found = nt.steps_to_converge(jax.numpy.asarray(angle), 1.0, 1.0, SLOW)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-6)
