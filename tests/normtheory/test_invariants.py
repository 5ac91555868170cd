"""What runs and flows keep: values by hand, laws by iteration, and what is refused."""

from __future__ import annotations

import math
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt

Z = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]])
V = np.array([[0.5, 0.0, 1.0], [2.0, 1.0, 0.0]])


def test_torque_by_hand():
    # (0,1): 1·0 − .5·2 + 0·1 − 2·(−1); (0,2): 1·1 − .5·0 + 0·0 − 2·3; (1,2): 2·1 − 0 − 1·0 − 1·3.
    expected = np.array([[0.0, 1.0, -5.0], [-1.0, 0.0, -1.0], [5.0, 1.0, 0.0]])
    np.testing.assert_array_equal(nt.invariants.torque(Z, V), expected)


def test_in_space_it_is_the_sum_of_the_cross_products():
    rng = np.random.default_rng(0)
    z, v = rng.standard_normal((2, 20, 3))
    found = nt.invariants.torque(z, v)
    turning = np.cross(z, v).sum(axis=0)
    np.testing.assert_allclose([found[1, 2], found[2, 0], found[0, 1]], turning, rtol=1e-12)


def test_clouds_add_up_and_leading_axes_stay():
    rng = np.random.default_rng(1)
    z, v = rng.standard_normal((2, 4, 5, 3))
    whole = nt.invariants.torque(z, v)
    assert whole.shape == (4, 3, 3)
    np.testing.assert_array_equal(whole, -np.swapaxes(whole, 1, 2))
    parts = nt.invariants.torque([z[:, :2], z[:, 2:]], (v[:, :2], v[:, 2:]))
    np.testing.assert_allclose(parts, whole, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(whole[2], nt.invariants.torque(z[2], v[2]), rtol=1e-13)


def _slopes(u, v):
    return nt.losses.clip_gradient(u, v, temperature=0.3)


@pytest.mark.parametrize(("shared", "holds"), [(True, True), (False, False)])
def test_torque_of_a_run_of_clip_decays_by_momentum_and_weight_decay(shared, holds):
    rng = np.random.default_rng(2)
    z = [rng.standard_normal((6, 4)) for _ in range(2)]
    v = [0.1 * rng.standard_normal((6, 4)) for _ in range(2)]
    start, momentum, keep = nt.invariants.torque(z, v), 0.9, 0.98
    for k in range(12):
        rates = (0.3 + 0.1 * k,) * 2 if shared else (0.3, 1.3)  # a schedule changes nothing
        slopes = _slopes(*z)
        v = [momentum * a - rate * g for a, g, rate in zip(v, slopes, rates, strict=True)]
        z = [keep * a + b for a, b in zip(z, v, strict=True)]
    off = abs(nt.invariants.torque(z, v) - (momentum * keep) ** 12 * start).max()
    assert bool(off < 1e-13) is holds


def test_from_rest_nothing_turns():
    rng = np.random.default_rng(3)
    z = [rng.standard_normal((5, 3)) for _ in range(2)]
    v = [np.zeros_like(a) for a in z]
    for _ in range(10):
        v = [0.9 * a - 0.5 * g for a, g in zip(v, _slopes(*z), strict=True)]
        z = [a + b for a, b in zip(z, v, strict=True)]
    size = sum(np.linalg.norm(a) * np.linalg.norm(b) for a, b in zip(z, v, strict=True))
    assert abs(nt.invariants.torque(z, v)).max() < 1e-14 * size
    alone = abs(nt.invariants.torque(z[0], v[0])).max()
    assert alone > 1e-6 * size  # of one of the clouds only


def test_torque_keeps_kind_and_dtype():
    single = nt.invariants.torque(Z.astype(np.float32), V.astype(np.float32))
    assert single.dtype == np.float32
    found = jax.jit(nt.invariants.torque)(jnp.asarray(Z, jnp.float32), jnp.asarray(V, jnp.float32))
    assert isinstance(found, jax.Array)
    np.testing.assert_array_equal(found, single)
    assert nt.invariants.torque(np.zeros((2, 3)), V).any() == np.False_


@pytest.mark.torch
def test_torque_takes_tensors_with_gradients():
    torch = pytest.importorskip("torch")
    z = torch.tensor(Z, requires_grad=True)
    found = nt.invariants.torque([z], [torch.tensor(V)])
    np.testing.assert_array_equal(found.detach(), nt.invariants.torque(Z, V))
    found[0, 1].backward()
    np.testing.assert_allclose(z.grad, [[0.0, -0.5, 0.0], [1.0, -2.0, 0.0]])


CLOUDS: list[tuple[Any, Any, type[Exception], str]] = [
    (Z.astype(int), V, TypeError, "points: expected float32 or float64, got int64; cast it first"),
    (Z, 1.0, TypeError, "velocities: expected a numpy, JAX or PyTorch array of points, got float"),
    ([Z, [1.0]], [V, V], TypeError, "points[1]: expected a numpy, JAX or PyTorch array of points"),
    (Z[0], V[0], ValueError, "points: expected points of shape (..., n, d) with n, d >= 1, got s"),
    (np.ones((0, 3)), V, ValueError, "points: expected points of shape (..., n, d) with n, d >= 1"),
    ([], [], ValueError, "points: expected at least one cloud, got an empty list"),
    ([Z, Z], [V], ValueError, "expected as many velocities as clouds of points, got 1 and 2"),
    (Z, V[:1], ValueError, "points have shape (2, 3) and velocities (1, 3): expected the same"),
    ([Z, Z[:, :2]], [V, V[:, :2]], ValueError, "points of cloud 1 have 2 components and those of"),
    (Z, V.astype("f4"), TypeError, "one library and dtype, got numpy float32 and numpy float64"),
    (Z + np.array([[0.0], [np.inf]]), V, ValueError, "points row 1 is not finite"),
    ([Z], [V * [[np.nan], [1.0]]], ValueError, "velocities[0] row 0 is not finite"),
]


@pytest.mark.parametrize(("points", "velocities", "kind", "text"), CLOUDS)
def test_what_torque_refuses(points, velocities, kind, text):
    with pytest.raises(kind, match=re.escape(text)):
        nt.invariants.torque(points, velocities)


def _at(*angles):
    return [np.array([math.cos(a), math.sin(a)]) for a in angles]


def test_cross_ratio_by_hand():
    # A square: diagonals of 2 against sides of √2.
    assert nt.invariants.cross_ratio(*_at(0, math.pi / 2, math.pi, -math.pi / 2)) == (
        pytest.approx(2, rel=1e-15)
    )
    # A regular hexagon's corners in turn: √3·√3 against 2·1.
    found = nt.invariants.cross_ratio(*_at(*(k * math.pi / 3 for k in range(4))))
    assert found == pytest.approx(1.5, rel=1e-14)
    # Along axes of space all chords are √2.
    e = np.eye(4)
    assert nt.invariants.cross_ratio(*e) == pytest.approx(1, rel=1e-15)


def test_cross_ratio_symmetries():
    rng = np.random.default_rng(4)
    a, b, c, d = rng.standard_normal((4, 50, 3))
    found = nt.invariants.cross_ratio(a, b, c, d)
    assert found.shape == (50,)
    swapped = nt.invariants.cross_ratio(a, b, d, c)
    np.testing.assert_allclose(found * swapped, 1, rtol=1e-13)
    np.testing.assert_allclose(nt.invariants.cross_ratio(b, a, d, c), found, rtol=1e-13)
    np.testing.assert_allclose(nt.invariants.cross_ratio(c, d, a, b), found, rtol=1e-13)
    stretched = nt.invariants.cross_ratio(a, 7 * b, c * rng.uniform(1, 2, (50, 1)), d / 3)
    np.testing.assert_allclose(stretched, found, rtol=1e-13)


def test_cross_ratios_of_a_circle_add_up_as_ptolemy_says():
    rng = np.random.default_rng(5)
    angles = np.sort(rng.uniform(0, 2 * np.pi, (20, 4)), axis=1)
    a, b, c, d = np.moveaxis(np.stack([np.cos(angles), np.sin(angles)], axis=-1), 1, 0)
    whole = nt.invariants.cross_ratio(a, b, c, d)
    np.testing.assert_allclose(whole, 1 + nt.invariants.cross_ratio(a, c, b, d), rtol=1e-11)


def test_cross_ratio_of_close_points_is_accurate_relative_to_itself():
    t = 1e-9  # (1, t) points at an angle of arctan t
    a, c = np.array([1.0, 0.0]), np.array([1.0, t])
    b, d = np.array([0.0, 1.0]), np.array([0.0, -1.0])
    half = math.pi / 4
    expected = (math.atan(t) / 2) / (math.sin(half) * math.sin(half - math.atan(t) / 2))
    assert nt.invariants.cross_ratio(a, b, c, d) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("equal", [True, False])
def test_cross_ratio_along_a_flow_towards_keys(equal):
    norms = np.ones(4) if equal else np.array([1.0, 1.5, 0.7, 1.0])
    # Fixed points: the error of the steps is relative to a ratio that may by chance be near 0.
    u, key = np.sin(np.arange(1, 21.0) ** 2).reshape(4, 5), np.cos(np.arange(5.0) ** 2)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    start = nt.invariants.cross_ratio(*u)

    def velocity(u):
        return (key - (u @ key)[:, None] * u) / norms[:, None] ** 2

    h = 1e-3
    for _ in range(500):
        middle = u + h / 2 * velocity(u)
        u = u + h * velocity(middle)
    off = abs(nt.invariants.cross_ratio(*u) / start - 1)
    assert bool(off < 1e-6) is equal


def test_cross_ratio_keeps_kind_and_dtype():
    points = [p.astype(np.float32) for p in _at(0, 1, 2, 4)]
    found = nt.invariants.cross_ratio(*points)
    assert found.dtype == np.float32
    traced = jax.jit(nt.invariants.cross_ratio)(*map(jnp.asarray, points))
    np.testing.assert_allclose(traced, found, rtol=1e-6)
    wide = nt.invariants.cross_ratio(*_at(0, 1, 2, 4))
    np.testing.assert_allclose(wide, found, rtol=1e-6)


@pytest.mark.torch
def test_cross_ratio_and_order_of_tensors():
    torch = pytest.importorskip("torch")
    points = [torch.tensor(p) for p in _at(0, 1, 2, 4)]
    np.testing.assert_allclose(
        nt.invariants.cross_ratio(*points), nt.invariants.cross_ratio(*_at(0, 1, 2, 4)), rtol=1e-14
    )
    start = torch.tensor([0.1, 0.5], requires_grad=True)
    found = nt.invariants.common_pull_order(start, 2.0, 3.0)
    assert found.dtype == torch.float32
    found.sum().backward()
    assert (start.grad > 0).all()


A, B, C, D = (np.array([v, v]) for v in _at(0, 1, 2, 4))
POINTS: list[tuple[tuple[Any, ...], type[Exception], str]] = [
    ((A, B, C, 3 * A), ValueError, "a and d row 0 have one direction: no cross-ratio"),
    ((A, B, np.array([C[0], B[1]]), D), ValueError, "b and c row 1 have one direction"),
    ((A[0], B[0], B[0], D[0]), ValueError, "b and c have one direction: no cross-ratio"),
    ((A, B, 0 * C, D), ValueError, "c row 0 is zero: a zero vector has no direction"),
    ((A, B, C, np.ones((2, 3))), ValueError, "a has shape (2, 2) and d has shape (2, 3)"),
    (([1.0, 0.0], B, C, D), TypeError, "a: expected a numpy, JAX or PyTorch array, got list"),
    ((A, B.astype("f4"), C, D), TypeError, "a is float64 and b is float32: expected one dtype"),
]


@pytest.mark.parametrize(("points", "kind", "text"), POINTS)
def test_what_cross_ratio_refuses(points, kind, text):
    with pytest.raises(kind, match=re.escape(text)):
        nt.invariants.cross_ratio(*points)


def test_order_by_hand():
    # r₀ = 1/2 has r₀⁻² − 1 = 3; after t = ρ² ln 3 that is 1, and r² a half.
    found = nt.invariants.common_pull_order(0.5, 3.0, 9 * math.log(3))
    assert found == pytest.approx(math.sqrt(0.5), rel=1e-15)
    assert nt.invariants.common_pull_order(0.3, 2.0, 0.0) == pytest.approx(0.3, rel=1e-15)
    assert nt.invariants.common_pull_order(1.0, 2.0, 5.0) == 1
    assert nt.invariants.common_pull_order(1e-3, 1.0, 1e4) == 1
    tiny = nt.invariants.common_pull_order(1e-200, 1e-160, 2e-320 * math.log(10) * 1e2)
    assert tiny == pytest.approx(1e-100, rel=1e-3)  # t is a subnormal number


def test_order_is_the_length_of_the_mean_of_many_points():
    # Angles of a Poisson kernel, moved by their own equation of motion with its mean.
    n, start, norm = 400, 0.4, 1.7
    w = np.exp(2j * np.pi * np.arange(n) / n)
    theta = np.angle((w + start) / (1 + start * w))
    h, steps = 0.01, 300
    for _ in range(steps):

        def velocity(theta):
            return (np.exp(1j * theta).mean() * np.exp(-1j * theta)).imag / norm**2

        middle = theta + h / 2 * velocity(theta)
        theta = theta + h * velocity(middle)
    found = nt.invariants.common_pull_order(start, norm, h * steps)
    assert abs(np.exp(1j * theta).mean()) == pytest.approx(found, rel=1e-6)


ORDERS = [
    ((0.0, 1.0, 1.0), ValueError, "start: expected a finite number and > 0 and <= 1, got 0.0"),
    ((1.5, 1.0, 1.0), ValueError, "start: expected a finite number and > 0 and <= 1, got 1.5"),
    ((0.5, 0.0, 1.0), ValueError, "norm: expected a finite number and > 0, got 0.0"),
    ((0.5, 1.0, -1.0), ValueError, "time: expected a finite number and >= 0, got -1.0"),
    ((0.5, [1.0], 1.0), TypeError, "norm: expected a number, or a numpy, JAX or PyTorch array"),
]


@pytest.mark.parametrize(("arguments", "kind", "text"), ORDERS)
def test_what_order_refuses(arguments, kind, text):
    with pytest.raises(kind, match=re.escape(text)):
        nt.invariants.common_pull_order(*arguments)


def test_budget_and_heavy_ball_are_those_of_runs():
    rng = np.random.default_rng(2)
    y, momentum, rate = nt.sphere.uniform(rng, 6, 4), 0.8, 1e-3
    z, v = nt.sphere.uniform(rng, 6, 4), np.zeros((6, 4))
    start, loss = z.copy(), nt.cosine_similarity(z, y).sum()
    for _ in range(200):
        z = z + rate * nt.cosine_gradient(z, y)
    grown = (z**2).sum() - (start**2).sum()
    fall = nt.cosine_similarity(z, y).sum() - loss
    assert grown == pytest.approx(float(nt.invariants.norm_budget(rate, fall)), rel=2e-3)
    for _ in range(3):
        inner = (z * v).sum(1)
        v = momentum * v + 0.5 * nt.cosine_gradient(z, y)
        norm, size = np.linalg.norm(z, axis=1), np.linalg.norm(v, axis=1)
        z = z + v
        after = nt.invariants.heavy_ball_norm(norm, np.maximum(inner, 0), size, momentum)
        np.testing.assert_allclose(np.linalg.norm(z, axis=1), after, rtol=1e-14)
        assert ((z**2).sum(1) > norm**2).all()


def test_rescaled_gradscale_does_the_same_to_larger_points():
    def end(size: float, rate: float, decay: float) -> np.ndarray:
        rng = np.random.default_rng(3)
        y, z = nt.sphere.uniform(rng, 5, 3), size * nt.sphere.uniform(rng, 5, 3)
        for _ in range(4):
            z = (1 - rate * decay) * z + rate * np.asarray(
                np.linalg.norm(z, axis=1, keepdims=True) ** 1.5 * nt.cosine_gradient(z, y)
            )
        return z

    settings = nt.invariants.rescaled_settings(
        3.0, "sgd", 0.2, weight_decay=0.5, epsilon=1e-8, gradscale=1.5
    )
    assert settings.epsilon == 1e-8
    again = end(3.0, settings.learning_rate, settings.weight_decay)
    np.testing.assert_allclose(again, 3 * end(1.0, 0.2, 0.5), rtol=1e-13)


SETTINGS: list[tuple[tuple[Any, ...], dict[str, float], str]] = [
    ((2.0, "rmsprop", 0.1), {}, "optimizer: expected one of sgd, adam, adamw, lion, adagrad, muon"),
    ((2.0, "adamw", 0.1), {"gradscale": 1.0}, "gradscale: expected 0 with adamw, got 1"),
    ((0.0, "adamw", 0.1), {}, "factor: expected a finite number and > 0, got 0.0"),
    ((2.0, "sgd", 0.1), {"weight_decay": -1.0}, "weight_decay: expected a finite number and >= 0"),
]


@pytest.mark.parametrize(("arguments", "options", "text"), SETTINGS)
def test_what_rescaled_settings_refuse(arguments, options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        nt.invariants.rescaled_settings(*arguments, **options)
