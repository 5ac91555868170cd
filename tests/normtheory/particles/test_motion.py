"""What observables say of motion and groups, against numpy on the positions of the run itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.particles import System, forces, init, observables, optimizers, run, sampling

N, D, STEPS = 6, 4, 6
RATE, DECAY, BETA = 0.3, 0.1, 0.8
POSITIONS = observables.observable(
    "positions", lambda view: jnp.stack(view.state.positions), dims=("cloud", "row", "axis")
)
FREQUENCIES = np.array([0.5, 0.1, 0.5, 0.9, 0.1, 0.5])


def clouds() -> np.ndarray:
    return np.random.default_rng(8).standard_normal((3, N, D))


@pytest.fixture(scope="module")
def swinging() -> dict[str, Any]:
    """Two clouds that attract each other, with momentum from a push that turns them."""
    z, y, push = clouds()
    system = System(forces.attraction(), RATE, optimizers.momentum(BETA), weight_decay=DECAY)
    start = init(system, z, y)
    start = replace(start, optimizer=start.optimizer._replace(trace=(push, 0.5 * push[::-1])))
    items = ("modality_gap", "radial_drift", "torque")
    groups = observables.frequency_norm(FREQUENCIES)
    record = (POSITIONS, observables.rotation(3), groups, *items)
    return run(system, start, STEPS, record=record, record_every=1).records


def test_the_gap_is_the_distance_of_the_mean_directions(swinging):
    z = swinging["positions"]
    u = (z / np.linalg.norm(z, axis=-1, keepdims=True)).mean(axis=2)
    gap = np.linalg.norm(u[:, 0] - u[:, 1], axis=-1)
    np.testing.assert_allclose(swinging["modality_gap"], gap, rtol=1e-13)


def test_rotation_looks_as_many_updates_ahead_as_it_is_told(swinging):
    z = swinging["positions"]
    expected = np.quantile(nt.angle(z[:-3], z[3:]), observables.QUANTILES, axis=-1)
    found = swinging["rotation"][: len(z) - 3]
    np.testing.assert_allclose(found, np.moveaxis(expected, 0, -1), rtol=1e-10)


def test_radial_drift_is_the_pull_along_and_across_that_the_update_had(swinging):
    z = swinging["positions"]
    norm = np.linalg.norm(z[:-1], axis=-1, keepdims=True)
    pull = (z[1:] - (1 - RATE * DECAY) * z[:-1]) * norm / RATE
    along = (pull * z[:-1] / norm).sum(axis=-1)
    across = np.linalg.norm(nt.tangent_projection(z[:-1], pull), axis=-1)
    assert (np.abs(along.mean(axis=-1)) > 0.01).all()  # momentum is not across
    parts = np.stack([along.mean(axis=-1), np.sqrt((across**2).mean(axis=-1))], axis=-1)
    np.testing.assert_allclose(swinging["radial_drift"][:-1], parts, rtol=1e-10, atol=1e-12)


def test_momentum_and_decay_take_the_torque_to_a_fixed_share(swinging):
    z, torque = swinging["positions"], swinging["torque"]
    moved = z[1:] - (1 - RATE * DECAY) * z[:-1]
    turning = nt.invariants.torque(list(z[:-1].swapaxes(0, 1)), list(moved.swapaxes(0, 1)))
    np.testing.assert_allclose(torque[:-1], np.linalg.norm(turning, axis=(1, 2)), rtol=1e-10)
    np.testing.assert_allclose(torque[1:] / torque[:-1], (1 - RATE * DECAY) * BETA, rtol=1e-10)
    assert torque[0] > 0.1


def test_rows_of_one_frequency_have_their_mean_norm(swinging):
    norms = np.linalg.norm(swinging["positions"][:, 0], axis=-1)
    expected = [norms[:, np.equal(FREQUENCIES, level)].mean(axis=1) for level in (0.1, 0.5, 0.9)]
    np.testing.assert_allclose(swinging["frequency_norm"], np.transpose(expected), rtol=1e-13)


def _pull(z: Any, y: Any, *, outwards: Any) -> Any:
    """Attraction of pairs, and of the first cloud a pull D ln ρ outwards; a mean over rows."""
    norms = [jnp.linalg.norm(x, axis=-1) for x in (z, y)]
    cosine = jnp.sum(z * y, axis=-1) / norms[0] / norms[1]
    return -jnp.mean(cosine + outwards * jnp.log(norms[0]))


def test_the_drift_of_a_known_pull_is_that_pull():
    # With decay in the gradient, GradScale, a frozen partner and rows that stay: none of it counts.
    z, y, _ = clouds()
    system = System(
        forces.function(_pull, outwards=-0.25),
        RATE,
        weight_decay=DECAY,
        coupled_decay=True,
        gradscale=1.0,
        reduction="sum",
        frozen=(1,),
        sampling=sampling.bernoulli(np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])),
    )
    record = ("radial_drift", "torque", observables.rotation(2))
    found = run(system, init(system, z, y), 0, record=record).records
    along, across = found["radial_drift"][0, 0]
    assert along == pytest.approx(-0.25, rel=1e-12)
    sines = np.sin(nt.angle(z, y))[[0, 2, 3]]
    assert across == pytest.approx(np.sqrt((sines**2).mean()), rel=1e-12)
    assert (found["radial_drift"][0, 1] == 0).all()
    assert found["torque"][0] > 0.1  # towards a partner that doesn't turn with it
    assert (found["rotation"][0, 1] == 0).all()
    # Rows that are not drawn don't turn, of six the lower half.
    low, _, middle, _, high = found["rotation"][0, 0]
    assert low == 0 < middle < high


def test_what_observables_need_is_said():
    z, y, _ = clouds()
    system = System(forces.attraction(), RATE)
    start = init(system, z, y)
    short = observables.frequency_norm([0.1, 0.2])
    with pytest.raises(ValueError, match="one for each of 6 rows, got 2"):
        run(system, start, 0, record=short)
    with pytest.raises(ValueError, match="index 1"):
        observables.frequency_norm([0.1, -0.2])
    with pytest.raises(ValueError, match="steps: expected an integer >= 1, got 0"):
        observables.rotation(0)
    alone = System(forces.loss("uniformity"), RATE)
    with pytest.raises(ValueError, match="modality_gap: expected two clouds"):
        run(alone, init(alone, z), 0, record="modality_gap")
