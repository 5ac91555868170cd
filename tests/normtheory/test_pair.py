"""Laws of one exact step of a pair, and of the small formulas beside it."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import normtheory as nt
from tests.helpers import PROPERTY, precision, tolerance
from tests.strategies import ANGLES, INNER_ANGLES, NORMS, POWERS, RATES

STEP = tolerance("one_step")
OPTIONS = st.fixed_dictionaries(
    {"gradscale": POWERS, "repel": st.booleans(), "stop_gradient": st.booleans()}
)
EXPONENTS = st.integers(-300, 300)


@PROPERTY
@given(ANGLES, NORMS, NORMS, RATES, OPTIONS, st.floats(0, 0.99))
def test_angles_stay_in_range_and_only_decay_shrinks_norms(angle, a, b, rate, options, product):
    state = nt.PairState(angle, a, b)
    without = nt.pair_step(state, rate, **options)
    decayed = nt.pair_step(state, rate, weight_decay=product / rate, **options)
    for after in (without, decayed):
        assert 0 <= after.angle <= np.pi
    # Draganov et al. 2025, Corollary 3.3: an orthogonal step lengthens.
    assert without.norm_i >= a * (1 - STEP)
    assert without.norm_j >= b * (1 - STEP)
    # An embedding behind a stop-gradient is left alone, by decay too.
    if options["stop_gradient"]:
        assert without.norm_j == decayed.norm_j == b
    assert decayed.norm_i <= without.norm_i * (1 + STEP)


@PROPERTY
@given(INNER_ANGLES, NORMS, NORMS, RATES, st.booleans())
def test_norm_grows_by_the_square_of_the_gradient(angle, a, b, rate, repel):
    after = nt.pair_step(nt.PairState(angle, a, b), rate, repel=repel)
    for new, old in ((after.norm_i, a), (after.norm_j, b)):
        assert new**2 == pytest.approx(old**2 + (rate * np.sin(angle) / old) ** 2, rel=STEP)


@PROPERTY
@given(ANGLES, NORMS, NORMS, RATES, OPTIONS, EXPONENTS)
def test_scale_theorem_bit_for_bit_for_powers_of_two(angle, a, b, rate, options, power):
    # z -> αz with γ -> α^(2-p) γ changes no direction. For p = 1/2 and 1 a power is rounded.
    options["gradscale"] = 0.0 if options["gradscale"] < 1 else 2.0
    alpha = np.ldexp(1.0, power // 2)
    other = rate * alpha**2 if options["gradscale"] == 0 else rate
    plain = nt.pair_step(nt.PairState(angle, a, b), rate, weight_decay=0.5 / rate, **options)
    scaled = nt.pair_step(
        nt.PairState(angle, alpha * a, alpha * b), other, weight_decay=0.5 / other, **options
    )
    if options["gradscale"] == 0:
        assert scaled == (plain.angle, alpha * plain.norm_i, alpha * plain.norm_j)
    else:
        assert scaled.angle == pytest.approx(plain.angle, abs=STEP)


@PROPERTY
@given(ANGLES, NORMS, NORMS, RATES, POWERS, st.floats(0.1, 10))
def test_scale_theorem_for_any_scale(angle, a, b, rate, power, alpha):
    plain = nt.pair_step(nt.PairState(angle, a, b), rate, gradscale=power)
    scaled = nt.pair_step(
        nt.PairState(angle, alpha * a, alpha * b), rate * alpha ** (2 - power), gradscale=power
    )
    # Rounding the rate by an eps turns each point by at most half of it.
    assert scaled.angle == pytest.approx(plain.angle, abs=STEP)
    assert scaled.norm_i == pytest.approx(alpha * plain.norm_i, rel=STEP)


@PROPERTY
@given(ANGLES, NORMS, NORMS, RATES, POWERS, st.booleans())
def test_swapping_the_two_embeddings_swaps_their_norms(angle, a, b, rate, power, repel):
    one = nt.pair_step(nt.PairState(angle, a, b), rate, gradscale=power, repel=repel)
    two = nt.pair_step(nt.PairState(angle, b, a), rate, gradscale=power, repel=repel)
    assert (one.norm_i, one.norm_j) == (two.norm_j, two.norm_i)
    assert one.angle == pytest.approx(two.angle, abs=STEP)


@PROPERTY
@given(INNER_ANGLES, NORMS, NORMS, RATES, POWERS)
def test_gradscale_is_a_rate_of_its_own_for_each_norm(angle, a, b, rate, power):
    scaled = nt.pair_step(nt.PairState(angle, a, b), rate, gradscale=power, stop_gradient=True)
    plain = nt.pair_step(nt.PairState(angle, a, b), rate * a**power, stop_gradient=True)
    assert scaled.angle == pytest.approx(plain.angle, abs=STEP)
    assert scaled.norm_i == pytest.approx(plain.norm_i, rel=STEP)


@PROPERTY
@given(INNER_ANGLES, NORMS)
def test_best_step_aligns_at_once(angle, norm):
    # Theory, item 10: at x = 1/(1 + cos φ) one step of both embeddings aligns the pair.
    rate = norm**2 / (1 + np.cos(angle))
    after = nt.pair_step(nt.PairState(angle, norm, norm), rate)
    # The rate is as good as 1 + cos φ, which cancels near pi.
    assert after.angle <= STEP * (1 + 1 / np.sin(angle))


@PROPERTY
@given(st.floats(0.3, 2.8), NORMS)
def test_repulsion_undoes_attraction_to_first_order(angle, norm):
    rate = 1e-6 * norm**2
    there = nt.pair_step(nt.PairState(angle, norm, norm), rate)
    back = nt.pair_step(there, rate, repel=True)
    assert there.angle < angle
    assert back.angle == pytest.approx(angle, abs=1e-11)  # second order in x = 1e-6


@PROPERTY
@given(NORMS, NORMS, RATES, OPTIONS)
def test_parallel_and_antipodal_pairs_rest(a, b, rate, options):
    for angle in (0.0, np.pi):
        after = nt.pair_step(nt.PairState(angle, a, b), rate, **options)
        assert after.angle == angle
        assert after.norm_i == pytest.approx(a, rel=STEP)


def test_a_large_step_is_folded():
    # Both turn by nearly pi/2: 0.5 - pi, folded to pi - 0.5.
    after = nt.pair_step(nt.PairState(0.5, 1.0, 1.0), 1e9)
    assert after.angle == pytest.approx(np.pi - 0.5, abs=1e-8)
    after = nt.pair_step(nt.PairState(2.5, 1.0, 1.0), 1e9, repel=True)
    assert after.angle == pytest.approx(2 * np.pi - (2.5 + np.pi), abs=1e-8)


@PROPERTY
@given(RATES, st.integers(1, 10**6))
def test_pair_rate_divides_by_n_for_a_mean_only(rate, n):
    assert nt.pair_rate(rate, n, "mean") == rate / n
    assert nt.pair_rate(rate, n, "sum") == rate


@PROPERTY
@given(RATES, st.floats(-150, 150), POWERS)
def test_effective_rate_is_the_small_turn_per_sine(rate, decades, power):
    norm = 10.0**decades
    x = nt.effective_learning_rate(rate, norm, gradscale=power)
    if power == 0:
        assert nt.effective_learning_rate(rate, norm) == x
    assert np.log10(x) == pytest.approx(np.log10(rate) + (power - 2) * decades, abs=1e-9)
    if 1e-12 < x < 1e-5 and abs(decades) < 10:
        after = nt.pair_step(
            nt.PairState(1.0, norm, norm), rate, gradscale=power, stop_gradient=True
        )
        # The difference of two angles near 1 carries an eps.
        assert 1.0 - after.angle == pytest.approx(x * np.sin(1.0), rel=1e-9, abs=1e-15)


def test_effective_rate_where_the_square_of_the_norm_is_no_normal_float():
    assert nt.effective_learning_rate(1e200, 1e160) == pytest.approx(1e-120, rel=STEP)
    assert nt.effective_learning_rate(1e-200, 1e-160) == pytest.approx(1e120, rel=STEP)


@pytest.mark.parametrize(
    "library", ["numpy", "jax", "jax.jit", pytest.param("torch", marks=pytest.mark.torch)]
)
def test_arrays_keep_their_kind_and_dtype(library):
    if library == "torch":
        array = pytest.importorskip("torch").tensor
    else:
        array = np.asarray if library == "numpy" else jax.numpy.asarray
    angle = array(np.array([0.0, 1.0, 2.0, np.pi], dtype=np.float32))
    norm = array(np.array([1.0, 2.0, 3.0, 4.0], dtype=np.float32))

    def step(angle, norm):
        return nt.pair_step(nt.PairState(angle, norm, norm), 0.5, weight_decay=0.1)

    after = (jax.jit(step) if library == "jax.jit" else step)(angle, norm)
    reference = nt.pair_step(
        nt.PairState(np.array([0.0, 1.0, 2.0, np.pi]), np.arange(1.0, 5), np.arange(1.0, 5)),
        0.5, weight_decay=0.1,
    )  # fmt: skip
    for found, exact in zip(after, reference, strict=True):
        assert type(found) is type(norm)
        assert str(found.dtype).endswith("float32")
        np.testing.assert_allclose(np.asarray(found), exact, atol=1e-6)


def test_a_state_broadcasts():
    after = nt.pair_step(nt.PairState(np.array([0.5, 1.0]), np.array([[1.0], [2.0]]), 1.0), 0.1)
    assert after.angle.shape == after.norm_i.shape == after.norm_j.shape == (2, 2)
    single = nt.pair_step(nt.PairState(1.0, 2.0, 1.0), 0.1)
    assert [x[1, 1] for x in after] == list(single)


def test_under_jit_a_bad_value_is_nan_and_no_other():
    with precision(np.float64):
        angle = jax.numpy.array([1.0, np.nan, 2.0])
        after = jax.jit(lambda a: nt.pair_step(nt.PairState(a, 1.0, 1.0), 0.1))(angle)
        np.testing.assert_array_equal(np.isnan(after.angle), [False, True, False])
