"""Norms with a pull along the embedding: exact fractions, iteration, and what is refused."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import jax
import numpy as np
import pytest

import normtheory as nt


def _iterate(rate, decay, radial, tangential, start=1.0, steps=3000):
    """Norms before and after the last of many steps of z' = (1−γλ)z + γ(Dẑ + ξ)/ρ in the plane."""
    z, side = np.array([start, 0.0]), 1.0
    for _ in range(steps):
        before, norm = z, math.hypot(*z)
        across = side * np.array([-z[1], z[0]]) / norm
        z = (1 - rate * decay) * z + rate * (radial * z / norm + tangential * across) / norm
        side = -side
    return before, z


#: Pythagorean: √(D² + (1−α²)s²) is rational. Norm squared and cosine worked out by hand.
EXACT = [
    # α = 3/5, 1−α² = 16/25: √(9 + 16) = 5; ρ*² = 2(9/5 + 5)/(16/25), cos = 3/5 + 6/ρ*².
    (Fraction(2), Fraction(1, 5), Fraction(3), Fraction(5), Fraction(85, 4), Fraction(15, 17)),
    # The same inwards: ρ*² = 2(5 − 9/5)·25/16 = 10, cos = 3/5 − 6/10 = 0: on the border.
    (Fraction(2), Fraction(1, 5), Fraction(-3), Fraction(5), Fraction(10), Fraction(0)),
    # No pull along: ρ*² = γs/√(1−α²) = 2·5·5/4, cos = α.
    (Fraction(2), Fraction(1, 5), Fraction(0), Fraction(5), Fraction(25, 2), Fraction(3, 5)),
    # No decay, D = −3/5, s = 1: ρ*² = γ(34/25)/(6/5) = 17γ/15, cos = 1 − 9/17.
    (Fraction(1, 2), Fraction(0), Fraction(-3, 5), Fraction(1), Fraction(17, 30), Fraction(8, 17)),
]


@pytest.mark.parametrize(("rate", "decay", "radial", "tangential", "square", "cosine"), EXACT)
def test_norm_and_cosine_in_exact_fractions(rate, decay, radial, tangential, square, cosine):
    keep = 1 - rate * decay
    # One step in fractions: the square comes back, and z·z' is as said.
    along = keep + rate * radial / square
    across = rate**2 * tangential**2 / square
    assert along**2 * square + across == square
    assert along == cosine
    setting = tuple(float(value) for value in (rate, decay, radial, tangential))
    assert nt.drift.radial_drift_norm(*setting) ** 2 == pytest.approx(float(square), rel=1e-15)
    found = nt.drift.radial_drift_cosine(*setting)
    assert found == pytest.approx(float(cosine), rel=1e-15, abs=1e-16)


@pytest.mark.parametrize("radial", [-0.8, -0.3, 0.0, 0.4, 2.0])
@pytest.mark.parametrize("decay", [0.05, 0.6])
@pytest.mark.parametrize("start", [0.05, 30.0])
def test_iteration_ends_there_from_any_start(radial, decay, start):
    rate, tangential = 0.5, 1.2
    before, after = _iterate(rate, decay, radial, tangential, start)
    setting = (rate, decay, radial, tangential)
    assert math.hypot(*after) == pytest.approx(nt.drift.radial_drift_norm(*setting), rel=1e-11)
    cosine = before @ after / math.hypot(*before) / math.hypot(*after)
    assert cosine == pytest.approx(nt.drift.radial_drift_cosine(*setting), abs=1e-11)
    assert nt.drift.radial_drift_is_stable(*setting)


@pytest.mark.parametrize("decay", [0.0, 0.4])
@pytest.mark.parametrize(("share", "stable"), [(0.97, True), (1.03, False)])
def test_the_border_is_where_iteration_has_it(decay, share, stable):
    rate, tangential = 0.5, 1.2
    radial = -share * (1 - rate * decay) * tangential
    assert bool(nt.drift.radial_drift_is_stable(rate, decay, radial, tangential)) is stable
    before, after = (math.hypot(*z) for z in _iterate(rate, decay, radial, tangential, 0.9))
    if stable:
        assert after == pytest.approx(before, rel=1e-9)
        return
    # Two values with the sum 2γ|D|/α and the product γ²(D²+s²)/(1+α²) follow each other.
    keep = 1 - rate * decay
    assert abs(after / before - 1) > 0.05
    assert before**2 + after**2 == pytest.approx(-2 * rate * radial / keep, rel=1e-9)
    product = rate**2 * (radial**2 + tangential**2) / (1 + keep**2)
    assert before**2 * after**2 == pytest.approx(product, rel=1e-9)


