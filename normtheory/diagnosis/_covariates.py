"""What else is known of the samples: covariates by name, and a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from normtheory._arrays import dtype_name
from normtheory._read import real_numbers
from normtheory.diagnosis._rows import say_rows


class Known:
    """Covariates and target of n samples, in rows that are kept.

    Attributes:
        covariates: numbers by name, each (n,).
        target: numbers, (n,); None if there is none.
        good: rows whose numbers are all finite, (n,) of bool.
    """

    def __init__(self, covariates: Any, target: Any, n: int, *, drop: bool = False) -> None:
        """Look at every number once.

        Args:
            covariates: columns of n numbers by name, a mapping or a table; None for none.
            target: n numbers or truth values; None for none.
            n: number of embeddings, before any is dropped.
            drop: leave out rows that are not finite, instead of refusing them.

        Raises:
            TypeError: no mapping, a name that is no text, a column that isn't of numbers.
            ValueError: a column that isn't of shape (n,); rows that are not finite (which).
        """
        named = {} if covariates is None else _named(covariates)
        columns = {f"covariate {name!r}": column for name, column in named.items()}
        if target is not None:
            columns["target"] = target
        self.good = np.ones(n, dtype=bool)
        found = []
        for name, column in columns.items():
            values = _numbers(name, column, n)
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad) and not drop:
                said = say_rows("not finite", bad, n)
                raise ValueError(f"{name}: {said} (drop_bad_rows leaves such rows out)")
            self.good[bad] = False
            found.append(values)
        self.target = found.pop() if target is not None else None
        self.covariates = dict(zip(named, found, strict=True))

    def keep(self, good: np.ndarray) -> None:
        """Go on with these rows alone; (n,) of bool.

        Raises:
            ValueError: a column that is constant there; no more rows than covariates.
        """
        rows = int(good.sum())
        if self.covariates and rows < len(self.covariates) + 2:
            raise ValueError(
                f"covariates: {len(self.covariates)} for {rows} embeddings, expected at least two "
                "fewer covariates than embeddings"
            )
        self.covariates = {name: column[good] for name, column in self.covariates.items()}
        columns = {f"covariate {name!r}": column for name, column in self.covariates.items()}
        if self.target is not None:
            self.target = self.target[good]
            columns["target"] = self.target
        for name, column in columns.items():
            if (column == column[0]).all():
                raise ValueError(f"{name}: expected more than one value, got {column[0]:g} for all")

    def at(self, places: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Covariates and target of some of the rows kept."""
        target = None if self.target is None else self.target[places]
        return {name: column[places] for name, column in self.covariates.items()}, target


def _named(covariates: Any) -> dict[str, Any]:
    # A table of pandas has names and columns, and is no mapping.
    if not isinstance(covariates, Mapping) and not hasattr(covariates, "items"):
        raise TypeError(
            f"covariates: expected columns by name, as {{'tokens': ...}}, got "
            f"{type(covariates).__name__}"
        )
    found = dict(covariates.items())
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"covariates: expected names that are text, got {name!r}")
    return found


def _numbers(name: str, column: Any, n: int) -> np.ndarray:
    """A column as float64; truth values as 0 and 1."""
    if isinstance(column, list | tuple):
        truth = all(isinstance(x, bool | np.bool_) for x in column)
    else:
        truth = hasattr(column, "dtype") and dtype_name(column) == "bool"
    if truth:
        column = np.asarray(column).astype(np.float64)
    values = real_numbers(name, column)
    if values.shape != (n,):
        raise ValueError(
            f"{name}: expected one number for each of {n} embeddings, got shape {values.shape}"
        )
    return values
