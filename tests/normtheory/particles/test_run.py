"""Runs: step counts, records, resuming, and what compiles anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.particles import (
    Run,
    State,
    System,
    forces,
    init,
    observables,
    optimizers,
    run,
    sampling,
    stop,
)
from tests.normtheory.particles.compiling import counted

N, D = 12, 6
LABELS = np.array([0, 1, 3])[np.arange(N) % 3]  # no particle is of classes 2 and 4
ALL = (*observables.OBSERVABLES, observables.class_norm(LABELS, classes=5))


def clouds(dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((2, N, D)).astype(dtype)


def _steepest(view: Any) -> Any:
    rows = [
        jnp.linalg.norm(z, axis=-1) * jnp.linalg.norm(g, axis=-1)
        for z, g in zip(view.positions, view.gradients, strict=True)
    ]
    return jnp.max(jnp.stack(rows))


STEEPEST = observables.observable("steepest", _steepest)


def plain(rate: float = 2.0) -> System:
    return System(forces.attraction(), rate)


def test_the_step_count_is_that_of_the_exact_recursion():
    z, y = clouds()
    angle = nt.angle(z, y)
    norm_i, norm_j = (np.linalg.norm(x, axis=-1) for x in (z, y))
    for rate, tolerance in ((2.0, 1e-2), (0.5, 1e-1)):
        exact = nt.simulate_pairs(angle, norm_i, norm_j, rate / N, tolerance=tolerance)
        done = run(plain(rate), init(plain(), z, y), 100_000, stop=stop.mean_cosine(tolerance))
        assert done.steps == int(exact.steps)
        assert done.converged


def test_a_count_is_of_updates_before_the_measurement():
    done = run(plain(), init(plain(), *clouds()), 1000, stop=stop.mean_cosine(1.99))
    assert (done.steps, done.converged) == (0, True)
    end = run(plain(), init(plain(), *clouds()), 1000, stop=stop.mean_cosine(1e-2))
    short = run(plain(), init(plain(), *clouds()), end.steps - 1, stop=stop.mean_cosine(1e-2))
    assert (short.steps, short.converged) == (end.steps - 1, False)
    # It is asked at the last state too.
    exact = run(plain(), init(plain(), *clouds()), end.steps, stop=stop.mean_cosine(1e-2))
    assert (exact.steps, exact.converged) == (end.steps, True)


def test_rules_on_the_loss_and_the_gradient():
    start = init(plain(), *clouds())
    options: dict[str, Any] = {"record": ("loss", STEEPEST), "record_every": 1}
    rules = stop.loss(-1.0, 0.1), stop.gradient(1e-9)
    by_loss = run(plain(), start, 100_000, stop=rules, **options)
    assert by_loss.converged
    assert by_loss.records["loss"][-1] <= -0.9 < by_loss.records["loss"][-2]
    rules = stop.loss(-5.0), stop.gradient(1e-3)
    by_gradient = run(plain(), start, 100_000, stop=rules, **options)
    assert by_gradient.converged
    assert by_gradient.records["steepest"][-1] <= 1e-3 < by_gradient.records["steepest"][-2]


def eventful() -> System:
    """Everything that a run remembers or draws."""
    return System(
        forces.attraction(),
        1.0,
        optimizers.adam(),
        weight_decay=0.01,
        sampling=sampling.minibatch(5, np.arange(1.0, N + 1)),
        fresh=(1,),
    )


RECORD = ("loss", "norms")


def same_bits(one: Run, other: Run) -> None:
    for a, b in zip(jax.tree.leaves(one.state), jax.tree.leaves(other.state), strict=True):
        assert np.array_equal(np.asarray(a), np.asarray(b))
    assert one.records.keys() == other.records.keys()
    for name in one.records:
        assert np.array_equal(one.records[name], other.records[name]), name


@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.slow), np.float64])
def test_resuming_from_any_chunk_gives_the_same_bits(dtype):
    system = eventful()
    start = init(system, *clouds(dtype), seed=7)
    options: dict[str, Any] = {"record": RECORD, "record_every": 10}
    whole = run(system, start, 137, **options)
    assert whole.records["step"].tolist() == [*range(0, 137, 10), 137]
    seen: list[Run] = []
    same_bits(run(system, start, 137, chunk_steps=9, on_chunk=seen.append, **options), whole)
    assert [found.steps for found in seen] == [*range(9, 137, 9), 137]
    for found in seen[::4]:
        # Through plain arrays, as a file would keep them.
        leaves, structure = jax.tree.flatten(found.state)
        saved = jax.tree.unflatten(structure, [np.array(leaf) for leaf in leaves])
        same_bits(run(system, saved, 137, history=found.records, **options), whole)
    other = run(system, init(system, *clouds(dtype), seed=8), 137, **options)
    assert not np.array_equal(other.state.positions[0], whole.state.positions[0])


def test_observables():
    z, y = clouds()
    done = run(plain(), init(plain(), z, y), 5, record=ALL, record_every=5)
    first, last = done.dataset.isel(step=0), done.dataset.isel(step=-1)
    cosine = nt.cosine_similarity(z, y)
    assert float(first.loss) == pytest.approx(-cosine.mean(), rel=1e-14)
    assert float(first.mean_cosine) == pytest.approx(cosine.mean(), rel=1e-12)
    assert float(first.alignment) == pytest.approx(2 - 2 * cosine.mean(), rel=1e-14)
    u = z / np.linalg.norm(z, axis=-1, keepdims=True)
    distance = np.sum((u[:, None] - u[None]) ** 2, axis=-1)[~np.eye(N, dtype=bool)]
    assert float(first.uniformity) == pytest.approx(
        np.log(np.mean(np.exp(-2 * distance))), rel=1e-13
    )
    norm = np.linalg.norm(z, axis=-1)
    levels = first["quantile"].values
    np.testing.assert_allclose(first.norms[0], np.quantile(norm, levels), rtol=1e-14)
    np.testing.assert_allclose(
        first.effective_learning_rate[1],
        np.quantile(2.0 / N / np.sum(y**2, axis=-1), levels),
        rtol=1e-13,
    )
    pair = nt.pair_step(nt.PairState(nt.angle(z, y), norm, np.linalg.norm(y, axis=-1)), 2.0 / N)
    turned = np.arctan(2.0 / N * np.sin(nt.angle(z, y)) / norm**2)
    np.testing.assert_allclose(first.angular_step[0], np.quantile(turned, levels), atol=1e-14)
    means = [norm[k::3].mean() for k in range(3)]
    expected = [means[0], means[1], np.nan, means[2], np.nan]
    np.testing.assert_allclose(first.class_norm, expected, rtol=1e-14)
    assert float(last.mean_cosine) > float(first.mean_cosine)
    assert float(last.norms[0, 0]) >= float(pair.norm_i.min())
    assert done.dataset["angular_step"].attrs["units"] == "rad"


def test_uniformity_in_blocks_is_that_of_all_points(monkeypatch):
    z = clouds(np.float32)[0]
    seen: Any = SimpleNamespace(directions=(z / np.linalg.norm(z, axis=-1, keepdims=True),))
    whole = jax.jit(lambda: observables.OBSERVABLES["uniformity"](seen))()
    monkeypatch.setattr(observables, "_BLOCK", 5)  # 12 rows in blocks of 5: the last overlaps
    blocks = jax.jit(lambda: observables.OBSERVABLES["uniformity"](seen))()
    assert float(blocks) == pytest.approx(float(whole), rel=1e-6)


def test_users_add_their_own_observables():
    centre = observables.observable(
        "centre",
        lambda view, weight: weight * jnp.mean(view.positions[0], axis=0),
        dims=("axis",),
        units="m",
        coords={"axis": list("abcdef")},
        weight=2.0,
    )
    z, y = clouds()
    found = run(plain(), init(plain(), z, y), 3, record=("loss", centre), record_every=1).dataset
    assert found.centre.dims == ("step", "axis")
    assert found.centre.attrs["units"] == "m"
    np.testing.assert_allclose(found.centre.sel(step=0, axis="b"), 2 * z[:, 1].mean())
    assert found.step.values.tolist() == [0, 1, 2, 3]


def constrained(b1: float = 0.9) -> System:
    """With a number of every kind."""
    return System(
        forces.mixture((1.0, forces.loss("info_nce", temperature=0.3)), (0.5, forces.attraction())),
        0.5,
        optimizers.adam(b1),
        weight_decay=0.01,
        gradscale=0.5,
        norm=2.0,
    )


@pytest.mark.slow
def test_other_numbers_compile_nothing():
    system = constrained()

    def go(system: System, seed: int, steps: int, every: int, tolerance: float) -> None:
        run(
            system,
            init(system, *clouds(), seed=seed),
            steps,
            stop=(stop.mean_cosine(tolerance), stop.loss(-5.0)),
            record_every=every,
        )

    with counted() as something:
        go(system, 0, 20, 5, 1e-3)
    assert something[0] > 0
    with counted() as nothing:
        other = system.with_numbers(
            temperature=0.7, learning_rate=2.0, b1=0.5, eps=1e-3, weight_decay=0.0, norm=3.0
        )
        go(other.with_numbers(gradscale=1.0), 3, 31, 7, 1e-2)
        mixed = forces.mixture(
            (2.0, forces.loss("info_nce", temperature=1)), (-1, forces.attraction())
        )
        go(
            System(mixed, 1, optimizers.adam(0.8), weight_decay=1e-3, gradscale=2, norm=1),
            4,
            9,
            3,
            0.1,
        )
    assert nothing == [0]


def test_the_dataset_says_how_it_was_made(tmp_path):
    system = constrained(b1=0.8)  # so that the program is that of the test above
    rules = stop.mean_cosine(1e-9), stop.loss(-5.0)
    done = run(system, init(system, *clouds()), 4, stop=rules, record_every=2)
    attrs = done.dataset.attrs
    for word in ('"learning_rate": 0.5', "0.3", "0.8", "info_nce", '"reduction": "mean"'):
        assert word in attrs["system"]
    assert attrs["dtype"] == "float64"
    assert (attrs["steps"], attrs["converged"], attrs["max_steps"]) == (4, 0, 4)
    done.dataset.to_netcdf(tmp_path / "run.nc", engine="netcdf4")


def test_a_run_that_blows_up_names_the_row():
    z, y = clouds(np.float32)
    z[4] *= np.float32(1e-30)
    system = System(forces.attraction(), 1e15)
    with pytest.raises(FloatingPointError, match=r"clouds\[0\] row 4 is not finite at step"):
        run(system, init(system, z, y), 10)


def test_the_progress_bar_shows_on_request_only(capfd):
    run(plain(), init(plain(), *clouds()), 8, record=(), progress=True)
    assert "8/8" in capfd.readouterr().err
    run(plain(), init(plain(), *clouds()), 8, record=())
    assert capfd.readouterr().err == ""


def test_the_state_is_plain_arrays():
    state = run(eventful(), init(eventful(), *clouds()), 3, record=RECORD).state
    assert isinstance(state, State)
    for leaf in jax.tree.leaves(state):
        assert np.asarray(leaf).dtype in (np.float64, np.int32, np.uint32)
        assert isinstance(leaf, np.ndarray) or leaf.dtype != np.float64
