"""Norms beyond free embeddings and losses of directions: a pull along them, a linear encoder."""

from __future__ import annotations

from typing import Any

import numpy as np

from normtheory._arrays import Array, check_values, concrete, constant, scalars, vectors
from normtheory._range import in_range, quiet
from normtheory.pair import check_decay
from normtheory.sphere import dot, lifted_and_scaled

__all__ = [
    "linear_encoder_step",
    "radial_drift_cosine",
    "radial_drift_is_stable",
    "radial_drift_norm",
    "radial_share",
]


def _setting(
    learning_rate: Array, weight_decay: Array, radial: Array, tangential: Array
) -> tuple[Any, list[Array]]:
    """Namespace; rate, γλ, D and s, checked."""
    xp, (rate, decay, along, across) = scalars(
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        radial=radial,
        tangential=tangential,
    )
    check_values("learning_rate", rate, above=0.0)
    check_decay(rate, decay)
    check_values("radial", along)
    check_values("tangential", across, above=0.0)
    return xp, [rate, rate * decay, along, across]


def _refuse_growth(decay: Array, along: Array) -> None:
    lost, pull = concrete(decay), concrete(along)
    if lost is not None and pull is not None and ((lost == 0) & (pull >= 0)).any():
        raise ValueError(
            "weight_decay: expected > 0 where radial >= 0, got 0: with nothing that shrinks it "
            "the norm grows for ever"
        )


def _root_and_size(xp: Any, lost: Array, along: Array, across: Array) -> tuple[Array, ...]:
    """√(D² + (1-α²)s²), √(D² + s²) and 1-α², smooth in all of them for D ≠ 0 or γλ > 0."""
    span = lost * (2 - lost)

    def hypotenuse(part: Array) -> Array:
        larger = constant(xp.maximum(xp.abs(along), across * xp.sqrt(part)))
        larger = xp.where(larger == 0, xp.ones_like(larger), larger)
        share = across / larger
        return larger * xp.sqrt((along / larger) ** 2 + share * part * share)

    root, size = hypotenuse(span), hypotenuse(xp.ones_like(span))
    return root, size, span + xp.zeros_like(root)


@in_range
def radial_drift_norm(
    learning_rate: Array, weight_decay: Array, radial: Array, tangential: Array
) -> Array:
    """Norm at which weight decay, pulls across the embedding and a pull along it balance.

    A step z' = (1-γλ)z + γ(Dẑ + ξ)/ρ with ξ orthogonal to z and of length s leaves the norm at
    ρ*² = γ[αD + √(D² + (1-α²)s²)]/(1-α²), α = 1-γλ. Without decay and for D < 0 that is
    γ(D² + s²)/(2|D|). A loss of directions alone has D = 0, where this is
    :func:`normtheory.equilibrium_norm`. Claim :mod:`normtheory.claims.radial_drift`.

    Args:
        learning_rate: γ > 0, the rate one embedding sees.
        weight_decay: λ >= 0 with γλ < 1; λ > 0 unless ``radial`` < 0.
        radial: D, the part of -∇L along the embedding, times its norm; positive outwards.
        tangential: s > 0, the length of the part across, times the norm.

    Returns:
        ρ*, broadcast shape. Runs end there only where :func:`radial_drift_is_stable`.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here; the limit of small γλ, [D + √(D² + 2γλs²)]/(2λ), is Su et al. 2026.

    Example:
        >>> round(float(radial_drift_norm(0.1, 0.0, -0.5, 1.0)), 4)
        0.3536
    """
    xp, (rate, lost, along, across) = _setting(learning_rate, weight_decay, radial, tangential)
    _refuse_growth(lost, along)
    root, size, span = _root_and_size(xp, lost, along, across)
    # Of the two ways to write the fixed point, the one without a difference.
    whole = root + (1 - lost) * xp.abs(along)
    outwards = along > 0
    safe = xp.where(outwards, span, xp.ones_like(whole))
    return xp.sqrt(rate) * xp.where(outwards, xp.sqrt(whole / safe), size / xp.sqrt(whole))


@in_range
def radial_drift_cosine(
    learning_rate: Array, weight_decay: Array, radial: Array, tangential: Array
) -> Array:
    """Cosine of the angle an embedding turns by in a step, once its norm has settled.

    cos θ* = α + γD/ρ*² = [αs² + D√(D² + (1-α²)s²)]/(D² + s²), α = 1-γλ: of γ and λ only the product
    counts. Claim :mod:`normtheory.claims.radial_drift`.

    Args:
        learning_rate: γ > 0, the rate one embedding sees.
        weight_decay: λ >= 0 with γλ < 1; λ > 0 unless ``radial`` < 0.
        radial: D, the part of -∇L along the embedding, times its norm; positive outwards.
        tangential: s > 0, the length of the part across, times the norm.

    Returns:
        In (-1, 1), broadcast shape; above 0 just where :func:`radial_drift_is_stable`.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(radial_drift_cosine(0.1, 0.0, -0.5, 1.0)), 4)
        0.6
    """
    xp, (_, lost, along, across) = _setting(learning_rate, weight_decay, radial, tangential)
    _refuse_growth(lost, along)
    root, size, _ = _root_and_size(xp, lost, along, across)
    return (1 - lost) * (across / size) ** 2 + along / size * (root / size)