def test_a_loss_of_directions_has_the_equilibrium_that_is_known():
    rate, decay, sine = np.array([0.01, 0.3]), np.array([0.02, 1.5]), 0.8
    found = nt.drift.radial_drift_norm(rate, decay, 0.0, sine)
    np.testing.assert_allclose(found, nt.equilibrium_norm(rate, decay, sine**2), rtol=1e-14)
    turn = np.arccos(nt.drift.radial_drift_cosine(rate, decay, 0.0, sine))
    np.testing.assert_allclose(turn, nt.equilibrium_angular_step(rate, decay), rtol=1e-12)


def test_the_limit_of_small_decay_needs_a_weak_pull_inwards():
    rate, tangential = 1.0, 1.0

    def error(decay, radial):
        limit = (radial + math.sqrt(radial**2 + 2 * rate * decay)) / (2 * decay)
        return limit / nt.drift.radial_drift_norm(rate, decay, radial, tangential) ** 2 - 1

    for radial in (0.0, 0.3, 3.0):  # outwards: of first order in γλ
        assert abs(error(1e-4, radial)) < 1e-4
    # Inwards D² is missing beside s², however small γλ is: 1/(1 + D²) − 1.
    assert error(1e-6, -0.5) == pytest.approx(-0.2, abs=1e-4)


def test_strong_pulls_lose_no_digits():
    # 40 digits by mpmath would say the same: D = ±1e8 s beside γλ = 1e-9.
    rate, decay, size = 1.0, 1e-9, 1e8
    outwards = nt.drift.radial_drift_norm(rate, decay, size, 1.0) ** 2
    # αD + √(D² + (1−α²)) = (1+α)|D| to 1e-25 of it, over (1−α)(1+α).
    assert outwards == pytest.approx(size / decay, rel=1e-14)
    inwards = nt.drift.radial_drift_norm(rate, decay, -size, 1.0) ** 2
    assert inwards == pytest.approx((size**2 + 1) / ((2 - decay) * size), rel=1e-14)


def test_kinds_and_dtypes_stay():
    single = np.array([0.1, 0.2], np.float32)
    for function in (nt.drift.radial_drift_norm, nt.drift.radial_drift_cosine):
        assert function(single, 0.1, -0.5, 1.0).dtype == np.float32
        traced = jax.jit(function)(jax.numpy.asarray(single), 0.1, -0.5, 1.0)
        np.testing.assert_allclose(traced, function(single, 0.1, -0.5, 1.0), rtol=1e-6)
    stable = nt.drift.radial_drift_is_stable(single, 0.1, np.array([-0.5, -2.0], np.float32), 1.0)
    assert stable.dtype == bool
    assert stable.tolist() == [True, False]


