"""Runs of pairs in clouds of more than a block go by blocks, and nothing changes."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import normtheory as nt
from normtheory.particles import (
    System,
    _pairs,
    _run,
    forces,
    init,
    optimizers,
    run,
    sampling,
    step,
    stop,
)
from normtheory.particles._pairs import by_blocks, default_pairs

N, D = 150, 16
CLOUDS = np.random.default_rng(0).standard_normal((2, N, D))
RATE = 400.0  # x = 0.17 for a pair
RECORD = ("loss", "mean_cosine")  # where it doesn't matter what: one program


@pytest.fixture(autouse=True)
def blocks_of_64_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two blocks and a part of one, without the four million numbers that fill real ones."""
    monkeypatch.setattr(_pairs, "_CPU_BYTES", 64 * D * 8)


def plain(name: str = "attraction", **settings: Any) -> System:
    return System(getattr(forces, name)(), RATE, **settings)


def versions() -> int:
    """How many versions of a run have been compiled."""
    return _run._compiled._cache_size()  # pyright: ignore[reportAttributeAccessIssue]


def test_the_clouds_here_fill_more_than_two_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_pairs(N, D, np.float64) == 64
    assert 2 * 64 < N < 3 * 64
    monkeypatch.undo()
    large = np.ones((2, 65, 4096))  # real blocks have 64 pairs of these
    assert by_blocks(plain(), init(plain(), *large))
    assert not by_blocks(plain(), init(plain(), *large[:, :64]))
    assert not by_blocks(plain(), init(plain(), *CLOUDS))


@pytest.mark.parametrize(("name", "reduction"), [("attraction", "mean"), ("repulsion", "sum")])
def test_a_run_is_its_steps_one_after_the_other(name: str, reduction: str) -> None:
    rate = RATE if reduction == "mean" else RATE / N
    system = System(getattr(forces, name)(), rate, reduction=reduction)
    state = init(system, *CLOUDS)
    assert by_blocks(system, state)
    done = run(system, state, 4, record=RECORD, record_every=2)
    (z, y), cosines, sign = CLOUDS, [], 1 if name == "attraction" else -1
    for k in range(5):
        if k % 2 == 0:
            cosines.append(nt.cosine_similarity(z, y).mean())
        if k < 4:
            pulls = nt.cosine_gradient(z, y), nt.cosine_gradient(y, z)
            z, y = (x + sign * RATE / N * pull for x, pull in zip((z, y), pulls, strict=True))
    assert done.steps == int(done.state.step) == 4
    for found, wanted in zip(done.state.positions, (z, y), strict=True):
        # Four steps in another order of sums; a rate off by 1e-9 is seen.
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)
    rows = N if reduction == "sum" else 1
    np.testing.assert_allclose(done.records["loss"], -sign * rows * np.array(cosines), rtol=1e-11)
    np.testing.assert_allclose(done.records["mean_cosine"], cosines, rtol=1e-11)


@pytest.mark.parametrize(
    "system",
    [
        plain(weight_decay=1e-7),
        System(
            forces.repulsion(clouds=(1, 0)),
            RATE / N,
            reduction="sum",
            weight_decay=1e-4,
            optimizer=optimizers.momentum(0.9),
        ),
        plain(
            weight_decay=1e-7,
            coupled_decay=True,
            optimizer=optimizers.lazy(optimizers.momentum(0.9, nesterov=True)),
        ),
        # 70 of 150, with replacement: most batches have a row twice.
        plain(weight_decay=1e-7, sampling=sampling.minibatch(70)),
        plain(
            "repulsion",
            weight_decay=1e-7,
            decay_all=True,
            optimizer=optimizers.momentum(0.9),
            sampling=sampling.minibatch(70, np.arange(N) + 1.0, clouds=(1, 0)),
        ),
        pytest.param(
            plain(
                weight_decay=1e-7,
                coupled_decay=True,
                optimizer=optimizers.momentum(0.9, nesterov=True),
                sampling=sampling.minibatch(9, replace=False, lazy=False),
            ),
            marks=pytest.mark.slow,
        ),
    ],
    ids=[
        "decay",
        "momentum",
        "nesterov",
        "batch",
        "batch with momentum",
        "batch with coasting",
    ],
)
def test_decay_momentum_and_batches_are_those_of_the_general_step(system: System) -> None:
    state = init(system, *CLOUDS)
    assert by_blocks(system, state)
    first = run(system, state, 1, record=())
    compiled = versions()
    done = run(system, state, 3, record=()).state
    # Going on from any step changes no bit, nor does it compile anew; neither do other numbers.
    resumed = run(system, first.state, 3, record=()).state
    jax.tree.map(np.testing.assert_array_equal, resumed, done)
    other = {"learning_rate": 1.0, **({"decay": 0.5} if system.optimizer else {})}
    run(system.with_numbers(**other), state, 1, record=())
    assert versions() == compiled
    for _ in range(3):
        state = step(system, state)
    for found, wanted in zip(jax.tree.leaves(done), jax.tree.leaves(state), strict=True):
        size = np.abs(wanted).max()
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13 * size)


