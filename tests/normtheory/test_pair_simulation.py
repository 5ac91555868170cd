"""The compiled recursion of many pairs: what it computes, when it stops, what it records."""

from __future__ import annotations

import itertools
import sys

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import normtheory as nt
from normtheory import _pair_loop, _pair_loop_jax, pair_simulation
from tests.helpers import PROPERTY
from tests.strategies import INNER_ANGLES

# Both round an eps or two differently a step. Attraction damps such errors; elsewhere they add up:
# 10,000 steps times a few eps is 1e-11 at the very worst.
MANY_STEPS = 1e-11


def _iterate(angle, norm_i, norm_j, rate, steps, **options) -> list[nt.PairState]:
    states = [nt.PairState(angle, norm_i, norm_j)]
    for _ in range(steps):
        states.append(nt.pair_step(states[-1], rate, **options))
    return states


VARIANTS = [
    {"gradscale": power, "repel": repel, "stop_gradient": stop, "weight_decay": decay}
    for power, repel, stop, decay in itertools.product(
        (0.0, 0.5, 1.0, 2.0), (False, True), (False, True), (0.0, 0.02)
    )
]


# A program for every two of them; of powers, 0 leaves a step as it is and 2 is the largest.
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(v, id=str(v), marks=() if v["gradscale"] in (0.0, 2.0) else pytest.mark.slow)
        for v in VARIANTS
    ],
)
def test_it_is_pair_step_iterated(options):
    # Decay without gradient makes a pair burst in the end: an instability, which magnifies errors.
    steps = 60 if options["weight_decay"] else 120
    angle = np.array([0.4, 1.5, 3.0])
    norm_i, norm_j = np.array([0.7, 1.0, 2.0]), np.array([1.0, 3.0, 0.6])
    run = nt.simulate_pairs(
        angle, norm_i, norm_j, 0.3, tolerance=1e-15, max_steps=steps, record_every=10, **options
    )
    states = _iterate(angle, norm_i, norm_j, 0.3, steps, **options)
    assert run.trajectory is not None
    assert run.recorded_steps is not None
    assert len(run.recorded_steps) > 2
    for row, step in enumerate(run.recorded_steps):
        for found, exact in zip(run.trajectory, states[step], strict=True):
            np.testing.assert_allclose(found[row], exact, rtol=MANY_STEPS, atol=MANY_STEPS)
    for found, last in zip((run.angle, run.norm_i, run.norm_j), run.trajectory, strict=True):
        np.testing.assert_array_equal(found, last[-1])


def _without_jax(monkeypatch, *given, **options):
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "normtheory._pair_loop_jax", None)
        without.setattr(pair_simulation, "_loop", pair_simulation._loop.__wrapped__)
        assert pair_simulation._loop() is _pair_loop.advance
        return nt.simulate_pairs(*given, **options)


def _assert_same(run, other):
    for name in ("steps", "converged", "recorded_steps"):
        np.testing.assert_array_equal(getattr(run, name), getattr(other, name))
    for found, wanted in zip(run.trajectory, other.trajectory, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=MANY_STEPS, atol=MANY_STEPS)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_without_jax_a_run_is_the_same(options, monkeypatch):
    # The shapes of the test above, so that nothing is compiled anew.
    norm_i, norm_j = np.array([0.7, 1.0, 2.0]), np.array([1.0, 3.0, 0.6])
    given = (np.array([0.4, 1.5, 3.0]), norm_i, norm_j, 0.3)
    settings = {"tolerance": 1e-15, "max_steps": 60, "record_every": 7, **options}
    plain = _without_jax(monkeypatch, *given, **settings)
    _assert_same(plain, nt.simulate_pairs(*given, **settings))


def test_without_jax_each_ensemble_stops_by_itself(monkeypatch):
    norms = np.array([[1.0], [2.0], [30.0]])
    given = (np.array([0.4, 1.5, 3.0]), norms, norms, 0.3)
    plain = _without_jax(monkeypatch, *given, max_steps=200, record_every=11)
    assert plain.steps[0] < plain.steps[1] < plain.steps[2] == 200
    _assert_same(plain, nt.simulate_pairs(*given, max_steps=200, record_every=11))


