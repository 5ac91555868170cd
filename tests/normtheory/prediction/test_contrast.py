"""Rows of contrastive losses against configurations, minimisations and steps written out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import normtheory as nt

BATCH: dict[str, Any] = {"batch_size": 5, "reduction": "mean"}


def _simplex(n: int) -> np.ndarray:
    return np.eye(n) - 1 / n


@pytest.mark.parametrize("loss", ["info_nce", "clip", "nt_xent"])
def test_the_floor_is_the_loss_of_the_simplex(loss):
    found = nt.predict(1.0, 0.1, temperature=0.3, loss=loss, **BATCH)["loss_floor"]
    z = _simplex(5)
    value = float(getattr(nt.losses, loss)(z, z.copy(), temperature=0.3))
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.unit == "nats"


def test_at_less_than_full_alignment_the_floor_is_higher():
    found = nt.predict(1.0, 0.1, scale=2.0, loss="clip", alignment=0.5, **BATCH)["loss_floor"]
    # Two simplices with a gap between them: q² = (1-s)/2.
    q = math.sqrt(0.25)
    unit = _simplex(5) / math.sqrt(0.8) * math.sqrt(1 - q * q)
    u, v = (np.column_stack([unit, np.full(5, side)]) for side in (q, -q))
    assert float(np.sum(u * v, axis=1).mean()) == pytest.approx(0.5)
    assert found.value == pytest.approx(float(nt.losses.clip(u, v, temperature=0.5)))
    assert "attained for n ≤ d if" in found.validity


@pytest.mark.parametrize("loss", ["clip", "nt_xent"])
def test_batches_drawn_from_more_pairs_stay_above_the_floor_by_the_exponent_of_all(loss):
    found = nt.predict(1.0, 0.1, scale=2.0, loss=loss, **BATCH)["loss_floor"]
    many, negatives = 9, 8 if loss == "nt_xent" else 4
    z = _simplex(many)[:5]  # all batches of a simplex are alike
    value = float(getattr(nt.losses, loss)(z, z.copy(), temperature=0.5))
    assert value == pytest.approx(math.log1p(negatives * math.exp(-2 * many / (many - 1))))
    assert found.value < value
    assert "N in place of n in the exponent" in found.validity


@pytest.mark.parametrize(
    ("loss", "negatives", "known"),
    [("clip", 4, True), ("clip", 8, False), ("nt_xent", 8, True), ("nt_xent", 4, False)],
)
def test_negatives_from_elsewhere_have_no_floor(loss, negatives, known):
    row = nt.predict(1.0, 0.1, scale=2.0, loss=loss, negatives=negatives, **BATCH)["loss_floor"]
    assert (row.value is not None) is known
    assert ("not the other pairs of the batch" in row.validity) is not known


def test_a_simplex_needs_room():
    for d, alignment, room in ((4, 1.0, True), (3, 1.0, False), (5, 0.5, True), (4, 0.5, False)):
        run = nt.predict(
            1.0, 0.1, scale=2.0, loss="clip", alignment=alignment, dimension=d, **BATCH
        )
        assert (run["loss_floor"].warning == "") is room


@pytest.mark.parametrize("negatives", [None, 30])
def test_the_best_temperature_has_the_least_expected_loss(negatives):
    n = 5 if negatives is None else negatives + 1
    margin, wrong = 0.4, 0.02
    numbers: dict[str, Any] = {"margin": margin, "wrong": wrong, "negatives": negatives}
    found = nt.predict(1.0, 0.1, **numbers, **BATCH)

    def expected(log_scale: float) -> float:
        b = math.exp(log_scale)
        total = math.log(1 + (n - 1) * math.exp(-b * margin))
        return (1 - wrong) * total + wrong * (total + b * margin)

    least: Any = minimize_scalar(expected, bounds=(0, 6), options={"xatol": 1e-10})
    assert found["best_temperature"].value == pytest.approx(math.exp(-least.x), rel=1e-5)
    assert found["noisy_loss_floor"].value == pytest.approx(least.fun, rel=1e-9)


def test_siglips_bias_makes_the_probabilities_add_up():
    found = nt.predict(1.0, 0.1, temperature=0.1, loss="siglip", cosine=0.2, **BATCH)
    bias = found["siglip_bias"].value
    assert 25 / (1 + math.exp(-(10 * 0.2 + bias))) == pytest.approx(5)
    assert "loss_floor" not in found


def test_the_gap_closes_with_that_power_of_the_scale():
    step = nt.symmetric.gap_step(nt.symmetric.GapState(0.0, 0.3, 2.0, 1.0), 0.01, 0.001, 5)
    gap = float(step.gap * step.norm) / (0.3 * 2.0)
    found = nt.predict([2.0, 4.0], 0.01, scale_rate=0.001, **BATCH)["gap_exponent"]
    assert found.value == pytest.approx(
        (math.log(1 / gap) / float(step.log_scale - 1), 0.01 / (16 * 5 * 0.001)), rel=1e-3
    )


@pytest.mark.parametrize(
    ("changes", "name", "why"),
    [
        ({"loss": "clip", "scale": 2.0, "batch_size": None, "reduction": None}, "loss_floor",
         "needs the batch size"),
        ({"loss": "clip"}, "loss_floor", "needs the temperature"),
        ({"loss": "clip", "scale": 2.0, "batch_size": 1}, "loss_floor", "at least 2 pairs"),
        ({"loss": "nt_xent", "scale": 2.0, "alignment": 0.9}, "loss_floor", "alignment 1 only"),
        ({"loss": "siglip"}, "siglip_bias", "needs the temperature"),
        ({"margin": 0.5, "wrong": 0.1, "batch_size": None, "reduction": None},
         "best_temperature", "needs the number of negatives"),
        ({"scale_rate": 0.1, "reduction": "sum"}, "gap_exponent", "of a mean"),
        ({"scale_rate": 0.1, "optimizer": "adamw"}, "gap_exponent", "with adamw on the scale"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(changes, name, why):
    row = nt.predict(1.0, 0.1, **(BATCH | changes))[name]
    assert row.value is None
    assert why in row.validity
