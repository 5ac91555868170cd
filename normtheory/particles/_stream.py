"""Value and gradient of a loss of all pairs in memory O(n · block), for any n.

The dense functions of :mod:`normtheory.losses` hold several n × n matrices: 4 GB each at
n = 32,768 in float32. Here a block of rows at a time is formed, used and dropped. The numbers are
the same to rounding. On one CPU this is also the faster way, since a block stays in the cache.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from normtheory._arrays import check_count
from normtheory._spread import on_devices_of
from normtheory.losses import LOSSES, _alignment, _core, _moco, _siglip, _supcon
from normtheory.losses._contrast import two_views
from normtheory.particles._stream_blocks import default_block
from normtheory.particles._stream_losses import SLOPES

Array = jax.Array

_CHECKS: dict[str, Callable[..., dict[str, Array]]] = {
    "supcon": _supcon._arguments,
    "siglip": _siglip._arguments,
    "moco": _moco._arguments,
    "uniformity": _alignment._uniformity_arguments,
}

STREAMED = tuple(SLOPES)
"""Names of the losses that can be streamed: those of all pairs."""


def streamed(
    name: str,
    clouds: Sequence[Array],
    *,
    block: int | None = None,
    precision: Any = jax.lax.Precision.HIGHEST,
    **options: Any,
) -> tuple[Array, tuple[Array, ...]]:
    """Value of a loss of all pairs, and its closed-form gradients, a block of rows at a time.

    Args:
        name: of the loss, one of ``STREAMED``.
        clouds: its clouds, in the order of ``LOSSES[name].value``, each (n, d), nonzero rows.
        block: most rows in a block; None for :func:`default_block`'s rule.
        precision: of the matrix products, as in ``jax.lax.dot``; full precision unless asked
            otherwise, which matters on an accelerator only.
        **options: those of the loss, such as ``temperature``, ``symmetric`` or ``labels``.

    Returns:
        The value, a scalar, and a tuple with the gradient of every trained cloud: what
        ``LOSSES[name].value`` and ``.gradient`` give, to rounding. The two are computed together,
        and are not meant to be differentiated.

    Raises:
        ValueError: a loss that isn't of all pairs, a block < 1, and as the loss does (a zero or
            non-finite row is named). Inside ``jax.jit`` rows can't be inspected: the result is NaN.
        TypeError: an option that the loss doesn't have; clouds that aren't arrays of one dtype.

    Example:
        >>> import jax
        >>> z = jax.random.normal(jax.random.key(0), (6, 3))
        >>> value, (g,) = streamed("uniformity", (z,), block=4)
        >>> g.shape
        (6, 3)
    """
    if name not in SLOPES:
        raise ValueError(f"name: expected one of {', '.join(STREAMED)}, got {name!r}")
    if block is not None:
        check_count("block", block, 1)
    arguments = _arguments(name, clouds, options)
    symmetric = bool(arguments.pop("symmetric", False))
    check = _CHECKS.get(name, two_views)
    # The door of the loss itself: same rules, same messages.
    arrays = _core.check_clouds(**check(**arguments))
    arguments = dict(list(arguments.items())[len(arrays) :])
    rows = block or default_block(_columns(name, arrays), arrays[0].dtype)
    with on_devices_of(arrays):
        return _compiled(name, arrays, arguments, rows, jax.lax.Precision(precision), symmetric)


def _arguments(name: str, clouds: Sequence[Array], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the loss by name, defaults filled in."""
    try:
        bound = inspect.signature(LOSSES[name].value).bind(*clouds, **options)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    bound.apply_defaults()
    return bound.arguments


def _columns(name: str, arrays: tuple[Array, ...]) -> int:
    return len(arrays[-1]) * (2 if name == "nt_xent" else 1)


@partial(jax.jit, static_argnums=(0, 3, 4, 5))
def _compiled(
    name: str,
    clouds: tuple[Array, ...],
    parameters: dict[str, Any],
    block: int,
    precision: jax.lax.Precision,
    symmetric: bool,
) -> tuple[Array, tuple[Array, ...]]:
    how: dict[str, Any] = {"block": block, "product": partial(jnp.matmul, precision=precision)}
    if name in ("info_nce", "decoupled"):
        how["symmetric"] = symmetric
    named = {str(i): z for i, z in enumerate(clouds)}
    return _core.value_and_gradient(partial(SLOPES[name], **how), named, **parameters)
