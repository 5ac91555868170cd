"""Programs that run once: what they cost is mostly their compilation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

#: Loops written by XLA's older and quicker route, and all of a program by one thread: a small one
#: is cut into as many pieces as there may be threads, and each piece costs.
QUICK = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}


def brief(function: Callable[..., Any], *, level: int = 0, **settings: Any) -> Callable[..., Any]:
    """:func:`jax.jit` that compiles in a fifth of the time.

    The numbers are the same to rounding. What is called inside another program stays as it is.

    Args:
        function: To be compiled when it is first called.
        level: Of the optimisation of machine code: 0 for some hundred steps of few operations, 1
            for some thousand, 3, XLA's own, for many.
        settings: As those of :func:`jax.jit`.
    """

    @functools.cache
    def compiled() -> Callable[..., Any]:
        options = _known() | {"xla_backend_optimization_level": level}
        return jax.jit(function, compiler_options=options, **settings)

    @functools.wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        return compiled()(*args, **given)

    return call


def by_length(function: Callable[..., Any], *, few: int, **settings: Any) -> Callable[..., Any]:
    """:func:`brief` with the care that a length is worth: level 0 up to ``few``, else 1.

    Args:
        function: To be compiled when it is first called.
        few: Steps that take no time however they are compiled.
        settings: As those of :func:`jax.jit`.

    Returns:
        The function with one more argument before the others: how many steps it is for.
    """
    short, long = (brief(function, level=level, **settings) for level in (0, 1))

    @functools.wraps(function)
    def call(length: int, /, *args: Any, **given: Any) -> Any:
        return (short if length <= few else long)(*args, **given)

    return call


@functools.cache
def _known() -> dict[str, Any]:
    """Those of :data:`QUICK` that this XLA has."""

    def known(name: str) -> bool:
        try:
            jax.jit(lambda: 0, compiler_options={name: QUICK[name]}).lower().compile()
        except jax.errors.JaxRuntimeError:
            return False
        return True

    return {name: value for name, value in QUICK.items() if known(name)}
