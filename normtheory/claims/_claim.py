"""What a claim is: a statement of the theory, its proof, and how to check it.

A claim is data. Its formulas are plain Python functions written once, in arithmetic that numpy
arrays, JAX arrays and numpy object arrays of sympy symbols all understand. The same function is
proven in sympy (:attr:`Claim.proof`) and compared with automatic differentiation
(:mod:`normtheory.verify`), so nothing is lost between derivation and code. Nothing here imports
JAX: a proof must not lean on the machinery that later tests it.

Conventions of the formulas:

* Parameters are named after the inputs of the measurement, which passes them by name. A parameter
  called ``xp`` receives the namespace for ``sqrt``, ``cos``, ``arctan2`` and the like: numpy in a
  check, :data:`normtheory.claims._symbolic.xp` in a proof.
* Rows are points: a vector quantity has shape (n, d), a scalar one is a column of shape (n, 1).
  In a proof a vector has shape (d,) and a scalar is a single expression.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from normtheory.claims._chapters import CHAPTERS

Formula = Callable[..., Any]
Residuals = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One comparison of a formula with something measured by automatic differentiation.

    Attributes:
        name: What is compared, in a few words.
        measurement: Key of ``normtheory.verify.MEASUREMENTS``.
        quantity: Which of the measured values is compared.
        formula: The claimed closed form.
        planted: A wrong version with the same signature. A check that accepts it is worth nothing.
        mistake: What the planted version gets wrong.
        scale: Factor for the difference, from the same inputs, that makes the error scale-free
            (for a gradient: the norm). ``None`` means 1 for ``"eps"``, and the reciprocal of the
            size of the measured value for ``"relative"``.
        tolerance: Largest accepted error, in ``unit``.
        unit: ``"eps"`` for laws exact up to rounding; ``"relative"`` for limits and averages.
        reason: Why this tolerance and this scale.
        options: Settings handed to the measurement.
    """

    name: str
    measurement: str
    quantity: str
    formula: Formula
    planted: Formula
    mistake: str
    scale: Formula | None = None
    tolerance: float = 64.0
    unit: Literal["eps", "relative"] = "eps"
    reason: str = "rounding of a few operations on vectors of up to 1024 entries"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """The region where a statement holds, and a point outside it where it fails.

    Attributes:
        name: What holds under the condition, in a few words.
        region: The region, as LaTeX.
        measurement: Key of ``normtheory.verify.MEASUREMENTS``.
        margin: Positive inside the region, negative outside; from inputs and measured values.
        slack: Positive where the measured values obey the statement, negative where they don't.
        counterexample: A point outside, in words. The measurement's first row is that point.
        exact: True if the statement fails everywhere outside; False if it merely fails somewhere.
        options: Settings handed to the measurement.
    """

    name: str
    region: str
    measurement: str
    margin: Formula
    slack: Formula
    counterexample: str
    exact: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise TypeError where ``exact`` is no truth value, such as the word "false"."""
        # The rule of _arrays.check_flag, which a claim can't use: that file knows JAX.
        if not isinstance(self.exact, bool):
            raise TypeError(f"exact: expected True or False, got {self.exact!r}")


@dataclass(frozen=True)
class Claim:
    r"""One statement of the theory with everything needed to believe it.

    Attributes:
        name: The one word for it, shared with its test, experiment and figure.
        title: A short heading.
        meaning: What it says in plain words. This and the next two are one or two sentences, for
            readers of notebooks and pages, with formulas in dollar signs.
        reason: Why it holds.
        consequence: What follows for a user.
        statement: LaTeX without dollar signs.
        assumptions: What the statement presupposes.
        source: Where it comes from.
        item: Place in the theory, by which claims are ordered, e.g. ``"5"`` or ``"5.1"``.
        proof: Returns named sympy expressions (or arrays, lists of them) that are all exactly 0.
        planted_proof: The same for the planted formulas: every named residual must differ from 0.
        checks: Comparisons with automatic differentiation.
        conditions: Regions outside which the statement fails.
        implemented_by: Dotted public names of the library functions that compute it, or draw what
            it is about.
        shown_by: Names of the figures that show it; there may be none.
    """

    name: str
    title: str
    meaning: str
    reason: str
    consequence: str
    statement: str
    assumptions: tuple[str, ...]
    source: str
    item: str
    proof: Callable[[], Residuals]
    planted_proof: Callable[[], Residuals]
    checks: tuple[Check, ...]
    conditions: tuple[Condition, ...] = ()
    implemented_by: tuple[str, ...] = ()
    shown_by: tuple[str, ...] = ()

    @property
    def chapter(self) -> str:
        """The chapter of the theory that the item falls in."""
        first = bisect.bisect_right([*CHAPTERS], int(self.item.partition(".")[0]))
        return [*CHAPTERS.values()][first - 1].name

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.statement}$"

    def _repr_markdown_(self) -> str:
        outside = [
            f"Only where ${c.region}$ ({c.name}); outside: {c.counterexample}."
            for c in self.conditions
        ]
        return "\n\n".join(
            [
                f"**{self.title}** (`{self.name}`, {self.source})",
                self.meaning,
                f"$$\n{self.statement}\n$$",
                "Assumes: " + "; ".join(self.assumptions) + ".",
                *outside,
                f"Why: {self.reason}",
                f"What follows: {self.consequence}",
            ]
        )
