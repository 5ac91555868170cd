"""Adam with weight decay joined to the gradient, L2."""

from __future__ import annotations

from typing import Any

from normtheory._arrays import Array, check_count, check_values, concrete, scalars
from normtheory._range import in_range
from normtheory.equilibrium._recursion import autocorrelation, share


def _lost(rate: Array, decay: Array, d: Array, slope: Array) -> Array:
    """Share of an embedding that decay takes in a step: Adam divides λz by the root s/(ρ√d)."""
    for name, x in (("learning_rate", rate), ("weight_decay", decay), ("slope", slope)):
        check_values(name, x, above=0.0)
    check_values("dimension", d, least=2.0)
    lost = (rate**4 * decay**2 * d**2 / (2 * slope**2)) ** (1 / 3)
    values: Any = concrete(lost)
    if values is not None and (values >= 1).any():
        raise ValueError(
            f"weight_decay: a step would take {values.max():g} of an embedding, expected < 1"
        )
    return lost


@in_range
def adam_norm(learning_rate: Array, weight_decay: Array, dimension: Array, slope: Array) -> Array:
    """Norm at which Adam's steps balance weight decay that is joined to the gradient (L2).

    (η s √d/2λ)^(1/3), as ``torch.optim.Adam`` has its weight decay: it is divided by the size of
    the gradient, so harder embeddings get larger norms, which under AdamW they don't. Claim
    :mod:`normtheory.claims.adam_equilibrium`.

    It is a limit: ε = 0, many dimensions (1 % at d = 64), β₂ near 1, and the share of an embedding
    that decay takes in a step, ηλ√d‖z‖/s, far below 1-β₂. Gradients are alike in all components:
    decay takes more where they are small, so uneven ones leave the norm lower.

    Args:
        learning_rate: η > 0.
        weight_decay: λ > 0, added as λz to the gradient.
        dimension: d >= 2, the number of components of an embedding.
        slope: s, root mean square of ‖z‖‖∇L‖, the gradient with respect to the direction, > 0.

    Returns:
        The norm, broadcast shape.

    Raises:
        TypeError: not numbers or float arrays.
        ValueError: values out of range; decay that would take an embedding away in a step.

    Reference:
        Derived here.

    Example:
        >>> round(float(adam_norm(1e-3, 1e-4, 128, 1.0)), 2)
        3.84
    """
    _, (rate, decay, d, size) = scalars(
        learning_rate=learning_rate, weight_decay=weight_decay, dimension=dimension, slope=slope
    )
    _lost(rate, decay, d, size)
    return rate ** (1 / 3) * size ** (1 / 3) * d ** (1 / 6) / (2 * decay) ** (1 / 3)


@in_range
def adam_cosine(
    learning_rate: Array,
    weight_decay: Array,
    dimension: Array,
    slope: Array,
    *,
    beta_1: float = 0.9,
    steps: int = 1,
) -> Array:
    """Cosine between an embedding and itself some steps later, once Adam with L2 balances.

    1 - κ(1-β₁)/(1+β₁) after one step, κ = (η⁴λ²d²/2s²)^(1/3) the share of an embedding that decay
    takes in a step: that of SGD with coupled decay and momentum β₁. Claim
    :mod:`normtheory.claims.adam_equilibrium`, with the same conditions as the norm's.

    Args:
        learning_rate: η > 0.
        weight_decay: λ > 0, added as λz to the gradient.
        dimension: d >= 2, the number of components of an embedding.
        slope: s, root mean square of ‖z‖‖∇L‖, > 0.
        beta_1: decay of the mean of gradients, in [0, 1).
        steps: number of steps, an integer >= 1.

    Returns:
        The cosine, broadcast shape.

    Raises:
        TypeError: not numbers or float arrays.
        ValueError: values out of range; decay that would take an embedding away in a step.

    Reference:
        Derived here.

    Example:
        >>> round(float(adam_cosine(1e-3, 1e-4, 128, 1.0)), 8)
        0.99999977
    """
    _, (rate, decay, d, size) = scalars(
        learning_rate=learning_rate, weight_decay=weight_decay, dimension=dimension, slope=slope
    )
    check_count("steps", steps, 1)
    beta, lost = share("beta_1", beta_1), _lost(rate, decay, d, size)
    return autocorrelation(1 + beta - (1 - beta) * lost, beta, int(steps))
