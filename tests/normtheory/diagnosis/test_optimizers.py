"""What a diagnosis says under the optimizers that people use, against runs and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import normtheory as nt
from normtheory import sphere
from tests.normtheory.diagnosis.data import embeddings

MEAN: dict[str, Any] = {"learning_rate": 2.0, "batch_size": 100, "reduction": "mean"}  # γ = 0.02

ALONE_AND_MEAN: list[dict[str, Any]] = [{"learning_rate": 2.0}, {**MEAN, "temperature": 0.1}]


def _of_norms(*norms: float) -> np.ndarray:
    """A tenth of the embeddings or more of each norm, in R^64."""
    sizes = np.repeat(norms, 20)[:, None]
    return sphere.uniform(np.random.default_rng(0), len(sizes), 64) * sizes


def _turned_by_adam(norm: float) -> float:
    """Root mean square turn of a step of Adam against fresh partners, moments warmed up."""
    rng, d = np.random.default_rng(1), 64
    z = sphere.uniform(rng, 50, d) * norm
    first, second, turns = np.zeros_like(z), np.zeros_like(z), []
    for k in range(1, 301):
        y, r = sphere.uniform(rng, 50, d), np.linalg.norm(z, axis=1, keepdims=True)
        g = -(y - (y * z).sum(1, keepdims=True) * z / r**2) / r
        first, second = 0.9 * first + 0.1 * g, 0.99 * second + 0.01 * g * g
        step = 1e-4 * first / (1 - 0.9**k) / np.sqrt(second / (1 - 0.99**k))
        turns.append((step**2).sum(1) / r[:, 0] ** 2)
        z = z - step
    return math.sqrt(float(np.mean(turns[200:])))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "lion"])
def test_large_norms_turn_slower_by_their_ratio_where_steps_have_one_size(optimizer):
    z = _of_norms(1.0, 2.0, 5.0)
    found = nt.diagnose(z, optimizer=optimizer, learning_rate=1e-3).turning
    assert found.slowdown == pytest.approx(5)
    assert found.decile_speeds[0] == pytest.approx(2)
    assert found.paces == pytest.approx({"5": 1e-3, "50": 5e-4, "95": 2e-4})
    assert (found.effective_rates, found.pair_rate) == (None, None)
    assert nt.diagnose(z, learning_rate=1e-3).turning.slowdown == pytest.approx(25)


def test_adam_turns_slower_by_the_ratio_of_norms():
    assert _turned_by_adam(1.0) / _turned_by_adam(5.0) == pytest.approx(5, rel=0.01)


def test_the_batch_does_not_matter_to_adam_and_the_gradient_not_to_its_equilibrium():
    z = embeddings(100)
    alone, mean = (
        nt.diagnose(z, optimizer="adamw", weight_decay=0.1, **rest).turning
        for rest in ALONE_AND_MEAN
    )
    assert alone == mean
    lost = 0.2  # ηλ, and ρ*² = η²d/(1-α²) but for momentum
    push = 0.1 * (1 + (1 - lost) * 0.9) / (1.9 * (1 - (1 - lost) * 0.9))
    expected = math.sqrt(4 * z.shape[1] * push / (1 - (1 - lost) ** 2))
    assert alone.equilibrium_norm == pytest.approx(expected, rel=1e-3)  # β₂ is not 1
    assert alone.relaxation_steps == pytest.approx(-1 / (2 * math.log(0.8)))
    assert alone.equilibrium_ratio is not None
    assert "not far below 1-β₂" in alone.equilibrium_note


def test_what_depends_on_the_gradient_needs_the_batch():
    z = embeddings(100)
    for options in ({"optimizer": "adam"}, {"optimizer": "adamw", "epsilon": 1e-8}):
        settings: dict[str, Any] = {**options, "weight_decay": 1e-4}
        alone = nt.diagnose(z, **settings, learning_rate=1e-3).turning
        assert (alone.equilibrium_norm, alone.equilibrium_note) == (None, "")
    mean = nt.diagnose(
        z, optimizer="adam", weight_decay=1e-4, learning_rate=1e-3, batch_size=100, reduction="mean"
    ).turning
    d = z.shape[1]
    size = math.sqrt((d - 1) / d) / 100
    assert mean.equilibrium_norm == pytest.approx((1e-3 * size * d**0.5 / 2e-4) ** (1 / 3))


def test_momentum_takes_fewer_steps_until_it_sets_the_pace():
    z, second = embeddings(100), embeddings(100, seed=1)
    views: dict[str, Any] = {"second_view": second}
    slow: dict[str, Any] = {"learning_rate": 0.01, "batch_size": 100, "reduction": "mean"}
    plain = nt.diagnose(z, **views, **slow).turning
    moved = nt.diagnose(z, **views, **slow, optimizer="momentum", momentum=0.5).turning
    for name in ("steps_from_right_angle", "steps_of_views"):
        steps = getattr(plain, name)
        assert getattr(moved, name) == pytest.approx({k: v / 2 for k, v in steps.items()})
    assert moved.effective_rates == plain.effective_rates
    fast: dict[str, Any] = slow | {"learning_rate": 200.0}
    report = nt.diagnose(z, **views, **fast, optimizer="momentum")
    assert report.turning.steps_from_right_angle is None
    assert report.turning.steps_of_views is None
    assert "momentum alone sets the pace" in str(report)


def test_a_temperature_is_in_the_rate_of_a_pair_and_not_in_its_decay():
    z = embeddings(100)
    warm = nt.diagnose(z, **MEAN, weight_decay=1e-3, temperature=0.5).turning
    twice = nt.diagnose(
        z, learning_rate=4.0, weight_decay=5e-4, batch_size=100, reduction="mean"
    ).turning
    assert warm.pair_rate == pytest.approx(0.04)
    assert warm.equilibrium_norm == pytest.approx(twice.equilibrium_norm)
    assert warm.steps_from_right_angle == pytest.approx(twice.steps_from_right_angle)


@pytest.mark.parametrize(
    ("rate", "momentum", "words"),
    # Norm 1: the effective rate is that of the optimizer.
    [
        (2e-5, 0.9, None),
        (2e-5, None, "norms are large"),
        (0.9e-5, 0.9, "below 1e-05"),
        (1.8, 0.9, None),
        (2.0, 0.9, "from 1 + α = 1.9 on a pair does not close"),
    ],
)
def test_alarms_know_momentum(rate, momentum, words):
    optimizer = "sgd" if momentum is None else "momentum"
    found = nt.diagnose(
        _of_norms(1.0, 1.02),
        learning_rate=rate,
        batch_size=1,
        reduction="sum",
        optimizer=optimizer,
        momentum=momentum,
    )
    said = [text for text in found.warnings if "for th" in text]
    assert (said == []) if words is None else words in said[0]


def test_no_cut_and_no_gradscale_where_neither_has_theory():
    report = nt.diagnose(_of_norms(1.0, 5.0), optimizer="adamw", learning_rate=1e-3)
    assert (report.advice.cut_factor, report.advice.gradscale) == (None, 0.0)
    text = " ".join(report.text(formulas=True).split())
    assert "No cut factor and no GradScale" in text
    assert "adamw divides by the size of the gradient" in text
    assert "The equilibrium" not in text
    without = " ".join(str(nt.diagnose(_of_norms(1.0, 5.0), optimizer="lion")).split())
    assert "Paces: give learning_rate" in without


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"optimizer": "sdg"}, "optimizer: expected one of"),
        ({"momentum": 0.9}, "momentum: sgd has none"),
        ({"optimizer": "adam", "beta_2": 1.0}, "beta_2: expected a number >= 0 and < 1"),
        ({"optimizer": "adamw", "gradscale": 1.0}, "gradscale: expected 0 with adamw"),
        ({"temperature": 0.0}, "temperature: expected"),
    ],
)
def test_what_is_refused(options, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        nt.diagnose(embeddings(30), **options)
