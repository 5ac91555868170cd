"""How norms go with frequency, beside the powers that optimizers lead to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from normtheory._ranks import around, leaving_out, percentiles, redrawn
from normtheory.diagnosis._correlation import RESAMPLES, too_few
from normtheory.diagnosis._quantity import quantity
from normtheory.equilibrium import frequency_exponent

FREQUENCY = "frequency"
"""The name of the covariate that is one."""

_CLAIM = "claim norm_and_frequency"
_LAWS = {
    "SGD, without decay or with it in every step": ("sgd", "every step"),
    "lazy Adam, without decay or with it in every step": ("lazy_adam", "every step"),
    "SGD or lazy Adam with decay on visits, row-wise Adagrad": ("sgd", "on visits"),
}


class Law(NamedTuple):
    """A power law of theory.

    Attributes:
        exponent: q, as in norm ∝ frequency^q.
        optimizers: whose free embeddings follow it.
        fits: whether it lies in the interval; None where there is none.
    """

    exponent: float
    optimizers: str
    fits: bool | None


@dataclass(frozen=True)
class Popularity:
    """The norm as a power of the frequency.

    Attributes:
        n: embeddings with a frequency above 0, among those compared.
        exponent: slope of ln ‖z‖ over ln frequency; None where they have fewer than two values.
        interval: its 95 % interval; None where there are too few for one.
        why_not: why there is none; empty where there is one.
        laws: what theory says of free embeddings.
    """

    n: int = field(metadata=quantity("embeddings with a frequency above 0", "count", "option"))
    exponent: float | None = field(
        metadata=quantity("norm ∝ frequency^q, q", "slope of ln ‖z‖ over ln frequency", _CLAIM)
    )
    interval: tuple[float, float] | None = field(
        metadata=quantity("its 95 % interval", "for other classes or samples", _CLAIM)
    )
    why_not: str
    laws: tuple[Law, ...]


def slopes(x: np.ndarray, y: np.ndarray, counts: Iterator[np.ndarray]) -> np.ndarray:
    """Least squares of y over x, (n,) each, where samples count so often; NaN for a constant x."""
    x, y = x - x.mean(), y - y.mean()
    found = []
    for count in counts:
        n, a, b, aa, ab = (count @ np.column_stack([np.ones(len(x)), x, y, x * x, x * y])).T
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append((n * ab - a * b) / (n * aa - a * a))
    return np.concatenate(found)


def summarise_popularity(
    norms: np.ndarray, frequency: np.ndarray, codes: np.ndarray | None, rng: np.random.Generator
) -> Popularity:
    """From norms (n,), frequencies (n,) in any unit and classes (n,) without gaps."""
    seen = frequency > 0
    n = int(seen.sum())
    x, y = np.log(frequency[seen]), np.log(norms[seen])
    if n < 2 or np.ptp(x) == 0:
        return Popularity(n, None, None, "fewer than two frequencies above 0", _laws(None))
    slope = float(slopes(x, y, iter([np.ones((1, n))]))[0])
    names, own = (None, None) if codes is None else np.unique(codes[seen], return_inverse=True)
    if few := too_few(n, n, None if names is None else len(names)):
        return Popularity(n, slope, None, f"{few} are too few for an interval", _laws(None))
    if own is None:
        interval = percentiles(slopes(x, y, redrawn(rng, RESAMPLES, n)))
    else:
        interval = around(slope, slopes(x, y, leaving_out(own, np.unique(own))))
    return Popularity(n, slope, interval, "", _laws(interval))


def _laws(interval: tuple[float, float] | None) -> tuple[Law, ...]:
    found = []
    for said, (optimizer, decay) in _LAWS.items():
        q = frequency_exponent(optimizer, decay=decay)
        found.append(Law(q, said, None if interval is None else interval[0] <= q <= interval[1]))
    return tuple(found)
