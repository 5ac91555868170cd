"""One pair of vectors: cosine similarity, angle, and the derivatives of the similarity.

All come from one decomposition of y into a part along z and a part orthogonal to it, which is
accurate relative to itself down to angles of eps and for norms over the whole range of floating
point (see :func:`normtheory.sphere.reject`). There is no epsilon in any denominator: it would bias
the norm effect under study.
"""

from __future__ import annotations

from typing import Any

from normtheory._arrays import power_of_two, vectors
from normtheory._range import quiet
from normtheory._types import Array
from normtheory.sphere import dot, lifted_and_scaled, reject

__all__ = ["angle", "cosine_gradient", "cosine_hessian", "cosine_similarity"]


def _decompose(z: Array, y: Array) -> tuple[Any, Array, Array, Array, Array]:
    """Write ŷ in the frame of ẑ.

    Returns:
        namespace; ẑ·ŷ (..., 1); P_z ŷ (..., d); and ‖z‖ as a product of a norm near 1 and a power
        of two, both (..., 1).
    """
    xp, (z, y) = vectors(z=z, y=y)
    z, z_scale = lifted_and_scaled(xp, z)
    y, _ = lifted_and_scaled(xp, y)
    z_norm = xp.sqrt(dot(xp, z, z))
    y_norm = xp.sqrt(dot(xp, y, y))
    along = dot(xp, z, y) / z_norm / y_norm
    return xp, along, reject(xp, y, z) / y_norm, z_norm, z_scale


@quiet
def cosine_similarity(z: Array, y: Array) -> Array:
    """Cosine of the angle between z and y.

    cos = z·y / (‖z‖‖y‖), always within [-1, 1].

    Args:
        z: vectors, shape (..., d), nonzero; numpy, JAX or PyTorch, float32 or float64.
        y: vectors of the same kind and dtype, shape (..., d). Leading axes broadcast.

    Returns:
        Shape (...), same kind and dtype, absolute error of a few eps. Differentiable in JAX and
        PyTorch, at parallel vectors too.

    Raises:
        TypeError: integers, half precision, lists, or two libraries or dtypes.
        ValueError: shapes that don't fit, a zero or non-finite row; the row is named. Where values
            can't be inspected (under ``jax.jit``) such a row gives NaN, and only that row.

    Example:
        >>> import numpy as np
        >>> float(cosine_similarity(np.array([3.0, 0.0]), np.array([1.0, 1.0])))
        0.7071067811865475
    """
    xp, along, across, _, _ = _decompose(z, y)
    square = dot(xp, across, across)
    length = xp.sqrt(along * along + square)
    # 1 - |cos|, without cancellation; nonnegative, so that the result can't leave [-1, 1].
    defect = square / (length * (length + xp.abs(along)))
    middle = along / length
    ends = xp.where(along > 0, 1 - defect, defect - 1)
    return xp.where(2 * xp.abs(along) > length, ends, middle)[..., 0]


@quiet
def angle(z: Array, y: Array) -> Array:
    """Angle between z and y in radians, from 0 to pi.

    Accurate relative to itself near 0 (down to eps) and to eps near pi, where arccos of a
    similarity would have lost half of the digits.

    Args:
        z: vectors, shape (..., d), nonzero; numpy, JAX or PyTorch, float32 or float64.
        y: vectors of the same kind and dtype, shape (..., d). Leading axes broadcast.

    Returns:
        Shape (...), radians, same kind and dtype. Not differentiable where the vectors are parallel
        or
        antiparallel: the angle has a kink there, and automatic differentiation gives NaN.

    Raises:
        TypeError, ValueError: as :func:`cosine_similarity`.

    Example:
        >>> import numpy as np
        >>> float(angle(np.array([1.0, 0.0]), np.array([1.0, 1e-12])))
        1e-12
    """
    xp, along, across, _, _ = _decompose(z, y)
    scale = power_of_two(xp, xp.max(xp.abs(across), axis=-1, keepdims=True))
    across = across / scale
    return xp.atan2(xp.sqrt(dot(xp, across, across)) * scale, along)[..., 0]


@quiet
def cosine_gradient(z: Array, y: Array) -> Array:
    """Gradient of the cosine similarity with respect to z.

    ∇_z cos = P_z ŷ / ‖z‖ = (ŷ - cos φ ẑ)/‖z‖: orthogonal to z, of length sin φ/‖z‖, zero at
    parallel and at antiparallel vectors. Claim :mod:`normtheory.claims.cosine_gradient`.

    Args:
        z: vectors, shape (..., d), nonzero; numpy, JAX or PyTorch, float32 or float64.
        y: vectors of the same kind and dtype, shape (..., d). Leading axes broadcast.

    Returns:
        The broadcast shape (..., d), same kind and dtype. The scale-free error ‖z‖·‖g - g_exact‖ is
        a few eps wherever the gradient is representable, and the relative error stays small down to
        angles of eps. The gradient with respect to y is ``cosine_gradient(y, z)``.

    Raises:
        TypeError, ValueError: as :func:`cosine_similarity`.

    Reference:
        Draganov et al. 2025, Proposition 3.1.

    Example:
        >>> import numpy as np
        >>> cosine_gradient(np.array([10.0, 0.0]), np.array([1.0, 1.0])).round(4)
        array([0.    , 0.0707])
    """
    _, _, across, z_norm, z_scale = _decompose(z, y)
    return across / z_norm / z_scale


@quiet
def cosine_hessian(z: Array, y: Array) -> Array:
    """Second derivatives of the cosine similarity with respect to z.

    -[c P + ẑ gᵀ + g ẑᵀ]/‖z‖² with P = I - ẑẑᵀ and g = P_z ŷ: times z it is minus the gradient, and
    it falls with the square of the norm. Claim :mod:`normtheory.claims.hessian`.

    Args:
        z: vectors, shape (..., d), nonzero; numpy, JAX or PyTorch, float32 or float64.
        y: vectors of the same kind and dtype, shape (..., d). Leading axes broadcast.

    Returns:
        Symmetric, the broadcast shape (..., d, d), same kind and dtype; ‖z‖² times it is off by a
        few eps.

    Raises:
        TypeError, ValueError: as :func:`cosine_similarity`.

    Reference:
        Derived here.

    Example:
        >>> import numpy as np
        >>> cosine_hessian(np.array([2.0, 0.0]), np.array([1.0, 1.0])).round(4) + 0
        array([[ 0.    , -0.1768],
               [-0.1768, -0.1768]])
    """
    xp, along, across, z_norm, z_scale = _decompose(z, y)
    _, (z, _) = vectors(z=z, y=y)
    unit = (z / z_scale / z_norm)[..., None, :]
    row, column = xp.matrix_transpose(unit), across[..., None, :]
    mixed = row * column
    mixed = mixed + xp.matrix_transpose(mixed)
    plane = xp.tril(xp.triu(xp.ones_like(mixed))) - row * unit
    for size in (z_norm, z_scale):
        mixed, plane = (part / size[..., None] / size[..., None] for part in (mixed, plane))
    return -(along[..., None] * plane) - mixed
