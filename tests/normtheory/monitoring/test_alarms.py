"""The sentences: when they come, the numbers in them, and the remedy."""

from __future__ import annotations

import numpy as np
import pytest

import normtheory as nt
from normtheory import Monitor

RNG = np.random.default_rng(4)


def sphere(n: int = 40, d: int = 16) -> np.ndarray:
    return nt.sphere.uniform(RNG, n, d)


def test_norms_far_above_the_equilibrium():
    there = float(nt.equilibrium.adamw_norm(0.01, 0.1, 16))
    monitor = Monitor(optimizer="adamw", weight_decay=0.1, encoder=False)
    monitor.update(1.9 * there * sphere(), step=0, learning_rate=0.01)
    assert monitor.alarms == ()
    monitor.update(4.1 * there * sphere(), step=1, learning_rate=0.01)
    assert monitor.alarms == (
        f"norms are 4.1 times the equilibrium of this decay ({there:.3g}): directions turn 4.1 "
        "times more slowly than they will; start with embeddings divided by 4.1 (nt.cut_init), or "
        "a larger rate until then",
    )


def test_the_equilibrium_of_free_embeddings_says_nothing_of_an_encoder():
    monitor = Monitor(optimizer="adamw", weight_decay=0.1)
    there = monitor.update(9 * sphere(), step=0, learning_rate=0.01)["predicted_norm"]
    assert there < 1
    assert monitor.alarms == ()


def test_gradient_steps_turn_more_slowly_by_the_square():
    slope = np.sqrt(15 / 16) / 8
    there = (0.5 * slope**2 / (0.1 * (2 - 0.05))) ** 0.25
    options = {"batch_size": 8, "reduction": "mean", "encoder": False}
    monitor = Monitor(optimizer="sgd", weight_decay=0.1, **options)
    monitor.update(4.1 * there * sphere(), step=0, learning_rate=0.5)
    assert "4.1 times the equilibrium" in monitor.alarms[0]
    assert "turn 16.8 times more slowly" in monitor.alarms[0]


def test_an_encoder_is_held_against_what_was_measured():
    # A step across alone, of the size that balances decay at a third of the norm.
    z = 3 * sphere()
    balanced = nt.tangent_projection(z, RNG.standard_normal(z.shape))
    balanced /= np.linalg.norm(balanced, axis=1, keepdims=True)
    heat = np.sqrt(0.1 * (2 - 0.01) / 0.1)  # ρ*⁴ = ηs²/(λ(2-ηλ)) = 1
    after = (1 - 0.1 * 0.1) * z + 0.1 * heat * balanced / 3
    monitor = Monitor(optimizer="sgd", weight_decay=0.1)
    monitor.update(z, step=0, learning_rate=0.1, probe=z)
    assert monitor.alarms == ()
    monitor.update(z, step=1, learning_rate=0.1, probe=after)
    said = "norms are 3.0 times the norm that the measured drift and heat lead to (1): if those "
    assert monitor.alarms[0].startswith(f"{said}stay, directions turn 9.0 times more slowly")


@pytest.mark.parametrize(
    ("z", "optimizer", "start"),
    [
        (sphere(), None, "all norms are 1: these embeddings look normalised"),
        (
            2 * sphere() + np.eye(16)[0] * 20,
            None,
            "collapsed: the directions share a mean of length 0.99",
        ),
        (
            sphere() * np.repeat([1.0, 3.0], 20)[:, None],
            "sgd",
            "the largest tenth of the norms turns 9.0 times more slowly than the smallest; nt.grad",
        ),
        (
            sphere() * np.repeat([1.0, 5.0], 20)[:, None],
            "adamw",
            "the largest tenth of the norms turns 5.0 times more slowly than the smallest; a wei",
        ),
    ],
)
def test_what_one_batch_shows(z, optimizer, start):
    monitor = Monitor(optimizer=optimizer, encoder=False)
    monitor.update(z, step=0, learning_rate=0.1)
    assert len(monitor.alarms) == 1
    assert monitor.alarms[0].startswith(start)
    assert ";" in monitor.alarms[0]


def test_norms_that_grow_for_ever():
    for decay, count in ((0.0, 1), (0.1, 0)):
        monitor = Monitor(optimizer="sgd", weight_decay=decay)
        monitor.update(2 * sphere(), step=10, learning_rate=0.1)
        monitor.update(3.9 * sphere(), step=60, learning_rate=0.1)
        assert monitor.alarms == ()
        monitor.update(6 * sphere(), step=110, learning_rate=0.1)
        assert len(monitor.alarms) == count
    monitor = Monitor(optimizer="sgd")
    monitor.update(2 * sphere(), step=10, learning_rate=0.1)
    monitor.update(6 * sphere(), step=110, learning_rate=0.1)
    assert monitor.alarms[0].startswith(
        "norms have grown 3.0 times since step 10 and no decay shrinks them: directions turn about "
        "9.0 times more slowly; give the optimizer a weight decay"
    )


def test_a_rate_that_overshoots():
    options = {"batch_size": 10, "reduction": "mean", "encoder": False}
    monitor = Monitor(optimizer="sgd", **options)
    monitor.update(0.5 * sphere(), step=0, learning_rate=2.4)
    assert monitor.alarms == ()
    monitor.update(0.5 * sphere(), step=1, learning_rate=5.0)
    assert monitor.alarms[0].startswith("the effective rate reaches 2 at the 5th percentile")
    assert monitor.alarms[0].endswith("divide the learning rate by 20")
