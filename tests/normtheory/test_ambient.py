"""What users set for their whole program changes no result."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory import drift, equilibrium, invariants, symmetric, temperature
from normtheory.particles import System, forces, init, run, sampling

CLOUDS = np.random.default_rng(0).standard_normal((2, 12, 3)).astype(np.float32)


def _drawn() -> np.ndarray:
    """Positions after two steps with weighted minibatches and fresh partners."""
    batch = sampling.minibatch(4, frequencies=np.arange(1.0, 13.0))
    system = System(forces.attraction(), 0.1, sampling=batch, fresh=(1,))
    start = init(system, *CLOUDS.astype(np.float64))
    return np.asarray(run(system, start, 2, progress=False).state.positions[0])


@contextlib.contextmanager
def _other_keys():
    before = jax.config.values["jax_default_prng_impl"]
    jax.config.update("jax_default_prng_impl", "rbg")
    try:
        yield
    finally:
        jax.config.update("jax_default_prng_impl", before)


@pytest.mark.parametrize(
    "ambient",
    [
        pytest.param(jax.disable_jit, marks=pytest.mark.slow),
        _other_keys,
        lambda: jax.transfer_guard("disallow"),
    ],
)
def test_a_run_is_the_same_under_settings_of_jax(ambient):
    expected = _drawn()
    with ambient():
        found = _drawn()
    # Without compilation operations are not fused, and so round otherwise.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_transfers_to_jax_are_meant():
    z = jnp.asarray(CLOUDS[0])
    cosine, loss = nt.cosine_similarity(z, z[::-1]), nt.losses.info_nce(z, z[::-1])
    other = z[::-1]
    with jax.transfer_guard("disallow"):
        found = nt.cosine_similarity(z, other), nt.losses.info_nce(z, other)
        steps = nt.simulate_pairs(np.array([1.0]), 1.0, 1.0, 0.1).steps
    np.testing.assert_array_equal(found[0], cosine)
    assert float(found[1]) == float(loss)
    assert steps == nt.simulate_pairs(np.array([1.0]), 1.0, 1.0, 0.1).steps


def _formulas(x):
    pair = nt.pair_step(nt.PairState(1.0, x, 1.0), 0.1, weight_decay=0.1)
    cloud = symmetric.equiangular_step(symmetric.EquiangularState(0.1, x), 1.0, 0.1, 4)
    gap = symmetric.gap_step(symmetric.GapState(0.0, 0.1, x, 1.0), 0.1, 0.1, 4)
    return [
        *pair, *cloud, *gap,
        nt.flow_angle(1.0, x, 1.0, 1.0),
        nt.effective_learning_rate(0.1, x),
        nt.random_pair_steps(8, x, 0.1),
        nt.equilibrium_norm(0.1, x / 9, 0.5),
        nt.equilibrium_angular_step(0.1, x),
        equilibrium.adamw_norm(0.1, x / 9, 8.0, epsilon=0.1, slope=1.0),
        equilibrium.lion_norm(0.1, x / 9, 8.0),
        equilibrium.lion_cosine(0.1, x / 9, steps=3),
        equilibrium.momentum_norm(0.1, x / 9, 0.9, 0.5),
        equilibrium.momentum_cosine(0.1, x / 9, 0.9),
        symmetric.slope("info_nce", 0.1, 4, steepness=x),
        symmetric.gap_exponent(x, 4, 0.1, 0.1),
        symmetric.gap_ratio(x, 1.0, 1.0),
        symmetric.loss_floor(0.5, 4, steepness=x),
        temperature.best_scale(x / 9, 0.1, 4),
        temperature.siglip_bias(x, 0.1, 4),
        temperature.noisy_loss_floor(x / 9, 4),
        drift.radial_drift_norm(0.1, 0.1, 0.1, x),
        drift.radial_drift_cosine(0.1, 0.1, 0.1, x),
        drift.linear_encoder_step(x, 0.1, 0.1),
        invariants.common_pull_order(0.1, x, 1.0),
    ]  # fmt: skip


@pytest.mark.torch
def test_constants_lie_where_the_input_does():
    torch = pytest.importorskip("torch")
    x = torch.tensor([0.5, 1.5], dtype=torch.float64)
    with torch.device("meta"):  # a default device without any numbers
        found = _formulas(x)
    for one, other in zip(found, _formulas(x.numpy()), strict=True):
        assert one.device == x.device
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-13)


@pytest.mark.torch
def test_a_view_with_the_sign_turned_is_read_as_it_is():
    torch = pytest.importorskip("torch")
    z = torch.tensor(CLOUDS[0], dtype=torch.float64)
    turned = torch.conj(torch.complex(z, -z)).imag
    assert turned.is_neg()
    assert nt.diagnose(turned).norms.mean == nt.diagnose(z).norms.mean
    steps = nt.steps_to_converge(1.0, turned.abs()[:, 0], 1.0, 1e-3)
    np.testing.assert_array_equal(steps, nt.steps_to_converge(1.0, z.abs()[:, 0], 1.0, 1e-3))
    assert torch.equal(nt.cosine_similarity(turned, turned[:1]), nt.cosine_similarity(z, z[:1]))
