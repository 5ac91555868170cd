"""Clouds of many points that are as symmetric as can be: what happens to them in closed form.

An equiangular cloud (all cosines equal, all norms equal) stays one under any loss of the cosines
that no permutation of the points changes. It moves as one pair does, from collapse (all points in
one direction) to the simplex (cosines −1/(n−1)), like an umbrella that opens. ``slope`` is
w = ∂L/∂c of one pair of points, counted once; ``learning_rate`` is that of the loss as it is
written: a mean stays a mean.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from normtheory._arrays import (
    Array,
    check_count,
    check_option,
    check_values,
    numbers,
    scalars,
)
from normtheory._range import check_in_range, in_range, quiet
from normtheory.pair import check_decay, over_square

__all__ = [
    "LOSSES",
    "EquiangularState",
    "GapState",
    "alignment_floor",
    "cloud_angle",
    "equiangular_step",
    "gap_exponent",
    "gap_ratio",
    "gap_step",
    "loss_floor",
    "simplex_steps",
    "slope",
]

#: Losses with a closed form, and what their ``steepness`` b is: 1/τ, or t of uniformity.
LOSSES = ("info_nce", "info_nce_two", "clip_two", "nt_xent", "decoupled", "uniformity")


class EquiangularState(NamedTuple):
    """An equiangular cloud up to rotation.

    Attributes:
        cosine: of every pair of points, in [−1/(n−1), 1].
        norm: of every point, > 0.
    """

    cosine: Array
    norm: Array


def _check_cosine(name: str, cosine: Array, n: int) -> None:
    check_count("n", n, 2)
    # A float below −1/(n − 1) by rounding is the simplex.
    check_values(name, cosine, least=-1 / (n - 1) - 1e-6, most=1.0 + 1e-6)


@in_range
def cloud_angle(cosine: Array, n: int) -> Array:
    """The angle ψ by which an equiangular cloud of n points counts as one pair.

    cos ψ = 2(1 + (n−1)c)/n − 1: 0 at collapse, π at the simplex, and the angle itself for n = 2.
    Claim :mod:`normtheory.claims.equiangular`.

    Args:
        cosine: c of every two points, in [−1/(n−1), 1].
        n: number of points, at least 2.

    Returns:
        Radians in [0, π], the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range; n below 2.

    Reference:
        Derived here.

    Example:
        >>> round(float(cloud_angle(-0.5, 3)), 6)
        3.141593
    """
    xp, (cosine,) = scalars(cosine=cosine)
    _check_cosine("cosine", cosine, n)
    share = xp.clip((1 + (n - 1) * cosine) / n, 0.0, 1.0)
    apart = xp.clip((n - 1) * (1 - cosine) / n, 0.0, 1.0)
    return 2 * xp.atan2(xp.sqrt(apart), xp.sqrt(share))


@in_range
def equiangular_step(
    state: EquiangularState,
    slope: Array,
    learning_rate: Array,
    n: int,
    *,
    gradscale: float = 0.0,
    weight_decay: Array = 0.0,
) -> EquiangularState:
    """One exact step of SGD of an equiangular cloud.

    With m = 1 + (n−1)c and a = γwρ^(p−2)/(1−γλ): m' = m(1 − a(n−m))²/(1 + a²m(n−m)) and
    ρ' = (1−γλ)ρ√(1 + a²m(n−m)). Claim :mod:`normtheory.claims.equiangular`.

    Args:
        state: cosine and norm; numbers or arrays that broadcast.
        slope: w = ∂L/∂c of one pair counted once; above 0 it repels. :func:`slope` has those of the
            losses in use.
        learning_rate: γ > 0, on the loss as it is written.
        n: number of points, at least 2.
        gradscale: power p of GradScale, a number.
        weight_decay: λ ≥ 0 with γλ < 1.

    Returns:
        The state after the step, of the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of the ranges above.

    Reference:
        Derived here.

    Example:
        >>> step = equiangular_step(EquiangularState(0.5, 1.0), 1.0, 0.1, 3)
        >>> [round(float(x), 6) for x in step]
        [0.294118, 1.00995]
    """
    if not isinstance(state, tuple) or len(state) != 2:
        raise TypeError(f"state: expected an EquiangularState, got {type(state).__name__}")
    xp, (cosine, norm, slope, rate, decay) = scalars(
        cosine=state[0],
        norm=state[1],
        slope=slope,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    _check_cosine("cosine", cosine, n)
    check_values("norm", norm, above=0.0)
    check_values("slope", slope)
    check_values("learning_rate", rate, above=0.0)
    check_decay(rate, decay)
    power = check_option("gradscale", gradscale)
    keep = 1 - rate * decay
    a = over_square(rate, norm, power) * slope / keep
    m = 1 + (n - 1) * cosine
    # √(1 + a²m(n−m)) is the stretch; as a hypotenuse it can't overflow before it must.
    across = a * xp.sqrt(xp.clip(m * (n - m), 0.0, n**2 / 4))
    stretch = xp.hypot(xp.ones_like(across), across)
    m = m * ((1 - a * (n - m)) / stretch) ** 2
    cosine, norm = xp.broadcast_arrays((m - 1) / (n - 1), keep * norm * stretch)
    return EquiangularState(cosine, norm)


def _known(loss: str) -> None:
    if loss not in LOSSES:
        raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {loss!r}")


@in_range
def slope(loss: str, cosine: Array, n: int, *, steepness: Array) -> Array:
    """The slope w of a loss on an equiangular cloud: ∂L/∂c of one pair counted once.

    2b/(n(e^(by) + k(n−1))) with y = 1 − c and k = 1 for InfoNCE with the cloud as anchors and keys,
    half of it for each of two separate equal clouds under InfoNCE or CLIP ("info_nce_two",
    "clip_two"), k = 2 for each view of NT-Xent; b/(n(n−1)) for the anchors of the decoupled loss;
    4t/(n(n−1)) for uniformity. Claim :mod:`normtheory.claims.simplex_steps`.

    Args:
        loss: one of :data:`LOSSES`.
        cosine: c of every two points, in [−1/(n−1), 1].
        n: number of points (for NT-Xent: of classes), at least 2.
        steepness: b = 1/τ > 0, or t of uniformity.

    Returns:
        w > 0, broadcast shape, the same array kind.

    Raises:
        TypeError, ValueError: an unknown loss; not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(slope("info_nce", 1.0, 4, steepness=10.0)), 4)
        1.25
    """
    _known(loss)
    xp, (cosine, b) = scalars(cosine=cosine, steepness=steepness)
    _check_cosine("cosine", cosine, n)
    check_values("steepness", b, above=0.0)
    if loss == "uniformity":
        return 4 * b / (n * (n - 1)) + 0 * cosine
    if loss == "decoupled":
        return b / (n * (n - 1)) + 0 * cosine
    wrong = (2 if loss == "nt_xent" else 1) * (n - 1)
    # e^(−by) rather than e^(by): the slope of a solved cloud goes to 0, not through infinity.
    left = xp.exp(-b * (1 - cosine))
    return (1 if loss.endswith("_two") else 2) * b * left / (n * (1 + wrong * left))


def _potential(y: np.ndarray, n: int, b: np.ndarray, wrong: int) -> np.ndarray:
    """Φ_k e^(−by*), which stays in range where Φ_k does not."""
    end = n / (n - 1)
    scale = np.exp(-b * end)
    # Ei(x) e^(−x) from its series beyond 50, where Ei itself soon leaves the range.
    x = b * y
    far = x > 50
    terms = sum(float(special.factorial(k)) / np.where(far, x, 1.0) ** k for k in range(15))
    scaled = np.where(far, terms / np.where(far, x, 1.0), 0.0) * np.exp(x - b * end)
    near = special.expi(np.where(far, 1.0, x)) * scale
    gap = b * (end - y)
    e1 = special.exp1(np.minimum(gap, 600.0))
    log = wrong * (n - 1) * (np.log(y) - np.log(end - y)) * scale
    return np.where(far, scaled, near) + e1 + log


@quiet
def simplex_steps(
    loss: str,
    start: Array,
    end: Array,
    n: int,
    norm: Array,
    learning_rate: Array,
    *,
    steepness: Array,
) -> np.ndarray:
    """Steps of SGD that take an equiangular cloud from one cosine to a smaller one.

    From exponential integrals, or a logarithm where the slope is constant; proportional to ρ²/γ.
    Leading order in n|a| = nγw/ρ², whose largest value on the way should stay below about 0.1.
    Without end where ``start`` is 1 (collapse is at rest) or ``end`` is the simplex itself. Claim
    :mod:`normtheory.claims.simplex_steps`.

    Args:
        loss: one of :data:`LOSSES`; see :func:`slope`.
        start: cosine of every two points at first, in (−1/(n−1), 1].
        end: cosine to come to, in [−1/(n−1), start].
        n: number of points (for NT-Xent: of classes), at least 2.
        norm: ρ > 0 of every point.
        learning_rate: γ > 0, on the loss as it is written.
        steepness: b = 1/τ > 0, or t of uniformity.

    Returns:
        Steps, float64 numpy, broadcast shape; not rounded.

    Raises:
        TypeError, ValueError: an unknown loss; out of the ranges above; traced arrays and tensors
            that require grad.

    Reference:
        Derived here.

    Example:
        >>> round(float(simplex_steps("info_nce", 0.9, -0.3, 4, 1.0, 0.01, steepness=4.0)), 1)
        2433.1
    """
    _known(loss)
    first, last, rho, rate, b = numbers(
        "simplex_steps", start=start, end=end, norm=norm, learning_rate=learning_rate,
        steepness=steepness,
    )  # fmt: skip
    _check_cosine("start", first, n)
    _check_cosine("end", last, n)
    check_values("norm", rho, above=0.0)
    check_values("learning_rate", rate, above=0.0)
    check_values("steepness", b, above=0.0)
    if (last > first).any():
        raise ValueError("end: expected at most the cosine at the start: these losses repel")
    top = n / (n - 1)
    y_0, y_1 = (np.clip(1 - c, 0.0, top) for c in (first, last))
    pace = (rho / np.sqrt(rate)) ** 2
    if loss in ("uniformity", "decoupled"):
        w = slope(loss, 0.0, n, steepness=b)
        gain = (np.log(y_1) - np.log(top - y_1)) - (np.log(y_0) - np.log(top - y_0))
        steps = pace * gain / (2 * n * w)
    else:
        wrong = 2 if loss == "nt_xent" else 1
        gain = _potential(y_1, n, b, wrong) - _potential(y_0, n, b, wrong)
        steps = pace * np.exp(b * top) * gain / (4 * b) * (2 if loss.endswith("_two") else 1)
    moves, at_rest = y_0 != y_1, (y_0 == 0) | (y_1 == top)
    check_in_range("simplex_steps", np.where(moves & ~at_rest, steps, 0.0))
    return np.where(moves, np.where(at_rest, np.inf, steps), 0.0)[()]


class GapState(NamedTuple):
    """Two modalities in their symmetric state, up to rotation.

    Directions are (√P W, q₊, q₋) and (√P W, q₊, −q₋) with a simplex W and P = 1 − q₊² − q₋².

    Attributes:
        common: q₊, what all points of both modalities have in common.
        gap: q₋, half of the distance between the means of the modalities' directions.
        norm: ρ > 0 of every point.
        log_scale: ln b, b = 1/τ.
    """

    common: Array
    gap: Array
    norm: Array
    log_scale: Array


@in_range
def gap_step(
    state: GapState,
    learning_rate: Array,
    scale_rate: Array,
    n: int,
    *,
    gradscale: float = 0.0,
    weight_decay: Array = 0.0,
) -> GapState:
    """One exact step of SGD under CLIP with a learned scale, n pairs in a full batch.

    With D = nP/(n−1), q = (n−1)/(e^(bD) + n−1), Δs = γ_s bDq and κ = γ_e ρ^(p−2)/(nγ_s): ρq₊ and
    ρq₋ are multiplied by 1 − γ_eλ − κΔs, and ρ'² = ρ²[(1−γ_eλ)² + (κΔs)²(1−P)/P]. Claim
    :mod:`normtheory.claims.modality_gap`.

    Args:
        state: common part, gap, norm and log scale; numbers or arrays that broadcast.
        learning_rate: γ_e > 0 of the embeddings, on the mean over n pairs.
        scale_rate: γ_s ≥ 0 of the logarithm of the scale; 0 holds it.
        n: pairs, at least 2; all of them, not a minibatch.
        gradscale: power p of GradScale on the embeddings, a number.
        weight_decay: λ ≥ 0 of the embeddings, γ_eλ < 1.

    Returns:
        The state after the step, of the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of the ranges above; q₊² + q₋² not
            below 1.

    Reference:
        Derived here; states with q₊ = 0: Lee, Chang & Sohn 2024.

    Example:
        >>> step = gap_step(GapState(0.0, 0.4, 1.0, 0.0), 1.0, 0.1, 8)
        >>> [round(float(x), 5) for x in step]
        [0.0, 0.36478, 1.00073, 0.06991]
    """
    if not isinstance(state, tuple) or len(state) != 4:
        raise TypeError(f"state: expected a GapState, got {type(state).__name__}")
    xp, (common, gap, norm, log_scale, rate, scale_rate, decay) = scalars(
        common=state[0],
        gap=state[1],
        norm=state[2],
        log_scale=state[3],
        learning_rate=learning_rate,
        scale_rate=scale_rate,
        weight_decay=weight_decay,
    )
    check_count("n", n, 2)
    check_values("norm", norm, above=0.0)
    check_values("log_scale", log_scale)
    check_values("learning_rate", rate, above=0.0)
    check_values("scale_rate", scale_rate, least=0.0)
    check_decay(rate, decay)
    power = check_option("gradscale", gradscale)
    part = 1 - common**2 - gap**2
    check_values("1 - common² - gap²", part, above=0.0)
    b = xp.exp(log_scale)
    left = xp.exp(-b * n / (n - 1) * part)
    pull = b * n * part * left / (1 + (n - 1) * left)  # bDq
    keep, moved = 1 - rate * decay, over_square(rate, norm, power) / n * pull
    stretch = xp.hypot(keep + 0 * moved, moved * xp.sqrt((1 - part) / part))
    factor = (keep - moved) / stretch
    return GapState(
        *xp.broadcast_arrays(
            common * factor, gap * factor, norm * stretch, log_scale + scale_rate * pull
        )
    )


@in_range
def gap_exponent(
    norm: Array, n: int, learning_rate: Array, scale_rate: Array, *, gradscale: float = 0.0
) -> Array:
    """Exponent κ of the modality gap: it closes as b^(−κ) while CLIP learns its scale b.

    κ = γ_e ρ^(p−2)/(nγ_s): twice the norm, a quarter of the exponent. Claim
    :mod:`normtheory.claims.modality_gap`.

    Args:
        norm: ρ > 0 of the embeddings.
        n: pairs, at least 2; all of them, not a minibatch.
        learning_rate: γ_e > 0 of the embeddings, on the mean over n pairs.
        scale_rate: γ_s > 0 of the parameter that the scale is made of.
        gradscale: power p of GradScale, a number.

    Returns:
        Dimensionless where ln b is learned (γ_s for b: per scale², for τ: per temperature²),
        broadcast shape, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here. SGD on both; with Adam on either the law fails.

    Example:
        >>> float(gap_exponent(2.0, 8, 3.2, 0.1))
        1.0
    """
    _, (norm, rate, scale_rate) = scalars(
        norm=norm, learning_rate=learning_rate, scale_rate=scale_rate
    )
    check_count("n", n, 2)
    check_values("norm", norm, above=0.0)
    check_values("learning_rate", rate, above=0.0)
    check_values("scale_rate", scale_rate, above=0.0)
    power = check_option("gradscale", gradscale)
    return over_square(rate / n / scale_rate, norm, power)


@in_range
def gap_ratio(scale: Array, start: Array, exponent: Array, *, learned: str = "log") -> Array:
    """What is left of the modality gap once the scale has gone from one value to another.

    (b/b₀)^(−κ) where ln b is learned, e^(−κ(b²−b₀²)/2) where b is, e^(−κ(τ₀²−τ²)/2) where τ = 1/b
    is: then it never closes. Small steps, constant norms. Claim
    :mod:`normtheory.claims.modality_gap`.

    Args:
        scale: b > 0 now.
        start: b₀ > 0.
        exponent: κ > 0 of :func:`gap_exponent`, with the rate of what is learned.
        learned: "log", "scale" or "temperature".

    Returns:
        Gap over the gap at the start, broadcast shape, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range; another word.

    Reference:
        Derived here.

    Example:
        >>> round(float(gap_ratio(100.0, 14.3, 1.0)), 3)
        0.143
    """
    xp, (scale, start, kappa) = scalars(scale=scale, start=start, exponent=exponent)
    check_values("scale", scale, above=0.0)
    check_values("start", start, above=0.0)
    check_values("exponent", kappa, above=0.0)
    if learned == "log":
        return xp.exp(-kappa * (xp.log(scale) - xp.log(start)))
    if learned == "scale":
        return xp.exp(-kappa * (scale - start) * (scale + start) / 2)
    if learned == "temperature":
        return xp.exp(-kappa * (1 / start - 1 / scale) * (1 / start + 1 / scale) / 2)
    raise ValueError(f"learned: expected 'log', 'scale' or 'temperature', got {learned!r}")


@in_range
def alignment_floor(alignment: Array, n: int) -> Array:
    """The least mean cosine of wrong pairs at a given mean cosine of right ones.

    ((n−2)s − n)/(2(n−1)), attained for s < 1 by a simplex with a gap between the modalities. Claim
    :mod:`normtheory.claims.alignment_floor`.

    Args:
        alignment: s, mean cosine of partners, in [−1, 1].
        n: pairs, at least 2.

    Returns:
        Mean cosine over the wrong pairs, the same array kind.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(alignment_floor(1.0, 5)), 3)
        -0.25
    """
    _, (alignment,) = scalars(alignment=alignment)
    check_count("n", n, 2)
    check_values("alignment", alignment, least=-1.0, most=1.0)
    return ((n - 2) * alignment - n) / (2 * (n - 1))


@in_range
def loss_floor(alignment: Array, n: int, *, steepness: Array, loss: str = "clip") -> Array:
    """The least value of a contrastive loss at a given alignment.

    ln(1 + (n−1)e^(−by*(1+s)/2)) with y* = n/(n−1) for "info_nce" and "clip", at s = 1
    ln(1 + 2(n−1)e^(−by*)) for "nt_xent". Claim :mod:`normtheory.claims.alignment_floor`.

    Args:
        alignment: s, mean cosine of partners, in [−1, 1]; 1 for NT-Xent.
        n: pairs, at least 2.
        steepness: b = 1/τ > 0.
        loss: "info_nce", "clip" or "nt_xent".

    Returns:
        The floor in nats, broadcast shape, the same array kind. Attained if n ≤ d (s = 1: n ≤ d+1).

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range; another loss.

    Reference:
        Derived here.

    Example:
        >>> round(float(loss_floor(1.0, 128, steepness=10.0)), 4)
        0.0053
    """
    xp, (alignment, b) = scalars(alignment=alignment, steepness=steepness)
    check_count("n", n, 2)
    check_values("alignment", alignment, least=-1.0, most=1.0)
    check_values("steepness", b, above=0.0)
    if loss in ("info_nce", "clip"):
        return xp.log1p((n - 1) * xp.exp(-b * (n / (n - 1)) * ((1 + alignment) / 2)))
    if loss != "nt_xent":
        raise ValueError(f"loss: expected 'info_nce', 'clip' or 'nt_xent', got {loss!r}")
    check_values("alignment: NT-Xent's floor stands at 1 only, it", alignment, least=1.0)
    return xp.log1p(2 * (n - 1) * xp.exp(-b * n / (n - 1))) + 0 * alignment
