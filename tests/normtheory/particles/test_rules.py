"""Lion, row-wise Adagrad, Muon and lazy memories, against numpy on the gradients of the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from normtheory.particles import System, forces, init, observables, optimizers, run, sampling
from tests.normtheory.particles.compiling import counted

N, D, STEPS = 5, 3, 8
RATE, DECAY = 0.2, 0.3
SEEN = ("row", "axis")
RECORD = [
    observables.observable("positions", lambda view: view.state.positions[0], dims=SEEN),
    observables.observable("gradients", lambda view: view.gradients[0], dims=SEEN),
]
HITS = observables.observable("hits", lambda view: view.found.updated[0], dims=("row",))


def history(system: System, *more: Any) -> dict[str, np.ndarray]:
    z, y = np.random.default_rng(6).standard_normal((2, N, D))
    record = [*RECORD, *more]
    return run(system, init(system, z, y), STEPS, record=record, record_every=1).records


def lion(gradients: Any) -> Iterator[np.ndarray]:
    mean = np.zeros((N, D))
    for g in gradients:
        yield np.sign(0.5 * mean + 0.5 * g)
        mean = 0.75 * mean + 0.25 * g


def rowwise_adagrad(gradients: Any) -> Iterator[np.ndarray]:
    total = np.full((N, 1), 0.01)
    for g in gradients:
        total = total + (g**2).mean(axis=1, keepdims=True)
        yield g / (np.sqrt(total) + 0.001)


def muon(gradients: Any) -> Iterator[np.ndarray]:
    mean, beta = np.zeros((N, D)), 0.75
    for t, g in enumerate(gradients, 1):
        mean = beta * mean + (1 - beta) * g
        ahead = beta * mean / (1 - beta ** (t + 1)) + (1 - beta) * g / (1 - beta**t)
        u, _, v = np.linalg.svd(ahead, full_matrices=False)
        yield u @ v


RULES = {
    "lion": (optimizers.lion(0.5, 0.75), lion),
    "row-wise Adagrad": (optimizers.rowwise_adagrad(0.01, 0.001), rowwise_adagrad),
    "Muon": (optimizers.muon(0.75, 0.0, polar=True), muon),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_takes_the_steps_of_its_formula(name):
    rule, updates = RULES[name]
    seen = history(System(forces.attraction(), RATE, rule, weight_decay=DECAY))
    positions = seen["positions"]
    for t, update in enumerate(updates(seen["gradients"][:-1])):
        expected = (1 - RATE * DECAY) * positions[t] - RATE * update
        np.testing.assert_allclose(positions[t + 1], expected, rtol=1e-11, atol=1e-13)


def test_under_rowwise_adagrad_the_square_of_a_norm_grows_by_the_share_of_the_sum():
    system = System(forces.attraction(), RATE, optimizers.rowwise_adagrad(0.01))
    seen = history(system)
    squares = (seen["positions"] ** 2).sum(axis=-1)
    total = 0.01 + np.cumsum((seen["gradients"] ** 2).mean(axis=-1), axis=0)
    before = np.vstack([np.full(N, 0.01), total[:-1]])
    grown = RATE**2 * D * (total - before) / total
    np.testing.assert_allclose(np.diff(squares, axis=0), grown[:-1], rtol=1e-9)


def test_a_row_without_a_gradient_has_no_step_of_adagrad():
    rule: Any = optimizers.rowwise_adagrad().transformation()
    g = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    update, memory = rule.update(g, rule.init(g))
    np.testing.assert_allclose(update, [[0, 0], np.array([3, 4]) / np.sqrt(12.5)], rtol=1e-6)
    np.testing.assert_allclose(memory.sums, [[0.0], [12.5]], rtol=1e-6)


def test_muon_goes_by_five_iterations_unless_it_is_asked_for_more():
    g = np.random.default_rng(0).standard_normal((6, 3))
    rule: Any = optimizers.muon(0.0, nesterov=False).transformation()
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        found, _ = rule.update(jnp.asarray(g), rule.init(jnp.asarray(g)))
    u, s, v = np.linalg.svd(g, full_matrices=False)
    s = s / np.linalg.norm(g)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    np.testing.assert_allclose(found, (u * s) @ v, rtol=1e-6, atol=1e-7)  # with its ε


def adam(z: Any, gradients: Any, hits: Any, *, lazy: bool) -> np.ndarray:
    """A row that is drawn makes its step of Adam, with its own count or that of the run."""
    b1, b2 = 0.75, 0.9
    first, second, count = (np.zeros((N, D)) for _ in range(3))
    for t, (g, hit) in enumerate(zip(gradients, hits, strict=True), 1):
        drawn = hit[:, None]
        first = np.where(drawn, b1 * first + (1 - b1) * g, first)
        second = np.where(drawn, b2 * second + (1 - b2) * g**2, second)
        count = count + drawn if lazy else np.full((N, D), t)
        known = np.maximum(count, 1)
        step = first / (1 - b1**known) / np.sqrt(second / (1 - b2**known) + 1e-300)
        z = (1 - RATE * DECAY) * z - np.where(drawn, RATE * step, 0)
    return z


@pytest.mark.parametrize("lazy", [True, False])
def test_a_lazy_row_counts_its_own_updates_and_decays_in_all_steps(lazy):
    rule = optimizers.adam(0.75, 0.9, 0.0)
    system = System(
        forces.attraction(),
        RATE,
        optimizers.lazy(rule) if lazy else rule,
        weight_decay=DECAY,
        decay_all=True,
        sampling=sampling.bernoulli(np.array([0.1, 0.3, 0.5, 0.7, 1.0])),
    )
    seen = history(system, HITS)
    hits = seen["hits"][:-1]
    assert len(set(hits.sum(axis=0))) > 1  # False alarms: below 1e-9 (all rows always drawn).
    found = adam(seen["positions"][0], seen["gradients"][:-1], hits, lazy=lazy)
    np.testing.assert_allclose(seen["positions"][-1], found, rtol=1e-10)


def test_numbers_of_rules_change_without_compiling():
    @jax.jit
    def step(rule: Any, g: Any) -> Any:
        made = rule.transformation()
        return made.update(g, made.init(g))[0]

    g = np.eye(3, dtype=np.float32)
    with jax.numpy_dtype_promotion("standard"):
        for kind in (optimizers.lion, optimizers.rowwise_adagrad, optimizers.muon):
            step(kind(0.5, 0.5), g)
            with counted() as nothing:
                step(kind(0.25, 0.75), g)
            assert nothing == [0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.lion(b2=1.0), "b2: expected < 1, got 1"),
        (lambda: optimizers.rowwise_adagrad(-1.0), "start: expected a finite number and >= 0"),
        (lambda: optimizers.muon(1.5), "beta: expected < 1, got 1.5"),
        (lambda: optimizers.lazy(optimizers.muon()), "rule: expected one that works on vectors"),
        (
            lambda: optimizers.lazy(cast("Any", optax.adam(1.0))),
            "rule: expected a rule of this module",
        ),
        (
            lambda: System(forces.attraction(), 1.0, decay_all=True),
            "decay_all: expected a weight_decay that is not coupled_decay",
        ),
    ],
)
def test_what_a_rule_cannot_be_is_said(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
