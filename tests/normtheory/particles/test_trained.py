"""Trained temperatures and biases, against loops written by hand and the law of the gap."""

from __future__ import annotations

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from normtheory import symmetric
from normtheory.losses import LOSSES
from normtheory.particles import (
    State,
    System,
    checkpoint,
    forces,
    init,
    observables,
    optimizers,
    run,
    step,
    sweep,
    trained,
)
from tests.normtheory.particles.compiling import counted

N, D, STEPS = 4, 5, 6
RATE = 0.7


def clouds() -> np.ndarray:
    return np.random.default_rng(4).standard_normal((2, N, D))


def clip(**changes: Any) -> System:
    """CLIP with its temperature by Adam, in bounds, and momentum on the embeddings."""
    settings: dict[str, Any] = {
        "learned": "log",
        "optimizer": optimizers.adam(b1=0.8),
        "least": 0.25,
        "most": 0.307,
    } | changes
    scale = trained.option(0.02, **settings)
    force = forces.loss("clip", temperature=0.3)
    return System(force, RATE, optimizers.momentum(0.5), trained={"temperature": scale})


def recorded(system: System, *names: str) -> Any:
    record = [observables.option(name) for name in names]
    return run(system, init(system, *clouds()), STEPS, record=record, record_every=1)


def unit(z: Any) -> Any:
    return z / jnp.linalg.norm(z, axis=-1, keepdims=True)


def test_a_clip_scale_is_trained_as_by_hand():
    done = recorded(clip(), "temperature")

    def loss(points: Any, log_scale: Any) -> Any:
        logits = jnp.exp(log_scale) * unit(points[0]) @ unit(points[1]).T
        rows, columns = (jax.nn.log_softmax(logits, axis=k) for k in (1, 0))
        return -jnp.mean(jnp.diagonal(rows) + jnp.diagonal(columns)) / 2

    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        points, scale = jnp.asarray(clouds()), jnp.asarray(-np.log(0.3))
        ways = optax.sgd(RATE, momentum=0.5), optax.adam(0.02, b1=0.8)
        memory = ways[0].init(points), ways[1].init(scale)
        slopes = jax.jit(jax.grad(loss, (0, 1)))
        seen = [0.3]
        for _ in range(STEPS):
            found = slopes(points, scale)
            moves: Any = [w.update(g, m) for w, g, m in zip(ways, found, memory, strict=True)]
            memory = moves[0][1], moves[1][1]
            points = points + moves[0][0]
            scale = jnp.clip(scale + moves[1][0], -np.log(0.307), np.log(4.0))
            seen.append(float(jnp.exp(-scale)))
    np.testing.assert_allclose(done.records["temperature"], seen, rtol=1e-12)
    np.testing.assert_allclose(np.stack(done.state.positions), points, rtol=1e-12)
    assert seen[1] < 0.307 * (1 - 1e-3)  # not clamped at once,
    assert max(seen) == pytest.approx(0.307, rel=1e-12)  # but later


def test_a_sigmoid_scale_and_bias_are_trained_as_by_hand():
    # Beside another force; the sum over rows, a schedule, t itself and not its logarithm.
    parts = {
        "force.1.temperature": trained.option(0.05, learned="inverse"),
        "bias": trained.option(0.2, optimizer=optimizers.momentum(0.9), most=-1.2),
    }
    siglip = forces.loss("siglip", temperature=0.5, bias=-1.5)
    system = System(
        forces.mixture((1.0, forces.attraction()), (0.25, siglip)),
        0.1,
        reduction="sum",
        schedule=optax.linear_schedule(1.0, 0.5, STEPS),
        trained=parts,
    )
    done = recorded(system, "force.1.temperature", "bias")
    same = 2 * np.eye(N) - 1

    def loss(points: Any, scale: Any, bias: Any) -> Any:
        cosines = unit(points[0]) @ unit(points[1]).T
        pairs = jnp.log1p(jnp.exp(-same * (scale * cosines + bias)))
        return 0.25 * jnp.sum(pairs) - jnp.trace(cosines)

    with jax.enable_x64(True):
        slopes = jax.jit(jax.grad(loss, (0, 1, 2)))
        points, scale, bias, speed = clouds(), *np.array([2.0, -1.5, 0.0])
        seen = [(0.5, -1.5)]
        for k in range(STEPS):
            factor = 1 - 0.5 * k / STEPS
            by_points, by_scale, by_bias = (np.asarray(g) for g in slopes(points, scale, bias))
            points, scale = points - factor * 0.1 * by_points, scale - factor * 0.05 * by_scale
            speed = 0.9 * speed + by_bias
            bias = min(bias - factor * 0.2 * speed, -1.2)
            seen.append((float(1 / scale), float(bias)))
    names = ("force.1.temperature", "bias")
    found = np.stack([done.records[name] for name in names], axis=-1)
    np.testing.assert_allclose(found, seen, rtol=2e-7)  # optax counts in single precision
    np.testing.assert_allclose(np.stack(done.state.positions), points, rtol=1e-6)


