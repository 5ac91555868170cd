"""What a person passes to a simulation: numbers that JAX may trace, places of clouds, seeds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_count, check_number, check_values, dtype_name, library_of

LARGEST_SEED = 2**64 - 1
"""A key has two words of 32 bits."""


def number(name: str, x: Any, **bounds: float) -> Any:
    """Check a number that may be swept, traced or changed; a Python number becomes a float.

    Raises:
        TypeError: neither a real number nor an array of them, of numpy or JAX.
        ValueError: out of bounds, where the values can be seen.
    """
    if isinstance(x, np.generic) or library_of(x) not in ("numpy", "JAX"):
        x = check_number(name, x)
        check_values(name, np.asarray(x), **bounds)
        return x
    if not dtype_name(x).startswith(("float", "bfloat", "int", "uint")):
        raise TypeError(f"{name}: expected real numbers, got {dtype_name(x)}")
    check_values(name, x, **bounds)
    return x


def places(name: str, x: Any) -> tuple[int, ...]:
    """Places of clouds, one or several, all different.

    Raises:
        TypeError: neither an integer nor several.
        ValueError: a negative place, or one that comes twice.
    """
    if isinstance(x, int | np.integer):
        x = (x,)
    if not isinstance(x, Iterable) or isinstance(x, str | bytes):
        raise TypeError(f"{name}: expected places of clouds, such as (0, 1), got {x!r}")
    found = tuple(x)
    for k in found:
        check_count(name, k, 0)
    if len(set(found)) < len(found):
        raise ValueError(f"{name}: expected different places, got {found!r}")
    return tuple(int(k) for k in found)


def several(name: str, x: Any, kind: Any, wanted: str) -> tuple[Any, ...]:
    """One thing of a kind, several of them, or None for none, as a tuple.

    Raises:
        TypeError: something else.
    """
    found = () if x is None else (x,) if isinstance(x, kind) or not isinstance(x, Iterable) else x
    found = tuple(found)
    for one in found:
        if not isinstance(one, kind):
            raise TypeError(f"{name}: expected {wanted}, got {type(one).__name__}")
    return found


def key_data(seed: Any) -> np.ndarray:
    """A seed or a JAX key as the two words of a threefry key.

    Those that JAX makes of the seed in 64 bits: in 32 it would drop the upper word.

    Raises:
        TypeError: neither an integer nor a key.
        ValueError: a negative seed, or one of more than 64 bits.
    """
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        check_count("seed", seed, 0, most=LARGEST_SEED)
        return np.array([int(seed) >> 32, int(seed) & 0xFFFFFFFF], np.uint32)
    if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        seed = jax.random.key_data(seed)
    if not isinstance(seed, jax.Array | np.ndarray) or library_of(seed) is None:
        raise TypeError(f"seed: expected an integer or a JAX key, got {type(seed).__name__}")
    if seed.dtype != np.uint32 or seed.shape != (2,):
        raise TypeError(
            f"seed: expected a key of the kind threefry2x32, got {seed.dtype} of shape {seed.shape}"
        )
    return np.asarray(seed)
