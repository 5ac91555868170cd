"""What runs and flows of many embeddings keep: torque, cross-ratios, the norm budget, scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import array_api_compat as compat
import numpy as np

from normtheory._arrays import (
    Array,
    check_option,
    check_rows,
    check_share,
    check_values,
    concrete,
    constant,
    dtype_name,
    library_of,
    native,
    require_float,
    row_name,
    scalars,
    vectors,
)
from normtheory.cosine import angle

__all__ = [
    "RescaledSettings",
    "common_pull_order",
    "cross_ratio",
    "heavy_ball_norm",
    "norm_budget",
    "rescaled_settings",
    "torque",
]


def _clouds(name: str, given: Array | Sequence[Array]) -> list[Array]:
    """One cloud or several, as a list of checked arrays (..., n, d)."""
    several = isinstance(given, list | tuple)
    found: list[Any] = [native(x) for x in (given if several else [given])]
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


def norm_budget(learning_rate: Array, loss_fall: Array) -> Array:
    """How much the squared norms of all points grow, in sum, while the loss falls.

    Σρ²(T) - Σρ²(0) = γ(L(0) - L(T)) to leading order in γ, for plain SGD on the whole of any loss
    of directions: what grows more than that was pushed by noise, oscillation or large steps. Claim
    :mod:`normtheory.claims.norm_budget`.

    Args:
        learning_rate: γ > 0, of the loss as written.
        loss_fall: L(0) - L(T), a finite number.

    Returns:
        Growth of the sum of squares over all points, broadcast shape.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> float(norm_budget(0.5, 4.0))
        2.0
    """
    _, (rate, fall) = scalars(learning_rate=learning_rate, loss_fall=loss_fall)
    check_values("learning_rate", rate, above=0.0)
    check_values("loss_fall", fall)
    return rate * fall


def heavy_ball_norm(norm: Array, inner: Array, displacement: Array, momentum: Array) -> Array:
    """Norm of a point after a step of heavy ball: ρ'² = ρ² + 2α z·v + ‖v'‖².

    z·v starts at 0 and follows z'·v' = α z·v + ‖v'‖², so that no norm ever shrinks; nor is a
    displacement orthogonal to its point. Claim :mod:`normtheory.claims.norm_growth_momentum`.

    Args:
        norm: ρ > 0 before the step.
        inner: z·v >= 0, of the point before the step with the displacement that brought it there.
        displacement: ‖v'‖ >= 0, of this step, v' = αv - γ∇L.
        momentum: α in [0, 1).

    Returns:
        ρ', broadcast shape.

    Raises:
        TypeError, ValueError: not numbers or float arrays; out of range.

    Reference:
        Derived here.

    Example:
        >>> round(float(heavy_ball_norm(2.0, 0.5, 0.3, 0.9)), 4)
        2.2338
    """
    xp, (rho, inner, moved, momentum) = scalars(
        norm=norm, inner=inner, displacement=displacement, momentum=momentum
    )
    check_values("norm", rho, above=0.0)
    check_values("inner", inner, least=0.0)
    check_values("displacement", moved, least=0.0)
    check_share("momentum", momentum)
    return xp.hypot(xp.hypot(rho, moved), xp.sqrt(2 * momentum * inner))


class RescaledSettings(NamedTuple):
    """Settings of an optimizer.

    Attributes:
        learning_rate: its rate.
        weight_decay: its λ.
        epsilon: ε of Adam, or what Adagrad's accumulators start from.
    """

    learning_rate: float
    weight_decay: float
    epsilon: float


#: Powers of the factor for rate, decay and ε, at GradScale 0.
_EXPONENTS = {
    "sgd": (2, -2, 0),
    "adam": (1, -2, -1),
    "adamw": (1, -1, -1),
    "lion": (1, -1, 0),
    "adagrad": (1, -1, -2),
    "muon": (1, -1, 0),
}


def rescaled_settings(
    factor: float,
    optimizer: str,
    learning_rate: float,
    *,
    weight_decay: float = 0.0,
    epsilon: float = 0.0,
    gradscale: float = 0.0,
) -> RescaledSettings:
    """Settings with which points ``factor`` times as large do exactly the same.

    Every step of the second run ends at ``factor`` times the points of the first, for any loss of
    directions: a norm at the start is a learning rate in disguise. Momentum and betas stay. Claim
    :mod:`normtheory.claims.scale_theorem`.

    Args:
        factor: α > 0, of all points at the start.
        optimizer: ``"sgd"`` (with or without momentum, decay in the gradient or beside it),
            ``"adam"`` (decay in the gradient), ``"adamw"``, ``"lion"``, ``"adagrad"`` or
            ``"muon"`` (decay beside the gradient).
        learning_rate: > 0, of the first run.
        weight_decay: λ >= 0.
        epsilon: ε >= 0 of Adam, or the start of Adagrad's accumulators.
        gradscale: power p of GradScale; with SGD alone.

    Returns:
        The settings of the second run.

    Raises:
        TypeError: not numbers.
        ValueError: out of range, an unknown optimizer, GradScale with another one than SGD.

    Reference:
        Derived here.

    Example:
        >>> rescaled_settings(2.0, "adamw", 1e-3, weight_decay=0.1, epsilon=1e-8)
        RescaledSettings(learning_rate=0.002, weight_decay=0.05, epsilon=5e-09)
    """
    given = {"factor": factor, "learning_rate": learning_rate}
    given |= {"weight_decay": weight_decay, "epsilon": epsilon, "gradscale": gradscale}
    for name, value in given.items():
        given[name] = check_option(name, value)
    for name in ("factor", "learning_rate"):
        check_values(name, np.asarray(given[name]), above=0.0)
    for name in ("weight_decay", "epsilon"):
        check_values(name, np.asarray(given[name]), least=0.0)
    if optimizer not in _EXPONENTS:
        raise ValueError(f"optimizer: expected one of {', '.join(_EXPONENTS)}, got {optimizer!r}")
    rate, decay, third = _EXPONENTS[optimizer]
    power = given["gradscale"]
    if power != 0 and optimizer != "sgd":
        raise ValueError(f"gradscale: expected 0 with {optimizer}, got {power:g}: not derived")
    size = given["factor"]
    return RescaledSettings(
        given["learning_rate"] * size ** (rate - power),
        given["weight_decay"] * size ** (decay + power),
        given["epsilon"] * size**third,
    )
