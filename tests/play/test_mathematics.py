"""The mathematics of the page against the library's, to 1e-12, and with errors planted in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import normtheory as nt
from tests.play.browser import MATHEMATICS, compute

pytestmark = pytest.mark.browser

# Formulas of a few operations each in float64; the promise of the page, far above their rounding.
CLOSE: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}


def _cases(n: int = 200) -> list[tuple[nt.PairState, float, dict[str, Any]]]:
    """Random pairs, rates and options; the first ones at rest, at angles 0 and π."""
    rng = np.random.default_rng(14)
    cases = []
    for k in range(n):
        angle = [0.0, float(np.pi)][k] if k < 2 else rng.uniform(0, np.pi)
        rate = float(10 ** rng.uniform(-3, 1))
        options = {
            "gradscale": float(rng.choice([0.0, 0.5, 1.0, 1.3, 2.0])),
            "weight_decay": float(rng.choice([0.0, 0.5 * rng.uniform() / rate])),
            "repel": bool(rng.integers(2)),
            "stop_gradient": bool(rng.integers(2)),
        }
        norms = (float(x) for x in 10 ** rng.uniform(-1, 1, 2))
        cases.append((nt.PairState(float(angle), *norms), rate, options))
    return cases


CASES = _cases()
EXPECTED = np.array([nt.pair_step(state, rate, **options) for state, rate, options in CASES])


def _closed_form(browser: Any, source: str = MATHEMATICS) -> np.ndarray:
    found = compute(
        browser, "pair_step", [[s._asdict(), rate, options] for s, rate, options in CASES], source
    )
    return np.array([[after["angle"], after["norm_i"], after["norm_j"]] for after in found])


def _of_vectors(browser: Any, source: str = MATHEMATICS) -> np.ndarray:
    """The step that the page draws, without momentum; back to angle and norms by the library."""
    rng = np.random.default_rng(3)
    given = []
    for (angle, a, b), rate, options in CASES:
        at = rng.uniform(0, 2 * np.pi)
        z = [[r * np.cos(t), r * np.sin(t)] for r, t in ((a, at), (b, at + angle))]
        given.append([{"z": z, "v": [[0, 0], [0, 0]]}, rate, options])
    z = np.array([after["z"] for after in compute(browser, "heavy_ball_step", given, source)])
    return np.stack([nt.angle(z[:, 0], z[:, 1]), *np.linalg.norm(z, axis=-1).T], axis=-1)


@pytest.mark.parametrize("step", [_closed_form, _of_vectors])
def test_step_of_a_pair_is_that_of_the_library(browser, step):
    np.testing.assert_allclose(step(browser), EXPECTED, **CLOSE)


PLANTED = {
    "turns the wrong way": (_closed_form, "state.angle + total :", "state.angle - total :"),
    "not folded": (_closed_form, "2 * Math.PI - after", "after"),
    "GradScale off by one power": (_closed_form, "(gradscale - 1)", "gradscale"),
    "decay without the rate": (_closed_form, "(1 - learning_rate * weight_decay) * norm", "norm"),
    "the other side moves": (_closed_form, "? { theta: 0, norm: state.norm_j }", "? turn(1)"),
    "not projected": (_of_vectors, "-dot(u, v)), 1", "0), 1"),
    "inverse norm left out": (_of_vectors, "-dot(u, v)), 1 / norm(z))", "-dot(u, v)), 1)"),
    "attracts where it repels": (_of_vectors, "repel ? gradient", "!repel ? gradient"),
    "decay of the step too": (
        _of_vectors,
        "plus(times(pair.z[k], 1 - learning_rate * weight_decay), v, -learning_rate)",
        "times(plus(pair.z[k], v, -learning_rate), 1 - learning_rate * weight_decay)",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_error_is_noticed(browser, name):
    step, right, wrong = PLANTED[name]
    assert MATHEMATICS.count(right) == 1
    found = step(browser, MATHEMATICS.replace(right, wrong))
    assert not np.allclose(found, EXPECTED, rtol=1e-6, atol=1e-6)


def test_momentum_is_the_heavy_ball(browser):
    rng = np.random.default_rng(5)
    given, expected = [], []
    for k in range(40):
        rate, decay, alpha, power = 0.3, 0.1 * (k % 2), 0.8, [0.0, 1.0][k // 2 % 2]
        z, v = rng.standard_normal((2, 2, 2))
        options = {"momentum": alpha, "weight_decay": decay, "gradscale": power}
        given.append([{"z": z.tolist(), "v": v.tolist()}, rate, options])
        gradient = -np.stack([nt.cosine_gradient(z[0], z[1]), nt.cosine_gradient(z[1], z[0])])
        v = alpha * v + gradient * np.linalg.norm(z, axis=-1, keepdims=True) ** power
        expected.append([(1 - rate * decay) * z - rate * v, v])
    found = [[pair["z"], pair["v"]] for pair in compute(browser, "heavy_ball_step", given)]
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_course_and_steps_of_a_pair_are_the_closed_forms(browser):
    times = np.random.default_rng(6).uniform(0, 3, len(CASES))
    flows, steps, angles, counts = [], [], [], []
    for (state, rate, options), time in zip(CASES, times, strict=True):
        kept = {k: v for k, v in options.items() if k != "weight_decay"}
        flows.append([*state, time, dict(kept)])
        angles.append(nt.flow_angle(*state, time, **kept))
        # Repulsion from an angle is attraction from its supplement; momentum 0.5 halves the steps.
        repels = kept.pop("repel")
        start = state._replace(angle=np.pi - state.angle) if repels else state
        slow = 1e-5 * rate  # where the library does not warn that steps are large
        count = nt.steps_to_converge(*start, slow, tolerance=1e-4, **kept)
        asked = {**kept, "repel": repels, "momentum": 0.5, "tolerance": 1e-4}
        steps.append([*state, slow, asked])
        counts.append(0.5 * count)
    np.testing.assert_allclose(compute(browser, "flow_angle", flows), angles, **CLOSE)
    found = [np.inf if x is None else x for x in compute(browser, "steps_to_converge", steps)]
    np.testing.assert_allclose(found, counts, rtol=1e-11)  # tan near π/2 magnifies an eps of π


def test_info_nce_and_uniformity_of_a_cloud_are_the_library_s(browser):
    rng = np.random.default_rng(7)
    for n, temperature in ((2, 1.0), (7, 0.2), (24, 0.05)):
        z = rng.standard_normal((n, 3)) * rng.uniform(0.3, 3, (n, 1))
        value, gradients = nt.losses.LOSSES["info_nce"].value_and_gradient(
            z, z, temperature=temperature
        )
        (found,) = compute(browser, "info_nce", [[z.tolist(), temperature]])
        np.testing.assert_allclose(found["value"], value, **CLOSE)
        np.testing.assert_allclose(found["gradients"], sum(gradients), rtol=1e-12, atol=1e-13)
        (moved,) = compute(browser, "cloud_step", [[z.tolist(), 0.1, temperature]])
        np.testing.assert_allclose(moved, z - 0.1 * sum(gradients), **CLOSE)
        (even,) = compute(browser, "uniformity", [[z.tolist(), 2.0]])
        np.testing.assert_allclose(even, nt.losses.uniformity(z, sharpness=2.0), **CLOSE)


def test_steps_of_an_equiangular_cloud_are_the_closed_form(browser):
    cases = [
        [start, end, n, 1.5, 0.02, temperature]
        for n, end in ((2, -0.9), (3, -0.45))
        for start in (0.999, 0.7)
        for temperature in (1.0, 0.2, 0.05)
    ]
    expected = [
        nt.symmetric.simplex_steps("info_nce", a, b, n, rho, rate, steepness=1 / tau)
        for a, b, n, rho, rate, tau in cases
    ]
    np.testing.assert_allclose(compute(browser, "simplex_steps", cases), expected, rtol=1e-11)
    slopes = [nt.symmetric.slope("info_nce", a, n, steepness=1 / tau) for a, _, n, *_, tau in cases]
    found = compute(browser, "slope", [[a, n, tau] for a, _, n, *_, tau in cases])
    np.testing.assert_allclose(found, slopes, **CLOSE)


def test_flow_of_a_cloud_opens_an_umbrella_in_the_time_of_the_closed_form(browser):
    height, temperature, goal = 0.95, 0.2, -2.0
    around = 2 * np.pi * np.arange(3) / 3
    side = np.sqrt(1 - height**2)
    z = np.stack([side * np.cos(around), side * np.sin(around), height + 0 * around], axis=-1)
    (course,) = compute(browser, "unit_flow", [[z.tolist(), temperature, goal]])
    (time,) = compute(browser, "time_to", [[course, goal]])
    # Uniformity of equiangular points is -2t(1 - c), t = 2.
    (end,) = compute(browser, "equiangular_cosine", [[goal]])
    assert end == pytest.approx(1 + goal / 4, abs=1e-15)
    expected = nt.symmetric.simplex_steps(
        "info_nce", z[0] @ z[1], end, 3, 1.0, 1.0, steepness=1 / temperature
    )
    # Steps of Runge and Kutta, and a straight line between two of them.
    assert time == pytest.approx(float(expected), rel=1e-3)


def test_an_even_sphere_has_the_mean_over_independent_uniform_points(browser):
    cosine, weight = np.polynomial.legendre.leggauss(40)  # uniform in [-1, 1] on a sphere of space
    for sharpness in (0.5, 2.0):
        mean = (weight * np.exp(-sharpness * (2 - 2 * cosine))).sum() / 2
        (found,) = compute(browser, "even_uniformity", [[sharpness]])
        assert found == pytest.approx(np.log(mean), rel=1e-12)
