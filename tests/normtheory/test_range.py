"""Numbers near the ends of the range of floats, and numpy told to raise."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory import (
    PairState,
    cosine,
    drift,
    equilibrium,
    flow,
    invariants,
    pair,
    pair_simulation,
    sphere,
    stability,
    symmetric,
    temperature,
)
from normtheory.particles.sampling import minibatch
from normtheory.symmetric import EquiangularState, GapState

MODULES = (
    cosine, drift, equilibrium, flow, invariants, pair, pair_simulation, sphere, stability,
    symmetric, temperature,
)  # fmt: skip
Z = np.array([[3.0, 4.0, 1e-300], [1e-200, 1.0, 2.0]])
TINY = np.array([[3e-310, 4e-310, 1e-320], [1e-300, 1e-300, 2e-320]])


def _rng():
    return np.random.default_rng(0)


# Each of them under- or overflows on the way, and has a plain answer.
CALLS: dict[str, Callable[[], Any]] = {
    "effective_learning_rate": lambda: nt.effective_learning_rate(0.1, 1e200),
    "pair_step": lambda: nt.pair_step(PairState(1e-300, 1e-200, 1.0), 1e-200),
    "flow_angle": lambda: nt.flow_angle(1.0, 1.0, 1e-200, 1e5),
    "steps_to_converge": lambda: nt.steps_to_converge(1.0, 1e-200, 1e200, 1e-2),
    "ensemble": lambda: nt.steps_to_converge(
        np.array([1.0, 2.0]), np.array([0.1, 1e3]), 1e3, 1e-5, ensemble_axis=0
    ),
    "simulate_pairs": lambda: nt.simulate_pairs(np.array([1e-200, 1.0]), 1.0, 2.0, 0.1).angle,
    "equilibrium_norm": lambda: nt.equilibrium_norm(1e-200, 1e-200, 0.5),
    "equilibrium_angular_step": lambda: nt.equilibrium_angular_step(1e-200, 1e-200),
    "adamw_norm": lambda: equilibrium.adamw_norm(1e-200, 1e-200, 64.0),
    "lion_norm": lambda: equilibrium.lion_norm(1e-200, 1e-200, 64.0),
    "momentum_norm": lambda: equilibrium.momentum_norm(1e-200, 1e-200, 0.9, 0.5),
    "equiangular_step": lambda: symmetric.equiangular_step(
        EquiangularState(0.1, 1e200), 1.0, 1e-200, 3
    ),
    "slope": lambda: symmetric.slope("info_nce", 0.0, 4, steepness=1e4),
    "simplex_steps": lambda: symmetric.simplex_steps(
        "info_nce", 0.9, 0.5, 4, 1e-200, 0.1, steepness=90.0
    ),
    "gap_step": lambda: symmetric.gap_step(GapState(1e-200, 0.4, 1.0, 8.0), 0.1, 0.1, 8),
    "gap_exponent": lambda: symmetric.gap_exponent(1e200, 8, 0.1, 0.1),
    "gap_ratio": lambda: symmetric.gap_ratio(1e5, 1.0, 1.0, learned="scale"),
    "loss_floor": lambda: symmetric.loss_floor(1.0, 8, steepness=1e4),
    "siglip_bias": lambda: temperature.siglip_bias(1e-300, 1e-300, 8),
    "radial_drift_norm": lambda: drift.radial_drift_norm(1e-200, 1e-200, -1e-200, 1.0),
    "linear_encoder_step": lambda: drift.linear_encoder_step(1e-300, 1e-200, 1e-200),
    "torque": lambda: invariants.torque(Z, Z[::-1].copy()),
    "common_pull_order": lambda: invariants.common_pull_order(0.1, 1e-3, 1.0),
    "cosine_similarity": lambda: nt.cosine_similarity(Z, Z[::-1].copy()),
    "cosine_gradient": lambda: nt.cosine_gradient(TINY, Z),
    "tangent_projection": lambda: nt.tangent_projection(Z, TINY),
    "pairs_at_angle": lambda: sphere.pairs_at_angle(_rng(), 1e-310, 3, 2),
    "log_uniform_norms": lambda: sphere.log_uniform_norms(_rng(), 2, 5e-324, 1e-310),
    "cut_init": lambda: nt.cut_init({"w": np.full(2, 1e-310)}, 3.0)["w"],
}


@pytest.mark.filterwarnings("ignore::normtheory.FlowApproximationWarning")
@pytest.mark.parametrize("name", CALLS)
def test_a_result_is_the_same_whatever_numpy_is_told(name):
    with np.errstate(all="ignore"):
        expected = CALLS[name]()
    with np.errstate(all="raise"):
        found = CALLS[name]()
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


REFUSED: dict[str, Callable[[], Any]] = {
    "pair_step": lambda: nt.pair_step(PairState(1.0, 10.0, 10.0), 1.0, gradscale=5000.0),
    "pair_step tiny": lambda: nt.pair_step(PairState(1.0, 1e-310, 1.0), 1.0),
    "effective_learning_rate": lambda: nt.effective_learning_rate(0.1, 1e-200),
    "random_pair_steps": lambda: nt.random_pair_steps(20, 1e200, 0.1),
    "ensemble": lambda: nt.steps_to_converge(
        np.array([1.0, 2.0]), np.array([1e-200, 1.0]), 1.0, 0.1, ensemble_axis=0
    ),
    "equilibrium_norm": lambda: nt.equilibrium_norm(1e3, 1e-300, 1.0, gradscale=1.9),
    "equiangular_step": lambda: symmetric.equiangular_step(
        EquiangularState(0.1, 1e-200), 1.0, 0.1, 3
    ),
    "simplex_steps": lambda: symmetric.simplex_steps(
        "info_nce", 0.9, -0.3, 4, 1.0, 0.1, steepness=900.0
    ),
    "gap_exponent": lambda: symmetric.gap_exponent(1e-200, 8, 0.1, 0.1),
    "best_scale": lambda: temperature.best_scale(1e-310, 0.1, 8),
    "linear_encoder_step": lambda: drift.linear_encoder_step(1.0, 1e200, 1.0),
    "torque": lambda: invariants.torque(1e200 * Z, 1e200 * Z[::-1]),
}


@pytest.mark.filterwarnings("ignore::normtheory.FlowApproximationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_a_result_out_of_range_is_refused(name):
    with pytest.raises(ValueError, match=r"leaves the range of float64.*: expected norms, rates"):
        REFUSED[name]()


def test_the_place_and_the_dtype_are_named():
    norms = np.array([[1.0, 2.0], [1e30, 1.0]], dtype=np.float32)
    with pytest.raises(ValueError, match=r"the range of float32 at index \(1, 0\)"):
        nt.pair_step(PairState(1.0, norms, 1.0), 1.0, gradscale=3.0)
    traced = jax.jit(lambda x: nt.pair_step(PairState(1.0, x, 1.0), 1.0, gradscale=3.0).norm_i)
    np.testing.assert_array_equal(np.isfinite(traced(norms)), [[True, True], [False, True]])


def test_a_pair_that_nothing_moves_stays():
    # 0 times a power of the norm beyond all floats.
    assert nt.flow_angle(1.2, 2.0, 3.0, 0.0, gradscale=5000.0) == pytest.approx(1.2, rel=1e-15)
    for angle in (0.0, math.pi):
        step = nt.pair_step(PairState(angle, 2.0, 3.0), 0.1, gradscale=5000.0)
        assert [float(x) for x in step] == [angle, 2.0, 3.0]
    rate = jax.grad(lambda t: nt.flow_angle(1.2, 2.0, 2.0, t, gradscale=1.0))(jnp.float32(0.0))
    assert float(rate) == pytest.approx(-math.sin(1.2), rel=1e-6)  # κ = 1


def test_factors_beyond_floats_whose_product_is_not():
    rate, decay = 1e300, 1e-301  # 1e601 is their quotient
    plain = float(nt.equilibrium_norm(1.0, 1e-1, 0.5))
    assert nt.equilibrium_norm(rate, decay, 0.5) == pytest.approx(plain * 1e150, rel=1e-12)
    assert equilibrium.adamw_norm(rate, decay, 64.0) == pytest.approx(
        1e300 * float(equilibrium.adamw_norm(1.0, 1e-1, 64.0)), rel=1e-12
    )
    assert equilibrium.lion_norm(rate, decay, 64.0) == pytest.approx(
        1e300 * float(equilibrium.lion_norm(1.0, 1e-1, 64.0)), rel=1e-12
    )
    assert equilibrium.momentum_norm(rate, decay, 0.9, 0.5) == pytest.approx(
        1e150 * float(equilibrium.momentum_norm(1.0, 1e-1, 0.9, 0.5)), rel=1e-12
    )
    # Without decay, γ(D² + s²)/2|D|.
    found = drift.radial_drift_norm(1e-200, 1e-200, -1e-200, 1.0)
    assert found == pytest.approx(math.sqrt(0.5), rel=1e-12)
    # arccos(1 − x) = √(2x) for small x.
    assert nt.equilibrium_angular_step(1e-200, 1e-200) == pytest.approx(math.sqrt(2) * 1e-200)
    found = nt.effective_learning_rate(1e-300, 1e4, gradscale=102.0)
    assert found == pytest.approx(1e100, rel=1e-12)
    moved = symmetric.equiangular_step(EquiangularState(0.5, 1e160), 1.0, 1e300, 3)
    usual = symmetric.equiangular_step(EquiangularState(0.5, 1.0), 1.0, 1e-20, 3)
    assert float(moved.cosine) == float(usual.cosine)


@pytest.mark.filterwarnings("ignore::normtheory.FlowApproximationWarning")
def test_steps_of_a_pair_are_rounded_to_what_floats_can_say():
    angles = np.array([0.0, 1.0, math.pi])
    found = [nt.steps_to_converge(angles, rho, 1.0, 0.1) for rho in (1e-200, 1e200)]
    np.testing.assert_array_equal(found[0], [0, 0, np.inf])
    alone = float(nt.steps_to_converge(1.0, 1.0, 1.0, 0.1, stop_gradient=True))
    np.testing.assert_allclose(found[1], [0, alone, np.inf], rtol=1e-15)


def test_a_norm_that_decays_to_nothing_is_refused():
    options = {"weight_decay": 900.0, "gradscale": 2.0, "repel": True, "max_steps": 2000}
    with pytest.raises(ValueError, match="nor decay to nothing"):
        nt.simulate_pairs(1.0, 1.0, 1.0, 1e-3, **options)


@pytest.mark.parametrize("factor", [1e50, 1e-50])
def test_a_cut_beyond_the_dtype_is_refused(factor):
    message = "factor: expected a number from 1.2e-38 to 3.4e.38, the range of float32"
    with pytest.raises(ValueError, match=message):
        nt.cut_init({"w": np.ones(2, np.float32)}, factor)
    assert nt.cut_init({"w": np.ones(2)}, factor)["w"][0] == 1 / factor


@pytest.mark.torch
def test_a_cut_of_a_module_beyond_the_dtype_leaves_it_alone():
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(2, 1, bias=False)
    before = module.weight.detach().clone()
    with pytest.raises(ValueError, match="the range of float32, got 1e-50"):
        nt.cut_init(module, 1e-50)
    with pytest.raises(ValueError, match="the range of float32, got 1e\\+50"):
        nt.cut_init(module.state_dict(), 1e50)
    assert torch.equal(module.weight, before)


def test_options_beyond_what_a_loss_computes_with_are_refused():
    z, y = np.random.default_rng(0).standard_normal((2, 6, 3))
    narrow = z.astype(np.float32), y.astype(np.float32)
    with pytest.raises(ValueError, match="temperature: 1e-40 leaves the range of float32"):
        nt.losses.info_nce(*narrow, temperature=1e-40)
    with pytest.raises(ValueError, match="sharpness: 1e\\+39 leaves the range of float32"):
        nt.losses.uniformity(jnp.asarray(narrow[0]), sharpness=1e39)
    with pytest.raises(ValueError, match="temperature: 1e-310 leaves the range of float64"):
        nt.losses.info_nce(z, y, temperature=1e-310)
    # By the smallest temperatures only the worst key counts: the loss times τ.
    found = nt.losses.info_nce(z, y, temperature=1e-40) * 1e-40
    cosines = np.array([[nt.cosine_similarity(a, b) for b in y] for a in z])
    assert found == pytest.approx(np.mean(cosines.max(axis=1) - np.diag(cosines)), rel=1e-12)


def test_weights_near_the_largest_float_are_shares():
    few, many = minibatch(2, [1.0, 3.0, 4.0]), minibatch(2, [4e307, 1.2e308, 1.6e308])
    np.testing.assert_array_equal(few.cumulative, many.cumulative)
    np.testing.assert_array_equal(few.cumulative, np.array([1, 4, 8]) * 2**28)


@pytest.mark.parametrize("concentration", [1e-16, 1e-300])
def test_no_concentration_is_uniform(concentration):
    drawn = sphere.von_mises_fisher(_rng(), 4000, np.eye(3)[0], concentration)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1.0, rtol=1e-12)
    # False alarms: 2e-7. Each component has mean 0 and variance 1/d, its square 4/45: six errors.
    assert np.abs(drawn.mean(axis=0)).max() < 5.5 / math.sqrt(3 * 4000)
    np.testing.assert_allclose((drawn**2).mean(axis=0), 1 / 3, atol=0.03)


@pytest.mark.parametrize(
    "module",
    MODULES,
    ids=lambda module: module.__name__,
)
def test_every_public_function_of_numbers_is_framed(module):
    functions = {name for name in module.__all__ if inspect.isfunction(getattr(module, name))}
    bare = {name for name in functions if not hasattr(getattr(module, name), "__wrapped__")}
    assert bare <= {"frequency_exponent"}  # of words
