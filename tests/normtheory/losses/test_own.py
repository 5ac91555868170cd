"""A loss of one's own: what the object asks of it, and what the helpers of slopes promise."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory.losses import LOSSES, Cloud, Loss, Option, Rows, Slope, by_rows
from normtheory.losses._numpy import NumpyNamespace
from tests.helpers import precision


def _loss(slope: Any, *clouds: Cloud, **more: Any) -> Loss:
    return Loss("mine", "Mine.", clouds or (Cloud("z"),), slope, "me", **more)


def test_a_slope_that_leaves_out_a_derivative_is_told_which():
    z = np.ones((2, 3))

    def nothing(xp: Any, u: Any, *, sharpness: Any = None) -> Slope:
        return Slope(xp.sum(u), {})

    mine = _loss(nothing, options=(Option("sharpness", 1.0, "t", trained=True),))
    assert mine(z) == pytest.approx(2 * np.sqrt(3))  # the value asks for none
    with pytest.raises(TypeError, match="mine: its slope states no derivative with respect to z,"):
        mine.gradient(z)
    with pytest.raises(TypeError, match="no derivative with respect to sharpness, which is train"):
        mine.option_gradient("sharpness", z)


@pytest.mark.parametrize(
    ("clouds", "options", "text"),
    [
        ((Cloud("z"), Cloud("z")), (), "mine: expected different names of arguments, got"),
        ((Cloud("z"),), (Option("z", 1.0, "z"),), "mine: expected different names"),
        ((Cloud("block"),), (), "mine: expected different names"),
        ((Cloud("z", trained=False),), (), "mine: expected at least one trained cloud"),
    ],
)
def test_a_loss_that_makes_no_sense_is_refused(clouds, options, text):
    with pytest.raises(ValueError, match=text):
        _loss(lambda xp, u: Slope(0.0, {}), *clouds, options=options)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("number", [0.5, 2, np.float64(0.5), np.array([1]), np.float32(3)])
def test_a_slope_sees_unit_rows_and_numbers_of_one_dtype(dtype, number):
    wide = "float64" if dtype == "float64" else "float32"

    def slope(xp: Any, u: Any, *, power: Any) -> Slope:
        assert (u.dtype, power.dtype, power.shape) == (wide, wide, ())
        return Slope(power * xp.sum(u * u), {"z": power * u})

    mine = _loss(slope, Cloud("z"), options=(Option("power", 1.0, "p"),))
    z = np.array([[3.0, 4.0], [0.1, 0.0]], dtype)
    assert mine(z, power=number) == pytest.approx(2 * float(np.squeeze(number)), rel=1e-6)
    with precision(dtype):
        value = mine(jnp.asarray(z), power=number)
        assert float(value) == pytest.approx(2 * float(np.squeeze(number)), rel=1e-6)
        assert value.dtype == wide


def _spread(xp: Any, u: Any, *, power: Any) -> Slope:
    """Σ_ab (û_a·û_b)²/2, times its options; what it makes of a row of zeros is NaN."""

    def of_block(logits: Any, index: Any, own: Any) -> Rows:
        length = xp.sqrt(xp.sum(own * own, axis=-1))
        one = length / length  # NaN for a row of filling
        loss = xp.sum(logits**2, axis=-1) / 2
        return Rows(loss * one, logits * one[:, None], (one, 2 * one))

    found = by_rows(xp, of_block, u, u, u)
    assert [x.shape for x in found.others] == [u.shape[:1]] * 2
    return Slope(
        power * xp.sum(found.loss),
        {"z": power * (found.rows + found.columns)},
        {"power": xp.sum(found.loss) + 0 * xp.sum(found.others[1] - 2 * found.others[0])},
    )


SPREAD = _loss(
    _spread, Cloud("z"), options=(Option("power", 1.0, "β", trained=True),), all_pairs=True
)


@pytest.mark.parametrize("block", [None, 1, 3, 4, 100])
def test_filling_and_other_numbers_of_a_row(block):
    z = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    similarities = u @ u.T
    slope = 2 * 2 * similarities @ u
    exact = (slope - u * np.sum(u * slope, axis=1, keepdims=True)) / np.linalg.norm(
        z, axis=1, keepdims=True
    )
    for given in (z, jnp.asarray(z)):
        value, (g,) = SPREAD.value_and_gradient(given, power=2.0, block=block)
        assert float(value) == pytest.approx(np.sum(similarities**2), rel=1e-6)
        np.testing.assert_allclose(g, exact, atol=2e-5)
        by_power = SPREAD.option_gradient("power", given, power=2.0, block=block)
        assert float(by_power) == pytest.approx(float(value) / 2, rel=1e-6)
    by_grad = jax.grad(lambda x: SPREAD(x, power=2.0, block=block))(jnp.asarray(z))
    np.testing.assert_allclose(by_grad, exact, atol=2e-5)


@pytest.mark.parametrize("block", [None, 3])
def test_the_other_numbers_keep_their_order(block):
    def slope(xp: Any, u: Any) -> Slope:
        def of_block(logits: Any, index: Any, first: Any, second: Any) -> Rows:
            return Rows(first, 0 * logits, (first + 0 * index, second - first))

        found = by_rows(xp, of_block, u, u, u[:, 0], u[:, 1])
        first, second = found.others
        return Slope(xp.sum(first - 3 * second), {"z": u})

    z = np.array([[3.0, 4.0]] * 7)
    mine = _loss(slope, Cloud("z"), all_pairs=True)
    assert mine(z, block=block) == pytest.approx(7 * (0.6 - 3 * 0.2))


@pytest.mark.parametrize("slopes", [(False, False), (True, False), (False, True), (True, True)])
def test_only_the_slopes_that_are_needed_are_made(slopes):
    u, v = np.random.default_rng(0).standard_normal((2, 5, 3))
    found = by_rows(
        NumpyNamespace(block=2), lambda x, index: Rows(x[:, 0], x), u, v, scale=2.0, slopes=slopes
    )
    weights = 2 * u @ v.T
    np.testing.assert_allclose(found.rows, slopes[0] * weights @ v, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(found.columns, slopes[1] * weights.T @ u, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
def test_arrays_of_the_user_are_not_written_to(loss):
    clouds, options = loss.example(np.random.default_rng(0), 7, 3)
    before = [x.copy() for x in (*clouds, *options.values()) if isinstance(x, np.ndarray)]
    for block in (None, 3) if loss.all_pairs else (None,):
        loss.value_and_gradient(*clouds, **options, **({"block": block} if block else {}))
    after = [x for x in (*clouds, *options.values()) if isinstance(x, np.ndarray)]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
def test_underflow_is_no_error_whatever_numpy_is_told(loss):
    clouds, options = loss.example(np.random.default_rng(0), 7, 3)
    for option in loss.options:
        if option.steepness is not None:
            options[option.name] = 1e-3 if option.steepness(0.1) > 1 else 1e3
    with np.errstate(all="raise"):
        value, gradients = loss.value_and_gradient(*clouds, **options)
    assert all(np.isfinite(x).all() for x in (value, *gradients))
