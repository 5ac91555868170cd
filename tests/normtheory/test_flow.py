"""The gradient flow of a pair: laws of the closed form, and the flow itself integrated in space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import normtheory as nt
from tests.helpers import PROPERTY, tolerance
from tests.strategies import ANGLES, INNER_ANGLES, NORMS, POWERS

CLOSED = tolerance("closed_form")
UNITS = st.floats(0, 4)  # time in units of 1/κ


def _kappa(a: float, b: float, power: float = 0.0) -> float:
    return a ** (power - 2) + b ** (power - 2)


@PROPERTY
@given(ANGLES, NORMS, NORMS, POWERS, UNITS, UNITS, st.booleans())
def test_flowing_on_is_flowing_longer(angle, a, b, power, first, second, repel):
    options = {"gradscale": power, "repel": repel}
    one, two = (u / _kappa(a, b, power) for u in (first, second))
    there = nt.flow_angle(angle, a, b, one, **options)
    there_and_on = nt.flow_angle(there, a, b, two, **options)
    at_once = nt.flow_angle(angle, a, b, one + two, **options)
    # An error of the middle angle near pi grows by exp(4) at most.
    assert there_and_on == pytest.approx(at_once, abs=CLOSED * np.exp(4))


@PROPERTY
@given(ANGLES, NORMS, NORMS, UNITS)
def test_attraction_lowers_the_angle_and_repulsion_raises_it_back(angle, a, b, unit):
    time = unit / _kappa(a, b)
    down = nt.flow_angle(angle, a, b, time)
    assert 0 <= down <= angle
    assert angle <= nt.flow_angle(angle, a, b, time, repel=True) <= np.pi
    assert nt.flow_angle(down, a, b, time, repel=True) == pytest.approx(angle, abs=CLOSED * 60)
    assert nt.flow_angle(angle, a, b, 0.0) == pytest.approx(angle, rel=CLOSED)


@PROPERTY
@given(INNER_ANGLES, NORMS, NORMS, UNITS)
def test_repulsion_is_attraction_to_the_antipode(angle, a, b, unit):
    time = unit / _kappa(a, b)
    away = nt.flow_angle(angle, a, b, time, repel=True)
    assert np.pi - away == pytest.approx(nt.flow_angle(np.pi - angle, a, b, time), abs=CLOSED)


@PROPERTY
@given(ANGLES, NORMS, NORMS, UNITS, st.floats(0.1, 10))
def test_time_scales_with_the_square_of_the_norm(angle, a, b, unit, alpha):
    time = unit / _kappa(a, b)
    scaled = nt.flow_angle(angle, alpha * a, alpha * b, alpha**2 * time)
    assert scaled == pytest.approx(nt.flow_angle(angle, a, b, time), abs=CLOSED)


@PROPERTY
@given(NORMS, NORMS, UNITS)
def test_the_ends_rest(a, b, time):
    assert nt.flow_angle(0.0, a, b, time) == 0
    assert nt.flow_angle(np.pi, a, b, time) == np.pi


@PROPERTY
@given(INNER_ANGLES, NORMS, NORMS)
def test_small_steps_follow_the_flow(angle, a, b):
    x = 1e-4
    rate = x / _kappa(a, b)
    state = nt.PairState(angle, a, b)
    for _ in range(20):
        state = nt.pair_step(state, rate)
    # A local error of order x² in 20 steps, against a way of 20 x.
    assert state.angle == pytest.approx(nt.flow_angle(angle, a, b, 20 * rate), abs=20 * x**2)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("stop_gradient", [False, True])
@pytest.mark.parametrize("repel", [False, True])
def test_it_is_the_flow_of_the_cosine_in_space(power, stop_gradient, repel):
    z, y = nt.sphere.pairs_at_angle(np.random.default_rng(0), 2.0, 3, n=1)
    start = np.concatenate([0.7 * z[0], 1.6 * y[0]])
    sign = -1.0 if repel else 1.0

    def force(_: float, state: np.ndarray) -> np.ndarray:
        u, v = state[:3], state[3:]
        norms = np.linalg.norm(u), np.linalg.norm(v)
        cosine = u @ v / (norms[0] * norms[1])
        g_u = (v / norms[1] - cosine * u / norms[0]) / norms[0]
        g_v = (u / norms[0] - cosine * v / norms[1]) / norms[1]
        g_v = 0 * g_v if stop_gradient else g_v * norms[1] ** power
        return sign * np.concatenate([g_u * norms[0] ** power, g_v])

    end = solve_ivp(force, (0, 0.8), start, rtol=1e-11, atol=1e-12).y[:, -1]
    u, v = end[:3], end[3:]
    # Under the flow the norms are constant (theory, item 5).
    assert np.linalg.norm(u) == pytest.approx(0.7, rel=1e-8)
    assert np.linalg.norm(v) == pytest.approx(1.6, rel=1e-8)
    found = nt.flow_angle(
        2.0, 0.7, 1.6, 0.8, gradscale=power, repel=repel, stop_gradient=stop_gradient
    )
    exact = np.arccos(u @ v / (np.linalg.norm(u) * np.linalg.norm(v)))
    assert found == pytest.approx(exact, abs=1e-7)  # what the integrator was asked for, summed