@pytest.mark.parametrize("radial", [-0.4, 0.4])
def test_norm_and_cosine_have_derivatives(radial):
    with jax.enable_x64(True):
        for function in (nt.drift.radial_drift_norm, nt.drift.radial_drift_cosine):

            def at(decay, function=function):
                return function(0.5, decay, radial, 1.0)

            slope = jax.grad(at)(jax.numpy.float64(0.3))
            assert slope == pytest.approx(float(at(0.3 + 1e-6) - at(0.3 - 1e-6)) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("name", ["radial_drift_norm", "radial_drift_cosine"])
def test_without_decay_the_derivatives_are_there(name):
    function = getattr(nt.drift, name)
    with jax.enable_x64(True):
        decay, pull = jax.grad(lambda x, s: function(0.5, x, -0.4, s), (0, 1))(0.0, 1.0)
    near = float(function(0.5, 1e-7, -0.4, 1.0) - function(0.5, 0.0, -0.4, 1.0)) / 1e-7
    assert decay == pytest.approx(near, rel=1e-5)
    near = float(function(0.5, 0.0, -0.4, 1 + 1e-6) - function(0.5, 0.0, -0.4, 1 - 1e-6)) / 2e-6
    assert pull == pytest.approx(near, rel=1e-6)


def test_extreme_pulls_and_rates():
    for size in (1e-150, 1e150):
        norm = nt.drift.radial_drift_norm(1 / size, 0.1 * size, -0.5 * size, size)
        assert norm == pytest.approx(nt.drift.radial_drift_norm(1.0, 0.1, -0.5, 1.0), rel=1e-14)


@pytest.mark.torch
def test_tensors_stay_tensors():
    torch = pytest.importorskip("torch")
    rate = torch.tensor([0.1, 0.2], dtype=torch.float64, requires_grad=True)
    for function in (nt.drift.radial_drift_norm, nt.drift.radial_drift_cosine):
        found = function(rate, 0.1, -0.5, 1.0)
        assert found.dtype == torch.float64
        np.testing.assert_allclose(
            found.detach(), function(rate.detach().numpy(), 0.1, -0.5, 1.0), rtol=1e-14
        )
    assert nt.drift.radial_drift_is_stable(rate, 0.1, -0.5, 1.0).dtype == torch.bool


REFUSED = [
    ((0.0, 0.1, 0.0, 1.0), ValueError, "learning_rate: expected a finite number and > 0, got 0.0"),
    ((0.1, -1.0, 0.0, 1.0), ValueError, "weight_decay: expected a finite number and >= 0"),
    ((0.5, 2.0, 0.0, 1.0), ValueError, "learning_rate * weight_decay: expected < 1, got 1"),
    ((0.1, 0.1, math.nan, 1.0), ValueError, "radial: expected a finite number, got nan"),
    ((0.1, 0.1, 0.0, 0.0), ValueError, "tangential: expected a finite number and > 0, got 0.0"),
    ((0.1, 0.1, 0.0, np.array([1.0, -1.0])), ValueError, "got -1.0 at index 1"),
    ((0.1, 0.1, [0.0], 1.0), TypeError, "radial: expected a number, or a numpy, JAX or PyTorch"),
]


@pytest.mark.parametrize("name", [n for n in nt.drift.__all__ if n.startswith("radial_drift")])
@pytest.mark.parametrize(("setting", "kind", "text"), REFUSED)
def test_what_is_refused(name, setting, kind, text):
    with pytest.raises(kind, match=re.escape(text)):
        getattr(nt.drift, name)(*setting)


def test_growth_for_ever_has_no_norm_and_is_not_stable():
    text = "weight_decay: expected > 0 where radial >= 0, got 0: with nothing that shrinks it"
    for function in (nt.drift.radial_drift_norm, nt.drift.radial_drift_cosine):
        with pytest.raises(ValueError, match=re.escape(text)):
            function(0.1, 0.0, np.array([-0.5, 0.0]), 1.0)
    assert nt.drift.radial_drift_is_stable(0.1, 0.0, np.array([-0.5, 0.0, 0.5]), 1.0).tolist() == [
        True,
        False,
        False,
    ]


def test_linear_step_in_exact_fractions():
    # (1 − 1/50)²·4 + (1/10)² = 3.8416 + 0.01.
    found = nt.drift.linear_encoder_step(4.0, 0.5, 0.2, weight_decay=0.1)
    assert found == pytest.approx(3.8516, rel=1e-15)
    assert nt.drift.linear_encoder_step(4.0, 3.0, 0.5) == 6.25
    assert nt.drift.linear_encoder_step(4.0, 0.0, 0.5, weight_decay=1.0) == 1


@pytest.mark.parametrize("white", [True, False])
def test_linear_step_of_a_layer_trained_by_a_loss(white):
    rng = np.random.default_rng(0)
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], dtype=float)
    population = signs if white else signs @ [[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 1.0]]
    weights, batch = rng.standard_normal((3, 2)), rng.standard_normal((2, 5, 3))
    u, v = nt.losses.info_nce_gradient(batch[0] @ weights, batch[1] @ weights, temperature=0.2)
    slope = batch[0].T @ u + batch[1].T @ v
    rate, decay = 0.3, 0.4
    after = (1 - rate * decay) * weights - rate * slope

    def mean_square(w):
        return np.mean(np.sum((population @ w) ** 2, axis=1))

    before = mean_square(weights)
    found = nt.drift.linear_encoder_step(before, np.linalg.norm(slope), rate, weight_decay=decay)
    off = abs(mean_square(after) / found - 1)
    assert bool(off < 1e-13) is white


def test_linear_step_keeps_kinds_and_refuses():
    single = nt.drift.linear_encoder_step(np.array([1.0, 2.0], np.float32), 0.5, 0.1)
    assert single.dtype == np.float32
    for arguments, text in (
        ((0.0, 1.0, 1.0), "mean_square: expected a finite number and > 0, got 0.0"),
        ((1.0, -1.0, 1.0), "gradient_norm: expected a finite number and >= 0, got -1.0"),
        ((1.0, 1.0, 0.0), "learning_rate: expected a finite number and > 0, got 0.0"),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            nt.drift.linear_encoder_step(*arguments)
    with pytest.raises(ValueError, match="weight_decay: expected a finite number and >= 0, got -1"):
        nt.drift.linear_encoder_step(1.0, 1.0, 1.0, weight_decay=-1.0)
    with pytest.raises(ValueError, match=r"learning_rate \* weight_decay: expected < 1, got 2"):
        nt.drift.linear_encoder_step(1.0, 1.0, 1.0, weight_decay=2.0)


def test_radial_share_is_of_directions_and_0_at_rest():
    z = np.array([[3e-200, 0.0], [1.0, 1.0], [0.0, 2.0]])
    v = np.array([[4e200, 3e200], [2.0, -2.0], [0.0, 0.0]])
    np.testing.assert_allclose(nt.drift.radial_share(z, v), [0.8, 0.0, 0.0], atol=1e-15)
    with pytest.raises(ValueError, match="points row 1 is zero"):
        nt.drift.radial_share(np.array([[1.0], [0.0]]), np.ones((2, 1)))
