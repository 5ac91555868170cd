"""A comparison of a library function with what was measured, or with the claim's closed form."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from normtheory.claims._claim import Check, Formula
from normtheory.verify._judge import call
from normtheory.verify._sample import Sample

CLOSED_FORM = "the claim's closed form"


@dataclass(frozen=True)
class LibraryCheck(Check):
    """A check whose ``formula`` calls the library.

    Attributes:
        against: What the library is held to, from the inputs of the measurement; None for the
            measured ``quantity`` itself.
    """

    against: Formula | None = None

    def sample(self, sample: Sample) -> Sample:
        """The sample, with the closed form among its values if there is one."""
        if self.against is None:
            return sample
        expected = call(self.against, {**sample.inputs, "xp": np})
        return replace(sample, values={**sample.values, CLOSED_FORM: expected})


def by_row(function: Callable[..., Any], **columns: np.ndarray) -> np.ndarray:
    """A function called once a row, as users of plain numbers call it.

    Args:
        function: takes the columns' names; gives one number or several.
        columns: shape (n, 1) for what it takes as a number, (n, m) for what it takes as an array.

    Returns:
        Shape (n, numbers that it gives).
    """
    rows = zip(*columns.values(), strict=True)
    plain = ([float(x[0]) if x.shape == (1,) else x for x in row] for row in rows)
    found = [function(**dict(zip(columns, row, strict=True))) for row in plain]
    return np.array([np.ravel(row) for row in found], dtype=np.float64)


def _too_large(function: Callable[..., Any], share: float) -> Callable[..., Any]:
    @functools.wraps(function)  # the judge reads the names of the parameters
    def wrong(*arguments: Any, **named: Any) -> Any:
        return (1 + share) * function(*arguments, **named)

    return wrong


def library(
    function: str,
    measurement: str,
    call: Callable[..., Any],
    *,
    quantity: str = CLOSED_FORM,
    off: float = 1e-2,
    **rest: Any,
) -> LibraryCheck:
    """A check of a library function.

    Args:
        function: Its name, and what is special about this check.
        measurement: Key of ``normtheory.verify.MEASUREMENTS``.
        call: Calls it with inputs of the measurement.
        quantity: What was measured; by default what ``against`` says.
        off: The planted version is too large by this share.
        rest: Fields of :class:`LibraryCheck`.
    """
    return LibraryCheck(
        name=f"{function} against {'its closed form' if quantity == CLOSED_FORM else measurement}",
        measurement=measurement,
        quantity=quantity,
        formula=call,
        planted=_too_large(call, off),
        mistake=f"{off:.0%} too large",
        **rest,
    )
