"""Losses of numpy arrays: computed by numpy, in the precision of the arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import array_api_compat.numpy as api
import numpy as np

from normtheory.losses._definition import Definition
from normtheory.losses._evaluate import Evaluated, evaluate
from normtheory.losses._namespace import Namespace, Softmax, Step


@dataclass(frozen=True)
class NumpyNamespace(Namespace):
    """numpy, with loops in Python and blocks overwritten in place."""

    api: Any = api

    def powers(self, x: np.ndarray, top: np.ndarray, *, spoil: bool = False) -> np.ndarray:
        """exp(x - top)."""
        out = np.subtract(x, top, out=x if spoil else None)
        return np.exp(out, out=out)

    def added(self, carried: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """``carried`` plus the matrix product of x and y, in place."""
        carried += x @ y
        return carried

    def indices(self, count: int, like: np.ndarray) -> np.ndarray:
        """0 … count - 1."""
        return np.arange(count)

    def sigmoid(self, x: np.ndarray) -> np.ndarray:
        """1/(1 + exp(-x))."""
        from scipy.special import expit  # here: scipy takes a while to import

        return expit(x)

    def softplus(self, x: np.ndarray) -> np.ndarray:
        """log(1 + exp x)."""
        out = np.abs(x)
        np.negative(out, out=out)
        np.exp(out, out=out)
        np.log1p(out, out=out)
        return np.add(out, np.maximum(x, 0), out=out)

    def filled(self, x: np.ndarray, value: float, *columns: np.ndarray) -> np.ndarray:
        """``x`` with a value in one column of every row, in place."""
        for column in columns:
            x[np.arange(len(x)), column] = value
        return x

    def softmax(self, x: np.ndarray) -> Softmax:
        """The softmax of every row, in place."""
        top = np.max(x, axis=-1)
        powers = self.powers(x, top[:, None], spoil=True)
        total = np.sum(powers, axis=-1)
        return Softmax(top, total, powers, total[:, None])

    def over_rows(
        self,
        step: Step,
        rows: Sequence[np.ndarray],
        carried: Any,
        combine: Callable[[Any], Any] | None = None,
    ) -> tuple[Any, tuple[np.ndarray, ...]]:
        """Go through the rows in a Python loop."""
        n = len(rows[0])
        size = n if self.block is None else min(self.block, n)
        found = []
        for start in range(0, n, size):
            index = np.arange(start, min(start + size, n))
            carried, block = step(carried, index, *(x[start : start + size] for x in rows))
            found.append(block)
        return carried, tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def differentiate(
    loss: Definition,
    clouds: tuple[np.ndarray, ...],
    options: Mapping[str, Any],
    flags: Mapping[str, bool],
    block: int | None,
    wanted: frozenset[str],
) -> Evaluated:
    """Value and derivatives; half precision is computed in float32, and given back."""
    dtype = clouds[0].dtype
    wide = np.dtype(np.float64 if dtype == np.float64 else np.float32)
    given = {
        name: np.asarray(x, wide) if np.asarray(x).dtype.kind in "fc" else np.asarray(x)
        for name, x in options.items()
    }
    xp = NumpyNamespace(block=block, wanted=wanted)
    # Overflow and underflow are part of what the formulas are made for, whatever numpy is told.
    with np.errstate(all="ignore"):
        value, gradients, others = evaluate(
            loss, xp, tuple(z.astype(wide, copy=False) for z in clouds), {**given, **flags}
        )
        return Evaluated(
            wide.type(value),
            tuple(g.astype(dtype, copy=False) for g in gradients),
            tuple(wide.type(x) for x in others),
        )


def value(
    loss: Definition,
    clouds: tuple[np.ndarray, ...],
    options: Mapping[str, Any],
    flags: Mapping[str, bool],
    block: int | None,
) -> Any:
    """The loss alone."""
    return differentiate(loss, clouds, options, flags, block, frozenset()).value