@pytest.mark.parametrize("repel", [False, True])
@pytest.mark.parametrize("steps", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_steps(repel, steps):
    angle, norm_i, norm_j = np.array([0.5, 3.0]), np.array([20.0, 30.0]), np.array([30.0, 25.0])
    run = nt.simulate_pairs(
        angle, norm_i, norm_j, 0.05, tolerance=1e-15, max_steps=steps, repel=repel
    )
    last = _iterate(angle, norm_i, norm_j, 0.05, steps, repel=repel)[-1]
    assert run.steps == steps
    for found, exact in zip((run.angle, run.norm_i, run.norm_j), last, strict=True):
        np.testing.assert_allclose(found, exact, rtol=MANY_STEPS, atol=MANY_STEPS)


@pytest.mark.parametrize("rate", [0.02, 0.9, 5.0, 1e3])
def test_steps_are_counted_before_an_update(rate):
    """The count is the first k at which the mean cosine has reached 1 - tolerance."""
    angle = np.array([0.5, 1.0, 2.5])
    run = nt.simulate_pairs(angle, 1.0, 1.2, rate, tolerance=1e-2, max_steps=50_000)
    states = _iterate(angle, 1.0, 1.2, rate, int(run.steps))
    gaps = [float(np.mean(2 * np.sin(s.angle / 2) ** 2)) for s in states]
    assert run.converged
    assert gaps[-1] <= 1e-2
    assert all(gap > 1e-2 for gap in gaps[:-1])


def test_an_ensemble_stops_together_and_rows_for_themselves():
    angle = np.array([[0.01, 2.0], [0.01, 0.01], [2.0, 2.0]])
    run = nt.simulate_pairs(angle, 1.0, 1.0, 0.05, tolerance=1e-3)
    assert run.steps.shape == run.converged.shape == (3,)
    assert run.angle.shape == (3, 2)
    assert run.steps[1] == 0
    # A row at the goal stays as it is while the others run.
    np.testing.assert_allclose(run.angle[1], angle[1], rtol=1e-15)
    for row in range(3):
        alone = nt.simulate_pairs(angle[row], 1.0, 1.0, 0.05, tolerance=1e-3)
        assert alone.steps == run.steps[row]
        np.testing.assert_allclose(alone.angle, run.angle[row], rtol=1e-13)


def test_rows_of_any_shape():
    angle = np.linspace(0.2, 3.0, 5)
    norms = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])[..., None]
    run = nt.simulate_pairs(angle, norms, norms, 0.05)
    assert run.steps.shape == (2, 3)
    assert run.angle.shape == run.norm_i.shape == (2, 3, 5)
    assert run.steps[1, 2] == nt.simulate_pairs(angle, 6.0, 6.0, 0.05).steps


def test_more_rows_than_share_a_loop():
    # Rows are worked off in batches of 512 pairs; the last batch here is not full.
    angle = np.linspace(0.1, 3.0, 1300)[:, None]
    run = nt.simulate_pairs(angle, 1.0, 1.0, 0.1)
    some = [0, 511, 512, 1024, 1299]
    for row in some:
        assert nt.simulate_pairs(angle[row], 1.0, 1.0, 0.1).steps == run.steps[row]


def test_max_steps_and_converged():
    run = nt.simulate_pairs(2.0, 1.0, 1.0, 0.01, max_steps=100)
    assert (run.steps, run.converged) == (100, False)
    needed = nt.simulate_pairs(2.0, 1.0, 1.0, 0.01).steps
    run = nt.simulate_pairs(2.0, 1.0, 1.0, 0.01, max_steps=int(needed))
    assert (run.steps, run.converged) == (needed, True)
    run = nt.simulate_pairs(2.0, 1.0, 1.0, 0.01, max_steps=int(needed) - 1)
    assert (run.steps, run.converged) == (needed - 1, False)


