"""Sweeps: many runs in one compiled call are the single runs."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import xarray as xr

from normtheory.particles import (
    System,
    checkpoint,
    forces,
    init,
    optimizers,
    run,
    sampling,
    stop,
    sweep,
)
from normtheory.particles._memory import bytes_of_step
from tests.normtheory.particles.compiling import counted

N, D = 6, 5
OVER = {
    "norm": [1.0, 2.0],
    "learning_rate": [1.0, 2.0, 4.0],
    "gradscale": [0.0, 1.0],
    "seed": [3, 4],
}
RULE = stop.mean_cosine(1e-2)
TWO_LANES = 4_000  # bytes; of the same axes, rules and records a sweep compiles nothing anew


def clouds(seed: int) -> tuple[np.ndarray, np.ndarray]:
    z, y = np.random.default_rng(seed).standard_normal((2, N, D))
    return z, y


def unit(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


SYSTEM = System(forces.attraction(), 1.0, gradscale=0.0)


def swept(memory: int = 2**30, record_every: int | None = None) -> Any:
    return sweep(
        SYSTEM,
        clouds,
        OVER,
        cast(int, np.int64(3000)),  # numpy's integers are as good
        stop=RULE,
        record=("loss", "norms"),
        memory=memory,
        record_every=record_every,
    )


def single(
    norm: float, seed: int, steps: int = 3000, every: int = 40, rule: Any = RULE, **numbers: float
) -> Any:
    system = SYSTEM.with_numbers(**numbers)
    start = init(system, *(norm * unit(z) for z in clouds(seed)), seed=seed)
    return run(system, start, steps, stop=rule, record=("loss", "norms"), record_every=every)


def in_two_lanes(
    steps: int,
    rule: Any = RULE,
    record_every: int | None = None,
    *,
    axes: Any = None,
    **options: Any,
) -> Any:
    """A sweep over the axes above, where not told otherwise of one value each."""
    over = {name: values[:1] for name, values in OVER.items()} | (axes or {})
    return sweep(
        SYSTEM,
        clouds,
        over,
        steps,
        stop=rule,
        record=("loss", "norms"),
        record_every=record_every,
        memory=TWO_LANES,
        **options,
    )


def test_a_sweep_equals_single_runs():
    found = swept()
    assert found.steps.dims == ("norm", "learning_rate", "gradscale", "seed")
    assert found.loss.dims == found.steps.dims
    assert found.norms.dims == (*found.steps.dims, "cloud", "quantile")
    for norm in OVER["norm"]:
        for rate in OVER["learning_rate"]:
            for power in OVER["gradscale"]:
                for seed in OVER["seed"]:
                    one = found.sel(norm=norm, learning_rate=rate, gradscale=power, seed=seed)
                    exact = single(norm, seed, learning_rate=rate, gradscale=power)
                    assert int(one.steps) == exact.steps
                    assert bool(one.converged) == exact.converged
                    assert float(one.loss) == pytest.approx(exact.records["loss"][-1], rel=1e-12)


def test_a_small_memory_takes_the_runs_in_turn_and_compiles_once():
    whole = swept()
    few = swept(memory=TWO_LANES)
    with counted() as nothing:
        others = {**OVER, "norm": [0.5, 1.5], "learning_rate": [0.5, 0.7, 3.0]}
        in_two_lanes(500, stop.mean_cosine(0.1), axes=others)
    assert nothing == [0]
    assert np.array_equal(few.steps, whole.steps)
    np.testing.assert_allclose(few.loss, whole.loss, rtol=1e-12)


def test_trajectories_end_where_the_run_does():
    found = swept(record_every=40)
    assert found.loss.dims == (*OVER, "step")
    one = found.sel(norm=2.0, learning_rate=1.0, gradscale=0.0, seed=3)
    exact = single(2.0, 3, learning_rate=1.0, gradscale=0.0)
    kept = exact.records["step"] % 40 == 0
    known = one.loss.dropna("step")
    assert known.step.values.tolist() == exact.records["step"][kept].tolist()
    np.testing.assert_allclose(known, exact.records["loss"][kept], rtol=1e-12)


def test_norms_seen_by_a_sweep_obey_the_norm_effect():
    steps = swept().steps.sel(learning_rate=1.0, gradscale=0.0).mean("seed")
    assert float(steps.sel(norm=2.0) / steps.sel(norm=1.0)) == pytest.approx(4, rel=0.05)


def test_numbers_of_the_force_and_the_optimizer_are_axes_too():
    force = forces.loss("info_nce", temperature=0.5)
    system = System(force, 0.1, optimizers.momentum(0.5), weight_decay=0.1, norm=1.0)
    over = {"temperature": [0.2, 1.0], "decay": [0.0, 0.9], "norm": [1.0, 3.0]}
    over |= {"learning_rate": [0.1, 1.0], "weight_decay": [0.1, 0.9]}  # 0.9 together may be
    found = sweep(system, clouds(0), over, 30, record="loss")
    for values in ((0.2, 0.9, 3.0, 1.0, 0.9), (1.0, 0.0, 1.0, 0.1, 0.9)):
        place = dict(zip(over, values, strict=True))
        one = system.with_numbers(**place)
        exact = run(one, init(one, *clouds(0)), 30).records["loss"][-1]
        assert float(found.loss.sel(place)) == pytest.approx(exact, rel=1e-12)
    assert not found.converged.any()
    assert (found.steps == 30).all()


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({}, "at least one axis"),
        ({"temperature": [1.0]}, "temperature: this system has no such number; it has learning"),
        ({"learning_rate": [1.0, -1.0]}, "learning_rate: expected a finite number and > 0"),
        ({"norm": [1.0, 0.0]}, "norm: expected a finite number and > 0, got 0.0 at index 1"),
        ({"norm": 1.0}, "expected norm to be a list"),
    ],
)
def test_axes_that_cannot_be_are_refused(over, message):
    with pytest.raises(ValueError, match=message):
        sweep(SYSTEM, clouds, over, 10)


BLOWING_UP = System(forces.attraction(), 1.0, frozen=(1,))


def test_a_run_that_blows_up_is_named():
    z, y = (x.astype(np.float32) for x in clouds(0))
    with pytest.raises(FloatingPointError, match=r"norm 1e-2\d.*learning_rate 1e\+15"):
        sweep(BLOWING_UP, (z, y), {"norm": [1.0, 1e-25], "learning_rate": [1.0, 1e15]}, 10)


AT_NO_TIME = stop.mean_cosine(1e-12)


def test_a_run_that_ends_at_a_record_has_it():
    rates = [1.0, 2.0, 3.0]
    found = in_two_lanes(10, AT_NO_TIME, record_every=5, axes={"learning_rate": rates})
    assert found.step.values.tolist() == [0, 5, 10]
    for rate in rates:
        exact = single(1.0, 3, 10, 5, AT_NO_TIME, learning_rate=rate).records["loss"]
        one = found.loss.sel(learning_rate=rate).squeeze(drop=True)
        np.testing.assert_allclose(one, exact, rtol=1e-12)


@pytest.mark.parametrize("record_every", [7, 12])
def test_no_record_is_passed_over_where_chunks_begin_between_two(record_every):
    # The first chunks are of 8 steps.
    found = in_two_lanes(40, AT_NO_TIME, record_every=record_every, axes={"gradscale": [0.0, 1.0]})
    assert found.step.values.tolist() == list(range(0, 41, record_every))
    for power in (0.0, 1.0):
        exact = single(1.0, 3, 40, record_every, AT_NO_TIME, gradscale=power).records
        kept = exact["step"] % record_every == 0
        one = found.loss.sel(gradscale=power).squeeze(drop=True)
        np.testing.assert_allclose(one, exact["loss"][kept], rtol=1e-12)


def test_every_seed_of_a_sweep_draws_as_its_own_run_does():
    system = System(forces.attraction(), 1.0, sampling=sampling.minibatch(2))
    start = clouds(0)  # the same for all: seeds are of draws alone
    found = sweep(system, start, {"seed": [3, 4, 9]}, 5, seed=9).loss
    exact = [
        float(run(system, init(system, *start, seed=s), 5).records["loss"][-1])
        for s in found.seed.values
    ]
    np.testing.assert_allclose(found, exact, rtol=1e-12)
    assert len(set(exact)) == 3


@pytest.mark.parametrize("bad", [2, 3])
def test_a_run_that_blows_up_is_named_also_where_runs_go_in_turn(bad):
    z, y = (x.astype(np.float32) for x in clouds(0))
    z[2] *= np.float32(1e-30)
    rates = np.array([1e-3, 2e-3, 3e-3, 4e-3])
    rates[bad] = 1e15
    with pytest.raises(FloatingPointError, match=r"the run at learning_rate 1e\+15 is not finite"):
        sweep(BLOWING_UP, (z, y), {"learning_rate": rates}, 9, memory=1)  # one lane


@pytest.mark.parametrize("n", [60, pytest.param(120, marks=pytest.mark.slow)])
def test_a_step_is_taken_to_need_a_few_arrays_of_the_size_of_the_similarities(n):
    z, y = np.random.default_rng(0).standard_normal((2, n, 3)).astype(np.float32)
    system = System(forces.loss("info_nce", temperature=0.5), 1.0).cast(np.float32)
    similarities = 4 * n**2
    assert 3 * similarities <= bytes_of_step(system, init(system, z, y)) <= 8 * similarities
    pairs = System(forces.attraction(), 1.0).cast(np.float32)
    assert bytes_of_step(pairs, init(pairs, z, y)) < similarities


def test_rates_and_decays_of_a_sweep_must_be_below_1_together():
    system = System(forces.attraction(), 0.1, weight_decay=0.1)
    over = {"learning_rate": [0.1, 1.0], "weight_decay": [0.1, 1.5]}
    with pytest.raises(ValueError, match=r"learning_rate \* weight_decay: expected < 1, got 1.5"):
        sweep(system, clouds(0), over, 1)


def test_a_sweep_that_is_stopped_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    def go(**options: Any) -> Any:
        axes = {"learning_rate": [8.0, 6.0, 2.0, 1.0, 0.5]} | options.pop("axes", {})
        return in_two_lanes(40, record_every=8, axes=axes, **options)

    whole = go()
    save, written = checkpoint.Arrays.save, []

    def stopped(self: Any, arrays: Any) -> None:
        save(self, arrays)
        written.append(arrays)
        if len(written) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Arrays, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        go(folder=tmp_path, every=1)
    # In the middle: some runs are over, some under way, some to come; their states are kept.
    assert 0 < int(written[-1]["next"]) - written[-1]["busy"].sum() < 5
    assert len(written[-1]["held"]) == 2
    with pytest.raises(checkpoint.CheckpointError, match="of an earlier run: resume that"):
        go(folder=tmp_path)
    xr.testing.assert_identical(go(folder=tmp_path, every=1, resume=True), whole)
    assert sum(int(x["new"].sum()) for x in written) == 3  # begun after the first two, once each
    xr.testing.assert_identical(go(folder=tmp_path, resume=True), whole)  # nothing is left to do
    other = {"learning_rate": [8.0, 6.0, 2.0, 1.0, 0.4]}
    with pytest.raises(checkpoint.CheckpointError, match="over learning_rate"):
        go(folder=tmp_path, resume=True, axes=other)
