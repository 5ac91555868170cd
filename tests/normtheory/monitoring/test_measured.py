"""What is measured, against plain definitions and steps that are known."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory import Monitor

RNG = np.random.default_rng(0)


def cloud(n: int = 40, d: int = 6) -> np.ndarray:
    return RNG.standard_normal((n, d)) * np.exp(RNG.normal(0, 0.5, (n, 1)))


def unit(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def test_a_batch_by_plain_definitions():
    z, y = cloud(), cloud()
    labels = np.arange(40) % 3
    found = Monitor().update(z, step=3, loss=1.5, scale=10, labels=labels, second_view=y)
    norms = np.sqrt((z**2).sum(1))
    for percentile in (5, 25, 50, 75, 95):
        assert found[f"norm_{percentile:02d}"] == pytest.approx(np.percentile(norms, percentile))
    assert found["norm_mean"] == pytest.approx(norms.mean())
    assert found["class_norm_2"] == pytest.approx(np.median(norms[2::3]))
    assert found["alignment"] == pytest.approx(((unit(z) - unit(y)) ** 2).sum(1).mean())
    apart = unit(z).mean(0) - unit(y).mean(0)
    assert found["gap"] == pytest.approx(np.sqrt((apart**2).sum()))
    squares = [((u - v) ** 2).sum() for u, v in itertools.combinations(unit(z), 2)]
    assert found["uniformity"] == pytest.approx(np.log(np.mean(np.exp(-2 * np.array(squares)))))
    assert found["resultant"] == pytest.approx(np.linalg.norm(unit(z).mean(0)))
    ordered = np.sort(norms)
    assert found["decile_ratio"] == pytest.approx(np.median(ordered[-4:]) / np.median(ordered[:4]))
    assert (found["loss"], found["scale"], found["bad_rows"]) == (1.5, 10.0, 0.0)


def drifted(z: np.ndarray, rate: float, decay: float, drift: float, heat: float) -> np.ndarray:
    """The step of theory.md 25: (1-γλ)z + γ(Dẑ + ξ)/ρ, with ξ ⊥ z of length s."""
    norms = np.linalg.norm(z, axis=1, keepdims=True)
    across = unit(nt.tangent_projection(z, RNG.standard_normal(z.shape)))
    return (1 - rate * decay) * z + rate * (drift * unit(z) + heat * across) / norms


@pytest.mark.parametrize("drift", [-0.4, 0.3])
def test_drift_and_heat_of_a_known_step_and_the_norm_they_lead_to(drift):
    z, monitor = cloud(), Monitor(optimizer="sgd", weight_decay=0.1)
    monitor.update(z, step=7, learning_rate=0.2, probe=z)
    after = drifted(z, 0.2, 0.1, drift, 0.8)
    # The step was made at the rate of step 7, and not at that of step 8.
    found = monitor.update(after, step=8, learning_rate=0.05, probe=after)
    assert found["drift"] == pytest.approx(drift, rel=1e-10)
    assert found["heat"] == pytest.approx(0.8, rel=1e-10)
    wanted = float(nt.drift.radial_drift_norm(0.2, 0.1, drift, 0.8))
    assert found["implied_norm"] == pytest.approx(wanted, rel=1e-10)
    assert found["radial_share"] == pytest.approx(nt.drift.radial_share(z, after - z).mean())
    assert found["turn"] == pytest.approx(np.sqrt((nt.angle(z, after) ** 2).mean()))
    smaller = np.linalg.norm(after, axis=1) < np.linalg.norm(z, axis=1)
    assert found["shrinking"] == smaller.mean()


def test_steps_of_one_size_lead_to_another_norm():
    # ρ' = ρ where 2αηrρ + η²(r² + t²) = (1-α²)ρ², for D/ρ = r and s/ρ = t.
    rate, decay, radial, across = 0.01, 0.5, 0.2, 0.9
    keep = 1 - rate * decay
    root = np.sqrt(radial**2 + (1 - keep**2) * across**2)
    there = rate * (keep * radial + root) / (1 - keep**2)
    z = 3.0 * unit(cloud())
    after = keep * z + rate * radial * unit(z)
    after = after + rate * across * unit(nt.tangent_projection(z, RNG.standard_normal(z.shape)))
    for name in ("adamw", "lion"):
        monitor = Monitor(optimizer=name, weight_decay=decay)
        monitor.update(z, step=0, learning_rate=rate, probe=z)
        found = monitor.update(z, step=1, learning_rate=rate, probe=after)
        assert found["implied_norm"] == pytest.approx(there, rel=1e-10)


def test_a_coupled_decay_adds_up_under_momentum_and_has_no_rule_under_adam():
    z = cloud()
    after = drifted(z, 0.1, 0.2, -0.1, 0.5)
    found = {}
    for name in ("momentum", "adam"):
        monitor = Monitor(optimizer=name, weight_decay=0.02)
        monitor.update(z, step=0, learning_rate=0.1, probe=z)
        found[name] = monitor.update(z, step=1, learning_rate=0.1, probe=after)
    assert found["momentum"]["drift"] == pytest.approx(-0.1)
    assert "implied_norm" not in found["adam"]


def test_the_lag_is_that_of_the_look_so_many_steps_ago():
    clouds = [cloud() for _ in range(5)]
    monitor = Monitor(every=10)
    found = [
        monitor.update(z, step=step, probe=z)
        for step, z in zip((0, 1, 10, 11, 25), clouds, strict=True)
    ]
    assert ["turn" in x for x in found] == [False, True, False, True, False]
    assert [x.get("lag") for x in found] == [None, None, 10.0, None, 15.0]
    for place, before in ((2, 0), (4, 2)):
        angles = nt.angle(clouds[before], clouds[place])
        assert found[place]["turn_lag"] == pytest.approx(np.sqrt((angles**2).mean()))


def test_when_a_look_is_due():
    z, alone, probed = cloud(), Monitor(every=3), Monitor(every=3)
    asked: dict[str, list[int]] = {"alone": [], "probed": []}
    for step in range(8):
        if alone.due(step):
            asked["alone"].append(step)
            alone.update(z, step=step)
        if probed.due(step):
            asked["probed"].append(step)
            probed.update(z, step=step, probe=z)
    assert asked == {"alone": [0, 3, 6], "probed": [0, 1, 3, 4, 6, 7]}


def test_the_largest_norms_turn_as_much_slower_as_is_measured():
    d = 8
    directions = unit(RNG.standard_normal((40, d)))
    norms = np.repeat([1.0, 2.0], 20)[:, None]
    z, across = norms * directions, nt.tangent_projection(directions, np.eye(40, d) + 0.5)
    after = z + 1e-4 * unit(across) / norms
    monitor = Monitor(optimizer="sgd")
    monitor.update(z, step=0, learning_rate=0.1, probe=z)
    found = monitor.update(z, step=1, learning_rate=0.1, probe=after)
    assert found["slowdown"] == pytest.approx(4.0, rel=1e-6)
    assert found["predicted_slowdown"] == pytest.approx(4.0)


def test_half_precision_and_jax_are_read():
    z = cloud().astype(np.float16)
    wanted = Monitor().update(z.astype(np.float64), step=0)
    for given in (z, jnp.asarray(z), jnp.asarray(z, dtype=jnp.float32)):
        assert Monitor().update(given, step=0) == pytest.approx(wanted, rel=1e-12)
    rounded = jnp.asarray(z, dtype=jnp.bfloat16)
    found = Monitor().update(rounded, step=0)
    assert found == Monitor().update(np.asarray(rounded, dtype=np.float64), step=0)
