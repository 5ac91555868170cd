"""Programs that run once and briefly: what they cost is their compilation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

#: No optimisation of machine code, and loops written by XLA's older and quicker route.
QUICK = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


def brief(function: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """:func:`jax.jit` that compiles in a quarter of the time, for programs of few operations.

    The numbers are the same to rounding. Long runs stay with :func:`jax.jit`, and so does what is
    called inside another program.

    Args:
        function: To be compiled when it is first called.
        settings: As those of :func:`jax.jit`.
    """

    @functools.cache
    def compiled() -> Callable[..., Any]:
        return jax.jit(function, compiler_options=_known(), **settings)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return compiled()(*args)

    return call


@functools.cache
def _known() -> dict[str, Any]:
    """:data:`QUICK`, or nothing where this XLA has other options."""
    try:
        jax.jit(lambda: 0, compiler_options=QUICK).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return QUICK
