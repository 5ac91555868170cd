"""What a person types and reads: words for forces and rules, what a run says of itself."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from normtheory.particles import System, forces, init, observables, optimizers, run, step

Z, Y = np.random.default_rng(0).standard_normal((2, 6, 4)) * np.linspace(1, 3, 6)[:, None]
SEEN = ("loss", "positions")


def recorded(system: System, *names: str, steps: int = 2) -> dict[str, np.ndarray]:
    return dict(run(system, init(system, Z, Y), steps, record=names, record_every=1).records)


def test_words_stand_for_the_objects() -> None:
    said = System("info_nce", 0.1, optimizer="lion")
    meant = System(forces.loss("info_nce"), 0.1, optimizer=optimizers.lion())
    assert jax.tree.structure(said) == jax.tree.structure(meant)
    assert jax.tree.leaves(said) == jax.tree.leaves(meant)
    assert System("attraction", 0.1, optimizer="sgd").optimizer is None


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"force": "attract"}, r"expected one of .*attraction.*; got 'attract'"),
        ({"force": "supcon"}, "expected the option labels"),
        ({"optimizer": "adan"}, "optimizer: expected one of sgd, momentum, adam, .*; got 'adan'"),
    ],
)
def test_a_wrong_word_is_told(about: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        System(**{"force": "attraction", "learning_rate": 0.1, **about})


@pytest.mark.parametrize(
    ("optimizer", "reduction"),
    [
        ("adam", "sum"),
        ("lion", "mean"),
        pytest.param("adam", "mean", marks=pytest.mark.slow),
        pytest.param("lion", "sum", marks=pytest.mark.slow),
    ],
)
def test_the_speed_under_adam_is_rate_over_norm(optimizer: str, reduction: str) -> None:
    # Steps keep their size whatever the gradients are, so batch and reduction cancel.
    system = System("attraction", 0.3, optimizer=optimizer, reduction=reduction, gradscale=1.0)
    found = recorded(system, "effective_learning_rate", steps=1)["effective_learning_rate"][0]
    for cloud, rows in zip(found, (Z, Y), strict=True):
        norms = np.linalg.norm(rows, axis=1)
        np.testing.assert_allclose(cloud, np.quantile(0.3 / norms, observables.QUANTILES))


def test_the_speed_under_momentum_is_that_of_a_pair() -> None:
    system = System("attraction", 0.3, optimizer="momentum")
    found = recorded(system, "effective_learning_rate", steps=1)["effective_learning_rate"][0, 0]
    rates = 0.3 / len(Z) / np.linalg.norm(Z, axis=1) ** 2
    np.testing.assert_allclose(found, np.quantile(rates, observables.QUANTILES))


def test_no_speed_is_made_up_for_other_rules() -> None:
    system = System("attraction", 0.3, optimizer="muon")
    with pytest.raises(ValueError, match="record angular_step instead"):
        recorded(system, "effective_learning_rate", steps=1)


def test_positions_are_those_before_each_update() -> None:
    system = System("attraction", 0.5)
    found = recorded(system, *SEEN)["positions"]
    assert found.shape == (3, 2, 6, 4)
    np.testing.assert_array_equal(found[0], [Z, Y])
    after = step(system, init(system, Z, Y)).positions
    np.testing.assert_array_equal(found[1], after)


def test_positions_of_clouds_of_different_shapes_are_refused() -> None:
    system = System(forces.loss("uniformity", clouds=0), 0.5)
    with pytest.raises(ValueError, match=r"one shape, got shapes \[\(6, 4\), \(5, 4\)\]"):
        run(system, init(system, Z, Y[:5]), 1, record="positions")


def test_a_run_and_a_state_say_what_they_are_in_a_line() -> None:
    system = System("attraction", 0.5)
    done = run(system, init(system, Z, Y), 3, record=SEEN)
    state = "State(step 3, clouds (6, 4), (6, 4), float64)"
    assert repr(done.state) == state
    assert repr(done) == f"Run(3 steps, not converged, 2 records of loss, positions; {state})"
