"""Laws of the random draws: unit norms, exact angles, known moments, repeatable by seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ive
from scipy.stats import kstest

import normtheory as nt
from tests.helpers import PROPERTY, tolerance

SEEDS = st.integers(0, 2**32 - 1)
FALSE_ALARM = 1e-7
"""Of a comparison of distributions, with other draws."""
UNIT = 4 * float(np.finfo(np.float64).eps)  # one rounding of a norm, one of the division


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@PROPERTY
@given(SEEDS, st.integers(1, 30), st.integers(2, 40), st.floats(1e-3, 1e3))
def test_points_are_unit_float64_and_repeat_with_the_seed(seed, n, d, concentration):
    mean = _rng(seed).standard_normal(d)
    draws = {
        "uniform": lambda: nt.sphere.uniform(_rng(seed), n, d),
        "fisher": lambda: nt.sphere.von_mises_fisher(_rng(seed), n, mean, concentration),
    }
    for draw in draws.values():
        z = draw()
        assert z.shape == (n, d)
        assert z.dtype == np.float64
        np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=0, atol=16 * UNIT)
        np.testing.assert_array_equal(z, draw())


@PROPERTY
@given(SEEDS, st.lists(st.floats(0, np.pi), min_size=1, max_size=20), st.integers(2, 50))
def test_pairs_are_at_their_angle(seed, angles, d):
    angle = np.array(angles)
    z, y = nt.sphere.pairs_at_angle(_rng(seed), angle, d)
    for x in (z, y):
        np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=0, atol=16 * UNIT)
    np.testing.assert_allclose(nt.angle(z, y), angle, rtol=0, atol=tolerance("law"))
    again = nt.sphere.pairs_at_angle(_rng(seed), angle, d)
    np.testing.assert_array_equal(again[1], y)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: nt.sphere.uniform(rng, 3, 4),
        lambda rng: nt.sphere.von_mises_fisher(rng, 3, np.ones(4), 2.0),
        lambda rng: nt.sphere.pairs_at_angle(rng, 1.0, 4, 3)[0],
        lambda rng: nt.sphere.pairs_at_angle(rng, 1.0, 4, 3)[1],
        lambda rng: nt.sphere.log_uniform_norms(rng, 3),
    ],
)
def test_draws_come_from_the_generator(draw):
    rng = _rng(0)
    first, second, other = draw(rng), draw(rng), draw(_rng(1))
    assert (first != second).all()
    assert (first != other).all()
    # And among themselves.
    assert len(np.unique(first)) == first.size


def test_partners_lie_in_all_directions_alike():
    angle, n = 1.0, 40_000
    z, y = nt.sphere.pairs_at_angle(_rng(), angle, 3, n)
    tangent = (y - np.cos(angle) * z) / np.sin(angle)
    # On a circle around z a direction has mean 0, and E t_k⁴ = ⅜ (1 - z_k²)²: near an axis too,
    # where there are no others to make good for it.
    fourth = (tangent**4 - 3 / 8 * (1 - z**2) ** 2).sum(axis=1)[(np.abs(z) > 0.9).any(axis=1)]
    for off in (*tangent.T, fourth):  # False alarms: 2e-7 (four means).
        assert abs(off.mean()) < 5.5 * off.std() / np.sqrt(len(off))


def test_one_angle_for_n_pairs():
    z, y = nt.sphere.pairs_at_angle(_rng(), 0.25, 5, n=7)
    assert z.shape == y.shape == (7, 5)
    np.testing.assert_allclose(nt.angle(z, y), 0.25, rtol=1e-14)


@PROPERTY
@given(SEEDS, st.integers(1, 50), st.floats(-20, 20), st.floats(0, 10))
def test_log_uniform_norms_stay_within_bounds(seed, n, low, width):
    bounds = 10.0**low, 10.0 ** (low + width)
    norms = nt.sphere.log_uniform_norms(_rng(seed), n, *bounds)
    assert norms.shape == (n,)
    assert (norms >= bounds[0] * (1 - 1e-13)).all()
    assert (norms <= bounds[1] * (1 + 1e-13)).all()


def test_log_uniform_norms_are_uniform_in_the_logarithm():
    norms = nt.sphere.log_uniform_norms(_rng(), 5000)
    # False alarms: 1e-7.
    assert kstest(np.log10(norms), "uniform", args=(-3, 6)).pvalue > FALSE_ALARM


def test_uniform_has_the_moments_of_the_uniform_law():
    n, d = 40_000, 5
    z = nt.sphere.uniform(_rng(), n, d)
    # False alarms: 8e-7 (10 moments, 11 smaller ones, a distribution). E x² = 1/d, and x² has the
    # variance 2(d-1)/(d²(d+2)), xy a smaller one.
    assert np.abs(z.mean(axis=0)).max() < 5.5 / np.sqrt(d * n)
    error = np.sqrt(2 * (d - 1) / (d**2 * (d + 2) * n))
    assert np.abs(z.T @ z / n - np.eye(d) / d).max() < 5.5 * error
    # E x⁴ = 3/(d(d+2)): directions between the axes are no likelier than these.
    fourth = (z**4).sum(axis=1)
    assert abs(fourth.mean() - 3 / (d + 2)) < 5.5 * fourth.std() / np.sqrt(n)
    # On the ordinary sphere each coordinate is uniform on [-1, 1] (Archimedes).
    heights = nt.sphere.uniform(_rng(1), 5000, 3)[:, 0]
    assert kstest(heights, "uniform", args=(-1, 2)).pvalue > FALSE_ALARM


@pytest.mark.parametrize("concentration", [0.5, 10.0, 300.0])
@pytest.mark.parametrize("d", [2, 3, 20])
def test_von_mises_fisher_has_the_known_mean_resultant(d, concentration):
    n = 20_000
    mean = 3e5 * nt.sphere.uniform(_rng(9), 1, d)[0]
    z = nt.sphere.von_mises_fisher(_rng(), n, mean, concentration)
    resultant = z.mean(axis=0)
    # A_d(κ) = I_{d/2}(κ)/I_{d/2-1}(κ), Mardia and Jupp 2000, section 9.3.
    expected = ive(d / 2, concentration) / ive(d / 2 - 1, concentration)
    # False alarms: below 1e-9 (the similarity to the mean varies by 0.7 of this and less).
    error = 5 * min(1.0, concentration**-0.5) / np.sqrt(n)
    direction = mean / np.linalg.norm(mean)
    assert resultant @ direction == pytest.approx(expected, abs=error)
    assert np.linalg.norm(resultant - (resultant @ direction) * direction) < 2 * error * np.sqrt(d)


def test_von_mises_fisher_ignores_the_length_of_the_mean():
    directions = [scale * np.array([3.0, 4.0]) for scale in (1.0, 1e-200, 1e200)]
    draws = [nt.sphere.von_mises_fisher(_rng(), 5, m, 2.0) for m in directions]
    np.testing.assert_allclose(draws[1], draws[0], rtol=1e-12)
    np.testing.assert_allclose(draws[2], draws[0], rtol=1e-12)
