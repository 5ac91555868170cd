"""One step: optimizers, interventions, constraints, and the agreement of two ways to say it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import normtheory as nt
from normtheory.losses import LOSSES
from normtheory.particles import State, System, forces, init, optimizers, run, step, view
from tests.normtheory.particles.compiling import counted

STEPS = 20


def clouds(dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    z, y = np.random.default_rng(2).standard_normal((2, 6, 8))
    return z.astype(dtype), (2 * y).astype(dtype)


def steps(system: System, count: int = STEPS, dtype: Any = np.float64) -> State:
    """Step by step, by the public function."""
    state = init(system, *clouds(dtype))
    for _ in range(count):
        state = step(system, state)
    return state


def close(state: State, exact: Any, rtol: float = 1e-12) -> None:
    for z, y in zip(state.positions, exact, strict=True):
        np.testing.assert_allclose(np.asarray(z), y, rtol=rtol, atol=rtol)


def by_optax(transformation: optax.GradientTransformation) -> list[np.ndarray]:
    """The same run, written as optax's own examples are, with jax.grad."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        points = tuple(jnp.asarray(z) for z in clouds())
        memory = transformation.init(points)

        def loss(points: Any) -> Any:
            z, y = (x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in points)
            return -jnp.mean(jnp.sum(z * y, axis=-1))

        @jax.jit
        def one(points: Any, memory: Any) -> Any:
            updates, memory = transformation.update(jax.grad(loss)(points), memory, points)
            return optax.apply_updates(points, updates), memory

        for _ in range(STEPS):
            points, memory = one(points, memory)
        return [np.asarray(z) for z in points]


def test_sgd_agrees_with_optax():
    close(steps(System(forces.attraction(), 0.5)), by_optax(optax.sgd(0.5)))


def test_momentum_with_coupled_decay_agrees_with_optax():
    ours = System(
        forces.attraction(),
        0.5,
        optimizers.momentum(0.8),
        weight_decay=0.01,
        coupled_decay=True,
    )
    theirs = optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.5, momentum=0.8))
    close(steps(ours), by_optax(theirs))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_looks_ahead_if_asked_to(nesterov):
    ours = System(forces.attraction(), 0.5, optimizers.momentum(0.8, nesterov=nesterov))
    close(steps(ours), by_optax(optax.sgd(0.5, momentum=0.8, nesterov=nesterov)))


def test_adam_with_decay_is_adamw_and_a_ready_made_one_keeps_its_rate():
    exact = by_optax(optax.adamw(0.05, weight_decay=0.1))
    ours = System(forces.attraction(), 0.05, optimizers.adam(), weight_decay=0.1)
    close(steps(ours), exact)
    theirs = System(forces.attraction(), optimizer=optax.adamw(0.05, weight_decay=0.1))
    close(steps(theirs), exact)


def test_a_schedule_multiplies_the_rate():
    schedule = optax.cosine_decay_schedule(1.0, 2 * STEPS)
    ours = System(forces.attraction(), 0.5, schedule=schedule)
    theirs = optax.sgd(optax.cosine_decay_schedule(0.5, 2 * STEPS))
    close(steps(ours), by_optax(theirs))
    constant = steps(System(forces.attraction(), 0.5))
    assert not np.allclose(steps(ours).positions[0], constant.positions[0], rtol=1e-3)


def test_gradscale_multiplies_each_gradient_by_its_own_norm():
    z, y = clouds()
    for power in (1.0, 0.5):
        state = steps(System(forces.attraction(), 0.5, gradscale=power), 1)
        scale = [np.linalg.norm(x, axis=-1, keepdims=True) ** power for x in (z, y)]
        pull = nt.cosine_gradient(z, y) / 6, nt.cosine_gradient(y, z) / 6
        close(state, (z + 0.5 * scale[0] * pull[0], y + 0.5 * scale[1] * pull[1]))


def test_gradscale_comes_before_the_optimizer():
    # Adam forgets the size of a gradient, so a power changes nothing where every norm is 2.
    free, scaled = (
        System(forces.attraction(), 0.1, optimizers.adam(eps=0.0), norm=2.0, gradscale=power)
        for power in (0.0, 3.0)
    )
    close(steps(free), steps(scaled).positions)


