r"""What every loss of directions shares, written once.

A loss of this package sees its embeddings through their directions only, and nearly all see the
directions through similarities S = Û V̂ᵀ. So the file of a loss states its value and W = ∂ℓ/∂S, and
everything else follows here:

* ∂ℓ/∂Û = W V̂ and ∂ℓ/∂V̂ = Wᵀ Û (for one cloud against itself, (W + Wᵀ) Ẑ);
* ∇_z = P_z (∂ℓ/∂ẑ)/‖z‖: project onto the tangent, divide by the norm;
* the value carries that gradient as its tangent (``jax.custom_jvp``), so ``jax.grad``, ``jax.jvp``,
  ``jax.hessian`` and ``jax.test_util.check_grads`` work on it, and use the closed form.

Claim :mod:`normtheory.claims.inverse_norm_gradient`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_rows, check_values
from normtheory.sphere import dot, reject, scaled

Array = jax.Array


class Slope(NamedTuple):
    """Value of a loss and its derivatives with respect to all that it sees.

    Attributes:
        value: the loss, a scalar.
        slopes: ∂ℓ/∂ẑ for every cloud, of the shape of that cloud; None for one that isn't trained.
        parameters: derivatives with respect to trained parameters, by name.
    """

    value: Array
    slopes: tuple[Array | None, ...]
    parameters: Mapping[str, Array]


SlopeFunction = Callable[..., Slope]


def product(x: Array, y: Array) -> Array:
    """Matrix product at the full precision of the dtype, on a GPU too."""
    return jnp.matmul(x, y, precision=jax.lax.Precision.HIGHEST)


def of_similarities(value: Array, weights: Array, u: Array, v: Array, **parameters: Array) -> Slope:
    """Slopes of a loss of S = U Vᵀ, where ``weights`` is ∂ℓ/∂S, shape (n, m)."""
    return Slope(value, (product(weights, v), product(weights.T, u)), parameters)


def of_own_similarities(value: Array, weights: Array, z: Array, **parameters: Array) -> Slope:
    """Slopes of a loss of S = Z Zᵀ, where ``weights`` is ∂ℓ/∂S, shape (n, n)."""
    return Slope(value, (product(weights + weights.T, z),), parameters)


def _unit(z: Array) -> tuple[Array, Array, Array, Array]:
    """Direction, scaled embedding, its norm near 1, and the power of two taken out."""
    near, power = scaled(jnp, z)
    norm = jnp.sqrt(dot(jnp, near, near))
    return near / norm, near, norm, power


def _gradients(out: Slope, frames: list[tuple[Array, ...]]) -> tuple[Array, ...]:
    """∇_z = P_z slope/‖z‖ for every trained cloud."""
    found = []
    for slope, (_, near, norm, power) in zip(out.slopes, frames, strict=True):
        if slope is not None:
            slope_near, slope_power = scaled(jnp, slope)
            found.append(reject(jnp, slope_near, near) / norm / power * slope_power)
    return tuple(found)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _value(slope: SlopeFunction, clouds: tuple[Array, ...], parameters: dict[str, Any]) -> Array:
    return slope(*(_unit(z)[0] for z in clouds), **parameters).value


@_value.defjvp
def _value_jvp(slope: SlopeFunction, primals: Any, tangents: Any) -> tuple[Array, Array]:
    clouds, parameters = primals
    cloud_tangents, parameter_tangents = tangents
    frames = [_unit(z) for z in clouds]
    out = slope(*(frame[0] for frame in frames), **parameters)
    trained = [t for t, s in zip(cloud_tangents, out.slopes, strict=True) if s is not None]
    change = sum(jnp.sum(g * t) for g, t in zip(_gradients(out, frames), trained, strict=True))
    for name, derivative in out.parameters.items():
        change = change + derivative * parameter_tangents[name]
    return out.value, jnp.asarray(change, out.value.dtype)


def value(slope: SlopeFunction, clouds: Mapping[str, Array], **parameters: Any) -> Array:
    """The loss, as a function that JAX differentiates by the closed form."""
    arrays = check_clouds(**clouds)
    return _value(slope, arrays, _cast(parameters, arrays[0].dtype))


def value_and_gradient(
    slope: SlopeFunction, clouds: Mapping[str, Array], **parameters: Any
) -> tuple[Array, tuple[Array, ...]]:
    """The loss and its closed-form gradients, from one evaluation of ``slope``."""
    arrays = check_clouds(**clouds)
    frames = [_unit(z) for z in arrays]
    out = slope(*(frame[0] for frame in frames), **_cast(parameters, arrays[0].dtype))
    return out.value, _gradients(out, frames)


def gradient(
    slope: SlopeFunction, clouds: Mapping[str, Array], **parameters: Any
) -> tuple[Array, ...]:
    """The closed-form gradient with respect to every trained cloud."""
    return value_and_gradient(slope, clouds, **parameters)[1]


def parameter_gradient(
    slope: SlopeFunction, clouds: Mapping[str, Array], name: str, **parameters: Any
) -> Array:
    """The closed-form derivative with respect to a trained parameter."""
    arrays = check_clouds(**clouds)
    units = [_unit(z)[0] for z in arrays]
    return slope(*units, **_cast(parameters, arrays[0].dtype)).parameters[name]


def _cast(parameters: dict[str, Any], dtype: Any) -> dict[str, Any]:
    """Give real parameters the dtype of the embeddings; leave labels as they are."""

    def one(x: Any) -> Any:
        x = x if isinstance(x, float | int) else jnp.asarray(x)
        floating = isinstance(x, float | int) or jnp.issubdtype(x.dtype, jnp.floating)
        return jnp.asarray(x, dtype) if floating else x

    return {name: one(x) for name, x in parameters.items()}


def check_clouds(**clouds: Array) -> tuple[Array, ...]:
    """Check that clouds are JAX or numpy arrays (n, d) of one float dtype, without zero rows.

    Raises:
        TypeError: not an array, not float32 or float64, or several dtypes.
        ValueError: not two axes, several dimensions d, or a zero or non-finite row, which is named.
    """
    arrays = {}
    for name, z in clouds.items():
        if not hasattr(z, "dtype") or not hasattr(z, "shape"):
            raise TypeError(f"{name}: expected a JAX or numpy array, got {type(z).__name__}")
        z = jnp.asarray(z)
        if z.dtype not in (jnp.float32, jnp.float64):
            raise TypeError(f"{name}: expected float32 or float64, got {z.dtype}; cast it first")
        if z.ndim != 2 or 0 in z.shape:
            raise ValueError(f"{name}: expected a cloud of shape (n, d), got shape {z.shape}")
        check_rows(name, z)
        arrays[name] = z
    (first, z), *others = arrays.items()
    for name, other in others:
        if other.dtype != z.dtype:
            raise TypeError(f"{first} is {z.dtype} and {name} is {other.dtype}: expected one dtype")
        if other.shape[1] != z.shape[1]:
            raise ValueError(
                f"{first} has shape {z.shape} and {name} has shape {other.shape}: "
                "expected the same d"
            )
    return tuple(arrays.values())


def check_paired(least: int = 1, **clouds: Array) -> None:
    """Raise ValueError unless all clouds have the same number of rows, at least ``least``."""
    shapes = {name: tuple(np.shape(z)) for name, z in clouds.items()}
    rows = {shape[0] for shape in shapes.values() if shape}
    if len(rows) > 1:
        shown = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"expected clouds with the same number of rows, got {shown}")
    if rows and min(rows) < least:
        raise ValueError(f"expected at least {least} rows, got {min(rows)}")


def check_labels(labels: Any, z: Array, classes: int | None = None) -> None:
    """Raise unless labels are integers (n,), one for every row of z, below ``classes`` if given."""
    labels = jnp.asarray(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels: expected integers, got {labels.dtype}")
    if labels.shape != np.shape(z)[:1]:
        raise ValueError(f"labels: expected shape {np.shape(z)[:1]}, got {labels.shape}")
    if classes is not None:
        check_values("labels", labels, least=0, most=classes - 1)


def check_temperature(temperature: Any, name: str = "temperature") -> None:
    """Raise ValueError unless a temperature is finite and positive, where it can be seen."""
    check_values(name, jnp.asarray(temperature), above=0.0)
