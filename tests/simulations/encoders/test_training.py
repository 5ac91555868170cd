"""Training against steps written out by hand, and many runs against one."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulations.encoders.data import LatentClasses, SameClassPairs
from simulations.encoders.models import Mlp
from simulations.encoders.objectives import NewLearner, Objective
from simulations.encoders.prepared import Prepared, prepare
from simulations.encoders.training import Recipe, advance, embed, start, train

WORLDS = LatentClasses((1.0, 2.0), 60, 4, 6, 0.3)
NEW = NewLearner(Mlp((6, 8, 3)), Mlp((3, 4, 3)))
SAMPLE = SameClassPairs(8)
SEEDS = [(0, 0), (0, 1)]


def leaves(tree) -> list[np.ndarray]:
    return [np.asarray(a) for a in jax.tree.leaves(tree)]


def test_steps_are_those_of_momentum_decay_and_a_moving_average() -> None:
    points, _ = WORLDS(0, 2)
    recipe = Recipe(Objective("byol"), momentum=0.9, average=0.5)
    runs = start(recipe, NEW, SEEDS, [0.1, 0.2], [0.0, 0.3])
    trained, losses = advance(runs, points, 0, steps=2, recipe=recipe, sample=SAMPLE, shared=False)
    slope_of = jax.jit(jax.value_and_grad(recipe.objective))
    batch_of = jax.jit(lambda key, k, data: SAMPLE.batch(SAMPLE.draw(key, k, data), data))
    key = [jax.random.wrap_key_data(words, impl="threefry2x32") for words in runs.key]
    one = lambda tree, r: jax.tree.map(lambda a: np.asarray(a)[r], tree)  # noqa: E731
    for r, (rate, decay) in enumerate(((0.1, 0.0), (0.2, 0.3))):
        learner, target = one(runs.learner, r), one(runs.target, r)
        speed = jax.tree.map(np.zeros_like, learner)
        for k in range(2):
            batch = batch_of(key[r], k, one(points, r))
            value, slope = slope_of(learner, target, batch)
            assert float(losses[r, k]) == pytest.approx(float(value), rel=1e-5)
            speed = jax.tree.map(
                lambda v, g, w, d=decay: 0.9 * v + np.asarray(g) + d * w, speed, slope, learner
            )
            learner = jax.tree.map(lambda w, v, a=rate: w - a * v, learner, speed)
            target = jax.tree.map(lambda t, w: 0.5 * t + 0.5 * w, target, learner)
        for found, expected in (
            (one(trained.learner, r), learner),
            (one(trained.target, r), target),
        ):
            for a, b in zip(leaves(found), leaves(expected), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_looking_more_often_changes_no_number() -> None:
    points, held_out = WORLDS(0, 2)
    recipe = Recipe(Objective("nt_xent"))
    ends = []
    for records in (1, 3):
        _, step, seen, loss = train(
            start(recipe, NEW, SEEDS, 0.1),
            points,
            SAMPLE,
            recipe,
            steps=12,
            records=records,
            look=lambda runs: embed(runs.learner, held_out.x, shared=False),
            shared=False,
        )
        assert step.tolist() == [*range(0, 13, 12 // records)]
        assert len(seen) == records + 1
        assert loss.shape == (2, records)
        ends.append(np.asarray(seen[-1]))
    np.testing.assert_array_equal(*ends)


def test_runs_of_one_seed_start_alike() -> None:
    recipe = Recipe(Objective("nt_xent"))
    runs = start(recipe, NEW, [(0, 0), (0, 0), (0, 1)], 0.1)
    weight = np.asarray(runs.learner.encoder.layers[0].weight)
    np.testing.assert_array_equal(weight[0], weight[1])
    assert (weight[0] != weight[2]).all()


def test_a_rate_annealed_along_a_cosine_ends_at_nothing() -> None:
    recipe = Recipe(Objective("nt_xent"), cosine_steps=4)
    optimizer = recipe.optimizer(2.0, 0.0)
    state, moves = optimizer.init(jnp.zeros(1)), []
    for _ in range(5):
        change, state = optimizer.update(jnp.ones(1), state, jnp.zeros(1))
        moves.append(float(np.asarray(change)[0]))
    np.testing.assert_allclose(moves, -1 - np.cos(np.pi * np.arange(5) / 4), atol=1e-6)


@pytest.mark.parametrize("cosine_steps", [0, 4])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adam_is_written_out_with_a_decay_that_its_moments_do_not_see(
    decay: float, cosine_steps: int
) -> None:
    recipe = Recipe(Objective("nt_xent"), adam=True, cosine_steps=cosine_steps)
    optimizer = recipe.optimizer(0.1, decay)
    w = np.array([2.0, -1.0, 0.5])
    slopes = np.random.default_rng(0).standard_normal((4, 3))
    mean, square = np.zeros(3), np.zeros(3)
    weights = jnp.asarray(w, jnp.float32)
    memory = optimizer.init(weights)
    for k, g in enumerate(slopes):
        # Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2.
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        step = mean / (1 - 0.9 ** (k + 1))
        step = step / (np.sqrt(square / (1 - 0.999 ** (k + 1))) + 1e-8)
        annealed = (1 + np.cos(np.pi * k / cosine_steps)) / 2 if cosine_steps else 1.0
        w = w - 0.1 * annealed * (step + decay * w)
        with jax.numpy_dtype_promotion("standard"):
            change, memory = optimizer.update(jnp.asarray(g, jnp.float32), memory, weights)
        weights = weights + jnp.asarray(change)
        np.testing.assert_allclose(weights, w, rtol=2e-5)


def run_of(points: Any) -> tuple[np.ndarray, np.ndarray]:
    """Losses (runs, 3) of 12 steps, and the weights of a layer at their end."""
    recipe = Recipe(Objective("nt_xent"))
    runs, _, _, loss = train(
        start(recipe, NEW, SEEDS, 0.1),
        points,
        SAMPLE,
        recipe,
        steps=12,
        records=3,
        look=lambda runs: None,
        shared=False,
    )
    return loss, np.asarray(runs.learner.encoder.layers[0].weight)


def test_the_loss_of_a_chunk_is_the_mean_of_its_steps() -> None:
    points, _ = WORLDS(0, 2)
    recipe, means = Recipe(Objective("nt_xent")), []
    runs = start(recipe, NEW, SEEDS, 0.1)
    for begin in (0, 4, 8):
        runs, values = advance(
            runs, points, begin, steps=4, recipe=recipe, sample=SAMPLE, shared=False
        )
        assert values.shape == (2, 4)
        means.append(np.asarray(values).mean(axis=1))
    loss, _ = run_of(points)
    np.testing.assert_allclose(loss, np.stack(means, axis=1), rtol=1e-5)


@pytest.mark.parametrize("spoilt", [0, 1])
def test_a_run_without_a_finite_loss_leaves_the_others_to_go_on(spoilt: int) -> None:
    points, _ = WORLDS(0, 2)
    usual, weight = run_of(points)
    loss, found = run_of(points._replace(x=points.x.at[spoilt].set(jnp.nan)))
    other = 1 - spoilt
    assert np.isnan(loss[spoilt]).all()
    np.testing.assert_array_equal(loss[other], usual[other])
    np.testing.assert_array_equal(found[other], weight[other])


def test_a_rate_rises_linearly_and_then_falls_along_a_cosine() -> None:
    recipe = Recipe(Objective("nt_xent"), cosine_steps=10, warm_up=4)
    rates = [float(recipe._cosine(k)) for k in range(12)]
    np.testing.assert_allclose(rates[:5], [0.25, 0.5, 0.75, 1, 1], atol=1e-6)
    falling = (1 + np.cos(np.pi * np.arange(7) / 6)) / 2
    np.testing.assert_allclose(rates[4:11], falling, atol=1e-6)
    assert rates[9] > 0  # the last step
    assert rates[11] == 0


def test_momentum_takes_up_the_decay_and_the_schedule_stays_outside() -> None:
    """As PyTorch's SGD: v' = βv + g + λw, w' = w - γ(k)v'."""
    recipe = Recipe(Objective("nt_xent"), momentum=0.9, cosine_steps=6, warm_up=2)
    optimizer = recipe.optimizer(0.5, 0.1)
    rng = np.random.default_rng(0)
    w = jnp.asarray([1.0, -2.0])
    state = optimizer.init(w)
    plain, speed = np.array([1.0, -2.0]), np.zeros(2)
    for k in range(6):
        g = rng.standard_normal(2)
        change, state = optimizer.update(jnp.asarray(g, jnp.float32), state, w)
        w = w + jnp.asarray(change)
        factor = (k + 1) / 2 if k < 2 else (1 + np.cos(np.pi * (k - 2) / 4)) / 2
        speed = 0.9 * speed + g + 0.1 * plain
        plain = plain - 0.5 * factor * speed
        np.testing.assert_allclose(w, plain, rtol=1e-5)


class _Key(NamedTuple):
    """A sampler whose batch is what it is given: the key and the step."""

    def draw(self, key: jax.Array, step: Any, data: Any) -> jax.Array:
        return jnp.append(jax.random.key_data(key), step.astype(jnp.uint32))

    def batch(self, drawn: jax.Array, data: Any) -> jax.Array:
        return drawn + data


def test_batches_are_prepared_with_the_key_of_the_seed_and_their_step() -> None:
    found = prepare(_Key(), jnp.uint32(10), (5, 7), 3)
    assert found.tolist() == [[15, 17, 10], [15, 17, 11], [15, 17, 12]]
    second = Prepared().draw(jax.random.key(0), 1, found)
    assert Prepared().batch(second, found).tolist() == [15, 17, 11]


@pytest.mark.slow
def test_prepared_batches_are_those_of_the_run() -> None:
    points, _ = WORLDS(0, 1)
    own = jax.tree.map(lambda a: a[0], points)
    recipe = Recipe(Objective("nt_xent"), momentum=0.9)
    runs = start(recipe, NEW, [(0, 1)], 0.1)
    batches = prepare(SAMPLE, own, (0, 1), 5)
    assert batches.view_1.shape == (5, 8, 6)
    options: dict[str, Any] = {"steps": 3, "recipe": recipe, "shared": True}
    _, wanted = advance(runs, own, 2, sample=SAMPLE, **options)
    _, found = advance(runs, batches, 2, sample=Prepared(), **options)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_errors() -> None:
    with pytest.raises(ValueError, match="warm_up: expected fewer than the 4 steps, got 4"):
        Recipe(Objective("nt_xent"), cosine_steps=4, warm_up=4)
    recipe = Recipe(Objective("nt_xent"))
    points, _ = WORLDS(0, 2)

    def go(data: Any, steps: int, records: int) -> None:
        runs = start(recipe, NEW, SEEDS, 0.1)
        options: dict[str, Any] = {"look": lambda runs: None, "shared": False}
        train(runs, data, SAMPLE, recipe, steps=steps, records=records, **options)

    with pytest.raises(ValueError, match="records: expected a divisor of the 3 steps, got 2"):
        go(points, 3, 2)
    with pytest.raises(FloatingPointError, match="no run has a finite loss after step 4"):
        go(points._replace(x=points.x * jnp.nan), 4, 1)


def test_with_a_reference_the_embedding_of_one_input_leaves_the_others_alone() -> None:
    encoder = Mlp((6, 8, 3), norm="batch", norm_outputs=True)
    runs = start(Recipe(Objective("nt_xent")), NewLearner(encoder), SEEDS, 0.1)
    points, held_out = WORLDS(0, 2)
    x = jnp.asarray(held_out.x[:, :10])
    changed = x.at[:, 0].multiply(50)
    both = (x, changed)
    alone, seen = (embed(runs.learner, a, points.x[:, :20], shared=False) for a in both)
    np.testing.assert_array_equal(alone[:, 1:], seen[:, 1:])
    assert not np.allclose(alone[:, 0], seen[:, 0])
    of_batch, seen = (embed(runs.learner, a, shared=False) for a in both)
    assert not np.allclose(of_batch[:, 1:], seen[:, 1:])
    expected = embed(runs.learner, jnp.concatenate([points.x[:, :20]] * 2, axis=1), shared=False)
    found = embed(runs.learner, points.x[:, :20], points.x[:, :20], shared=False)
    np.testing.assert_allclose(found, expected[:, :20], rtol=1e-4, atol=1e-5)
