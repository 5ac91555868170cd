"""Trainings and what was said of them: optimizers as told, numbers as measured, side by side."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.losses import LOSSES
from simulations import predicted
from simulations._learners import Table, Towers
from simulations._settled import Told, first_within, floors, implied, measured, pulled, said
from simulations._together import Course, follow, programs
from simulations._told import five
from simulations.encoders.augmentations import Augmentation
from simulations.encoders.data import AugmentedPairs

SETTINGS = predicted.Settings()
OPTIMIZERS = five(SETTINGS, 1e-3)
NAMES = ["SGD", "heavy ball", "Adam + L2", "AdamW", "Lion"]


class _By(NamedTuple):
    """An optimizer by hand: from z and memories to those after a gradient."""

    z: np.ndarray
    first: np.ndarray
    second: np.ndarray
    count: int


def _by_hand(told: dict[str, Any], state: _By, g: np.ndarray) -> _By:
    z, m, v, k = state
    eta, decay, name = told["learning_rate"], told["weight_decay"], told["optimizer"]
    if name in ("sgd", "momentum"):
        m = told.get("momentum", 0.0) * m + g + decay * z
        return _By(z - eta * m, m, v, k + 1)
    b1, b2 = told["beta_1"], told["beta_2"]
    if name == "lion":
        step = np.sign(b1 * m + (1 - b1) * g) + decay * z
        return _By(z - eta * step, b2 * m + (1 - b2) * g, v, k + 1)
    g = g + decay * z if name == "adam" else g
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    step = m / (1 - b1 ** (k + 1)) / np.sqrt(v / (1 - b2 ** (k + 1)))
    return _By(z - eta * (step + (decay * z if name == "adamw" else 0)), m, v, k + 1)


def test_rules_are_what_predict_is_told() -> None:
    assert list(OPTIMIZERS) == NAMES
    gradients = np.array([[3.0, -1.0, 2.0], [1.0, 0.5, -2.0]])
    for one in OPTIMIZERS.values():
        z = np.array([1.0, -2.0, 0.5])
        hand = _By(z, 0 * z, 0 * z, 0)
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            memory = one.rule.init(z)
            for g in gradients:
                update, memory = one.rule.update(g, memory, z)
                z, hand = z + np.asarray(update), _by_hand(one.told, hand, g)
        np.testing.assert_allclose(z, hand.z, rtol=1e-7)  # Adam's ε is 1e-12
        nt.predict(1.0, dimension=64, **one.told)  # takes it


def test_decay_takes_the_same_share_under_all_but_adam() -> None:
    lost = [o.told["learning_rate"] * o.told["weight_decay"] for o in OPTIMIZERS.values()]
    # The momentum adds decay up: 1/(1-β) times.
    assert np.delete(lost, 2) == pytest.approx(5e-4 * np.array([1, 0.1, 1, 1]))
    assert OPTIMIZERS["Adam + L2"].told["weight_decay"] == 1e-3


def _course() -> Course:
    """Of two optimizers, two runs, two subjects, 20 steps in blocks of 5."""
    rng = np.random.default_rng(0)
    shape = (2, 2, 2, 20)
    return Course(
        rng.uniform(1, 2, shape),
        rng.uniform(0.1, 0.2, shape),
        rng.uniform(0.3, 0.4, (2, 2, 2, 4)),
        rng.uniform(1, 2, shape),
        rng.uniform(1, 2, shape[:2] + shape[3:]),
        rng.uniform(0, 1, shape[:2] + shape[3:]),
        np.zeros((2, 2, 2, 2, 3, 4)),
    )


def test_numbers_are_means_over_runs_and_settled_steps() -> None:
    course = _course()
    seen = measured(course, 1, 2, 5)
    for k in range(2):
        square = course.square[k, :, 1, 10:]
        norm = square.mean() ** 0.5
        turn = 1 - course.moved[k, :, 1, 10:].mean() / (2 * norm**2)
        later = 1 - course.lagged[k, :, 1, 2:].mean() / (2 * norm**2)
        assert seen.numbers["norm"][k] == pytest.approx(norm)
        assert math.cos(seen.numbers["turn"][k]) == pytest.approx(turn)
        assert math.cos(seen.numbers["turn_lag"][k]) == pytest.approx(later)
        assert seen.numbers["slope"][k] ** 2 == pytest.approx(course.slope[k, :, 1, 10:].mean())
        ends = square.mean(axis=1) ** 0.5
        assert seen.numbers["apart"][k] == pytest.approx(abs(ends[0] - ends[1]) / norm)
        assert seen.start[k] == pytest.approx(course.square[k, :, 1, 0].mean() ** 0.5)


def test_a_norm_is_there_when_its_mean_over_a_lag_is() -> None:
    t = np.arange(2000)
    falling, rising = 1 + np.exp(-t / 200), 1 - np.exp(-t / 200)
    passing = np.where(t < 300, np.where(t < 100, 1.5, 0.5), falling)
    found = first_within(np.stack([falling, rising, passing, 0 * t + 1.02]), 0.01, 20)
    there = 200 * math.log(100)
    np.testing.assert_allclose(found[:3], there, atol=1.5)
    assert np.isnan(found[3])


def test_what_is_said_is_predicts_answer_where_it_has_what_it_needs() -> None:
    seen = measured(_course(), 0, 2, 5)
    told, two = Told.of(SETTINGS), {name: OPTIMIZERS[name] for name in ("Adam + L2", "AdamW")}
    batch = {"batch_size": 30, "reduction": "mean", "temperature": 0.2}
    found = said(seen, two, told, 64, free=True)
    for k, one in enumerate(two.values()):
        for kind, more in (("numbers", batch), ("slope", {"slope": seen.numbers["slope"][k]})):
            rows = nt.predict(seen.start[k], dimension=64, lag=100, **one.told, **more)
            assert found[f"norm_{kind}"][k] == rows["equilibrium_norm"].value
            assert found[f"turn_{kind}"][k] == rows["equilibrium_angular_step"].value
            cosine = rows["equilibrium_cosine_after_lag"].value
            assert found[f"turn_lag_{kind}"][k] == math.acos(cosine)
            steps = rows["steps_to_equilibrium"].value
            assert found[f"steps_{kind}"][k] == pytest.approx(steps)
    # Of weights nothing is known without s but what does not depend on it.
    found = said(seen, {name: OPTIMIZERS[name] for name in NAMES[:2]}, told, 999, free=False)
    assert np.isnan(found["norm_numbers"]).all()
    assert np.isnan(found["steps_numbers"]).all()
    np.testing.assert_array_equal(found["turn_numbers"], found["turn_slope"])
    found = said(seen, two, told, 999, free=False)
    for name in ("norm", "turn", "turn_lag", "steps"):
        assert np.isnan(found[f"{name}_numbers"]).tolist() == [True, False]
    rows = nt.predict(1.0, dimension=999, **OPTIMIZERS["AdamW"].told)
    assert found["norm_numbers"][1] == rows["equilibrium_norm"].value


def test_floors_are_those_of_the_claim() -> None:
    told = Told.of(SETTINGS)
    clip = floors(np.array([0.9, 1 + 1e-9]), told, "clip", 60)
    low = [math.log1p(29 * math.exp(-5 * 30 / 29 * (1 + s) / 2)) for s in (1.0, 0.9)]
    np.testing.assert_allclose(clip["floor"], low[0])
    np.testing.assert_allclose(clip["floor_aligned"], low[::-1])
    drawn = math.log1p(29 * math.exp(-5 * 60 / 59))
    np.testing.assert_allclose(clip["floor_drawn"], drawn)
    views = floors(np.array([0.9]), told, "nt_xent", 60)
    assert np.isnan(views["floor_aligned"]).all()
    assert views["floor_drawn"] == pytest.approx(math.log1p(58 * math.exp(-5 * 60 / 59)))


def test_a_known_pull_is_drawn_from_the_motion() -> None:
    rng = np.random.default_rng(1)
    sgd, adam = OPTIMIZERS["SGD"], OPTIMIZERS["Adam + L2"]
    rate, decay = sgd.told["learning_rate"], sgd.told["weight_decay"]
    pull, push, rho = -0.02, 0.5, 2.0
    z = rng.standard_normal((12, 2, 3, 4, 3))  # block, optimizer, run, row, d
    unit = z / np.linalg.norm(z, axis=-1, keepdims=True)
    across = np.cross(unit, rng.standard_normal(3))
    across *= push / np.linalg.norm(across, axis=-1, keepdims=True)
    z = rho * unit
    after = (1 - rate * decay) * z + rate * (pull * unit + across) / rho
    looks, two = np.stack([z, after], axis=1), {"SGD": sgd, "Adam + L2": adam}
    found = implied(looks, two, 100)
    expected = float(nt.drift.radial_drift_norm(rate, decay, pull, push))
    assert found[0] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(found[1])


def test_the_pull_of_sgd_is_what_decay_leaves_to_shorten() -> None:
    sgd = OPTIMIZERS["SGD"]
    rate, decay = sgd.told["learning_rate"], sgd.told["weight_decay"]
    keep, lost, along = 1 - rate * decay, rate * decay, -0.001  # ηD/ρ²
    square = 4 * 1.0001 ** np.arange(6)
    # ρ'² = 1.0001 ρ² and z·z' = (α + ηD/ρ²)ρ².
    moved = (1 + 1.0001 - 2 * (keep + along)) * square
    course = _course()._replace(square=square[None, None, None], moved=moved[None, None, None])
    shares = pulled(course, {"SGD": sgd}, 1, 2)
    assert shares[0] == pytest.approx(
        2 * keep * 0.001 / (2 * keep * 0.001 + lost * (2 - lost)), rel=1e-3
    )
    assert np.isnan(pulled(course, {"Lion": OPTIMIZERS["Lion"]}, 1, 2)).all()


def test_a_table_shows_every_item_once_and_partners_of_the_class() -> None:
    for members in (1, 3):
        table = Table(12, 4, 6, members)
        first, second = np.asarray(table.batch(jax.random.key(0)))
        assert first.shape == (2, 6)
        assert sorted(first.ravel()) == sorted(second.ravel()) == list(range(12))
        np.testing.assert_array_equal(first // members, second // members)
        assert (first == second).all() == (members == 1)
        start = table.new(np.random.default_rng(0))
        views = np.asarray(table.views(start, jnp.stack([first, second])))
        np.testing.assert_array_equal(views[1, 1, 2], np.asarray(start)[1, second[1, 2]])
        np.testing.assert_allclose(np.linalg.norm(table.embeddings(start), axis=1), 1, rtol=1e-6)


def test_gradients_come_back_to_the_rows_that_were_seen() -> None:
    table = Table(12, 4, 6, 3)
    start, batch = table.new(np.random.default_rng(0)), table.batch(jax.random.key(3))
    weight = np.random.default_rng(1).standard_normal((2, 2, 6, 4)).astype(np.float32)
    slope = jax.grad(lambda z: jnp.sum(weight * table.views(z, batch)))(start)
    expected = np.zeros((2, 12, 4), np.float32)
    for view in range(2):
        np.add.at(expected[view], np.asarray(batch[view]), weight[view])
    np.testing.assert_array_equal(slope, expected)


def test_trainings_on_the_same_batches_share_what_draws_them() -> None:
    sample = AugmentedPairs(2, Augmentation())
    one, two = (Towers((6, 4, 3), k, sample, None, None).draws[0] for k in (1, 2))
    assert one == two
    assert hash(one) == hash(two)
    assert Table(6, 3, 3).draws[0] == Table(6, 4, 3).draws[0] != Table(6, 3, 3, 2).draws[0]


@pytest.mark.slow
def test_a_program_is_for_both_ways_to_draw_partners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings whose partners are drawn anew end the same alone, or after those that stay."""
    small: dict[str, Any] = {"items": 6, "members": 2, "pairs": 3, "dimension": 4, "runs": 1}
    small |= {"lag": 4, "burn_in": 2, "blocks": 2}
    made: list[str] = []
    few = {name: OPTIMIZERS[name] for name in ("SGD", "Adam + L2")}
    monkeypatch.setattr(predicted, "five", lambda *_: few)
    make = predicted._programs  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(predicted, "_programs", lambda s, n: made.append(n) or make(s, n))
    both = predicted.run(predicted.Settings(("CLIP-stay", "CLIP-anew"), share=0.02, **small))
    assert made == ["CLIP, free, partners stay"]
    made.clear()
    alone = predicted.run(predicted.Settings(("CLIP-anew",), share=0.02, **small))
    assert len(made) == 1
    for name in ("norm", "turn", "slope"):
        np.testing.assert_array_equal(both[name][:, 1], alone[name][:, 0])
    assert not np.array_equal(both.norm[:, 0], both.norm[:, 1])
    assert all(variable.attrs.get("units") for variable in both.data_vars.values())