def test_the_gap_closes_as_the_law_says_step_by_step():
    n, rate, scale_rate, decay, power = 4, 0.6, 0.1, 0.05, 0.5
    start = symmetric.GapState(0.2, 0.5, 1.5, np.log(3.0))
    simplex = (np.eye(n) - 1 / n) * np.sqrt(n / (n - 1))
    rows = np.sqrt(1 - 0.2**2 - 0.5**2) * simplex
    z, y = (1.5 * np.column_stack([rows, np.full(n, 0.2), np.full(n, x)]) for x in (0.5, -0.5))
    system = System(
        forces.loss("clip", temperature=1 / 3),
        rate,
        gradscale=power,
        weight_decay=decay,
        trained={"temperature": trained.option(scale_rate, learned="log")},
    )
    record = ("modality_gap", "norms", observables.option("temperature"))
    found = run(system, init(system, z, y), STEPS, record=record, record_every=1).records
    states = [start]
    for _ in range(STEPS):
        options = {"gradscale": power, "weight_decay": decay}
        states.append(symmetric.gap_step(states[-1], rate, scale_rate, n, **options))
    _, gap, norm, log_scale = np.array(states).T
    np.testing.assert_allclose(found["modality_gap"], 2 * gap, rtol=1e-12)
    np.testing.assert_allclose(found["norms"], np.ones((1, 2, 5)) * norm[:, None, None], 1e-12)
    np.testing.assert_allclose(found["temperature"], np.exp(-log_scale), rtol=1e-12)


def test_a_resumed_run_has_the_bits_of_the_scale_too(tmp_path):
    system = clip()
    start = init(system, *clouds())
    # Recorded as above, so that nothing is compiled anew.
    options: dict[str, Any] = {"record": observables.option("temperature"), "record_every": 1}
    whole = run(system, start, STEPS, **options)
    checkpoint.run(tmp_path, system, start, 2, **options)
    done = checkpoint.run(tmp_path, system, start, STEPS, resume=True, **options)
    for one, other in zip(jax.tree.leaves(whole.state), jax.tree.leaves(done.state), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    other = clip(learned="inverse")
    start = init(other, *clouds())
    with pytest.raises(checkpoint.CheckpointError, match=r"trained\.temperature\.learned"):
        checkpoint.run(tmp_path, other, start, STEPS, resume=True, **options)


@pytest.mark.slow
def test_numbers_of_trained_options_compile_nothing_and_are_axes():
    system = clip()
    step(system, init(system, *clouds()))
    numbers = {"trained.temperature.learning_rate": 0.01, "most": 0.9, "b1": 0.5}
    with counted() as nothing:
        other = system.with_numbers(temperature=0.5, **numbers)
        state = step(other, init(other, *clouds()))
    assert nothing == [0]
    # Adam's first step is its rate, whatever the gradient; on the logarithm.
    moved = np.log(float(np.exp(state.trained["temperature"].learned)) / 0.5)
    assert abs(moved) == pytest.approx(0.01, rel=1e-6)
    axis = "trained.temperature.learning_rate"
    found = sweep(system, tuple(clouds()), {"temperature": [0.28, 0.3], axis: [0.0, 0.01]}, 1)
    slow = system.with_numbers(**{"temperature": 0.28, axis: 0.01})
    state = step(slow, init(slow, *clouds()))
    temperature = np.exp(state.trained["temperature"].learned)
    expected = LOSSES["clip"](*state.positions, temperature=float(temperature))
    one = found.sel({"temperature": 0.28, axis: 0.01})
    assert float(one.loss) == pytest.approx(float(expected), rel=1e-12)
    assert (found.loss[:, 0] != found.loss[:, 1]).all()


def test_an_option_that_leaves_its_range_ends_the_run():
    # Down to less than 0: the sum of partners alone wants it cold.
    z, _ = clouds()
    system = clip(learned="value", optimizer=None, least=None, most=None)
    system = system.with_numbers(**{"trained.temperature.learning_rate": 1e3})
    with pytest.raises(FloatingPointError, match=r"temperature is -\d.* at step 1, out of its"):
        run(system, init(system, z, 2 * z), 1, record=())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: trained.option(-1.0), "learning_rate: expected a finite number and >= 0, got -1"),
        (lambda: trained.option(1.0, learned="ln"), "learned: expected one of value, log, inverse"),
        (lambda: trained.option(1.0, learned="log", least=0.0), "least: expected a finite number"),
        (
            lambda: trained.option(1.0, optimizer=cast("Any", optax.adam(1.0))),
            "optimizer: expected a rule",
        ),
        (
            lambda: clip(least=0.302),
            "trained.temperature.least: expected least <= start <= most, got 0.302, 0.3, 0.307",
        ),
        (lambda: trained.option(1.0, least=2, most=1), "least <= start <= most, got 2, none, 1"),
        (
            lambda: System(forces.attraction(), 1.0, trained={"bias": trained.option(1.0)}),
            "bias: this system has no such number",
        ),
        (
            lambda: System(
                forces.loss("clip", temperature=0.1),
                1.0,
                trained={"learning_rate": trained.option(1.0)},
            ),
            "trained.learning_rate: expected a number that the force was given",
        ),
        (lambda: clip().with_numbers(temperature=0.1), "expected least <= start <= most"),
    ],
)
def test_what_cannot_be_trained_is_said(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_state_without_the_options_is_refused():
    plain = System(forces.loss("clip", temperature=0.3), RATE)
    start = init(plain, *clouds())
    with pytest.raises(ValueError, match="trained options temperature, got none"):
        step(clip(), start)
    assert isinstance(start, State)
    assert start.trained == {}
