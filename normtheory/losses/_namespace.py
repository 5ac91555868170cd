"""What a slope is written in: the array API of a library, and the little that losses need beyond.

A loss is written once, with ``xp`` as its first argument, and runs on numpy, JAX and PyTorch.
``xp`` has every function of the array API standard (2024.12) for the arrays at hand, ``xp.exp``,
``xp.where``, ``xp.sum``, and the methods below. The loop over blocks of rows belongs to the library
too: a Python loop for numpy and PyTorch, ``lax.scan`` for JAX.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from normtheory._types import Array

Step = Callable[..., tuple[Any, tuple[Array, ...]]]
"""``step(carried, index, *blocks)`` gives the new ``carried`` and arrays with an entry a row."""


class Softmax(NamedTuple):
    """Rowwise softmax in parts, so that a logarithm of its sum is taken where it keeps its digits.

    Attributes:
        top: the largest entry of every row, shape (b,).
        total: Σ exp(x - top) over the row, shape (b,).
        powers: the probabilities times ``unit``, shape (b, m).
        unit: what ``powers`` have to be divided by, shape (b, 1), or the number 1.
    """

    top: Array
    total: Array
    powers: Array
    unit: Array | float


@dataclass(frozen=True)
class Namespace:
    """The array API of one library, for one evaluation of a loss.

    Attributes:
        api: the array namespace.
        block: most rows in a block of a loss of all pairs; None for all rows at once.
        wanted: names of the clouds and options whose derivative is asked for.
    """

    api: Any
    block: int | None = None
    wanted: frozenset[str] = frozenset()

    def __getattr__(self, name: str) -> Any:
        """Everything of the array API."""
        return getattr(self.api, name)

    @property
    def fills(self) -> bool:
        """Whether a block may hold rows of zeros beyond the last, whose number is n."""
        return False

    def wants(self, *names: str) -> bool:
        """Whether the derivative with respect to any of these clouds or options is asked for."""
        return not self.wanted.isdisjoint(names)

    def product(self, x: Array, y: Array) -> Array:
        """Matrix product at the full precision of the dtype, on a GPU too."""
        return self.api.matmul(x, y)

    def added(self, carried: Array, x: Array, y: Array) -> Array:
        """``carried`` plus the matrix product of x and y; ``carried`` may be overwritten."""
        return carried + self.product(x, y)

    def powers(self, x: Array, top: Array, *, spoil: bool = False) -> Array:
        """exp(x - top), a new array; with ``spoil`` it may be in the place of ``x``."""
        return self.api.exp(x - top)

    def dots(self, x: Array, y: Array) -> Array:
        """Σ_b x_ab y_ab of every row, shape (b,)."""
        return self.api.sum(x * y, axis=-1)

    def indices(self, count: int, like: Array) -> Array:
        """0 … count - 1, where ``like`` lies."""
        return self.api.arange(count, device=like.device)

    def sigmoid(self, x: Array) -> Array:
        """1/(1 + exp(-x)), relatively exact however small."""
        raise NotImplementedError

    def softplus(self, x: Array) -> Array:
        """log(1 + exp x), relatively exact however small."""
        raise NotImplementedError

    def filled(self, x: Array, value: float, *columns: Array) -> Array:
        """``x`` (b, m) with ``value`` in the given column of every row; ``x`` may be overwritten.

        Args:
            x: shape (b, m), a block that nobody else holds.
            value: what to put there.
            *columns: numbers of columns, each (b,); a number >= m means none.
        """
        raise NotImplementedError

    def softmax(self, x: Array) -> Softmax:
        """The softmax of every row of x (b, m), in parts; ``x`` may be overwritten."""
        raise NotImplementedError

    def over_rows(
        self,
        step: Step,
        rows: Sequence[Array],
        carried: Any,
        combine: Callable[[Any], Any] | None = None,
    ) -> tuple[Any, tuple[Array, ...]]:
        """Go through arrays of n rows, a block at a time, or all at once without blocks.

        Args:
            step: see :data:`Step`; ``index`` are the numbers of the rows. JAX may fill the last
                block up with rows of zeros, whose number is n; what they give is dropped, and what
                they add to ``carried`` must be zero.
            rows: arrays of shape (n, ...), of which every block gets its rows.
            carried: what goes from block to block.
            combine: makes one ``carried`` of those of several devices or processes, by
                :meth:`greatest_over` and :meth:`sum_over`; None to add them up, for what starts at
                zero.

        Returns:
            The last ``carried``, and the arrays of all rows, shape (n, ...).
        """
        raise NotImplementedError

    def greatest_over(self, x: Array) -> Array:
        """The largest of the numbers that devices or processes hold, entry by entry."""
        return x

    def sum_over(self, x: Array) -> Array:
        """The sum of what devices or processes hold."""
        return x
