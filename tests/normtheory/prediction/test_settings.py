"""What is refused, in one line that says what would be right."""

from __future__ import annotations

import math
from typing import Any

import pytest

import normtheory as nt

MEAN = {"batch_size": 8, "reduction": "mean"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"reduction": "mean"}, "reduction 'mean' needs the batch size"),
        ({"batch_size": 500}, "batch_size: expected a reduction with it"),
        ({"batch_size": 500, "optimizer": "adamw"}, "batch_size: expected a reduction with it"),
        ({"batch_size": 8, "reduction": "men"}, "reduction: expected 'mean' or 'sum', got 'men'"),
        ({"batch_size": 0, "reduction": "sum"}, "batch_size: expected an integer >= 1"),
        ({"norm": -1.0}, "norm: expected a finite number and > 0"),
        ({"norm": [1.0, 0.0]}, "norm: .* at index 1"),
        ({"norm": []}, "norm: expected a number or a row of them"),
        ({"norm": [[1.0]]}, r"norm: expected a number or a row of them, got shape \(1, 1\)"),
        ({"norm": [1.0, 2.0], "norm_j": [1.0, 2.0, 3.0]}, "norm_j: expected one number, or one"),
        ({"norm": 1.0, "norm_j": [1.0, 2.0]}, "norm_j: expected one number, or one"),
        ({"learning_rate": 0.0}, "learning_rate: expected a finite number and > 0"),
        ({"temperature": 0.0}, "temperature: expected"),
        ({"slope": -1.0}, "slope: expected"),
        ({"temperature": 0.1, "scale": 10.0}, "temperature and scale: expected one of them"),
        ({"weight_decay": 1000.0}, "learning_rate \\* weight_decay: expected < 1"),
        ({"dimension": 1}, "dimension: expected an integer >= 2"),
        ({"lag": 0}, "lag: expected an integer >= 1"),
        ({"angle": 4.0}, "angle"),
        ({"tolerance": 2.0}, "tolerance"),
        ({"optimizer": "rmsprop"}, "optimizer: expected one of sgd, momentum, adam, adamw, lion"),
        ({"momentum": 0.9}, "momentum: sgd has none; expected the optimizer momentum"),
        ({"optimizer": "lion", "epsilon": 0.0}, "epsilon: lion has none; .* adam, adamw"),
        ({"optimizer": "adam", "beta_1": 1.0}, "beta_1: expected a number >= 0 and < 1, got 1"),
        ({"optimizer": "adam", "epsilon": -1.0}, "epsilon: expected a number >= 0, got -1"),
        ({"optimizer": "adam", "coupled": False}, "coupled: expected True, .* 'adamw'"),
        ({"optimizer": "adamw", "coupled": True}, "coupled: expected False, .* 'adam'"),
        ({"loss": "triplet"}, "loss: expected one of info_nce, clip, nt_xent, siglip"),
        ({"negatives": 0}, "negatives: expected an integer >= 1"),
        ({"alignment": 1.5}, "alignment"),
        ({"margin": 0.5}, "margin and wrong: expected both or neither"),
        ({"margin": 0.5, "wrong": 0.9, **MEAN}, "wrong: expected a rate below"),
        ({"scale_rate": 0.0}, "scale_rate"),
    ],
)
def test_what_is_refused(changes, text):
    arguments: dict[str, Any] = {"norm": 1.0, "learning_rate": 0.01, **changes}
    with pytest.raises(ValueError, match=f"^{text}") as found:
        nt.predict(**arguments)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw", "lion"])
@pytest.mark.parametrize("norm", [1e-300, 1e-200, 1e200, 1e300])
def test_norms_at_the_ends_of_the_range_are_answered_or_refused(optimizer, norm):
    settings: dict[str, Any] = {"optimizer": optimizer, "weight_decay": 0.1, "dimension": 64}
    try:
        found = nt.predict(norm, 1e-3, lag=10, **settings)
    except ValueError as error:
        assert "leaves the range of float64" in str(error)  # noqa: PT017
    else:
        assert all(row.value is None or math.isfinite(row.value) for row in found)


def test_a_sum_needs_no_batch_size():
    plain = nt.predict(1.0, 0.01).rows
    assert nt.predict(1.0, 0.01, reduction="sum").rows == plain
    assert nt.predict(1.0, 0.01, batch_size=9, reduction="sum").rows == plain


@pytest.mark.parametrize(
    ("optimizer", "usual"),
    [
        ("momentum", {"momentum": 0.9, "coupled": True}),
        ("adam", {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 0.0, "coupled": True}),
        ("adamw", {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 0.0, "coupled": False}),
        ("lion", {"beta_1": 0.9, "beta_2": 0.99, "coupled": False}),
        ("sgd", {"coupled": False}),
    ],
)
def test_numbers_that_are_not_given_are_the_usual_ones(optimizer, usual):
    settings: dict[str, Any] = {"optimizer": optimizer, "weight_decay": 0.1, "dimension": 64}
    left_out, given = (nt.predict(1.0, 1e-3, **settings, **n) for n in ({}, usual))
    assert left_out.rows == given.rows


@pytest.mark.parametrize(
    ("optimizer", "changed"),
    [
        ("momentum", {"momentum": 0.5}),
        ("momentum", {"coupled": False}),
        ("adamw", {"beta_1": 0.5}),
        ("adamw", {"epsilon": 1e-3}),
        ("adam", {"beta_1": 0.5}),
        ("lion", {"beta_1": 0.5}),
        ("lion", {"beta_2": 0.5}),
    ],
)
def test_each_number_counts(optimizer, changed):
    settings: dict[str, Any] = {"optimizer": optimizer, "weight_decay": 0.1, "dimension": 64}
    before, after = (nt.predict(1.0, 1e-3, **settings, **n) for n in ({}, changed))
    rows = ("equilibrium_norm", "equilibrium_angular_step")
    assert any(before[name].value != after[name].value for name in rows)
