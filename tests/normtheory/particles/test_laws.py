"""The laws of motion, over every loss: one compiled function a loss serves all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np
import pytest

from normtheory.losses import LOSSES
from normtheory.particles import State, System, forces, init, run, view
from tests.helpers import precision
from tests.strategies import rotation

N, D = 8, 5

# A program each, and the tests of the losses have these laws for all of them.
QUICK = {"attraction", "clip", "dino", "nt_xent", "supcon", "uniformity"}
losses = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in LOSSES],
)


@cache
def stepped(name: str) -> Callable[..., Any]:
    """``f(system, state)`` -> positions after a step, loss and gradients before it, all numpy."""

    def look(system: System, state: State) -> Any:
        seen = view(system, state)
        return seen.after, seen.loss, seen.gradients

    # Compiling is what these tests cost. The laws of optimised programs are in the other files.
    compiled = jax.jit(look, compiler_options={"xla_backend_optimization_level": 0})

    def call(system: System, state: State) -> Any:
        with precision(state.dtype):
            return jax.tree.map(np.asarray, compiled(system.cast(state.dtype), state))

    return call


def example(name: str, seed: int = 0) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    return LOSSES[name].example(np.random.default_rng(seed), N, D)


def system_of(name: str, options: dict[str, Any], rate: float, **more: Any) -> System:
    return System(forces.loss(name, **options), rate, **more)


def squares(z: np.ndarray) -> np.ndarray:
    """Squared norms of rows, summed beyond the precision of the result."""
    return np.sum(np.asarray(z, np.longdouble) ** 2, axis=-1)


def norm_growth_error(name: str, dtype: Any, rate: float, exponent: float = 2.0) -> float:
    """Largest error of ρ'² = ρ² + γ²‖g‖², relative to ρ'², in eps."""
    clouds, options = example(name)
    system = system_of(name, options, rate)
    state = init(system, *(z.astype(dtype) for z in clouds))
    after, _, gradients = stepped(name)(system, state)
    worst = 0.0
    for z, new, g in zip(state.positions, after, gradients, strict=True):
        grown = squares(z) + np.longdouble(rate) ** exponent * squares(g)
        worst = max(worst, float(np.max(np.abs(squares(new) - grown) / squares(new))))
    return worst / float(np.finfo(dtype).eps)


# Each component of z' is rounded once or twice, and z·g is 0 to an eps of ρ‖g‖: at most 2 eps of
# ρ'². Measured over all losses: below 0.8.
GROWTH_EPS = 4


@losses
def test_the_squared_norm_grows_by_the_squared_step(name):
    # From steps much shorter than the norms to steps much longer.
    assert max(norm_growth_error(name, np.float64, rate) for rate in (0.5, 20.0)) < GROWTH_EPS


@pytest.mark.parametrize("name", ["attraction", pytest.param("info_nce", marks=pytest.mark.slow)])
def test_the_squared_norm_grows_by_the_squared_step_in_float32(name):
    assert norm_growth_error(name, np.float32, 20.0) < GROWTH_EPS


def test_a_wrong_norm_growth_is_seen():
    assert norm_growth_error("attraction", np.float64, 20.0, exponent=1.99) > 1e10


@losses
def test_permuting_particles_permutes_the_result(name):
    clouds, options = example(name)
    orders = {n: np.random.default_rng(n).permutation(n) for n in {len(z) for z in clouds}}
    permuted = {
        k: x[orders[N]] if LOSSES[name].option(k).per_row else x for k, x in options.items()
    }
    if name == "dino":  # its centre goes with the prototypes
        permuted["centre"] = options["centre"][orders[5]]
    elif name in ("normface", "cosface", "arcface"):  # labels are numbers of rows
        permuted["labels"] = np.argsort(orders[len(clouds[1])])[permuted["labels"]]
    elif name == "swav":
        permuted["codes"] = permuted["codes"][:, orders[len(clouds[1])]]
    system = system_of(name, options, 2.0)
    one, *_ = stepped(name)(system, init(system, *clouds))
    system = system_of(name, permuted, 2.0)
    other, *_ = stepped(name)(system, init(system, *(z[orders[len(z)]] for z in clouds)))
    for z, y in zip(one, other, strict=True):
        # Sums over the batch run in another order.
        np.testing.assert_allclose(y, z[orders[len(z)]], rtol=0, atol=1e-13 * np.abs(z).max())


@losses
def test_rotating_the_cloud_rotates_the_result(name):
    clouds, options = example(name)
    turn = rotation(0, D)
    system = system_of(name, options, 2.0)
    one, value, _ = stepped(name)(system, init(system, *clouds))
    other, turned, _ = stepped(name)(system, init(system, *(z @ turn for z in clouds)))
    assert turned == pytest.approx(value, rel=1e-13)
    for z, y in zip(one, other, strict=True):
        np.testing.assert_allclose(y, z @ turn, rtol=0, atol=1e-13 * np.abs(z).max())


@losses
def test_small_steps_lower_the_loss(name):
    clouds, options = example(name)
    system = system_of(name, options, 1e-4)
    state = init(system, *clouds)
    values, fall = [], []
    for _ in range(4):
        after, value, gradients = stepped(name)(system, state)
        state = init(system, *after)
        values.append(float(value))
        fall.append(1e-4 * sum(float(squares(g).sum()) for g in gradients))
    assert (np.diff(values) < 0).all()
    # By the rate times the squared gradient, to first order in the rate.
    np.testing.assert_allclose(-np.diff(values), fall[:-1], rtol=0.02)


def _info_nce(rate: float, steps: int) -> tuple[float, float]:
    """Growth of Σρ² and fall of the loss."""
    clouds, options = example("info_nce")
    system = system_of("info_nce", options, rate)
    start = init(system, *clouds)
    done = run(system, start, steps, record="loss")
    sums = [sum(float(squares(z).sum()) for z in state.positions) for state in (start, done.state)]
    return sums[1] - sums[0], float(done.records["loss"][0] - done.records["loss"][-1])


def test_the_norm_drift_at_fixed_time_is_first_order_in_the_step():
    rates = 0.02 / 2.0 ** np.arange(4)
    growth = [_info_nce(rate, round(2.0 / rate))[0] for rate in rates]
    slope = np.polyfit(np.log(rates), np.log(growth), 1)[0]
    assert slope == pytest.approx(1, abs=0.05)


def test_the_norm_budget_holds():
    growth, fall = _info_nce(0.005, 400)
    assert fall > 0.1
    assert growth == pytest.approx(0.005 * fall, rel=0.02)  # leading order in the rate
    assert growth != pytest.approx(2 * 0.005 * fall, rel=0.4)
