"""What in a diagnosis deserves a warning, and from where on."""

from __future__ import annotations

import numpy as np

from normtheory.diagnosis._findings import Findings
from normtheory.flow import FLOW_LIMIT

SAME_NORM = 0.01
"""Norms that differ by less than this share were divided out before saving (float16 rounds so)."""

SPREAD = 4.0
"""Slowdown of the largest decile: norms a factor 2 apart."""

SLOW = 1e-4
"""Effective rate below which two free embeddings need over 10⁴ updates from a right angle."""

STABLE = 1.0
"""Effective rate of two equal norms up to which a step contracts a pair (claim stability)."""

ONE_WAY = 0.95
"""Length of the mean direction from which on all directions are about the same."""

FEW_DIMENSIONS = 0.05
"""Share of the possible dimensions in use below which the directions have collapsed."""


def alarms(report: Findings) -> tuple[str, ...]:
    """The warnings, one sentence each, the gravest first."""
    return tuple(
        said
        for look in (normalised, collapsed, rates, _spread, _labels, _rows)
        for said in look(report)
    )


def normalised(report: Findings) -> list[str]:
    quantiles = report.norms.quantiles
    if quantiles["100"] / quantiles["0"] - 1 >= SAME_NORM:
        return []
    return [
        f"all norms are within {SAME_NORM:.0%} of each other: these embeddings look normalised. "
        "The effects of the norm can only be seen before the division by it"
    ]


def collapsed(report: Findings) -> list[str]:
    found = report.directions
    if found.resultant >= ONE_WAY:
        return [
            f"collapsed: the directions share a mean of length {found.resultant:.3f}, so nearly "
            "all point the same way"
        ]
    if found.possible >= 3 and found.participation < max(1.5, FEW_DIMENSIONS * found.possible):
        return [
            f"dimensional collapse: the directions vary in about {found.participation:.1f} of "
            f"{found.possible} possible dimensions"
        ]
    return []


def rates(report: Findings) -> list[str]:
    turning = report.turning
    if turning.pair_rate is None or turning.effective_rates is None:
        return []
    said = []
    # With GradScale at most 2 the largest norm has the lowest rate.
    high, middle = turning.effective_rates["5"], turning.effective_rates["50"]
    alpha = report.options.numbers.get("momentum", 0.0)
    slow = SLOW * (1 - alpha)  # momentum is faster by the inverse
    if middle < slow:
        said.append(
            f"the norms are large for this learning rate: the effective rate of the median, "
            f"{middle:.2g}, is below {slow:g}, so that directions hardly move in a step"
        )
    if alpha:
        if high >= 1 + alpha:
            said.append(
                "the learning rate is large for these norms: the effective rate reaches "
                f"{high:.3g} at the 5th percentile; from 1 + α = {1 + alpha:g} on a pair does not "
                "close until its norms have grown (claim optimizers)"
            )
    elif high >= STABLE:
        said.append(
            f"the learning rate is large for these norms: the effective rate reaches {high:.3g} at "
            f"the 5th percentile; from {STABLE:g} on a pair overshoots until its norms have grown "
            "(claim stability)"
        )
    elif high > FLOW_LIMIT:
        said.append(
            f"the effective rate reaches {high:.3g} at the 5th percentile: above {FLOW_LIMIT:g} "
            "predicted steps are rough"
        )
    return said


def _spread(report: Findings) -> list[str]:
    slowdown = report.turning.slowdown
    if slowdown < SPREAD:
        return []
    return [
        f"wide spread of norms: the largest decile turns {slowdown:.1f} times slower than the "
        "smallest"
    ]


def _labels(report: Findings) -> list[str]:
    if report.classes is None:
        return []
    if report.classes.count == 1:
        return ["there is one class: accuracy says nothing"]
    alone = report.classes.singletons
    if not alone:
        return []
    return [
        f"{alone} of {report.classes.count} classes have a single sample, which no neighbour "
        "can classify rightly"
    ]


def _rows(report: Findings) -> list[str]:
    said = []
    if report.dropped:
        shown = ", ".join(map(str, report.dropped[:10])) + ", ..." * (len(report.dropped) > 10)
        said.append(
            f"{len(report.dropped)} rows that are zero or not finite were left out: {shown}"
        )
    views = report.turning.steps_of_views
    if views is not None and np.isinf([*views.values()]).any():
        said.append("some views are exactly opposite: the gradient is zero there, they never meet")
    return said