def test_a_fixed_norm_is_kept():
    norm = (np.linspace(1, 2, 6), 0.5)
    for z, wanted in zip(
        steps(System(forces.attraction(), 2.0, norm=norm)).positions, norm, strict=True
    ):
        np.testing.assert_allclose(np.linalg.norm(z, axis=-1), wanted, rtol=4e-16)


def test_frozen_partners_are_untouched_by_decay_too():
    system = System(
        forces.attraction(), 0.5, optimizers.adam(), weight_decay=0.5, norm=3.0, frozen=(1,)
    )
    state = steps(system)
    assert np.array_equal(state.positions[1], clouds()[1])
    assert not np.array_equal(state.positions[0], clouds()[0])


def test_untrained_clouds_are_untouched():
    rng = np.random.default_rng(0)
    positions, options = LOSSES["moco"].example(rng, 5, 4)
    system = System(forces.loss("moco", **options), 0.5, weight_decay=0.5)
    state = run(system, init(system, *positions), 5, record=()).state
    assert not np.array_equal(state.positions[0], positions[0])
    for k in (1, 2):
        assert np.array_equal(state.positions[k], positions[k])


def test_a_sum_is_a_mean_at_n_times_the_rate():
    mean = steps(System(forces.attraction(), 0.5 * 6))
    total = System(forces.attraction(), 0.5, reduction="sum")
    close(steps(total), mean.positions)
    assert nt.pair_rate(0.5 * 6, 6, "mean") == nt.pair_rate(0.5, 6, "sum")


def plain_attraction(z: Any, y: Any, *, strength: Any) -> Any:
    z, y = (x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (z, y))
    return -strength * jnp.mean(jnp.sum(z * y, axis=-1))


def test_a_function_and_a_mixture_are_forces():
    one = steps(System(forces.attraction(), 0.6))
    twice = forces.function(plain_attraction, strength=2.0)
    close(steps(System(twice, 0.3)), one.positions)
    # attraction - attraction/2 + (half an attraction as a function) = attraction
    mixed = forces.mixture(
        (1.0, forces.attraction()), (-0.5, forces.attraction(clouds=(0, 1))), (0.25, twice)
    )
    close(steps(System(mixed, 0.6)), one.positions)


def test_a_mixture_may_act_on_different_clouds():
    mixed = forces.mixture((1.0, forces.attraction()), (0.5, forces.loss("uniformity", clouds=0)))
    state = steps(System(mixed, 0.5), 1)
    z, y = clouds()
    (push,) = LOSSES["uniformity"].gradient(z)
    pull = nt.cosine_gradient(z, y) / 6, nt.cosine_gradient(y, z) / 6
    close(state, (z + 0.5 * (pull[0] - 0.5 * np.asarray(push)), y + 0.5 * pull[1]))


def test_a_force_in_blocks_is_the_same_force():
    blocks = steps(System(forces.loss("info_nce", temperature=0.5, block=4), 0.5), 1)
    whole = LOSSES["info_nce"].gradient(*clouds(), temperature=0.5)
    close(blocks, [z - 0.5 * np.asarray(g) for z, g in zip(clouds(), whole, strict=True)])


def test_a_step_works_under_jit_and_keeps_the_dtype():
    system = System(forces.attraction(), 0.5, optimizers.momentum(0.5), weight_decay=0.1)
    state = init(system, *clouds(np.float32))
    close(jax.jit(step)(system.cast(np.float32), state), step(system, state).positions, rtol=1e-6)
    for dtype in (np.float32, np.float64):
        outside = steps(system, 1, dtype)
        assert all(np.asarray(z).dtype == dtype for z in outside.positions)
        assert isinstance(outside.positions[0], np.ndarray if dtype == np.float64 else jax.Array)


