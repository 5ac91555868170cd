"""What runs and flows of many embeddings keep: the torque of clouds, cross-ratios of directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import array_api_compat as compat
import numpy as np

from normtheory._arrays import (
    Array,
    check_rows,
    check_values,
    concrete,
    constant,
    dtype_name,
    library_of,
    require_float,
    row_name,
    scalars,
    vectors,
)
from normtheory._range import in_range
from normtheory.cosine import angle

__all__ = ["common_pull_order", "cross_ratio", "torque"]


def _clouds(name: str, given: Array | Sequence[Array]) -> list[Array]:
    """One cloud or several, as a list of checked arrays (..., n, d)."""
    several = isinstance(given, list | tuple)
    found: list[Any] = list(given) if several else [given]
    if not found:
        raise ValueError(
            f"{name}: expected at least one cloud, got an empty {type(given).__name__}"
        )
    for k, x in enumerate(found):
        label = f"{name}[{k}]" if several else name
        require_float(label, x, "a numpy, JAX or PyTorch array of points")
        if x.ndim < 2 or x.shape[-1] == 0 or x.shape[-2] == 0:
            raise ValueError(
                f"{label}: expected points of shape (..., n, d) with n, d >= 1, "
                f"got shape {tuple(x.shape)}"
            )
        check_rows(label, x, allow_zero=True)
    return found


@in_range
def torque(points: Array | Sequence[Array], velocities: Array | Sequence[Array]) -> Array:
    """Torque ZᵀV - VᵀZ of points and their velocities, of all clouds together.

    Where the loss doesn't change under a common rotation, heavy-ball momentum β takes it to β times
    what it was in each step, and weight decay apart from the gradient to (1-γλ)β times, whatever
    the loss. So it is 0 for ever if it is 0 once, as it is from rest. Adam, GradScale, Nesterov's
    momentum and stop-gradients break that. Claim :mod:`normtheory.claims.torque`.

    Args:
        points: Z, shape (..., n, d), or a list of such arrays, one a cloud, with the same d;
            numpy, JAX or PyTorch, float32 or float64. For a layer: one row for all the weights out
            of a unit, and one for the biases.
        velocities: V, the last displacements without the decay, shaped like the points. A momentum
            buffer will do (PyTorch's is -V/γ); the torque is in its units then.

    Returns:
        Antisymmetric, shape (..., d, d), same kind and dtype; summed over the clouds. The (i, j)
        entry is the sum of z_i v_j - v_i z_j over all points.

    Raises:
        TypeError: no float arrays, or several libraries or dtypes.
        ValueError: shapes that don't fit, different numbers of clouds, a non-finite row.

    Reference:
        Derived here.

    Example:
        >>> import numpy as np
        >>> torque(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]]))
        array([[ 0.,  2.],
               [-2.,  0.]])
    """
    z, v = _clouds("points", points), _clouds("velocities", velocities)
    if len(z) != len(v):
        raise ValueError(
            f"expected as many velocities as clouds of points, got {len(v)} and {len(z)}"
        )
    for k, (a, b) in enumerate(zip(z, v, strict=True)):
        where = f" of cloud {k}" if len(z) > 1 else ""
        if tuple(a.shape) != tuple(b.shape):
            raise ValueError(
                f"points{where} have shape {tuple(a.shape)} and velocities {tuple(b.shape)}: "
                "expected the same"
            )
        if a.shape[-1] != z[0].shape[-1]:
            raise ValueError(
                f"points{where} have {a.shape[-1]} components and those of cloud 0 "
                f"{z[0].shape[-1]}: clouds that turn together live in one space"
            )
    kinds = sorted({f"{library_of(x)} {dtype_name(x)}" for x in (*z, *v)})
    if len(kinds) > 1:
        raise TypeError(f"expected arrays of one library and dtype, got {' and '.join(kinds)}")
    xp = compat.array_namespace(*z, *v)
    total: Any = 0
    for a, b in zip(z, v, strict=True):
        product = xp.matmul(xp.matrix_transpose(a), b)
        total = total + product - xp.matrix_transpose(product)
    return total


@in_range
def cross_ratio(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Cross-ratio ``|â-ĉ||b̂-d̂| / (|â-d̂||b̂-ĉ|)`` of four directions.

    Gradient flow towards one vector common to all points, whatever it is and however it changes,
    keeps it if the norms are equal, in any dimension; a step of SGD at effective rate x moves it by
    O(x²). Claim :mod:`normtheory.claims.common_pull`.

    Args:
        a: points, shape (..., d), nonzero; numpy, JAX or PyTorch, float32 or float64. Their norms
            don't matter.
        b: points of the same kind and dtype, shape (..., d). Leading axes broadcast.
        c: likewise; no row in the direction of that of b.
        d: likewise; no row in the direction of that of a.

    Returns:
        Shape (...), >= 0, same kind and dtype, accurate relative to itself.

    Raises:
        TypeError: integers, half precision, lists, or several libraries or dtypes.
        ValueError: shapes that don't fit, a zero or non-finite row, a and d or b and c in one
            direction; the row is named. Where values can't be inspected (under ``jax.jit``) such a
            row gives NaN or infinity, and only that row.

    Reference:
        Derived here.

    Example:
        >>> import numpy as np
        >>> points = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
        >>> round(float(cross_ratio(*points)), 12)
        2.0
    """
    xp, (a, b, c, d) = vectors(a=a, b=b, c=c, d=d)
    pairs = {"a and c": (a, c), "b and d": (b, d), "a and d": (a, d), "b and c": (b, c)}
    half = {name: angle(*pair) / 2 for name, pair in pairs.items()}
    for pair in ("a and d", "b and c"):
        values = concrete(constant(half[pair]))
        if values is not None and (values == 0).any():
            row = row_name(tuple(int(i) for i in np.argwhere(values == 0)[0]))
            raise ValueError(f"{pair}{row} have one direction: no cross-ratio")
    chord = {pair: xp.sin(value) for pair, value in half.items()}
    return chord["a and c"] / chord["a and d"] * (chord["b and d"] / chord["b and c"])


@in_range
def common_pull_order(start: Array, norm: Array, time: Array) -> Array:
    """Length of the mean direction of points that all pull each other, in closed form.

    r² = 1/(1 + (r₀⁻² - 1)e^(-t/ρ²)), r = ‖mean ẑ‖: gradient flow of -½n‖mean ẑ‖² for many points of
    equal norm in the plane, spread as a Poisson kernel round their mean. Its error for SGD is of
    first order in γ/ρ². Claim :mod:`normtheory.claims.common_pull`.

    Args:
        start: r₀ in (0, 1], the length at time 0.
        norm: ρ > 0, of all points.
        time: t >= 0, the sum of the learning rates of all steps.

    Returns:
        r in (0, 1], broadcast shape.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        The mean field of the Kuramoto model with equal frequencies; the norm is ours.

    Example:
        >>> round(float(common_pull_order(0.1, 2.0, 20.0)), 4)
        0.7745
    """
    xp, (order, rho, t) = scalars(start=start, norm=norm, time=time)
    check_values("start", order, above=0.0, most=1.0)
    check_values("norm", rho, above=0.0)
    check_values("time", t, least=0.0)
    # √(1 − r₀²) e^(−t/2ρ²), the rest of the square.
    rest = xp.sqrt((1 - order) * (1 + order)) * xp.exp(-(t / rho / rho) / 2)
    return order / xp.hypot(order, rest)