def test_a_schedule_is_followed() -> None:
    system = plain(schedule=lambda k: 1.0 / (1 + k))
    state = init(system, *CLOUDS)
    assert by_blocks(system, state)
    z, y = CLOUDS
    for rate in (RATE / N, RATE / N / 2):
        pulls = nt.cosine_gradient(z, y), nt.cosine_gradient(y, z)
        z, y = (x + rate * pull for x, pull in zip((z, y), pulls, strict=True))
    found = run(system, state, 2, record=()).state.positions
    np.testing.assert_allclose(np.stack(found), np.stack([z, y]), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("chunk_steps", [2, 3])
def test_no_record_is_passed_over_where_chunks_begin_between_two(chunk_steps: int) -> None:
    system = plain()
    state = init(system, *CLOUDS)
    assert by_blocks(system, state)
    options: dict[str, Any] = {"record": RECORD, "record_every": 5}
    whole = run(system, state, 12, **options)
    parts = run(system, state, 12, chunk_steps=chunk_steps, **options)
    assert parts.records["step"].tolist() == [0, 5, 10, 12]
    np.testing.assert_array_equal(parts.records["loss"], whole.records["loss"])


def test_going_on_changes_no_bit_and_a_rule_ends_the_run_where_it_holds() -> None:
    system = plain()
    state = init(system, *CLOUDS)
    whole = run(system, state, 60, stop=stop.mean_cosine(1e-2))
    assert whole.converged
    assert 2 < whole.steps < 60
    part = run(system, state, 2, record=RECORD)
    rest = run(system, part.state, 60, stop=stop.mean_cosine(1e-2), chunk_steps=1)
    assert rest.steps == whole.steps
    for a, b in zip(rest.state.positions, whole.state.positions, strict=True):
        np.testing.assert_array_equal(a, b)
    again = run(system, whole.state, 60, stop=stop.mean_cosine(1e-2))
    assert again.steps == whole.steps
    np.testing.assert_array_equal(again.state.positions[0], whole.state.positions[0])


@pytest.mark.parametrize(
    "settings",
    [
        {"gradscale": 1.0},
        {"optimizer": optimizers.adam()},
        {"norm": 1.0},
        {"frozen": (1,)},
        {"fresh": (1,)},
        {"sampling": sampling.bernoulli(0.5)},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_whatever_else_is_in_a_system_takes_the_general_step(settings: dict[str, Any]) -> None:
    system = plain(**settings)
    assert not by_blocks(system, init(system, *CLOUDS))


def test_other_forces_and_small_clouds_take_the_general_step() -> None:
    small = init(plain(), *CLOUDS[:, :9])
    assert not by_blocks(plain(), small)
    other = System(forces.loss("alignment"), 1.0)
    assert not by_blocks(other, init(other, *CLOUDS))


def test_a_row_that_overflows_is_named() -> None:
    clouds = CLOUDS.copy()
    clouds[0, 7] *= 1e-160
    system = System(forces.attraction(), 1e200)
    with jax.enable_x64(True), pytest.raises(FloatingPointError, match="row 7"):
        run(system, init(system, *clouds), 2, record=RECORD)