def test_under_jit_a_zero_row_is_nan_in_its_pair_alone():
    system = System(forces.attraction(), 0.5)
    z, y = (x.astype(np.float32) for x in clouds())
    state = init(system, z, y)
    z[2] = 0
    broken = State((z, y), state.optimizer, state.step, state.key)
    after = jax.jit(step)(system.cast(np.float32), broken)
    for x in after.positions:
        bad = np.isnan(np.asarray(x)).any(axis=-1)
        assert bad.tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("loss", (1, 2)),
        ("loss", (2, 0)),
        ("function", (2, 0)),
        ("function", (2, 1)),
        *(
            pytest.param(kind, places, marks=pytest.mark.slow)
            for kind, places in (
                ("loss", (0, 1)),
                ("loss", (2, 1)),
                ("function", (0, 1)),
                ("function", (1, 2)),
            )
        ),
    ],
)
def test_a_force_on_chosen_clouds_moves_these_and_no_others(kind, places):
    start = np.random.default_rng(4).standard_normal((3, 6, 8))
    force = (
        forces.attraction(clouds=places)
        if kind == "loss"
        else forces.function(plain_attraction, clouds=places, strength=1.0)
    )
    system = System(force, 0.5)
    found = step(system, init(system, *start)).positions
    expected = start.copy()
    one, other = places
    expected[one] += 0.5 / 6 * nt.cosine_gradient(start[one], start[other])
    expected[other] += 0.5 / 6 * nt.cosine_gradient(start[other], start[one])
    np.testing.assert_allclose(np.stack(found), expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    "places",
    [(2, 0, 1), *(pytest.param(p, marks=pytest.mark.slow) for p in ((0, 1, 2), (1, 2, 0)))],
)
def test_of_a_loss_on_chosen_clouds_the_trained_one_moves(places):
    start = np.random.default_rng(4).standard_normal((3, 6, 8))
    system = System(forces.loss("moco", clouds=places, temperature=0.5), 0.5)
    found = np.stack(step(system, init(system, *start)).positions)
    expected = start.copy()
    (slope,) = LOSSES["moco"].gradient(*(start[k] for k in places), temperature=0.5)
    expected[places[0]] -= 0.5 * np.asarray(slope)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_the_value_of_a_mixture_is_the_weighted_sum_of_the_values():
    z, y = clouds()
    mixed = forces.mixture(
        (2.0, forces.attraction()),
        (-0.5, forces.loss("uniformity", clouds=0)),
        (4.0, forces.function(plain_attraction, strength=0.25)),
    )
    system = System(mixed, 1.0)
    with jax.enable_x64(True):
        found = jax.jit(lambda system, state: view(system, state).loss)(system, init(system, z, y))
    cosine = nt.cosine_similarity(z, y).mean()
    expected = -2 * cosine - 0.5 * float(LOSSES["uniformity"].value(z)) - cosine
    assert float(found) == pytest.approx(expected, rel=1e-13)


def test_every_number_of_a_mixture_has_a_name_of_its_own():
    mixed = forces.mixture(
        (1.0, forces.loss("info_nce", temperature=0.25)),
        (1.0, forces.mixture((3.0, forces.loss("nt_xent", temperature=0.5)))),
    )
    system = System(mixed, 1.0, optimizers.momentum(0.5))
    with pytest.raises(ValueError, match=r"several: force.0.temperature, force.1.0.temperature"):
        system.with_numbers(temperature=2.0)
    names = {"force.1.0.temperature": 2.0, "force.0.temperature": 0.75, "force.0.weight": -4.0}
    changed: Any = system.with_numbers(**names, **{"force.1.weight": 5}, decay=0.25)
    first, (second,) = changed.force.forces[0], changed.force.forces[1].forces
    assert (first.options, second.options) == ({"temperature": 0.75}, {"temperature": 2.0})
    assert (changed.force.weights, changed.force.forces[1].weights) == ((-4.0, 5.0), (3.0,))
    assert changed.optimizer.numbers == {"decay": 0.25}
    changed = system.with_numbers(**{"optimizer.decay": 0.0})
    assert changed.optimizer.numbers == {"decay": 0.0}


def test_numbers_of_every_term_change_without_compiling():
    terms: Any = (("clip", {"temperature": 0.5}), ("siglip", {"temperature": 0.5, "bias": -1.0}))
    made = [(1.0, forces.loss(name, **options)) for name, options in terms]
    system = System(forces.mixture(*made), 1.0)
    start = init(system, *clouds())
    changed = {"force.0.temperature": 0.25, "force.1.temperature": 1.0, "bias": -2.0}
    weights = {"force.0.weight": 0.0, "force.1.weight": 0.5}
    step(system, start)
    with counted() as nothing:
        found = step(system.with_numbers(**changed, **weights), start)
    assert nothing == [0]
    # The first term has no weight: what is left is half of the second.
    alone = LOSSES["siglip"].gradient(*clouds(), temperature=1.0, bias=-2.0)
    close(found, [z - 0.5 * np.asarray(g) for z, g in zip(clouds(), alone, strict=True)])
