"""The claims against automatic differentiation.

Each claim is proven in sympy, then its formulas are compared with what JAX measures on seeded
clouds of points in 2 to 1024 dimensions, in float64, by differentiating plain definitions that
share nothing with the formulas or the library. Each planted wrong version must be rejected.

Examples:
    >>> from normtheory.verify import verify
    >>> report = verify(["cosine_gradient"])
    >>> report.passed
    True
"""

from __future__ import annotations

from normtheory.verify._judge import CheckResult, ConditionResult
from normtheory.verify._measurements import MEASUREMENTS
from normtheory.verify._report import ClaimResult, Report
from normtheory.verify._sample import Measurement, Sample
from normtheory.verify._verify import verify, verify_claim

__all__ = [
    "MEASUREMENTS",
    "CheckResult",
    "ClaimResult",
    "ConditionResult",
    "Measurement",
    "Report",
    "Sample",
    "verify",
    "verify_claim",
]
