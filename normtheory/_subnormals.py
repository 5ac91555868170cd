"""Numbers below the smallest normal one, which JAX takes for zeros on a CPU.

A product or a comparison of them is one of zeros there; only their bits still say what they are.
"""

from __future__ import annotations

from typing import Any

import array_api_compat as compat

from normtheory._types import Array


def lifted(xp: Any, x: Array) -> tuple[Array, Array | float]:
    """Vectors (..., d) in which no entry that counts is subnormal, and what to multiply them by.

    Rows so small that an entry might be are multiplied by a power of two, exactly. The factor is
    (..., 1), subnormal itself where all entries of a row were. Only JAX needs it.
    """
    if not compat.is_jax_array(x):
        return x, 1.0
    info = xp.finfo(x.dtype)
    up = 2.0 ** (info.nmant + 8)
    small = xp.max(xp.abs(x), axis=-1, keepdims=True) < float(info.smallest_normal) * up
    return xp.where(small, _times(x, up), x), xp.where(small, 1 / up, xp.ones_like(small, x.dtype))


def _times(x: Any, up: float) -> Any:
    """X · ``up`` for small x and a power of two, subnormal entries included."""
    import jax.numpy as jnp
    from jax import lax

    info = jnp.finfo(x.dtype)
    bits = lax.bitcast_convert_type(x, jnp.int64 if info.bits == 64 else jnp.int32)
    fraction = (bits & ((1 << info.nmant) - 1)).astype(x.dtype)
    normal = (bits >> info.nmant) & ((1 << info.nexp) - 1) != 0
    unit = float(info.smallest_normal) * up * 2.0**-info.nmant
    value = jnp.where(normal, x * up, jnp.where(bits < 0, -fraction, fraction) * unit)
    # The value is that of the bits, the derivative that of the product.
    return lax.stop_gradient(value) + (x - lax.stop_gradient(x)) * up
