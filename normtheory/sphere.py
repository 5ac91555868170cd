"""Points on a hypersphere: how to draw them, their mean direction, and the tangent space.

Random draws take a ``numpy.random.Generator``, so the same seed gives the same points.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from normtheory._arrays import check_count, check_option, power_of_two, vectors
from normtheory._range import quiet
from normtheory._read import real_numbers
from normtheory._subnormals import lifted
from normtheory._types import Array

__all__ = [
    "MeanDirection",
    "log_uniform_norms",
    "mean_direction",
    "pairs_at_angle",
    "tangent_projection",
    "uniform",
    "von_mises_fisher",
]


def scaled(xp: Any, x: Array) -> tuple[Array, Array]:
    """Split vectors (..., d) into entries within (-4, 4) and a power of two (..., 1), exactly.

    Squares of the entries neither overflow nor, where it matters, underflow: norms of 1e±300 work
    in float64. In JAX subnormal entries count as zeros: :func:`lifted_and_scaled` reads them.
    """
    scale = power_of_two(xp, xp.max(xp.abs(x), axis=-1, keepdims=True))
    return x / scale, scale


def lifted_and_scaled(xp: Any, x: Array) -> tuple[Array, Array]:
    """As :func:`scaled`, with JAX's subnormal entries as what they are; not for inner loops."""
    x, factor = lifted(x)
    x, scale = scaled(xp, x)
    return x, scale * factor


def dot(xp: Any, x: Array, y: Array) -> Array:
    """Inner product over the last axis, which is kept."""
    return xp.sum(x * y, axis=-1, keepdims=True)


def _split(xp: Any, x: Array, bits: int) -> tuple[Array, Array]:
    """Write x, |x| < 4, as head + tail, exactly, where the head has ``bits`` fractional bits.

    Rounding to a fixed point needs no product to be rounded, unlike Dekker's (1971) splitting, so a
    compiler that contracts a product and a sum into one operation can't break it.
    """
    head = xp.round(x * 2.0**bits) / 2.0**bits
    return head, x - head


def reject(xp: Any, v: Array, z: Array) -> Array:
    """The part of v orthogonal to z, for vectors (..., d) that went through :func:`scaled`.

    Two ideas make it accurate relative to itself, however parallel the two are. v - k z is formed
    with products of half-length factors, which are exact, so that only the last subtraction rounds.
    And k carries an error of its own, so the little that is left along z is projected out a second
    time: twice is enough (Parlett 1998, section 6.9, who credits Kahan).
    """
    half = 24 if xp.finfo(v.dtype).bits == 64 else 10  # two halves fit into 53 or 24 bits
    square = dot(xp, z, z)
    k = dot(xp, z, v) / square
    k_scale = power_of_two(xp, xp.abs(k))
    k_head, k_tail = (part * k_scale for part in _split(xp, k / k_scale, half))
    z_head, z_tail = _split(xp, z, half)
    rest = ((v - k_head * z_head) - k_head * z_tail) - k_tail * z
    return rest - dot(xp, z, rest) / square * z


@quiet
def tangent_projection(z: Array, v: Array) -> Array:
    """Project v onto the tangent space of the sphere at the direction of z.

    v minus its part along z: P_z v = v - (ẑ·v) ẑ with ẑ = z/‖z‖.

    Args:
        z: points, shape (..., d), nonzero; numpy, JAX or PyTorch, float32 or float64.
        v: vectors of the same kind and dtype, shape (..., d); may be zero. Leading axes broadcast.

    Returns:
        P_z v, the broadcast shape (..., d), same kind and dtype. Accurate to a few eps relative to
        its own length while the angle between z and v is above eps.

    Raises:
        TypeError: integers, half precision, lists, or two libraries or dtypes.
        ValueError: shapes that don't fit, a zero row of z, a non-finite row; the row is named.
            Where values can't be inspected (under ``jax.jit``) such a row gives NaN, and only that
            row.

    Example:
        >>> import numpy as np
        >>> tangent_projection(np.array([2.0, 0.0]), np.array([3.0, 4.0]))
        array([0., 4.])
    """
    xp, (z, v) = vectors(z=z, v=v, allow_zero=("v",))
    z, _ = lifted_and_scaled(xp, z)
    v, v_scale = lifted_and_scaled(xp, v)
    return reject(xp, v, z) * v_scale


class MeanDirection(NamedTuple):
    """Mean of directions, in two parts.

    Attributes:
        direction: m̂, shape (..., d), a unit vector; the first axis where the mean is 0.
        length: M in [0, 1], shape (...), the mean resultant length: 1 where all directions agree.
    """

    direction: Array
    length: Array


@quiet
def mean_direction(points: Array) -> MeanDirection:
    """Mean direction of points and its length: all that counts of keys which don't move.

    The mean cosine of z with keys is M cos(z, m̂): attraction to them is that of one fixed partner
    m̂ at M times the rate. Claim :mod:`normtheory.claims.fixed_keys`.

    Args:
        points: shape (..., n, d), nonzero rows; numpy, JAX or PyTorch, float32 or float64.

    Returns:
        The two, same kind and dtype.

    Raises:
        TypeError: not a float array.
        ValueError: fewer than two axes, no points, a zero or non-finite row.

    Reference:
        Derived here; the names are those of directional statistics.

    Example:
        >>> import numpy as np
        >>> found = mean_direction(np.array([[2.0, 0.0], [0.0, 3.0]]))
        >>> found.direction.round(4), round(float(found.length), 4)
        (array([0.7071, 0.7071]), 0.7071)
    """
    xp, (points,) = vectors(points=points)
    if points.ndim < 2 or points.shape[-2] == 0:
        raise ValueError(
            f"points: expected shape (..., n, d) with n >= 1, got {tuple(points.shape)}"
        )
    points, _ = lifted_and_scaled(xp, points)
    mean = xp.mean(points / xp.sqrt(dot(xp, points, points)), axis=-2)
    unit, scale = scaled(xp, mean)
    size = xp.sqrt(dot(xp, unit, unit))
    safe = xp.where(size > 0, size, xp.ones_like(size))
    first = xp.concat([xp.ones_like(unit[..., :1]), xp.zeros_like(unit[..., 1:])], axis=-1)
    direction = xp.where(size > 0, unit / safe, first)
    return MeanDirection(direction, (size * scale)[..., 0])


