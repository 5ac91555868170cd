"""Which rows take part in a step: all, a minibatch, or each with its own probability.

Rows of clouds that belong together (an anchor and its positive) are drawn together. The draws of a
step follow from the key of the state and the number of the step alone.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_count, check_flag, check_values
from normtheory._read import real_numbers
from normtheory.particles._given import places
from normtheory.particles._tree import static, tree

__all__ = ["Bernoulli", "Minibatch", "bernoulli", "minibatch"]


@tree
class Minibatch:
    """A batch of rows in every step; made by :func:`minibatch`.

    Attributes:
        cumulative: bounds of the rows' shares of 2³¹ equally likely numbers, uint32 (n,), or None.
        log_frequency: (n,), for drawing without replacement, or None.
        size: rows in a batch.
        lazy: whether rows outside the batch stay where they are.
        clouds: places of the clouds that are drawn from; None for all as long as the first.
        replace: whether a row can come twice in a batch.
    """

    cumulative: Any
    log_frequency: Any
    size: int = static()
    lazy: bool = static(default=True)
    clouds: tuple[int, ...] | None = static(default=None)
    replace: bool = static(default=True)

    def draw(self, key: jax.Array, n: int, dtype: Any) -> jax.Array:
        """Draw row numbers, int32 (size,)."""
        if self.replace and self.cumulative is None:
            return jax.random.randint(key, (self.size,), 0, n, dtype=jnp.int32)
        if self.replace:
            # Integers: in float32 the shares of a million rows would be off by several percent.
            bits = jax.random.bits(key, (self.size,), jnp.uint32) >> jnp.uint32(1)
            return jnp.searchsorted(self.cumulative, bits, side="right").astype(jnp.int32)
        noise = jax.random.gumbel(key, (n,), dtype)
        if self.log_frequency is not None:
            noise = noise + jnp.asarray(self.log_frequency, dtype)
        return jax.lax.top_k(noise, self.size)[1].astype(jnp.int32)


@tree
class Bernoulli:
    """Every row is updated with its own probability; made by :func:`bernoulli`.

    Attributes:
        probability: a number, or shape (n,).
        clouds: places of the clouds it applies to; None for all as long as the first.
    """

    probability: Any
    clouds: tuple[int, ...] | None = static(default=None)

    def draw(self, key: jax.Array, n: int, dtype: Any) -> jax.Array:
        """Draw which rows are updated, bool (n,)."""
        return jax.random.uniform(key, (n,), dtype) < jnp.asarray(self.probability, dtype)


_MOST = 2**31 - 1  # rows are counted in 32 bits


def minibatch(
    size: int,
    frequencies: Any = None,
    *,
    replace: bool = True,
    lazy: bool = True,
    clouds: tuple[int, ...] | None = None,
) -> Minibatch:
    """A minibatch of rows in every step: the force acts on these rows alone.

    A mean loss is then the mean over the batch. A row that comes twice gets both gradients.

    Args:
        size: rows in a batch, >= 1.
        frequencies: relative, shape (n,), >= 0; None for equal ones. Drawing with replacement
            renders them to within 2^-31 of the total, however many rows there are.
        replace: draw with replacement. Otherwise every row comes once at most, one after the other
            with these frequencies (Gumbel top-k).
        lazy: a row outside the batch stays, with its momenta: no decay and no coasting. False takes
            its gradient as zero instead.
        clouds: places of the clouds that are drawn from, row by row together; None for all that
            have as many rows as the first.

    Raises:
        TypeError: frequencies that are no real numbers; ``replace`` or ``lazy`` no truth value.
        ValueError: a bad size or frequency (the row is named).
    """
    check_count("size", size, 1, most=_MOST)
    replace, lazy = check_flag("replace", replace), check_flag("lazy", lazy)
    cumulative = log_frequency = None
    if frequencies is not None:
        weights = real_numbers("frequencies", frequencies)
        if weights.ndim != 1 or not len(weights):
            raise ValueError(f"frequencies: expected shape (n,), got shape {weights.shape}")
        check_values("frequencies", weights, least=0.0)
        if not weights.any():
            raise ValueError("frequencies: expected at least one above 0")
        if replace:
            share = np.cumsum(weights) / np.sum(weights)
            share[np.flatnonzero(weights)[-1] :] = 1.0  # the sum of the rounded shares need not be
            cumulative = np.rint(share * 2.0**31).astype(np.uint32)
        else:
            if np.count_nonzero(weights) < size:
                raise ValueError(
                    f"size: expected at most the {np.count_nonzero(weights)} rows with a "
                    f"frequency above 0, got {size}"
                )
            with np.errstate(divide="ignore"):
                log_frequency = np.log(weights / weights.max())
    chosen = None if clouds is None else places("clouds", clouds)
    return Minibatch(cumulative, log_frequency, int(size), lazy, chosen, replace)


def bernoulli(probability: Any, *, clouds: tuple[int, ...] | None = None) -> Bernoulli:
    """Every row is updated with its own probability in a step, and stays otherwise.

    The gradient is that of the full loss; a row that is not drawn does not move: no decay, no
    momentum. Rows of several clouds that belong together are drawn together.

    Args:
        probability: in [0, 1], a number or shape (n,).
        clouds: places of the clouds it applies to; None for all with as many rows as the first.

    Raises:
        TypeError: no real numbers.
        ValueError: a probability out of range, or a bad shape.
    """
    chance = real_numbers("probability", probability)
    if chance.ndim > 1:
        raise ValueError(f"probability: expected a number or shape (n,), got shape {chance.shape}")
    check_values("probability", chance, least=0.0, most=1.0)
    return Bernoulli(chance, None if clouds is None else places("clouds", clouds))
