"""The answer as an object, a table and JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import normtheory as nt

RUNS: list[dict[str, Any]] = [
    {"optimizer": name, "weight_decay": 0.01, "dimension": 8, "lag": 100}
    | {"batch_size": 5, "reduction": "mean", "scale": 2.0, "loss": "clip", "scale_rate": 0.1}
    for name in ("sgd", "momentum", "adam", "adamw", "lion")
]
RUNS += [
    {"lag": 10},
    {"optimizer": "adamw", "lag": 10, "dimension": 8},
    {"batch_size": 5, "reduction": "mean", "scale": 2.0, "loss": "siglip", "margin": 0.5}
    | {"wrong": 0.1},
]


@pytest.mark.parametrize("settings", RUNS)
def test_every_number_has_its_formula_a_claim_that_exists_and_where_it_holds(settings):
    for row in nt.predict(1.0, 0.01, **settings):
        assert row.validity
        assert (row.formula != "") is (row.value is not None)
        assert row.claim in nt.claims.list() or (row.value is None and row.claim == "")


def test_the_rows_are_found_by_name():
    found = nt.predict(2.0, 0.01)
    assert isinstance(found, nt.Prediction)
    assert found["effective_learning_rate"].value == 0.0025
    assert "stability" in found
    assert "equilibrium_norm" not in found
    assert [row.name for row in found] == [row.name for row in found.rows]
    assert len(found) == len(found.rows)
    assert (found.norms, found.optimizer) == ((2.0,), "sgd")
    with pytest.raises(KeyError, match="norms: expected one of pair_rate, effective_learning"):
        found["norms"]


@pytest.mark.parametrize("settings", [{}, {"norm_j": 3.0}, *RUNS])
def test_several_norms_are_answered_as_each_alone(settings):
    norms = [0.5, 2.0, 8.0]
    together = nt.predict(norms, 0.01, **settings)
    alone = [nt.predict(norm, 0.01, **settings) for norm in norms]
    assert together.norms == tuple(norms)
    for row in together:
        value = row.value if isinstance(row.value, tuple) else (row.value,) * 3
        word = row.word if isinstance(row.word, tuple) else (row.word,) * 3
        expected = tuple(one[row.name].value for one in alone)
        as_numbers = (np.array(x, dtype=float) for x in (value, expected))  # None as NaN
        np.testing.assert_allclose(*as_numbers, rtol=1e-12, err_msg=row.name)
        assert word == tuple(one[row.name].word for one in alone)
        if None not in expected:
            assert (row.warning != "") is any(one[row.name].warning for one in alone)


def test_the_table_has_a_column_for_each_norm_and_says_where_numbers_hold():
    lines = nt.predict([1.0, 2.0], 0.2).table().splitlines()
    assert lines[0].split() == ["norm", "1", "2"]
    assert lines[1].split()[:3] == ["pair_rate", "0.2", "0.2"]
    (at,) = (k for k, line in enumerate(lines) if line.startswith("steps_to_converge"))
    assert "[norm_effect]" in lines[at]
    assert lines[at + 1] == "    leading order in x: a few percent up to x = 0.1"
    assert lines[at + 2] == "    WARNING: a rough guide: x > 0.1"
    stable = next(line for line in lines if line.startswith("stability"))
    assert stable.split()[1:5] == ["0.4", "stable", "0.1", "stable"]
    one = nt.predict(1.0, 0.2)
    assert str(one) == one.table()
    assert "norm" not in one.table().splitlines()[0].split()
    assert one.warnings == ("steps_to_converge: a rough guide: x > 0.1",)
    assert "none" in nt.predict(1.0, 0.2, optimizer="adam").table()


def test_json_has_no_infinity():
    found = nt.predict([1.0, 2.0], 0.01, angle=math.pi)
    assert "inf" in found.table()
    data = json.loads(found.to_json(), parse_constant=pytest.fail)
    assert data["steps_to_converge"]["value"] == [None, None]
    assert data["steps_to_converge"]["claim"] == "norm_effect"
    assert data["stability"]["word"] == ["stable", "stable"]
    assert data["stability"]["validity"].startswith("exact")
    assert data["pair_rate"]["value"] == 0.01
    assert data == found.to_dict()
    assert nt.predict(1.0, 0.01)["stability"].to_dict()["word"] == "stable"
    assert found.to_json().isascii()