@pytest.mark.parametrize("towers", [1, 2])
def test_a_tower_sees_its_view(towers: int) -> None:
    probe = jnp.asarray(np.random.default_rng(1).uniform(size=(5, 6)).astype(np.float32))
    learner = Towers((6, 4, 3), towers, AugmentedPairs(2, Augmentation()), None, probe)
    first, last = map(np.asarray, learner.new(np.random.default_rng(0)))
    assert (first.shape, last.shape) == ((towers, 4, 6), (towers, 3, 4))
    x = np.random.default_rng(2).standard_normal((2, 1, 2, 6)).astype(np.float32)

    def outputs(tower: int, x: np.ndarray) -> np.ndarray:
        hidden = x @ first[tower].T
        return np.where(hidden > 0, hidden, 0.1 * hidden) @ last[tower].T

    found = np.asarray(learner.views((jnp.asarray(first), jnp.asarray(last)), jnp.asarray(x)))
    for view in range(2):
        tower = view if towers == 2 else 0
        np.testing.assert_allclose(found[view, 0], outputs(tower, x[view, 0]), atol=1e-6)
    shown = np.asarray(learner.embeddings((jnp.asarray(first), jnp.asarray(last))))
    expected = [outputs(t, np.asarray(probe)) for t in range(towers)]
    np.testing.assert_allclose(shown, np.concatenate(expected), atol=1e-6)