@quiet
def radial_drift_is_stable(
    learning_rate: Array, weight_decay: Array, radial: Array, tangential: Array
) -> Array:
    """Whether the norm settles, from any start: D > -(1-γλ)s, and something shrinks it.

    Just beyond, the squared norm swings between two values with the sum 2γ|D|/α. With λ = 0 and
    D >= 0 it grows for ever. Claim :mod:`normtheory.claims.radial_drift`.

    Args:
        learning_rate: γ > 0, the rate one embedding sees.
        weight_decay: λ >= 0 with γλ < 1.
        radial: D, the part of -∇L along the embedding, times its norm; positive outwards.
        tangential: s > 0, the length of the part across, times the norm.

    Returns:
        Truth values, broadcast shape.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> bool(radial_drift_is_stable(0.1, 0.0, -0.5, 1.0))
        True
        >>> bool(radial_drift_is_stable(0.1, 0.0, -1.5, 1.0))
        False
    """
    _, (_, lost, along, across) = _setting(learning_rate, weight_decay, radial, tangential)
    return (along > -(1 - lost) * across) & ((lost > 0) | (along < 0))


@in_range
def linear_encoder_step(
    mean_square: Array, gradient_norm: Array, learning_rate: Array, *, weight_decay: Array = 0.0
) -> Array:
    """Mean square norm of the outputs of a linear layer with white inputs, after a step of SGD.

    E‖q'‖² = (1-γλ)² E‖q‖² + γ²‖∇_W L‖² for q = Wx, E xxᵀ = I over the population, exactly, on any
    batch and any loss of the outputs' directions. With correlated inputs there is no such law.
    Claim :mod:`normtheory.claims.linear_encoder`.

    Args:
        mean_square: E‖q‖² > 0 before the step, which is ‖W‖² (Frobenius).
        gradient_norm: ‖∇_W L‖ >= 0, the Frobenius norm of the gradient of the weights.
        learning_rate: γ > 0, the optimizer's.
        weight_decay: λ >= 0 with γλ < 1, the optimizer's.

    Returns:
        E‖q'‖², broadcast shape.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(linear_encoder_step(4.0, 0.5, 0.2, weight_decay=0.1)), 4)
        3.8516
    """
    _, (square, slope, rate, decay) = scalars(
        mean_square=mean_square,
        gradient_norm=gradient_norm,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    check_values("mean_square", square, above=0.0)
    check_values("gradient_norm", slope, least=0.0)
    check_values("learning_rate", rate, above=0.0)
    check_decay(rate, decay)
    return (1 - rate * decay) ** 2 * square + (rate * slope) ** 2


def pulls(norm: Any, after: Any, angle: Any, lost: Any) -> tuple[Any, Any]:
    """What moved points in a step z' = (1-λ')z + (D'ẑ + ξ')/ρ, found from the step.

    Args:
        norm: ρ before, (n,), numpy.
        after: ρ' afterwards.
        angle: θ by which they turned, radians.
        lost: λ', the share that decay takes in the step.

    Returns:
        D' and ‖ξ'‖, each (n,): γD and γs of :func:`radial_drift_norm` at rate γ.
    """
    # ρ' cos θ - ρ, without the difference of two numbers that are nearly the same.
    outwards = after - norm - 2 * after * np.sin(angle / 2) ** 2
    return norm * (outwards + lost * norm), norm * after * np.sin(angle)


@in_range
def radial_share(points: Array, displacements: Array) -> Array:
    """Cosine of the angle between points and their displacements: 0 where they move orthogonally.

    Orthogonal to their gradient are free embeddings under a loss of directions, and of a network
    each layer without a bias before it, and the last layer with its bias: (W_L, b_L) as one vector.
    The embeddings that a network puts out are not. Claim :mod:`normtheory.claims.encoder_drift`.

    Args:
        points: shape (..., d), nonzero rows; embeddings, or parameters joined to one vector; numpy,
            JAX or PyTorch, float32 or float64.
        displacements: gradients or steps of the same kind and dtype, shape (..., d); may be zero.

    Returns:
        In [-1, 1], shape (...), same kind and dtype; 0 where nothing moves.

    Raises:
        TypeError: integers, half precision, lists, or two libraries or dtypes.
        ValueError: shapes that don't fit, a zero row of points, a non-finite row.

    Reference:
        Derived here.

    Example:
        >>> import numpy as np
        >>> round(float(radial_share(np.array([2.0, 0.0]), np.array([0.3, 0.4]))), 12)
        0.6
    """
    xp, (z, v) = vectors(points=points, displacements=displacements, allow_zero=("displacements",))
    z, v = lifted_and_scaled(xp, z)[0], lifted_and_scaled(xp, v)[0]
    length = dot(xp, v, v)
    length = xp.where(length > 0, length, xp.ones_like(length))
    share = dot(xp, z / xp.sqrt(dot(xp, z, z)), v / xp.sqrt(length))
    return xp.clip(share, -1, 1)[..., 0]
