"""Results of a verification and their table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from normtheory.verify._judge import CheckResult, ConditionResult

_HEADER = ("claim", "source", "proof", "worst deviation", "where", "planted", "time", "verdict")


@dataclass(frozen=True)
class ClaimResult:
    """How one claim came out.

    Attributes:
        name: The claim's name.
        source: Its source.
        proof: ``"exact"``, or the names of the residuals that are not zero.
        planted_proof: ``"rejected"``, or the names of planted residuals that are zero.
        checks: The results of its checks, those of the library functions last.
        conditions: The results of its conditions.
        seconds: Time spent on it, shared measurements counted at their first use.
    """

    name: str
    source: str
    proof: str
    planted_proof: str
    checks: tuple[CheckResult, ...]
    conditions: tuple[ConditionResult, ...]
    seconds: float

    @property
    def planted_rejected(self) -> bool:
        """Whether the proof and every check reject the planted versions."""
        return self.planted_proof == "rejected" and all(c.planted_rejected for c in self.checks)

    @property
    def passed(self) -> bool:
        """Whether proof, checks, planted versions and conditions all came out right."""
        parts = [c.passed for c in (*self.checks, *self.conditions)]
        return self.proof == "exact" and self.planted_rejected and all(parts)

    @property
    def worst(self) -> CheckResult:
        """The check that came closest to its tolerance, or exceeded it most."""
        return max(self.checks, key=_strain)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite deviation becomes None."""
        worst = self.worst
        return {
            "name": self.name,
            "passed": self.passed,
            "source": self.source,
            "proof": self.proof,
            "planted_proof": self.planted_proof,
            "worst_check": worst.name,
            "worst_deviation": _finite(worst.deviation),
            "unit": worst.unit,
            "tolerance": worst.tolerance,
            "cloud": worst.cloud,
            "planted_rejected": self.planted_rejected,
            "seconds": round(self.seconds, 3),
            "checks": [
                {
                    key: _finite(value) if isinstance(value, float) else value
                    for key, value in {**asdict(c), "planted_rejected": c.planted_rejected}.items()
                }
                for c in self.checks
            ],
            "conditions": [asdict(c) for c in self.conditions],
        }


@dataclass(frozen=True)
class Report:
    """The outcome of :func:`normtheory.verify.verify`.

    Attributes:
        claims: One result for each claim.
        versions: Versions of Python and of the packages that matter.
        device: Where JAX ran.
        seed: Seed of the clouds.
        seconds: Wall-clock time.
    """

    claims: tuple[ClaimResult, ...]
    versions: Mapping[str, str]
    device: str
    seed: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every claim passed."""
        return all(claim.passed for claim in self.claims)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "passed": self.passed,
            "claims": [claim.to_dict() for claim in self.claims],
            "versions": dict(self.versions),
            "device": self.device,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
        }

    def table(self) -> str:
        """The claims as a text table, with details of whatever failed below it."""
        rows = [_HEADER, *(_row(claim) for claim in self.claims)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADER))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        lines += [line for claim in self.claims for line in _complaints(claim)]
        count = sum(claim.passed for claim in self.claims)
        lines.append(f"{count} of {len(self.claims)} claims passed in {self.seconds:.1f} s")
        return "\n".join(lines)


def _strain(check: CheckResult) -> float:
    if check.tolerance == 0:
        return math.inf if check.deviation > 0 else 0.0
    return check.deviation / check.tolerance


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _deviation(check: CheckResult) -> str:
    number = f"{check.deviation:.3g}"
    return f"{number} eps" if check.unit == "eps" else f"{number} relative"


def _row(claim: ClaimResult) -> tuple[str, ...]:
    return (
        claim.name,
        claim.source.split(";")[0],
        claim.proof if claim.proof == "exact" else "FAILED",
        f"{_deviation(claim.worst)} of {claim.worst.tolerance:g}",
        claim.worst.cloud,
        "rejected" if claim.planted_rejected else "ACCEPTED",
        f"{claim.seconds:.1f} s",
        "passed" if claim.passed else "FAILED",
    )


def _complaints(claim: ClaimResult) -> list[str]:
    lines = []
    if claim.proof != "exact":
        lines.append(f"{claim.name}: residuals that are not zero: {claim.proof}")
    if claim.planted_proof != "rejected":
        lines.append(f"{claim.name}: planted residuals that are zero: {claim.planted_proof}")
    for check in claim.checks:
        if check.deviation > check.tolerance:
            lines.append(
                f"{claim.name}: {check.name}: {_deviation(check)} on {check.cloud}, "
                f"tolerance {check.tolerance:g}"
            )
        if not check.planted_rejected:
            lines.append(f"{claim.name}: {check.name}: the planted version was accepted")
    for condition in claim.conditions:
        if not condition.passed:
            lines.append(
                f"{claim.name}: {condition.name}: region and measurement disagree "
                f"({condition.inside} rows inside, {condition.failures} failures in "
                f"{condition.outside} outside)"
            )
    return lines
