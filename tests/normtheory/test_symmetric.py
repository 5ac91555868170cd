"""Symmetric clouds against pairs, explicit points, quadrature and small steps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import normtheory as nt
from normtheory import symmetric
from normtheory.symmetric import EquiangularState, GapState
from normtheory.verify._equiangular import simplex


@pytest.mark.parametrize("gradscale", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("repel", [False, True])
def test_two_points_are_a_pair(gradscale: float, repel: bool) -> None:
    angle, norm = np.array([0.3, 1.2, 2.9]), np.array([0.7, 1.0, 3.0])
    options: dict[str, Any] = {"gradscale": gradscale, "weight_decay": 0.5}
    pair = nt.pair_step(nt.PairState(angle, norm, norm), 0.3, repel=repel, **options)
    state = EquiangularState(np.cos(angle), norm)
    cloud = symmetric.equiangular_step(state, 1.0 if repel else -1.0, 0.3, 2, **options)
    np.testing.assert_allclose(cloud.cosine, np.cos(pair.angle), atol=1e-14)
    np.testing.assert_allclose(cloud.norm, pair.norm_i, rtol=1e-14)
    np.testing.assert_allclose(symmetric.cloud_angle(np.cos(angle), 2), angle, rtol=1e-14)


def test_one_step_reaches_collapse_or_simplex() -> None:
    n, c = 5, 0.3
    m = 1 + (n - 1) * c
    for a, end in ((-1 / m, 1.0), (1 / (n - m), -1 / (n - 1))):
        found = symmetric.equiangular_step(EquiangularState(c, 2.0), a * 4.0, 1.0, n)
        assert float(found.cosine) == pytest.approx(end, abs=1e-14)
        # All that moved went across: ρ'² = ρ²(1 + a²m(n−m)).
        assert float(found.norm) == pytest.approx(2 * np.sqrt(1 + a**2 * m * (n - m)), rel=1e-14)


def test_the_angle_of_the_cloud_runs_from_collapse_to_simplex() -> None:
    assert float(symmetric.cloud_angle(1.0, 7)) == 0
    assert float(symmetric.cloud_angle(-1 / 6, 7)) == pytest.approx(np.pi)
    # Orthogonal points: cos ψ = 2/n − 1.
    assert float(symmetric.cloud_angle(0.0, 8)) == pytest.approx(np.arccos(-0.75), rel=1e-14)
    # Near collapse 1 − c = ε: ψ = 2√(ε(n−1)/n), with no digits lost.
    small = float(symmetric.cloud_angle(1 - 1e-12, 3))
    assert small == pytest.approx(2 * np.sqrt(1e-12 * 2 / 3), rel=1e-4)


def _loss(name: str, c: float, n: int, b: float) -> float:
    """The losses of an equiangular cloud by their definitions."""
    if name == "uniformity":
        return float(np.log(np.exp(-b * (2 - 2 * c))))
    wrong = (n - 1) * np.exp(b * c) * (2 if name == "nt_xent" else 1)
    return float(-np.log(np.exp(b) / (np.exp(b) + wrong)))


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("info_nce", 1),
        ("info_nce_two", 0.5),
        ("clip_two", 0.5),
        ("nt_xent", 0.5),
        ("uniformity", 1),
    ],
)
def test_slopes_are_derivatives_of_the_losses(name: str, share: float) -> None:
    n, c, b, h = 4, 0.2, 3.0, 1e-5
    plain = name.removesuffix("_two").replace("clip", "info_nce")
    along = (_loss(plain, c + h, n, b) - _loss(plain, c - h, n, b)) / (2 * h)
    # n(n − 1)/2 pairs share it, and two clouds (or views) share it between them.
    wanted = share * along / (n * (n - 1) / 2)
    assert float(symmetric.slope(name, c, n, steepness=b)) == pytest.approx(wanted, rel=1e-8)


def test_the_decoupled_slope_does_not_depend_on_the_cosine() -> None:
    found = symmetric.slope("decoupled", np.array([-0.2, 0.5, 1.0]), 5, steepness=10.0)
    np.testing.assert_allclose(found, 10 / 20, rtol=1e-14)


@pytest.mark.parametrize("name", symmetric.LOSSES)
@pytest.mark.parametrize("steepness", [0.5, 5.0, 60.0])
def test_steps_are_the_integral_along_the_flow(name: str, steepness: float) -> None:
    n, start, end, norm, rate = 5, 0.7, -0.2, 3.0, 0.1

    def pace(c: float) -> float:
        w = float(symmetric.slope(name, c, n, steepness=steepness))
        return norm**2 / (2 * rate * w * (1 - c) * (1 + (n - 1) * c))

    wanted = quad(pace, end, start, epsrel=1e-11, limit=400)[0]
    found = symmetric.simplex_steps(name, start, end, n, norm, rate, steepness=steepness)
    assert float(found) == pytest.approx(wanted, rel=1e-9)


def test_steps_at_the_ends() -> None:
    def steps(start: Any, end: Any) -> Any:
        return symmetric.simplex_steps("info_nce", start, end, 4, 1.0, 0.1, steepness=5.0)

    assert steps(0.5, 0.5) == 0
    assert steps(1.0, 0.5) == np.inf
    assert steps(0.5, -1 / 3) == np.inf
    whole, first, rest = steps(0.9, -0.3), steps(0.9, 0.2), steps(0.2, -0.3)
    assert whole == pytest.approx(first + rest, rel=1e-12)
    norms = symmetric.simplex_steps(
        "nt_xent", 0.5, 0.0, 4, np.array([1.0, 2.0]), 0.1, steepness=5.0
    )
    assert norms[1] == pytest.approx(4 * norms[0], rel=1e-14)
    with pytest.raises(ValueError, match="end: expected at most the cosine at the start"):
        steps(0.1, 0.2)


def _clip_step(u: np.ndarray, v: np.ndarray, b: float, rate: float) -> np.ndarray:
    """One SGD step of the anchors under CLIP, its gradient written out."""
    n = len(u)
    length = np.linalg.norm(u, axis=1, keepdims=True)
    x, y = u / length, v / np.linalg.norm(v, axis=1, keepdims=True)
    power = np.exp(b * x @ y.T)
    share = (power / power.sum(1, keepdims=True) + power / power.sum(0, keepdims=True)) / 2
    slope = b / n * (share - np.eye(n)) @ y
    return u - rate * (slope - (slope * x).sum(1, keepdims=True) * x) / length


def test_a_gap_step_is_that_of_explicit_points() -> None:
    n, q, gap, norm, b = 4, 0.3, 0.5, 2.0, 3.0
    flat = np.concatenate([simplex(n), np.zeros((n, 2))], axis=1)
    root = np.sqrt(1 - q**2 - gap**2)
    u = norm * (root * flat + q * np.eye(n + 1)[n - 1] + gap * np.eye(n + 1)[n])
    v = norm * (root * flat + q * np.eye(n + 1)[n - 1] - gap * np.eye(n + 1)[n])
    moved = _clip_step(u, v, b, 8.0)
    found = symmetric.gap_step(GapState(q, gap, norm, np.log(b)), 8.0, 0.1, n)
    length = np.linalg.norm(moved, axis=1)
    np.testing.assert_allclose(length, float(found.norm), rtol=1e-13)
    np.testing.assert_allclose(moved[:, n - 1] / length, float(found.common), rtol=1e-12)
    np.testing.assert_allclose(moved[:, n] / length, float(found.gap), rtol=1e-12)
    # ∂L/∂ ln b by its definition.
    cosines = u @ v.T / norm**2
    share = np.exp(b * cosines) / np.exp(b * cosines).sum(1, keepdims=True)
    pull = b * ((share * cosines).sum(1) - np.diag(cosines)).mean()
    assert float(found.log_scale) == pytest.approx(np.log(b) - 0.1 * pull, rel=1e-13)


def test_decay_and_gradscale_of_a_gap_step() -> None:
    state = GapState(0.2, 0.4, 3.0, 1.0)
    plain = symmetric.gap_step(state, 0.5, 0.1, 6)
    # GradScale p multiplies the rate of the gradient by ρ^p.
    scaled = symmetric.gap_step(state, 0.5, 0.1, 6, gradscale=2.0)
    faster = symmetric.gap_step(state, 4.5, 0.1, 6)
    np.testing.assert_allclose(scaled, faster, rtol=1e-13)
    # Decay shrinks everything that doesn't move: at the same pull, ρq₋ by γλρq₋ more.
    decayed = symmetric.gap_step(state, 0.5, 0.1, 6, weight_decay=0.2)
    lost = float(plain.norm * plain.gap - decayed.norm * decayed.gap)
    assert lost == pytest.approx(0.1 * 3.0 * 0.4, rel=1e-12)


@pytest.mark.parametrize("norm", [1.0, 2.0])
def test_small_steps_follow_the_power_law(norm: float) -> None:
    n, rate, scale_rate = 8, 0.04, 0.005
    state = GapState(0.1, 0.4, norm, np.log(2.0))
    for _ in range(400):
        state = symmetric.gap_step(state, rate, scale_rate, n)
    kappa = symmetric.gap_exponent(norm, n, rate, scale_rate)
    assert float(kappa) == pytest.approx(1 / norm**2)
    left = symmetric.gap_ratio(np.exp(state.log_scale), 2.0, kappa)
    assert float(state.gap) / 0.4 == pytest.approx(float(left), rel=2e-3)


def test_ratios_by_what_is_learned() -> None:
    assert float(symmetric.gap_ratio(4.0, 2.0, 3.0)) == pytest.approx(1 / 8)
    scale = symmetric.gap_ratio(4.0, 2.0, 0.25, learned="scale")
    assert float(scale) == pytest.approx(np.exp(-0.25 * (16 - 4) / 2))
    tau = symmetric.gap_ratio(4.0, 2.0, 8.0, learned="temperature")
    assert float(tau) == pytest.approx(np.exp(-8 * (0.25 - 0.0625) / 2))
    with pytest.raises(ValueError, match="learned: expected 'log', 'scale' or 'temperature'"):
        symmetric.gap_ratio(4.0, 2.0, 1.0, learned="bias")


@pytest.mark.parametrize(("n", "s"), [(2, 0.3), (4, -0.5), (6, 0.9)])
def test_the_floor_is_attained_by_a_simplex_with_a_gap(n: int, s: float) -> None:
    flat = np.concatenate([simplex(n), np.zeros((n, 1))], axis=1)
    gap = np.sqrt((1 - s) / 2) * np.eye(n)[n - 1]
    u, v = np.sqrt((1 + s) / 2) * flat + gap, np.sqrt((1 + s) / 2) * flat - gap
    cosines = u @ v.T
    off = (cosines.sum() - np.trace(cosines)) / (n * (n - 1))
    assert float(symmetric.alignment_floor(s, n)) == pytest.approx(off, abs=1e-14)
    power = np.exp(7.0 * cosines)
    loss = -np.log(np.diag(power) / power.sum(1)).mean()
    for name in ("info_nce", "clip"):
        floor = symmetric.loss_floor(s, n, steepness=7.0, loss=name)
        assert float(floor) == pytest.approx(loss, rel=1e-12)
    # Anything else lies above.
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 200, n, n))
    x, y = (z / np.linalg.norm(z, axis=-1, keepdims=True) for z in (x, y))
    inner = np.einsum("kad,kbd->kab", x, y)
    own = np.trace(inner, axis1=1, axis2=2) / n
    wrong = (inner.sum((1, 2)) - n * own) / (n * (n - 1))
    assert (wrong >= symmetric.alignment_floor(own, n) - 1e-12).all()


def test_floors_of_aligned_pairs() -> None:
    assert float(symmetric.alignment_floor(1.0, 3)) == pytest.approx(-0.5)
    n, b = 3, 2.0
    wanted = np.log(1 + 4 * np.exp(-3.0))
    assert float(symmetric.loss_floor(1.0, n, steepness=b, loss="nt_xent")) == pytest.approx(wanted)
    with pytest.raises(ValueError, match="NT-Xent's floor stands at 1 only"):
        symmetric.loss_floor(0.5, n, steepness=b, loss="nt_xent")
    with pytest.raises(ValueError, match="loss: expected 'info_nce', 'clip' or 'nt_xent'"):
        symmetric.loss_floor(0.5, n, steepness=b, loss="triplet")


def test_kinds_of_arrays_stay_and_formulas_are_differentiable() -> None:
    state = EquiangularState(jnp.array([0.1, 0.2], dtype=jnp.float32), jnp.ones(2, jnp.float32))
    found = symmetric.equiangular_step(state, jnp.float32(0.5), jnp.float32(0.1), 3)
    assert isinstance(found.cosine, jax.Array)
    assert found.cosine.dtype == jnp.float32

    def after(c: Any) -> Any:
        return symmetric.slope("clip_two", c, 4, steepness=jnp.float32(3.0))

    h = 1e-3
    numeric = (after(jnp.float32(0.2 + h)) - after(jnp.float32(0.2 - h))) / (2 * h)
    assert float(jax.grad(after)(jnp.float32(0.2))) == pytest.approx(float(numeric), rel=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: symmetric.cloud_angle(-0.6, 3), "cosine: expected"),
        (lambda: symmetric.cloud_angle(0.5, 1), "n: expected an integer"),
        (lambda: symmetric.slope("triplet", 0.1, 3, steepness=1.0), "loss: expected one of info"),
        (lambda: symmetric.slope("nt_xent", 0.1, 3, steepness=0.0), "steepness: expected"),
        (
            lambda: symmetric.equiangular_step(EquiangularState(0.1, 0.0), 1.0, 0.1, 3),
            "norm: expected",
        ),
        (
            lambda: symmetric.equiangular_step(
                EquiangularState(0.1, 1.0), 1.0, 0.1, 3, weight_decay=20.0
            ),
            "learning_rate \\* weight_decay",
        ),
        (
            lambda: symmetric.gap_step(GapState(0.9, 0.9, 1.0, 0.0), 0.1, 0.1, 3),
            "1 - common² - gap²: expected a finite number and > 0",
        ),
        (lambda: symmetric.gap_exponent(1.0, 3, 0.1, 0.0), "scale_rate: expected"),
        (lambda: symmetric.alignment_floor(1.5, 3), "alignment: expected"),
    ],
)
def test_what_is_out_of_range_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
