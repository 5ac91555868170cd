"""The batches and the loss of the paper's public code, against loops from their description."""

from __future__ import annotations

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulations.encoders.data import LatentClasses
from simulations.encoders.objectives import Learner
from simulations.encoders.same_class import (
    Batches,
    Drawn,
    Positives,
    SameClass,
    positives,
)

LABELS = np.array([2, 0, 1, 0, 0, 2, 1, 1, 3, 0], np.int32)
PRESENT = np.array([True] * 9 + [False])  # of class 0 three, of class 3 one


def test_positives_are_mutual_and_each_is_a_random_other_of_the_class() -> None:
    draws = 4000
    which = jax.random.uniform(jax.random.key(0), (draws, 10), jnp.float32)
    one = lambda w: positives(jnp.asarray(LABELS), jnp.asarray(PRESENT), w)  # noqa: E731
    found = np.asarray(jax.jit(jax.vmap(one))(which))
    assert (found == found.swapaxes(1, 2)).all()
    share = found.mean(axis=0)
    for i, j in itertools.product(range(10), repeat=2):
        others = PRESENT & (LABELS[i] == LABELS)
        count = others.sum() - 1
        partner = i != j and others[i] and others[j]
        # Unless neither of the two has drawn the other.
        expected = 1 - (1 - 1 / count) ** 2 if partner else 0
        sigma = (expected * (1 - expected) / draws) ** 0.5
        assert abs(share[i, j] - expected) <= 6 * sigma  # false alarms: 1e-7 in 45 pairs


def one_world(points: int = 50):
    train, _ = LatentClasses((1.0, 4.0), points, 3, 4, 0.2)(0, 1)
    return jax.tree.map(lambda a: a[0], train)


def test_a_pass_takes_every_point_once_and_the_next_in_another_order() -> None:
    data, batches = one_world(), Batches(16)
    assert batches.per_epoch(50) == 4
    key = jax.random.key(3)
    draw = jax.jit(batches.draw)
    drawn = [draw(key, jnp.asarray(k, jnp.int32), data) for k in range(8)]
    sizes = [int(d.present.sum()) for d in drawn]
    assert sizes == [16, 16, 16, 2] * 2
    orders = [
        np.concatenate([np.asarray(d.index)[np.asarray(d.present)] for d in epoch])
        for epoch in (drawn[:4], drawn[4:])
    ]
    for order in orders:
        assert sorted(order.tolist()) == list(range(50))
    assert not np.array_equal(orders[0], orders[1])
    other = draw(jax.random.key(4), jnp.asarray(0, jnp.int32), data)
    assert not np.array_equal(other.index, drawn[0].index)
    assert not np.array_equal(drawn[0].which, drawn[1].which)
    batch = batches.batch(drawn[3], data)
    np.testing.assert_array_equal(batch.x, data.x[drawn[3].index])
    assert not np.asarray(batch.positive)[2:].any()  # they only fill up


@functools.cache
def alone(by_class: bool) -> list[Drawn]:
    """What each of some steps draws, 4 of them an epoch."""
    draw, data = jax.jit(Batches(16, by_class).draw), one_world()
    return [draw(jax.random.key(5), jnp.asarray(k, jnp.int32), data) for k in range(9)]


@pytest.mark.parametrize(
    ("by_class", "steps", "begins"),
    [
        (False, 6, (0, 3)),
        pytest.param(False, 1, (5,), marks=pytest.mark.slow),
        pytest.param(False, 2, (2, 3), marks=pytest.mark.slow),
        (True, 6, (3,)),
    ],
)
def test_many_steps_draw_what_each_draws_alone(
    by_class: bool, steps: int, begins: tuple[int, ...]
) -> None:
    many = jax.jit(Batches(16, by_class).draws, static_argnums=2)
    for begin in begins:
        found = many(jax.random.key(5), jnp.asarray(begin, jnp.int32), steps, one_world())
        for i in range(steps):
            for a, b in zip(found, alone(by_class)[begin + i], strict=True):
                np.testing.assert_array_equal(a[i], b)


def test_by_class_the_weights_say_how_often_and_members_are_equally_likely() -> None:
    data = one_world()._replace(weight=jnp.asarray([3.0, 1.0], jnp.float32))
    batches = Batches(20_000, by_class=True)
    drawn = jax.jit(batches.draw)(jax.random.key(0), jnp.asarray(0, jnp.int32), data)
    assert drawn.present.all()
    counts = np.bincount(np.asarray(drawn.index), minlength=50)
    share = np.where(np.asarray(data.labels) == 0, 0.75 / 10, 0.25 / 40)
    sigma = (20_000 * share * (1 - share)) ** 0.5
    assert (abs(counts - 20_000 * share) < 6 * sigma).all()  # false alarms: 1e-7 in 50 points


class Same(eqx.Module):
    """An encoder that does nothing."""

    def __call__(self, x):
        return x


@pytest.mark.parametrize("inside", [True, False])
def test_the_loss_is_that_of_its_definition(inside: bool) -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((10, 3)) * rng.uniform(0.1, 5, (10, 1))).astype(np.float32)
    which = jnp.asarray(rng.uniform(size=10), jnp.float32)
    mutual = jax.jit(positives)(jnp.asarray(LABELS), jnp.asarray(PRESENT), which)
    batch = Positives(jnp.asarray(x), mutual, jnp.asarray(PRESENT))
    temperature = 0.4
    u = x.astype(float) / np.linalg.norm(x.astype(float), axis=1, keepdims=True)
    terms = []
    for i in range(10):
        mine = np.flatnonzero(np.asarray(mutual)[i])
        if not len(mine):
            continue
        powers = np.exp(u @ u[i] / temperature)
        others = sum(powers[j] for j in range(10) if j != i and PRESENT[j])
        ratios = [powers[j] / others for j in mine]
        terms.append(-np.log(sum(ratios)) if inside else -np.mean(np.log(ratios)))
    assert len(terms) == 8  # not the one alone in its class, not the one that fills up
    found = jax.jit(lambda b: SameClass(temperature, inside)(Learner(Same()), None, b))(batch)
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-5)  # float32


def test_its_gradient_is_finite_where_a_point_has_no_positive() -> None:
    x = np.random.default_rng(1).standard_normal((10, 3)).astype(np.float32)
    mutual = jax.jit(positives)(
        jnp.asarray(LABELS), jnp.asarray(PRESENT), jnp.zeros(10, jnp.float32)
    )

    def loss(x):
        batch = Positives(x, mutual, jnp.asarray(PRESENT))
        return SameClass()(Learner(Same()), None, batch)

    slope = np.asarray(jax.jit(jax.grad(loss))(jnp.asarray(x)))
    assert np.isfinite(slope).all()
    assert slope[8].any()  # alone in its class it repels the others all the same
    assert not slope[9].any()


def test_low_temperatures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"temperature: expected at least 0.05, got 0.01"):
        SameClass(0.01)
