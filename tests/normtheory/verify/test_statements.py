"""What a claim says in words and LaTeX is what is measured: numbers, borders, counterexamples."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from normtheory import claims
from normtheory.claims._claim import Condition
from normtheory.verify._judge import call
from normtheory.verify._sample import Sample
from normtheory.verify._verify import _measurer

MEASURE = _measurer(0, 4, (3,))
NUMBER = r"([−-]?\d+(?:\.\d+)?)"


def _condition(claim: str, region: str) -> Condition:
    return next(c for c in claims.get(claim).conditions if c.region == region)


def _measured(condition: Condition) -> Sample:
    return MEASURE(condition.measurement, condition.options)[0]


def _said(text: str, name: str) -> float:
    found = re.search(rf"{name} = {NUMBER}", text)
    assert found is not None, (name, text)
    return float(found[1].replace("−", "-"))


@pytest.mark.parametrize(
    ("claim", "region", "border"),
    [
        ("stability", "x_i+x_j<2", {"x_i": 1.2, "x_j": 0.8}),
        ("stability", "x_i+x_j<1", {"x_i": 0.7, "x_j": 0.3}),
        ("stability", "x_i<2", {"x_i": 2.0}),
        ("stability", "x_i<1", {"x_i": 1.0}),
        ("step_change", "xc < 1", {"x_i": 2.5, "c": 0.4}),
    ],
)
def test_the_region_that_is_said_ends_where_the_measured_one_does(
    claim: str, region: str, border: dict[str, float]
) -> None:
    at: dict[str, Any] = {key: np.array([[value]]) for key, value in border.items()}
    margin = _condition(claim, region).margin
    assert call(margin, at).item() == pytest.approx(0, abs=1e-12)
    inside = at | {"x_i": at["x_i"] - 0.1}
    assert call(margin, inside).item() > 0


@pytest.mark.parametrize(
    ("claim", "region", "names"),
    [
        ("stability", "x_i+x_j<2", {"x_i": "x_i", "x_j": "x_j"}),
        ("stability", "x_i+x_j<1", {"x_i": "x_i", "x_j": "x_j"}),
        ("stability", "x_i<2", {"x_i": "x_i"}),
        ("stability", "x_i<1", {"x_i": "x_i"}),
        ("step_change", "xc < 1", {"x": "x_i", "c": "c"}),
    ],
)
def test_the_counterexample_that_is_said_is_the_first_row(
    claim: str, region: str, names: dict[str, str]
) -> None:
    condition = _condition(claim, region)
    first = _measured(condition).inputs
    for said, name in names.items():
        assert _said(condition.counterexample, said) == pytest.approx(first[name][0, 0], abs=1e-6)


def test_the_obtuse_counterexample_is_the_first_row() -> None:
    condition = claims.get("step_change").conditions[0]
    first = _measured(condition).inputs
    assert _said(condition.counterexample, "x") == pytest.approx(first["x_i"][0, 0])
    assert _said(condition.counterexample, "c") == pytest.approx(first["c"][0, 0])


def test_adam_takes_off_what_is_said() -> None:
    condition = claims.get("norm_growth_momentum").conditions[0]
    found = re.search(rf"takes {NUMBER} % off", condition.counterexample)
    assert found is not None
    growth = _measured(condition).values["growth"][0, 0]
    assert -100 * growth == pytest.approx(float(found[1]), abs=0.05)


@pytest.mark.parametrize(
    ("claim", "said", "measurement", "scatter"),
    [
        ("weight_decay", r"\\approx(\\sqrt\{2?\\gamma\\lambda\})", "steady_decay", 0.02),
        (
            "optimizers",
            r"angular step\}\\ (\\sqrt\{\\frac\{2?\\gamma\\lambda\}\{1[+-]\\alpha\}\})",
            "heavy_ball_decay",
            0.03,
        ),
    ],
)
def test_the_angular_step_that_is_said_is_the_one_measured(
    claim: str, said: str, measurement: str, scatter: float
) -> None:
    found = re.search(said, claims.get(claim).statement)
    assert found is not None
    options = {"decay": (0.004, 0.008)} if measurement == "steady_decay" else {}
    sample = MEASURE(measurement, options)[0]
    momentum = sample.inputs.get("momentum", np.zeros_like(sample.values["turn"]))
    names = {
        "g": sample.inputs["learning_rate"],
        "l": sample.inputs["weight_decay"],
        "a": momentum,
        "sqrt": np.sqrt,
    }
    python = found[1].replace(r"\gamma\lambda", "*g*l").replace(r"\alpha", "a")
    python = re.sub(r"\\frac\{(.*?)\}\{(.*?)\}", r"(\1)/(\2)", python)
    python = python.replace("{*", "{1*").replace(r"\sqrt{", "sqrt(").replace("}", ")")
    value = eval(python, {"__builtins__": {}}, names)
    np.testing.assert_allclose(sample.values["turn"], value, rtol=scatter)


def test_every_counterexample_of_one_number_is_half_as_large_again() -> None:
    for region in ("x_i+x_j<2", "x_i<2"):
        condition = _condition("stability", region)
        assert "grows by half" in condition.counterexample
        sample = _measured(condition)
        angle, after = sample.inputs["angle"][0, 0], sample.values["next_angle"][0, 0]
        assert after / angle == pytest.approx(1.5, rel=1e-3)


def test_the_page_of_a_claim_says_region_and_counterexample() -> None:
    page = claims.get("step_change")._repr_markdown_()
    assert "Only where $xc < 1$ (a step brings the pair closer); outside: x = 2, c = 0.8" in page
    assert math.isclose(_said("x = −0.5", "x"), -0.5)


def test_a_check_with_biases_is_made_on_networks_that_have_them() -> None:
    for check in claims.get("cut_init").checks:
        label = MEASURE(check.measurement, check.options)[0].labels[0]
        assert ("with biases" in label) == ("biases" in check.name)
