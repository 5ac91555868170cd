"""Compare formulas with measurements: deviations, planted versions, regions."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from normtheory.claims._claim import Check, Condition, Formula
from normtheory.verify._sample import Sample

EPS = float(np.finfo(np.float64).eps)
#: Rows whose margin or slack is smaller than this lie on the border and decide nothing.
BORDER = 1e-9


@dataclass(frozen=True)
class CheckResult:
    """How one check came out.

    Attributes:
        name: The check's name.
        deviation: Largest deviation over all clouds, in ``unit``; infinite if anything was NaN.
        unit: ``"eps"`` or ``"relative"``.
        tolerance: Largest accepted deviation.
        cloud: Where the deviation was largest.
        planted_deviation: The largest deviation of the planted formula.
        passed: Deviation within tolerance and planted formula rejected.
    """

    name: str
    deviation: float
    unit: str
    tolerance: float
    cloud: str
    planted_deviation: float
    passed: bool

    @property
    def planted_rejected(self) -> bool:
        """Whether the planted formula exceeds the tolerance."""
        return self.planted_deviation > self.tolerance


@dataclass(frozen=True)
class ConditionResult:
    """How one condition came out.

    Attributes:
        name: The condition's name.
        inside: Rows inside the region; the statement held in all of them if it passed.
        outside: Rows outside the region.
        failures: Rows outside where the statement fails.
        counterexample: The stated point outside the region.
        passed: Holds inside, and the stated point outside is a counterexample; where the region is
            exact, fails everywhere outside.
    """

    name: str
    inside: int
    outside: int
    failures: int
    counterexample: str
    passed: bool


def call(formula: Formula, available: dict[str, Any]) -> np.ndarray:
    """Call a formula with the inputs that its parameters name."""
    wanted = inspect.signature(formula).parameters
    return np.asarray(formula(**{name: available[name] for name in wanted}), dtype=np.float64)


def deviations(check: Check, formula: Formula, sample: Sample) -> np.ndarray:
    """Deviation of a formula from the measurement in each row, in the unit of the check; or NaN."""
    # Formulas see inputs only, or they could hand back what they are compared with.
    available = {**sample.inputs, "xp": np}
    measured = sample.values[check.quantity]
    claimed = np.broadcast_to(call(formula, available), measured.shape)
    error = np.sqrt(((claimed - measured) ** 2).sum(-1))
    if check.scale is not None:
        error = error * call(check.scale, {**sample.values, **available})[:, 0]
    if check.unit == "eps":
        size: Any = EPS
    else:
        size = 1.0 if check.scale is not None else np.sqrt((measured**2).sum(-1))
    return error / size


def judge(check: Check, samples: Sequence[Sample]) -> CheckResult:
    """Run one check over the samples of all dimensions."""
    worst, cloud, planted = -1.0, "", 0.0
    for sample in samples:
        errors = deviations(check, check.formula, sample)
        errors = np.where(np.isnan(errors), np.inf, errors)  # a NaN must never pass a comparison
        row = int(np.argmax(errors))
        if errors[row] > worst:
            worst, cloud = float(errors[row]), sample.labels[row]
        errors = deviations(check, check.planted, sample)
        # Nor may it be what rejects a planted formula: it has been compared with nothing.
        planted = max(planted, float(np.where(np.isnan(errors), 0.0, errors).max()))
    result = CheckResult(
        check.name,
        worst,
        check.unit,
        check.tolerance,
        cloud,
        planted,
        False,
    )
    passed = worst <= check.tolerance and result.planted_rejected
    return CheckResult(**{**result.__dict__, "passed": passed})


def judge_condition(condition: Condition, samples: Sequence[Sample]) -> ConditionResult:
    """Compare the region of a condition with where its statement was measured to hold."""
    inside = outside = failures = 0
    right = True
    for sample in samples:
        available = {**sample.inputs, **sample.values, "xp": np}
        margin = call(condition.margin, available)[:, 0]
        slack = call(condition.slack, available)[:, 0]
        decided = (abs(margin) > BORDER) & (abs(slack) > BORDER)
        inside += int((decided & (margin > 0)).sum())
        outside += int((decided & (margin < 0)).sum())
        failures += int((decided & (margin < 0) & (slack < 0)).sum())
        right &= not bool((decided & (margin > 0) & (slack < 0)).any())
        right &= bool(margin[0] < 0 and slack[0] < 0)
        right &= not np.isnan(margin + slack).any()
    if condition.exact:
        right &= failures == outside
    right &= inside > 0 and failures > 0
    return ConditionResult(
        condition.name, inside, outside, failures, condition.counterexample, bool(right)
    )