def test_no_steps_allowed_leaves_the_start():
    run = nt.simulate_pairs(np.array([1.0, 2.0]), 1.0, 3.0, 0.1, max_steps=0, record_every=5)
    assert (run.steps, run.converged) == (0, False)
    np.testing.assert_allclose(run.angle, [1, 2], rtol=1e-15)
    np.testing.assert_array_equal(run.recorded_steps, [0])


def test_a_converged_start_takes_no_steps():
    run = nt.simulate_pairs(np.array([0.0, 1e-3]), 1.0, 1.0, 0.1, record_every=5)
    assert (run.steps, run.converged) == (0, True)
    np.testing.assert_array_equal(run.norm_i, [1, 1])
    np.testing.assert_array_equal(run.recorded_steps, [0])


@pytest.mark.parametrize("options", [{}, {"gradscale": 2.0}, {"stop_gradient": True}])
def test_exactly_at_the_antipode_it_never_converges(options):
    run = nt.simulate_pairs(np.pi, 1.0, 1.0, 1.9, max_steps=2000, **options)
    assert (run.steps, run.converged, run.angle, run.norm_i) == (2000, False, np.pi, 1.0)
    beside = nt.simulate_pairs(np.nextafter(np.pi, 0), 1.0, 1.0, 0.1)
    assert beside.converged


def test_repulsion_runs_to_max_steps():
    run = nt.simulate_pairs(np.array([0.0, 1.0]), 1.0, 1.0, 0.1, repel=True, max_steps=500)
    assert (run.steps, run.converged) == (500, False)
    assert run.angle[0] == 0
    assert run.angle[1] > 3.1


def test_the_trajectory_ends_where_the_run_ends():
    run = nt.simulate_pairs(
        np.array([[1.0], [2.0]]), np.array([[1.0], [3.0]]), 1.0, 0.1, record_every=7
    )
    assert run.recorded_steps is not None
    assert run.trajectory is not None
    for row, norm in enumerate((1.0, 3.0)):
        assert run.steps[row] == nt.simulate_pairs(1.0 + row, norm, 1.0, 0.1).steps
    last = int(run.steps.max())
    np.testing.assert_array_equal(run.recorded_steps, [*range(0, last, 7), last])
    assert run.trajectory.angle.shape == (len(run.recorded_steps), 2, 1)
    np.testing.assert_array_equal(run.trajectory.angle[-1], run.angle)
    # A row that has stopped keeps its last state.
    first = int(np.argmin(run.steps))
    kept = run.trajectory.angle[run.recorded_steps >= run.steps[first], first]
    assert (kept == run.angle[first]).all()


@pytest.mark.parametrize("max_steps", [1_000_000, 150])
@pytest.mark.parametrize("record_every", [1, 13, 100])
def test_recording_changes_nothing(record_every, max_steps):
    # Four ensembles that stop far apart, the first at once, the last perhaps not at all.
    angle = np.array([[0.01, 0.02], [0.5, 0.6], [1.0, 2.0], [2.0, 3.0]])
    plain = nt.simulate_pairs(angle, 2.0, 2.0, 0.2, max_steps=max_steps)
    assert len(set(plain.steps.tolist())) == 4
    recorded = nt.simulate_pairs(
        angle, 2.0, 2.0, 0.2, max_steps=max_steps, record_every=record_every
    )
    for name in ("steps", "converged", "angle", "norm_i", "norm_j"):
        np.testing.assert_array_equal(getattr(recorded, name), getattr(plain, name))
    assert plain.trajectory is None
    assert plain.recorded_steps is None


