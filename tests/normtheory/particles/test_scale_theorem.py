"""The scale theorem, bit for bit: particles twice as large, at another rate, do the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from normtheory.particles import System, forces, init, optimizers, run

N, D, STEPS = 6, 5, 200


INFO_NCE = forces.loss("info_nce", temperature=0.3)


def end(
    alpha: float, rate: float, decay: float | None = None, force: Any = INFO_NCE, **more: Any
) -> list[np.ndarray]:
    """Positions after a run from positions α times as large."""
    clouds = np.random.default_rng(3).standard_normal((2, N, D))
    system = System(force, rate, weight_decay=decay, **more)
    state = run(system, init(system, *(alpha * clouds)), STEPS, record=()).state
    return [np.asarray(z) for z in state.positions]


def same_bits(found: list[np.ndarray], exact: list[np.ndarray], alpha: float) -> bool:
    return all(
        np.array_equal(z, z.dtype.type(alpha) * y) for z, y in zip(found, exact, strict=True)
    )


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_momentum_and_decay(power):
    more = {"optimizer": optimizers.momentum(0.9), "gradscale": power, "coupled_decay": True}
    one = end(1.0, 0.3, 0.02, **more)
    for alpha in (0.25, 2.0, 1024.0):
        factor = alpha ** (2 - power)
        assert same_bits(end(alpha, factor * 0.3, 0.02 / factor, **more), one, alpha)
    wrong = 2.0 ** (1 - power)  # one power of α too few
    assert not same_bits(end(2.0, wrong * 0.3, 0.02 / wrong, **more), one, 2.0)


def test_decoupled_decay():
    more = {"optimizer": optimizers.momentum(0.9)}
    one = end(1.0, 0.3, 0.02, **more)
    assert same_bits(end(4.0, 16 * 0.3, 0.02 / 16, **more), one, 4.0)
    assert not same_bits(end(4.0, 16 * 0.3, 0.02 / 4, **more), one, 4.0)


def test_adam():
    def of(alpha: float, rate: float, eps: float) -> list[np.ndarray]:
        return end(alpha, rate, force=forces.attraction(), optimizer=optimizers.adam(eps=eps))

    one = of(1.0, 0.01, 1e-8)
    assert same_bits(of(4.0, 0.04, 1e-8 / 4), one, 4.0)
    assert not same_bits(of(4.0, 0.04, 1e-8), one, 4.0)


@pytest.mark.parametrize("name", ["lion", "rowwise_adagrad", "muon"])
def test_steps_that_forget_the_size_of_a_gradient(name):
    # Their rate is a length: it grows with the positions, and decay shrinks by as much.
    def of(alpha: float) -> dict[str, Any]:
        rules = {
            "lion": optimizers.lion(),
            "rowwise_adagrad": optimizers.rowwise_adagrad(0.01 / alpha**2),
            "muon": optimizers.muon(eps=0.0),
        }
        return {"optimizer": rules[name], "force": forces.attraction()}

    one = end(1.0, 0.01, 0.02, **of(1.0))
    assert same_bits(end(4.0, 0.04, 0.02 / 4, **of(4.0)), one, 4.0)
    assert not same_bits(end(4.0, 0.16, 0.02 / 16, **of(4.0)), one, 4.0)


def test_a_factor_that_is_no_power_of_two_holds_to_rounding():
    more = {"optimizer": optimizers.momentum(0.9)}
    one = end(1.0, 0.3, 0.0, **more)
    for z, y in zip(end(3.0, 9 * 0.3, 0.0, **more), one, strict=True):
        np.testing.assert_allclose(z, 3 * y, rtol=1e-9)


def test_in_float32_too():
    clouds = np.random.default_rng(3).standard_normal((2, N, D)).astype(np.float32)
    ends = []
    for alpha in (1.0, 2.0):
        system = System(forces.attraction(), alpha**2, optimizer=optimizers.momentum(0.9))
        state = init(system, *(np.float32(alpha) * clouds))
        ends.append([np.asarray(z) for z in run(system, state, 50, record=()).state.positions])
    assert ends[0][0].dtype == np.float32
    assert same_bits(ends[1], ends[0], 2.0)
