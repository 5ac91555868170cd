"""Find an example on which a law fails, then a simpler one, and a simpler one still."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from normtheory.testing._draw import Example

__tracebackhide__ = True  # pytest shows the line of the test, not ours

Judge = Callable[[Example], float]
"""Says how badly an example breaks a law, 0 if not at all; may raise on shapes it can't take."""


def first_failure(judge: Judge, drawn: Iterable[Example], tolerance: float) -> Example | None:
    """The first example on which a law fails by more than ``tolerance`` (NaN fails), or None."""
    return next((example for example in drawn if not judge(example) <= tolerance), None)


def _fewer_rows(example: Example) -> Iterator[Example]:
    n = len(example.base)
    if n > 3:
        keep = n // 2
        yield Example(example.base[:keep], example.factors[:keep])
        yield Example(example.base[keep:], example.factors[keep:])
    if n > 1:
        for row in range(n):
            yield Example(np.delete(example.base, row, 0), np.delete(example.factors, row))


def _fewer_columns(example: Example) -> Iterator[Example]:
    if example.base.shape[1] > 2:
        for column in range(example.base.shape[1]):
            base = np.delete(example.base, column, 1)
            if base.any(axis=-1).all():
                yield Example(base, example.factors)


def _plainer_factors(example: Example) -> Iterator[Example]:
    for row, factor in enumerate(example.factors):
        decades = np.log10(factor)
        whole = int(np.round(decades))
        nearer = range(abs(whole) if decades == whole else abs(whole) + 1)
        for plain in nearer if factor != 1 else ():
            factors = example.factors.copy()
            factors[row] = float(f"1e{int(np.sign(whole)) * plain}")
            yield Example(example.base, factors)


def _rounder_entries(example: Example) -> Iterator[Example]:
    norms = np.linalg.norm(example.base, axis=-1, keepdims=True)
    unit = 10.0 ** np.round(np.log10(norms))
    largest = np.abs(example.base) == np.abs(example.base).max(axis=-1, keepdims=True)
    axes = np.where(largest, np.sign(example.base) * unit, 0.0)
    for row in range(len(example.base)):
        yield Example(_with_row(example.base, row, axes[row]), example.factors)
    for digits in (0, 1):
        rounded = np.round(example.base / unit, digits) * unit
        for row in np.flatnonzero(rounded.any(axis=-1)).tolist():
            yield Example(_with_row(example.base, row, rounded[row]), example.factors)


def _with_row(base: np.ndarray, row: int, entries: np.ndarray) -> np.ndarray:
    base = base.copy()
    base[row] = entries
    return base


_SIMPLER = (_fewer_rows, _fewer_columns, _plainer_factors, _rounder_entries)


def _same(a: Example, b: Example) -> bool:
    return a.base.shape == b.base.shape and all(map(np.array_equal, a, b))


def simplest(judge: Judge, example: Example, tolerance: float, calls: int = 300) -> Example:
    """Simplify a failing example, greedily: fewer rows, fewer columns, plain norms, round entries.

    A step is taken if the law still fails, by a tenth of the first failure or ten tolerances if
    that is less, so that the result isn't a borderline case. Losses that need a certain number of
    rows raise on fewer, and keep theirs.
    """
    worst = judge(example)
    enough = max(min(worst / 10, 10 * tolerance), tolerance)

    def fails(candidate: Example) -> bool:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = judge(candidate)
        except Exception:  # noqa: BLE001 (a stranger's loss may raise anything)
            return False
        # A loss that is merely undefined on too simple a cloud did not fail there.
        return bool(found > enough and (np.isfinite(found) or not np.isfinite(worst)))

    improved = True
    while improved and calls > 0:
        improved = False
        for simpler in _SIMPLER:
            candidates = simpler(example)
            for candidate in candidates:
                calls -= 1
                if not _same(candidate, example) and fails(candidate):
                    example, improved = candidate, True
                    break
                if calls <= 0:
                    return example
    return example
