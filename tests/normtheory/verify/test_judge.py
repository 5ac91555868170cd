"""The verdict itself, on samples written by hand: what counts, and what one flaw does."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from normtheory import claims
from normtheory.claims._claim import Check, Condition
from normtheory.verify import Report, Sample, verify
from normtheory.verify import _verify as verifier
from normtheory.verify._judge import CheckResult, ConditionResult, judge, judge_condition
from normtheory.verify._report import ClaimResult
from normtheory.verify._sample import Measurement


def sample(x: Any, measured: Any, name: str = "cloud") -> Sample:
    """A sample of scalars, whose rows are called by their number."""
    columns = (np.asarray(v, float).reshape(-1, 1) for v in (x, measured))
    inputs, values = ({key: v} for key, v in zip(("x", "y"), columns, strict=True))
    return Sample(inputs, values, tuple(f"{name} {i}" for i in range(len(values["y"]))))


DOUBLE = Check(
    name="double",
    measurement="none",
    quantity="y",
    formula=lambda x: 2 * x,
    planted=lambda x: 2.5 * x,
    mistake="a half too much",
    unit="relative",
    tolerance=0.1,
)


def test_the_worst_row_of_all_samples_counts_and_is_named():
    first = sample([1, 2, 3], [2, 4.2, 6], "a")  # off by 4.8 % in row 1
    second = sample([1, 2], [2.02, 4], "b")
    for samples in ([first, second], [second, first]):
        found = judge(DOUBLE, samples)
        assert found.deviation == pytest.approx(0.2 / 4.2)
        assert found.cloud == "a 1"
        assert found.passed


def test_a_planted_formula_is_rejected_by_its_worst_row_and_not_by_a_nan():
    exact = [sample([1, 2], [2, 4])]
    found = judge(DOUBLE, exact)
    assert found.planted_deviation == pytest.approx(0.25)
    assert found.planted_rejected
    hair = dataclasses.replace(DOUBLE, planted=lambda x: 2 * x + 0.3 * (x > 1.5))
    assert judge(hair, [*exact, sample([1], [2])]).planted_deviation == pytest.approx(0.3 / 4)
    assert not judge(hair, exact).passed
    nothing = dataclasses.replace(DOUBLE, planted=lambda x: x * np.nan)
    assert not judge(nothing, exact).planted_rejected  # it has been compared with nothing
    assert not judge(nothing, exact).passed


def test_one_row_that_is_not_a_number_fails_the_check():
    broken = dataclasses.replace(DOUBLE, formula=lambda x: np.where(x > 1.5, np.nan, 2 * x))
    found = judge(broken, [sample([1, 2], [2, 4])])
    assert found.deviation == np.inf
    assert found.cloud == "cloud 1"
    assert not found.passed


def test_a_formula_cannot_see_what_it_is_compared_with():
    for copied in ({"formula": lambda y: y}, {"planted": lambda y: y}):
        with pytest.raises(KeyError, match="'y'"):
            judge(dataclasses.replace(DOUBLE, **copied), [sample([1, 2], [2, 4])])


def condition(*, exact: bool = True) -> Condition:
    """The statement y > 0 holds where x > 0."""
    return Condition(
        name="sign",
        region="x > 0",
        measurement="none",
        margin=lambda x: x,
        slack=lambda y: y,
        counterexample="x = -1",
        exact=exact,
    )


RIGHT = ([-1, -2, 1, 2], [-1, -1, 1, 1])


@pytest.mark.parametrize(
    ("x", "y", "exact", "passed"),
    [
        (*RIGHT, True, True),
        # The first row is the counterexample: outside, and there the statement fails.
        ([1, -2, -1, 2], [1, -1, -1, 1], True, False),
        ([1, -2, -1, 2], [-1, -1, -1, 1], False, False),
        ([-1, -2, 1, 2], [1, -1, 1, 1], False, False),
        # Inside it may fail nowhere.
        ([-1, -2, 1, 2], [-1, -1, -1, 1], True, False),
        # Outside a region that is exact it fails everywhere, else somewhere.
        ([-1, -2, 1, 2], [-1, 1, 1, 1], True, False),
        ([-1, -2, 1, 2], [-1, 1, 1, 1], False, True),
        # There must be rows inside.
        ([-1, -2], [-1, -1], True, False),
        # A number that is none fails, in one row too, and on the border nothing is decided.
        ([-1, -2, 1, 2], [-1, -1, 1, np.nan], True, False),
        ([-1, -2, 1, 1e-10], [-1, -1, 1, -1], True, True),
        # There is no counterexample either.
        ([-1e-10, 1], [-1, 1], True, False),
    ],
)
def test_a_condition_holds_inside_and_fails_outside(x, y, exact, passed):
    assert judge_condition(condition(exact=exact), [sample(x, y)]).passed is passed
    # Another sample that is right makes nothing good.
    both = judge_condition(condition(exact=exact), [sample(x, y), sample(*RIGHT)])
    assert both.passed is (passed or len(x) == 2)


def test_rows_of_a_condition_are_counted():
    found = judge_condition(condition(exact=False), [sample([-1, -2, -3, 1, 2], [-1, -1, 1, 1, 1])])
    assert (found.inside, found.outside, found.failures) == (2, 3, 2)


CHECK = CheckResult("a", 1.0, "eps", 64.0, "here", 1e6, passed=True)
HOLDS = ConditionResult("b", 5, 5, 5, "x", passed=True)
CLAIM = ClaimResult("c", "us", "exact", "rejected", (CHECK,) * 2, (HOLDS,) * 2, 1.0)


@pytest.mark.parametrize(
    "flaw",
    [
        {"proof": "residual"},
        {"planted_proof": "residual"},
        {"checks": (CHECK, dataclasses.replace(CHECK, passed=False))},
        {"checks": (CHECK, dataclasses.replace(CHECK, planted_deviation=1.0))},
        {"conditions": (HOLDS, dataclasses.replace(HOLDS, passed=False))},
    ],
    ids=lambda flaw: next(iter(flaw)),
)
def test_one_flaw_turns_a_claim_and_its_report_red(flaw):
    wrong = dataclasses.replace(CLAIM, **flaw)
    assert CLAIM.passed
    assert not wrong.passed
    reports = (Report(found, {}, "cpu", 0, 1.0) for found in ((CLAIM, CLAIM), (CLAIM, wrong)))
    good, bad = reports
    assert good.passed
    assert not bad.passed
    assert "1 of 2 claims passed" in bad.table()
    assert bad.to_dict()["passed"] is False


def test_the_worst_check_is_the_one_nearest_to_its_tolerance():
    loose = dataclasses.replace(CHECK, name="loose", deviation=50.0, tolerance=1000.0)
    tight = dataclasses.replace(
        CHECK, name="tight", deviation=0.019, tolerance=0.02, unit="relative"
    )
    for checks in ((loose, tight), (tight, loose)):
        assert dataclasses.replace(CLAIM, checks=checks).worst.name == "tight"
    none = dataclasses.replace(CHECK, name="none", deviation=1e-300, tolerance=0.0)
    assert dataclasses.replace(CLAIM, checks=(tight, none)).worst.name == "none"


def test_one_entry_of_a_residual_is_enough_to_fail_a_proof_and_none_may_be_left():

    claim = dataclasses.replace(
        claims.get("fixed_keys"), checks=(), conditions=(), implemented_by=()
    )
    for entries, proof in (([0, 0], "exact"), ([0, 1], "r"), ([1, 1], "r")):
        given = dataclasses.replace(
            claim,
            proof=lambda e=entries: {"r": np.array(e, dtype=object)},
            planted_proof=lambda: {"r": np.array([0, 1], dtype=object)},
        )
        found = verifier.verify_claim(given, lambda name, options: [])
        assert (found.proof, found.planted_proof) == (proof, "rejected")
    blunt = dataclasses.replace(claim, planted_proof=lambda: {"r": np.array([0, 0], dtype=object)})
    assert verifier.verify_claim(blunt, lambda name, options: []).planted_proof == "r"


def test_a_measurement_is_shared_only_with_the_same_options(monkeypatch):
    calls = []

    def function(d: int, points: int, rng: Any, *, options: Any = None) -> Any:
        calls.append((d, options))
        return d, float(rng.uniform())

    known = {"one": Measurement(function, (2, 3, 5))}
    monkeypatch.setattr(verifier, "MEASUREMENTS", known)
    measure: Any = verifier._measurer(0, 4, (3, 4, 5))
    first, again, other = (measure("one", {"options": value}) for value in ("a", "a", "b"))
    assert first is again
    assert calls == [(3, "a"), (5, "a"), (3, "b"), (5, "b")]
    assert [x for _, x in first] != [x for _, x in other]  # with draws of its own
    # Made in none of the dimensions asked for: the smallest of its own.
    elsewhere: Any = verifier._measurer(0, 4, (7,))
    assert [d for d, _ in elsewhere("one", {})] == [2]


def test_each_dimension_must_be_two_or_more():
    for dimensions in ((1, 3), (3, 1)):
        with pytest.raises(ValueError, match="dimensions: expected an integer >= 2, got 1"):
            verify(["hessian"], dimensions=dimensions)


@pytest.mark.parametrize("word", ["false", "", 0, None])
def test_whether_a_region_is_exact_is_a_truth_value(word):
    with pytest.raises(TypeError, match=f"^exact: expected True or False, got {word!r}$"):
        condition(exact=word)