@pytest.mark.slow
def test_norms_of_a_training_obey_pythagoras() -> None:
    """A gradient across z: |z'|² = α²|z|² + |γg|², and |z' - z|² = (γλ)²|z|² + |γg|²."""
    sgd = [five(SETTINGS, 1e-3)["SGD"].rule]
    table = Table(6, 3, 3)
    loss = LOSSES["clip"]
    training = programs(
        table, lambda u, v: loss.value(u, v, temperature=0.5), sgd, np.array([0.2]), 3
    )
    course = follow(
        table,
        training,
        blocks=2,
        burn_in=1,
        lag=3,
        runs=2,
        seed=0,
        name="test",
    )
    assert course.square.shape == (1, 2, 1, 6)
    np.testing.assert_allclose(course.square[..., 0], 0.04, rtol=1e-6)
    lost = SETTINGS.share
    kept = (1 - lost) ** 2 - lost**2
    after = kept * course.square[..., :-1] + course.moved[..., :-1]
    np.testing.assert_allclose(course.square[..., 1:], after, rtol=1e-5)
    # Norms of 0.2 are nearly alike, and s² is ρ² of the mean squared gradient.
    moved = (SETTINGS.sgd_rate**2 * course.slope / course.square)[..., 0]
    np.testing.assert_allclose(course.moved[..., 0], moved + lost**2 * 0.04, rtol=1e-4)
    # What is looked at is the first step of the second block.
    z, second = course.looks[0, :, 0]
    np.testing.assert_allclose((z**2).sum(-1).mean(-1), course.square[0, :, 0, 3], rtol=1e-5)
    change = ((second - z) ** 2).sum(-1).mean(-1)
    np.testing.assert_allclose(change, course.moved[0, :, 0, 3], rtol=1e-3)
    assert course.lagged.shape == (1, 2, 1, 2)
    np.testing.assert_allclose(course.loss.shape, (1, 2, 6))
    # The first batch of a run, written out.
    start = table.new(np.random.default_rng((0, 1)))
    key = jax.random.split(jax.random.split(jax.random.key(0), 2)[0], 2)[1]
    z = np.asarray(table.views(start, table.batch(jax.random.split(key, 3)[0])), float)
    values = [float(loss.value(u, v, temperature=0.5)) for u, v in zip(z[0], z[1], strict=True)]
    assert course.loss[0, 1, 0] == pytest.approx(np.mean(values), rel=1e-5)
    assert course.alignment[0, 1, 0] == pytest.approx((z[0] * z[1]).sum(-1).mean(), abs=1e-6)


def test_other_settings_are_refused() -> None:
    for change, text in (
        ({"trainings": ("SimSiam",)}, r"trainings: expected some of SimCLR-stay, .*'SimSiam'"),
        ({"beta_2": 1.0}, "beta_2: expected < 1, got 1"),
        ({"items": 31}, "items: expected a multiple of pairs and of members"),
        ({"fit": 4990}, "fit, probe: expected at most the 5000 digits together"),
    ):
        with pytest.raises(ValueError, match=f"^{text}$"):
            predicted.Settings(**change)  # pyright: ignore[reportArgumentType]


def test_a_dead_training_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = _course()._replace(loss=np.full((5, 2, 20), np.nan))
    monkeypatch.setattr(predicted, "follow", lambda *_, **__: dead)
    with pytest.raises(FloatingPointError, match=r"^CLIP, free, partners stay: an emb"):
        predicted.run(predicted.SMOKE)