@pytest.mark.parametrize("repel", [False, True])
def test_cutting_a_long_run_into_calls_changes_nothing(repel, monkeypatch):
    angle = np.array([[0.5, 0.6], [1.0, 2.0]])
    whole = nt.simulate_pairs(angle, 2.0, 1.5, 0.2, max_steps=90, repel=repel)
    monkeypatch.setattr(pair_simulation, "_CHUNK", 7)
    parts = nt.simulate_pairs(angle, 2.0, 1.5, 0.2, max_steps=90, repel=repel)
    if repel:
        assert whole.steps.tolist() == [90, 90]
    else:
        assert 7 < whole.steps[0] < 80
    for name in ("steps", "converged", "angle", "norm_i", "norm_j"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@PROPERTY
@given(INNER_ANGLES, INNER_ANGLES, st.integers(-660, 660), st.sampled_from([0.0, 2.0]))
def test_scale_theorem_bit_for_bit(first, second, exponent, power):
    angle = np.array([first, second])
    alpha = np.ldexp(1.0, exponent // 2 if power == 0 else exponent)
    plain = nt.simulate_pairs(angle, 1.1, 0.9, 0.2, gradscale=power, weight_decay=0.01)
    factor = alpha**2 if power == 0 else 1.0
    scaled = nt.simulate_pairs(
        angle, 1.1 * alpha, 0.9 * alpha, 0.2 * factor, gradscale=power, weight_decay=0.01 / factor
    )
    assert scaled.steps == plain.steps
    np.testing.assert_array_equal(scaled.angle, plain.angle)
    np.testing.assert_array_equal(scaled.norm_i, alpha * plain.norm_i)
    np.testing.assert_array_equal(scaled.norm_j, alpha * plain.norm_j)


@pytest.mark.parametrize("norm", [1e-200, 1e-150, 1e150, 1e200])
def test_extreme_norms(norm):
    # The effective rate is that of norm 1 and rate 0.04; p = 1, so that the rate is a float too.
    plain = nt.simulate_pairs(np.array([1.0, 2.0]), 1.0, 1.5, 0.04, gradscale=1.0)
    run = nt.simulate_pairs(np.array([1.0, 2.0]), norm, 1.5 * norm, 0.04 * norm, gradscale=1.0)
    assert run.steps == plain.steps
    np.testing.assert_allclose(run.angle, plain.angle, rtol=1e-11)
    np.testing.assert_allclose(run.norm_i / norm, plain.norm_i, rtol=1e-11)


def _compiled() -> int:
    """How many versions of the loop have been compiled."""
    return _pair_loop_jax.compiled._cache_size()  # pyright: ignore[reportAttributeAccessIssue]


def test_another_norm_rate_tolerance_or_decay_does_not_recompile():
    angle = np.linspace(0.1, 3.0, 17)
    norms = np.linspace(1, 2, 17)
    nt.simulate_pairs(angle, norms, 1.0, 0.05)
    before = _compiled()
    nt.simulate_pairs(angle, 3 * norms, 1.0, 0.05)
    nt.simulate_pairs(angle, norms, 7.0, 0.02, tolerance=1e-2, weight_decay=1e-3, max_steps=77)
    nt.simulate_pairs(angle[::-1], norms, np.float32(2), 1, tolerance=0.5, record_every=3)
    nt.simulate_pairs(angle, norms, 1.0, np.linspace(0.1, 0.2, 17))
    assert _compiled() == before
    nt.simulate_pairs(angle[1:], norms[1:], 1.0, 0.05)
    assert _compiled() == before + 1  # so the count does count


def test_norms_equalise():
    # Theory, item 9: ρ_i⁴ - ρ_j⁴ is multiplied by 1 - x_i²x_j²s⁴ every step, so it never grows.
    run = nt.simulate_pairs(2.0, 1.0, 1.3, 0.9, record_every=1)
    assert run.trajectory is not None
    gap = run.trajectory.norm_j**4 - run.trajectory.norm_i**4
    assert (np.diff(gap) <= 1e-14).all()
    assert (gap > 0).all()


def test_arrays_of_jax_are_read_and_tracers_refused():
    run = nt.simulate_pairs(jax.numpy.asarray([0.5, 1.0]), 1.0, 1.0, 0.1)
    assert isinstance(run.angle, np.ndarray)
    assert run.angle.dtype == np.float64
    with pytest.raises(TypeError, match="expected arrays with values"):
        jax.jit(lambda a: nt.simulate_pairs(a, 1.0, 1.0, 0.1).steps)(1.0)