def _check_draw(rng: np.random.Generator, n: int, dimension: int, least: int) -> None:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a numpy.random.Generator, got {type(rng).__name__}")
    for name, value, low in (("n", n, 1), ("dimension", dimension, least)):
        check_count(name, value, low)


@quiet
def uniform(rng: np.random.Generator, n: int, dimension: int) -> np.ndarray:
    """Draw n points uniformly on the unit sphere of R^dimension.

    Args:
        rng: source of randomness.
        n: number of points.
        dimension: d >= 1.

    Returns:
        float64, shape (n, d), unit rows.

    Raises:
        ValueError: n or dimension below 1 or not an integer.
    """
    _check_draw(rng, n, dimension, 1)
    z = rng.standard_normal((n, dimension))
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


@quiet
def von_mises_fisher(
    rng: np.random.Generator, n: int, mean: np.ndarray, concentration: float
) -> np.ndarray:
    """Draw n points from the von Mises-Fisher distribution, density ∝ exp(concentration · m̂·x).

    Args:
        rng: source of randomness.
        n: number of points.
        mean: mean direction, shape (d,), d >= 2, nonzero; its length does not matter.
        concentration: kappa > 0, dimensionless.

    Returns:
        float64, shape (n, d), unit rows.

    Raises:
        ValueError: a bad n, mean or concentration.
    """
    mean = real_numbers("mean", mean)
    if mean.ndim != 1 or not np.isfinite(mean).all() or not mean.any():
        got = "zero or not finite" if mean.ndim == 1 else f"shape {mean.shape}"
        raise ValueError(f"mean: expected a finite nonzero vector of shape (d,), got {got}")
    _check_draw(rng, n, mean.shape[0], 2)
    concentration = check_option("concentration", concentration)
    if concentration <= 0:
        raise ValueError(f"concentration: expected a finite number > 0, got {concentration!r}")
    if concentration < 2.0**-52:  # uniform to a rounding, which scipy's draws don't survive
        return uniform(rng, n, mean.shape[0])
    from scipy.stats import vonmises_fisher  # here: scipy.stats takes half a second to import

    unit = mean / np.abs(mean).max()  # so that squares neither over- nor underflow
    unit /= np.linalg.norm(unit)
    law: Any = vonmises_fisher(unit, concentration)  # pyright: ignore
    return np.atleast_2d(law.rvs(n, random_state=rng))


@quiet
def pairs_at_angle(
    rng: np.random.Generator, angle: float | np.ndarray, dimension: int, n: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of unit vectors at given angles, otherwise uniformly.

    Args:
        rng: source of randomness.
        angle: radians in [0, pi], a number or shape (n,).
        dimension: d >= 2.
        n: number of pairs; needed where ``angle`` is a number.

    Returns:
        Two float64 arrays (n, d) of unit rows, the i-th rows ``angle[i]`` apart, to rounding.

    Raises:
        ValueError: an angle outside [0, pi], a bad n or dimension.
    """
    angle = real_numbers("angle", angle)
    bad = angle[~((angle >= 0) & (angle <= np.pi))]
    if bad.size:
        raise ValueError(f"angle: expected radians in [0, pi], got {bad[0]}")
    if angle.ndim == 0 and n is None:
        raise ValueError("n: expected the number of pairs, since angle is a single number")
    if angle.ndim > 1:
        raise ValueError(f"angle: expected a number or shape (n,), got shape {angle.shape}")
    n = len(angle) if n is None else n
    _check_draw(rng, n, dimension, 2)
    if angle.ndim and angle.shape != (n,):
        raise ValueError(f"angle: expected a number or shape ({n},), got shape {angle.shape}")
    z = uniform(rng, n, dimension)
    tangent = tangent_projection(z, rng.standard_normal((n, dimension)))
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    angle = np.broadcast_to(angle, (n,))[:, None]
    return z, np.cos(angle) * z + np.sin(angle) * tangent


@quiet
def log_uniform_norms(
    rng: np.random.Generator, n: int, low: float = 1e-3, high: float = 1e3
) -> np.ndarray:
    """Draw n norms whose logarithm is uniform between two bounds.

    Args:
        rng: source of randomness.
        n: number of norms.
        low: smallest norm, > 0.
        high: largest norm, >= low.

    Returns:
        float64, shape (n,).

    Raises:
        ValueError: bad bounds or n.
    """
    _check_draw(rng, n, 1, 1)
    low, high = check_option("low", low), check_option("high", high)
    if not 0 < low <= high:
        raise ValueError(f"expected 0 < low <= high < inf, got low {low!r} and high {high!r}")
    return np.exp(rng.uniform(np.log(low), np.log(high), n))
