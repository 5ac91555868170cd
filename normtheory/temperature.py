"""The temperature τ = 1/b: the best one where partners can be wrong, and what it does to gradients.

``wrong`` is the rate ε at which the partner that a loss is told is another point's. ``margin`` is
the cosine with the right partner less that with any other.
"""

from __future__ import annotations

from normtheory._arrays import Array, check_count, check_values, concrete, scalars, vectors
from normtheory._range import in_range, quiet
from normtheory.sphere import dot, lifted_and_scaled, tangent_projection

__all__ = [
    "best_scale",
    "info_nce_bound",
    "info_nce_limit",
    "noisy_loss_floor",
    "siglip_bias",
    "wrong_partner_margin",
]


def _check_wrong(wrong: Array, n: int) -> None:
    check_count("n", n, 2)
    check_values("wrong", wrong, above=0.0)
    value = concrete(wrong)
    if value is not None and (value >= (n - 1) / n).any():
        raise ValueError(
            f"wrong: expected a rate below (n-1)/n = {(n - 1) / n:.4g}, got {value.max():.4g}: "
            "at chance the best scale is 0"
        )


@in_range
def wrong_partner_margin(wrong: Array, n: int) -> Array:
    """Scale times margin at which a contrastive loss with wrong partners comes to rest.

    bΔ = ln((n−1)(1−ε)/ε). Claims :mod:`normtheory.claims.temperature` and
    :mod:`normtheory.claims.modality_gap`.

    Args:
        wrong: ε, rate of wrong partners, in (0, (n−1)/n).
        n: partners to choose from, at least 2.

    Returns:
        Dimensionless, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(wrong_partner_margin(0.01, 128)), 3)
        9.439
    """
    xp, (wrong,) = scalars(wrong=wrong)
    _check_wrong(wrong, n)
    return xp.log((n - 1) * (1 - wrong)) - xp.log(wrong)


@in_range
def best_scale(margin: Array, wrong: Array, n: int) -> Array:
    """The scale b = 1/τ at which the expected loss is least, where partners are wrong at a rate.

    b* = ln((n−1)(1−ε)/ε)/Δ. Claim :mod:`normtheory.claims.temperature`.

    Args:
        margin: Δ > 0.
        wrong: ε, rate of wrong partners, in (0, (n−1)/n).
        n: partners to choose from, at least 2.

    Returns:
        b*, broadcast shape, the same array kind; the best temperature is 1/b*.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(best_scale(0.5, 0.01, 128)), 2)
        18.88
    """
    _, (margin, wrong) = scalars(margin=margin, wrong=wrong)
    check_values("margin", margin, above=0.0)
    return wrong_partner_margin(wrong, n) / margin


@in_range
def noisy_loss_floor(wrong: Array, n: int) -> Array:
    """The expected loss at the best scale, whatever the margin.

    −(1−ε)ln(1−ε) − ε ln(ε/(n−1)): what the labels leave open. Claim
    :mod:`normtheory.claims.temperature`.

    Args:
        wrong: ε, rate of wrong partners, in (0, (n−1)/n).
        n: partners to choose from, at least 2.

    Returns:
        Nats, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(noisy_loss_floor(0.01, 128)), 4)
        0.1044
    """
    xp, (wrong,) = scalars(wrong=wrong)
    _check_wrong(wrong, n)
    return -(1 - wrong) * xp.log1p(-wrong) - wrong * (xp.log(wrong) - xp.log(n - 1 + 0 * wrong))


@in_range
def siglip_bias(steepness: Array, cosine: Array, n: int) -> Array:
    """SigLIP's best bias where all cosines of n right and n² − n wrong pairs are alike.

    −ln(n−1) − bc₀: the probabilities of all pairs add up to n. At a random start c₀ is about 0.
    Claim :mod:`normtheory.claims.temperature`.

    Args:
        steepness: b = 1/τ > 0.
        cosine: c₀ in [−1, 1].
        n: pairs of a batch, at least 2.

    Returns:
        The bias that is added to the logits, broadcast shape, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(siglip_bias(10.0, 0.0, 22027)), 2)
        -10.0
    """
    xp, (b, cosine) = scalars(steepness=steepness, cosine=cosine)
    check_count("n", n, 2)
    check_values("steepness", b, above=0.0)
    check_values("cosine", cosine, least=-1.0, most=1.0)
    return -xp.log(n - 1 + 0 * b) - b * cosine


@in_range
def info_nce_bound(probability: Array, norm: Array, n: int, temperature: Array) -> Array:
    """Largest gradient that InfoNCE can have at an anchor: 2(1-p)/(nτρ).

    A solved anchor, p near 1, hardly moves. Attained where the anchor is orthogonal to its key and
    all other keys are opposite to that. Claim :mod:`normtheory.claims.info_nce_bound`.

    Args:
        probability: p in [0, 1], the softmax's share of the anchor's own key.
        norm: ρ > 0 of the anchor.
        n: anchors that the loss is a mean over, at least 1.
        temperature: τ > 0.

    Returns:
        Bound on ‖∇_u L‖, broadcast shape, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(info_nce_bound(0.9, 2.0, 1, 0.1)), 12)
        1.0
    """
    _, (p, norm, tau) = scalars(probability=probability, norm=norm, temperature=temperature)
    check_values("probability", p, least=0.0, most=1.0)
    check_values("norm", norm, above=0.0)
    check_count("n", n, 1)
    check_values("temperature", tau, above=0.0)
    return 2 * (1 - p) / n / tau / norm


@quiet
def info_nce_limit(points: Array, partners: Array) -> Array:
    """What τ∇L of InfoNCE becomes at a high temperature: attraction minus the mean repulsion.

    -P(v̂_a - mean_b v̂_b)/(nρ), off by terms of order 1/τ. Claim
    :mod:`normtheory.claims.high_temperature`.

    Args:
        points: anchors, shape (n, d), nonzero rows, whose gradients are wanted; or the keys, with
            the anchors as partners. numpy, JAX or PyTorch, float32 or float64.
        partners: the other side, shape (n, d); row a belongs to row a.

    Returns:
        Shape (n, d), same kind and dtype: divided by τ the gradient of the mean over n anchors.

    Raises:
        TypeError: integers, half precision, lists, or two libraries or dtypes.
        ValueError: not two matrices of one shape, a zero or non-finite row.

    Reference:
        Derived here.

    Example:
        >>> import numpy as np
        >>> info_nce_limit(np.eye(2), np.eye(2)[::-1].copy())
        array([[ 0.  , -0.25],
               [-0.25,  0.  ]])
    """
    xp, (z, y) = vectors(points=points, partners=partners)
    if z.ndim != 2 or tuple(points.shape) != tuple(partners.shape):
        raise ValueError(
            f"expected points and partners of one shape (n, d), got {tuple(points.shape)} and "
            f"{tuple(partners.shape)}"
        )
    y, _ = lifted_and_scaled(xp, y)
    unit = y / xp.sqrt(dot(xp, y, y))
    repelled = xp.mean(unit, axis=0, keepdims=True) - unit
    near_one, scale = lifted_and_scaled(xp, z)
    norm = xp.sqrt(dot(xp, near_one, near_one))
    return tangent_projection(z, repelled) / norm / scale / z.shape[0]
