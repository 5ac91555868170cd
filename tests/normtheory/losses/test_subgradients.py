"""Where a loss has a kink, or holds an argument constant, the gradient is the one documented."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory import losses
from tests.helpers import precision, tolerance
from tests.normtheory.losses.batches import batch, library, library_of
from tests.normtheory.losses.cases import ONE_EACH

X, Y = np.eye(2)[:1], np.eye(2)[1:]


@pytest.mark.parametrize(
    "case", [case for case in ONE_EACH if case.loss.stop_gradient], ids=lambda case: case.name
)
def test_constants_get_a_zero_gradient_though_the_value_depends_on_them(case):
    drawn = batch(1)
    clouds, options = drawn[case.label]
    found = library_of(1)[case.label]
    constants = set(range(len(clouds))) - set(case.loss.trained)
    assert constants
    for position in constants:
        assert not found.by_grad[position].any()
        moved = tuple(z[:, ::-1].copy() if i == position else z for i, z in enumerate(clouds))
        other = library({**drawn, case.label: (moved, options)})[case.label]
        assert abs(other.value - found.value) > 1e-3


def test_losses_without_a_constant_say_so():
    names = {case.name for case in ONE_EACH if case.loss.stop_gradient}
    assert names == {"simsiam", "byol", "moco", "dino"}


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Value, ``jax.grad`` and closed form in one module, the options traced."""
    closed = getattr(losses, f"{function.__name__}_gradient")

    def all_three(arrays: Any, options: Any) -> Any:
        value, by_grad = jax.value_and_grad(lambda z: function(*z, **options))(arrays)
        return value, by_grad, closed(*arrays, **options)

    return jax.jit(all_three)


def _gradients(function: Callable[..., Any], *clouds: np.ndarray, **options: Any) -> Any:
    with precision(np.float64):
        return jax.tree.map(np.asarray, _compiled(function)(clouds, options))


def test_triplet_hinge_takes_the_flat_side():
    # cos(a, p) = cos(a, n) and no margin: the bracket is exactly 0
    anchor, positive, negative = 2 * X, X + Y, X - Y
    value, by_grad, closed = _gradients(losses.triplet, anchor, positive, negative, margin=0.0)
    assert value == 0
    assert not any(g.any() for g in (*by_grad, *closed))
    # A hair beyond the hinge the slope is that of the bracket.
    value, by_grad, _ = _gradients(losses.triplet, anchor, positive, negative, margin=1e-12)
    assert value == pytest.approx(1e-12)
    np.testing.assert_allclose(by_grad[0], [[0, -np.sqrt(2) / 2]], atol=tolerance("gradient"))


@pytest.mark.parametrize("angle", [0.0, np.pi])
def test_arcface_at_its_kink_pulls_the_own_class_nowhere(angle):
    z, weights = X, np.concatenate([np.cos(angle) * 2 * X, 3 * Y])
    labels = np.array([0])
    weights[0, 1] = 0.0  # parallel or antiparallel exactly
    value, by_grad, closed = _gradients(
        losses.arcface, z, weights, labels=labels, scale=4.0, margin=0.5
    )
    # cos(0 + m) = cos m, cos(π + m) = -cos m, against a class at a right angle
    own = np.cos(angle) * np.cos(0.5)
    assert value == pytest.approx(np.log1p(np.exp(-4 * own)), rel=1e-14)
    # All that is left is the push of the other class: s·(1 - p) along it.
    push = 4 / (1 + np.exp(4 * own))
    for gradients in (by_grad, closed):
        np.testing.assert_allclose(gradients[0], push * Y, atol=tolerance("gradient"))
        np.testing.assert_array_equal(gradients[1][0], 0)


@pytest.mark.parametrize("power", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_alignment_of_coincident_points_has_gradient_zero(power):
    # Directions that are exact: others may differ in the last bit, as XLA fuses either cloud.
    z = np.array([[2.0, 0.0], [0.0, -3.0]])
    value, by_grad, closed = _gradients(losses.alignment, z, 2 * z, power=power)
    assert value == 0
    # At α = 2 the gradient is in proportion to a chord that may be a rounding.
    smallest = np.finfo(np.float64).eps if power == 2 else 0
    assert all(np.abs(g).max() <= smallest for g in (*by_grad, *closed))


def test_alignment_of_coincident_points_has_the_hessian_of_two_minus_two_cosines():
    z = np.array([[1.0, 2.0], [3.0, -1.0]])
    with precision(np.float64):
        other = jnp.asarray(2 * z)
        hessian = jax.jit(jax.hessian(lambda x: losses.alignment(x, other)))(jnp.asarray(z))
    # α = 2 is 2 - 2 cos, whose Hessian there is 2 P/(n ρ²)
    square = float(np.sum(z[0] ** 2))
    expected = 2 * (np.eye(2) - np.outer(z[0], z[0]) / square) / (2 * square)
    found = np.asarray(hessian)[0, :, 0, :]
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance("hessian"))


def test_ties_share_the_pull():
    # Two keys at the same angle from the anchor as the positive: all three have p = 1/3.
    anchors, keys = np.repeat(X, 3, axis=0), np.repeat(X + Y, 3, axis=0)
    value, _, closed = _gradients(losses.info_nce, anchors, keys, temperature=0.1)
    assert value == pytest.approx(np.log(3), rel=1e-14)
    assert np.abs(np.concatenate(closed)).max() <= 10 * tolerance("law")
    # DINO and SwAV pick the largest logit by its index; a tie has a gradient all the same.
    codes = np.array([[0.25, 0.75]])
    z, prototypes = X, np.array([[1.0, 1.0], [1.0, -1.0]])
    _, _, (g, _) = _gradients(losses.swav, z, prototypes, codes=codes, temperature=0.5)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(g, [[0, (0.25 + 0.25) * half / 0.5]], rtol=1e-14, atol=1e-15)
