"""Cross-entropy of a softmax over prototypes with target distributions: SwAV and DINO."""

from __future__ import annotations

from collections.abc import Callable

from normtheory._types import Array, Embeddings, OtherEmbeddings
from normtheory.losses._namespace import Namespace
from normtheory.losses._rows import Rows, by_rows
from normtheory.losses._slope import Slope


def soft_cross_entropy(xp: Namespace, logits: Array, targets: Array) -> Rows:
    """Cross-entropy with target distributions, and its derivative p - q.

    The largest logit is handled by what the others leave of it, so that a solved row with a hard
    target keeps the digits of its loss and gradient.

    Args:
        xp: the library.
        logits: shape (b, k).
        targets: rows >= 0 that sum to 1, shape (b, k).
    """
    numbers = xp.indices(logits.shape[1], logits)
    none = xp.zeros_like(logits)
    top = xp.astype(xp.argmax(logits, axis=-1), numbers.dtype)
    is_top = top[:, None] == numbers[None, :]
    below = logits - xp.max(logits, axis=-1)[:, None]
    powers = xp.where(is_top, none, xp.exp(below))
    rest = xp.sum(powers, axis=-1)[:, None]
    loss = xp.log1p(rest)[:, 0] - xp.sum(targets * below, axis=-1)
    # What the targets put elsewhere; 1 - target would round it away.
    elsewhere = xp.sum(xp.where(is_top, none, targets), axis=-1)[:, None]
    of_top = elsewhere - rest / (1 + rest)
    return Rows(loss, xp.where(is_top, of_top + none, powers / (1 + rest) - targets))


def over_prototypes(
    xp: Namespace,
    u: Embeddings,
    c: OtherEmbeddings,
    targets: Callable[..., Array],
    *others: Array,
    temperature: Array,
) -> Slope:
    """Mean cross-entropy of softmax_k(û·ĉ_k/τ) with ``targets(*others)`` of a block of rows."""
    n, scale = u.shape[0], 1 / temperature

    def of_block(logits: Array, index: Array, *others: Array) -> Rows:
        return soft_cross_entropy(xp, logits, targets(*others))

    wanted = (xp.wants("z", "temperature"), xp.wants("prototypes"))
    found = by_rows(xp, of_block, u, c, *others, scale=scale, slopes=wanted)
    return Slope(
        xp.mean(found.loss),
        {"z": scale / n * found.rows, "prototypes": scale / n * found.columns},
        {"temperature": -(scale**2) / n * xp.sum(u * found.rows)},
    )
