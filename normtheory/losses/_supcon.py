"""Supervised contrastive loss: every point of the same class is a positive."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import concrete
from normtheory.losses import _core
from normtheory.losses._core import Array, Slope, of_own_similarities, product
from normtheory.losses._registry import Loss, labelled
from normtheory.losses._softmax import log_sum_exp


def rows(logits: Array, positive: Array, other: Array) -> tuple[Array, Array, Array]:
    """The loss of every anchor, and its derivative with respect to the logits.

    The positives P(i) and the negatives are summed apart: log Σ_P exp - mean_P of the logits, and
    what the negatives add to it, log(1 + Σ_N exp/Σ_P exp). So a solved class keeps its digits.

    Args:
        logits: shape (b, n).
        positive: which entries are positives of the row.
        other: which are not the row itself.

    Returns:
        Which rows are anchors, (b,); their loss, 0 for the others; its derivative, (b, n).
    """
    count = jnp.sum(positive, axis=-1).astype(logits.dtype)
    anchors = count > 0
    mean_share = jnp.where(positive, 1 / jnp.maximum(count, 1)[:, None], 0)
    mean = jnp.sum(logits * mean_share, axis=-1)
    of_positives, among_positives = log_sum_exp(
        logits - mean[:, None], positive | ~anchors[:, None]
    )
    gap, among_negatives = log_sum_exp(logits - (mean + of_positives)[:, None], other & ~positive)
    missing = jax.nn.sigmoid(gap)[:, None]  # probability of the negatives
    by_logit = (among_positives - mean_share) - missing * (among_positives - among_negatives)
    loss = jnp.where(anchors, of_positives + jnp.logaddexp(gap, 0), 0)
    return anchors, loss, jnp.where(anchors[:, None], by_logit, 0)


def _slope(u: Array, *, labels: Array, temperature: Array) -> Slope:
    other = ~jnp.eye(u.shape[0], dtype=bool)
    positive = (labels[:, None] == labels[None, :]) & other
    similarity = product(u, u.T)
    anchors, loss, by_logit = rows(similarity / temperature, positive, other)
    anchor_count = jnp.maximum(jnp.sum(anchors), 1).astype(u.dtype)
    weights = by_logit / (anchor_count * temperature)
    return of_own_similarities(
        jnp.sum(loss) / anchor_count,
        weights,
        u,
        temperature=-jnp.sum(weights * similarity) / temperature,
    )


def _arguments(z: Array, labels: Any, temperature: Any) -> dict[str, Array]:
    _core.check_paired(2, z=z)
    _core.check_labels(labels, z)
    seen = concrete(jnp.asarray(labels))
    if seen is not None and np.unique(seen, return_counts=True)[1].max() < 2:
        raise ValueError("labels: expected at least one class with two points")
    _core.check_temperature(temperature)
    return {"z": z}


def supcon(z: Array, labels: Array, *, temperature: Any = 0.1) -> Array:
    """SupCon: mean over anchors and over their positives of -log softmax_{k≠i}(ẑ_i·ẑ_k/τ).

    Args:
        z: shape (n, d), n >= 2, nonzero rows.
        labels: integers (n,). A point that is alone in its class is no anchor, but a negative.
        temperature: τ > 0; differentiable.

    Returns:
        The loss (the form with the sum over positives outside of the logarithm), a scalar.

    Raises:
        TypeError, ValueError: a cloud that doesn't fit, zero or non-finite rows (named), labels
            that don't fit or share no class, temperature <= 0.

    Reference:
        Khosla et al. 2020, equation 2.
    """
    return _core.value(
        _slope, _arguments(z, labels, temperature), labels=labels, temperature=temperature
    )


def supcon_gradient(z: Array, labels: Array, *, temperature: Any = 0.1) -> tuple[Array]:
    """Closed-form gradient of :func:`supcon`, a tuple of one array (n, d)."""
    (g,) = _core.gradient(
        _slope, _arguments(z, labels, temperature), labels=labels, temperature=temperature
    )
    return (g,)


LOSSES = (
    Loss(
        "supcon",
        supcon,
        supcon_gradient,
        "Khosla et al. 2020, eq. 2",
        (0,),
        labelled(3, prototypes=False, temperature=0.2),
    ),
)
