"""Numbers below the smallest normal one, which JAX takes for zeros on a CPU.

A product or a comparison of them is one of zeros there; only their bits still say what they are.
"""

from __future__ import annotations

from typing import Any

import array_api_compat as compat

from normtheory._types import Array


def lifted(x: Array) -> tuple[Array, Array | float]:
    """Vectors (..., d) in which no entry that counts is subnormal, and what to multiply them by.

    Rows so small that an entry might be are multiplied by a power of two, exactly. The factor is
    (..., 1), subnormal itself where all entries of a row were. Only JAX needs it.
    """
    if not compat.is_jax_array(x):
        return x, 1.0
    import jax.numpy as jnp

    info = jnp.finfo(x.dtype)
    up = _up(info)
    least = jnp.asarray(float(info.smallest_normal) * up, x.dtype)
    # Floats above 0 are in the order of their bits.
    size = jnp.max(_magnitude(_bits(x), info), axis=-1, keepdims=True)
    small = size < _bits(least)
    factor, back = (jnp.where(small, v, 1.0).astype(x.dtype) for v in (up, 1 / up))
    return _times(x, factor), back


def _bits(x: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    word = jnp.int64 if x.dtype == jnp.float64 else jnp.int32
    return lax.bitcast_convert_type(lax.stop_gradient(x), word)


def _magnitude(bits: Any, info: Any) -> Any:
    return bits & ((1 << (info.bits - 1)) - 1)


def _times(x: Any, factor: Any) -> Any:
    """The value is that of the bits, the derivative that of the product."""
    import jax

    read = jax.custom_jvp(_read)
    read.defjvp(_derivative)
    return read(x, jax.lax.stop_gradient(factor))


def _derivative(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[Any, Any]:
    return _times(*primals), tangents[0] * primals[1]


def _read(x: Any, factor: Any) -> Any:
    """Return x · factor, a subnormal x included where the factor lifts it."""
    import jax.numpy as jnp

    info = jnp.finfo(x.dtype)
    bits = _bits(x)
    size = _magnitude(bits, info)
    # A subnormal number is its bits, as an integer, times the smallest one.
    below = jnp.where(bits < 0, -size, size).astype(x.dtype) * (_up(info) * _least(info))
    lifts = (size < 1 << info.nmant) & (factor > 1)
    return jnp.where(lifts, below, x * factor)


def _up(info: Any) -> float:
    """By how much a row is lifted: a power of two."""
    return 2.0 ** (info.nmant + 8)


def _least(info: Any) -> float:
    """The smallest subnormal number."""
    return float(info.smallest_normal) * 2.0**-info.nmant
