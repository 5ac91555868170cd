"""What observables and stop rules see: rates, turns, classes, losses and gradients."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.particles import System, forces, init, observables, run, sampling, stop, view

N, D = 6, 5
CLOUDS = np.random.default_rng(3).standard_normal((3, N, D))


def factor(step: Any) -> Any:
    return 1.0 / (1 + step)


RATE = observables.observable("rate", lambda view: view.learning_rate)
PAIR = observables.observable("pair_rate", lambda view: view.pair_rate)


WAYS = {
    "mean": ("mean", None, N),
    "mean of a batch": ("mean", sampling.minibatch(2), 2),
    "mean, some rows move": ("mean", sampling.bernoulli(0.5), N),  # the loss is that of all rows
    "sum": ("sum", None, 1),
    "sum of a batch": ("sum", sampling.minibatch(2), 1),
}
QUICK = {"mean of a batch", "mean, some rows move", "sum of a batch"}


@pytest.mark.parametrize(
    ("way", "gradscale"),
    [
        # One program for both powers.
        *(
            pytest.param(way, power, marks=() if way in QUICK else pytest.mark.slow)
            for way in WAYS
            for power in (1.0, 2.0)
        ),
        ("mean", None),
        *(pytest.param(way, None, marks=pytest.mark.slow) for way in WAYS if way != "mean"),
    ],
)
def test_rates_are_those_of_the_step_to_come(way, gradscale):
    reduction, drawn, divisor = WAYS[way]
    system = System(
        forces.attraction(),
        0.25,
        schedule=factor,
        gradscale=gradscale,
        norm=2.0,
        reduction=reduction,
        sampling=drawn,
    )
    record = (RATE, PAIR, "effective_learning_rate")
    done = run(system, init(system, *CLOUDS[:2]), 2, record=record, record_every=1)
    expected = 0.25 / np.array([1, 2, 3])
    np.testing.assert_allclose(done.records["rate"], expected, rtol=1e-7)
    np.testing.assert_allclose(done.records["pair_rate"], expected / divisor, rtol=1e-7)
    # Of norm 2 with power p: γ·2^(p-2).
    effective = expected / divisor * 2.0 ** ((gradscale or 0.0) - 2)
    found = done.records["effective_learning_rate"]
    np.testing.assert_allclose(found, np.broadcast_to(effective[:, None, None], (3, 2, 5)), 1e-7)


def test_a_fresh_cloud_is_turned_by_its_draws_and_not_by_the_update():
    system = System(forces.attraction(), 0.9, fresh=(1,), norm=1.0)
    record = ("angular_step", observables.observable("partner", lambda v: v.directions[1]))
    start = init(system, *CLOUDS[:2])
    done = run(system, start, 3, record=record, record_every=1)
    turned = done.records["angular_step"]
    np.testing.assert_allclose(turned[:, 1], 0, atol=1e-15)
    # tan of the turn of the other cloud is x sin φ, with the partner as it was drawn.
    (z,) = (np.asarray(start.positions[0]),)
    angle = nt.angle(z, done.records["partner"][0])
    expected = np.arctan2(0.9 / N * np.sin(angle), 1.0)
    np.testing.assert_allclose(
        turned[0, 0], np.quantile(expected, observables.QUANTILES), rtol=1e-10
    )


def test_the_cosine_rule_is_about_the_clouds_it_names():
    z, y, _ = CLOUDS
    system = System(forces.attraction(clouds=(0, 1)), 1.0)
    start = init(system, z, y, 3 * z)  # the third has the directions of the first
    places = list(itertools.permutations(range(3), 2))
    asked = [stop.mean_cosine(1e-3, clouds=two) for two in places]

    @jax.jit
    def answers(system: Any, start: Any) -> Any:
        seen = view(system, start)
        return [rule(seen) for rule in asked]

    with jax.enable_x64(True):
        found = dict(zip(places, map(bool, answers(system, start)), strict=True))
    assert found == {two: set(two) == {0, 2} for two in places}
    done = run(system, start, 2, stop=stop.mean_cosine(1e-3, clouds=(2, 0)), record=())
    assert (done.steps, done.converged) == (0, True)


@pytest.mark.parametrize(
    ("target", "tolerance", "holds"),
    [
        (5.0, 0.0, True),  # far below
        (0.5, 0.0, True),
        (0.5, 1.0, True),
        (-2.0, 1.5, False),
        (-0.5, 0.125, False),
        (-0.5, 0.5, True),
        (-2.0, 3.0, True),
    ],
)
def test_the_loss_rule_holds_at_and_below_its_target(target, tolerance, holds):
    z, y = np.eye(4)[:2], np.eye(4)[2:]
    system = System(forces.attraction(), 1e-9)
    start = init(system, z, y)  # a loss of 0
    done = run(system, start, 1, stop=stop.loss(target, tolerance), record=())
    assert (done.steps, done.converged) == ((0, True) if holds else (1, False))


def _height(z: Any, *others: Any, which: int = 0) -> Any:
    """Minus the mean of a component of the directions of one cloud: the others have no gradient."""
    z = (z, *others)[which]
    return -jnp.mean(z[:, 0] / jnp.linalg.norm(z, axis=-1))


def _other_height(*clouds: Any) -> Any:
    return _height(*clouds, which=1)


@pytest.mark.parametrize("height", [_height, _other_height])
def test_the_gradient_rule_waits_for_every_cloud(height):
    system = System(forces.function(height), 1e-9)
    z, y, _ = CLOUDS
    done = run(system, init(system, z, y), 1, stop=stop.gradient(1e-6), record=())
    assert not done.converged
    pole = np.tile(np.eye(D)[0], (N, 1))
    done = run(system, init(system, pole, pole), 1, stop=stop.gradient(1e-6), record=())
    assert (done.steps, done.converged) == (0, True)


def test_the_gradient_rule_waits_for_every_row():
    system = System(forces.attraction(), 1e-9)
    z = CLOUDS[0]
    near, one_apart = z.copy(), z.copy()
    one_apart[4] = CLOUDS[1, 4]
    for y, holds in ((near, True), (one_apart, False)):
        done = run(system, init(system, z, y), 1, stop=stop.gradient(1e-6), record=())
        assert done.converged == holds


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("chunk_steps", [1, 3])
def test_one_infinite_cloud_ends_a_run_at_the_step_it_had_reached(which, chunk_steps):
    clouds = [z.astype(np.float32) for z in CLOUDS[:2]]
    clouds[which][4] *= np.float32(1e-30)
    system = System(forces.attraction(), 1e15, frozen=(1 - which,))
    message = rf"clouds\[{which}\] row 4 is not finite at step {chunk_steps}:"
    with pytest.raises(FloatingPointError, match=message):
        run(system, init(system, *clouds), 6, record=(), chunk_steps=chunk_steps)
