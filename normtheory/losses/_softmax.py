"""Cross-entropy of a positive among negatives, to the last relative digit.

With x_b = (negative logit b) - (positive logit), the loss is log(1 + Σ exp x_b). Written so, a
batch that is already solved keeps the digits of its tiny loss and gradient, and nothing overflows
however small the temperature: the probability of the positive is never subtracted from 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array


def log_sum_exp(x: Array, mask: Array) -> tuple[Array, Array]:
    """Rowwise log Σ exp x over the entries of a mask, and its derivative, the softmax.

    Args:
        x: shape (n, m).
        mask: booleans (n, m).

    Returns:
        Shapes (n,) and (n, m); the derivative is 0 outside the mask. A row without any True gives
        minus infinity and zeros.
    """
    some = jnp.any(mask, axis=-1, keepdims=True)
    x = jnp.where(mask, x, -jnp.inf)
    top = jax.lax.stop_gradient(jnp.max(x, axis=-1, keepdims=True))
    powers = jnp.exp(x - jnp.where(some, top, 0))
    total = jnp.where(some, jnp.sum(powers, axis=-1, keepdims=True), 1)
    return (top + jnp.log(total))[:, 0], powers / total


def log_mean_exp(x: Array, mask: Array) -> tuple[Array, Array]:
    """Rowwise log of the mean of exp x over the entries of a mask, and its derivative.

    Where all entries are nearly equal it is their mean to the last relative digit, however small:
    log1p of the mean of expm1. Where they are far apart that would cancel, and the sum is taken.

    Args:
        x: shape (n, m).
        mask: booleans (n, m), at least one True in every row.

    Returns:
        Shapes (n,) and (n, m), as :func:`log_sum_exp`.
    """
    total, share = log_sum_exp(x, mask)
    count = jnp.sum(mask, axis=-1).astype(x.dtype)
    top = jax.lax.stop_gradient(jnp.max(jnp.where(mask, x, -jnp.inf), axis=-1))
    drop = jnp.sum(jnp.expm1(jnp.where(mask, x - top[:, None], 0)), axis=-1) / count
    close = drop > -0.5
    near = top + jnp.log1p(jnp.where(close, drop, 0))
    return jnp.where(close, near, total - jnp.log(count)), share


def cross_entropy(logits: Array, positive: Array, negatives: Array) -> tuple[Array, Array, Array]:
    """Minus the log of the softmax probability of a positive against negatives.

    Args:
        logits: shape (n, m).
        positive: logit of the positive of every row, shape (n,).
        negatives: which logits are negatives, booleans (n, m), at least one True in every row.

    Returns:
        The loss of every row (n,); its derivative with respect to the logits of the negatives
        (n, m), 0 elsewhere; and minus its derivative with respect to the positive (n,): that is
        1 - p, computed without cancellation.
    """
    total, share = log_sum_exp(logits - positive[:, None], negatives)
    missing = jax.nn.sigmoid(total)
    return jnp.logaddexp(total, 0), share * missing[:, None], missing


def soft_cross_entropy(logits: Array, targets: Array) -> tuple[Array, Array]:
    """Cross-entropy with target distributions, and its derivative p - q.

    The largest logit is handled by what the others leave of it, so that a solved row with a hard
    target keeps the digits of its loss and gradient.

    Args:
        logits: shape (n, k).
        targets: rows >= 0 that sum to 1, shape (n, k).

    Returns:
        The loss of every row (n,), and its derivative with respect to the logits (n, k).
    """
    top = jax.lax.stop_gradient(jnp.argmax(logits, axis=-1))
    is_top = top[:, None] == jnp.arange(logits.shape[-1])[None, :]
    below = logits - jnp.take_along_axis(logits, top[:, None], axis=-1)
    powers = jnp.where(is_top, 0, jnp.exp(below))
    rest = jnp.sum(powers, axis=-1, keepdims=True)
    loss = jnp.log1p(rest)[:, 0] - jnp.sum(targets * below, axis=-1)
    missing = rest / (1 + rest)
    # What the targets put elsewhere; 1 - target would round it away.
    elsewhere = jnp.sum(jnp.where(is_top, 0, targets), axis=-1, keepdims=True)
    derivative = jnp.where(is_top, elsewhere - missing, powers / (1 + rest) - targets)
    return loss, derivative
