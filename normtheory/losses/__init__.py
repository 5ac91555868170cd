"""Losses of directions, each with its closed-form gradient, for numpy, JAX and PyTorch.

A loss is one object, :class:`Loss`, in one file of ``definitions``; ``LOSSES`` maps names to them,
and each is also a name here: ``nt.losses.info_nce(z_1, z_2, temperature=0.1)`` is its value,
``nt.losses.info_nce.gradient(...)`` (or ``info_nce_gradient``) its closed-form gradient.

``DISOBEDIENT`` holds losses that are *not* of directions, as negative controls, and
:func:`norm_exponent` measures what sets them apart.

Rows and options are checked wherever their values can be seen, under ``jax.grad`` too. Inside
``jax.jit``, ``jax.vmap`` and ``torch.compile`` they can't: a zero or non-finite row makes the value
NaN, and the gradient of that row and of every row whose gradient depends on it. For losses of pairs
and triplets those are the row and its partners; for a loss with a softmax over the batch, all rows
that share a softmax with it. A temperature or another option is not checked then; and labels of
more than 32 bits that are an argument of a jitted function have been cut by JAX before they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import REQUIRED, Cloud, Option
from normtheory.losses._registry import LOSSES
from normtheory.losses._rows import Rows, by_rows
from normtheory.losses._slope import Slope

if TYPE_CHECKING:
    from normtheory.losses._disobedient import DISOBEDIENT as DISOBEDIENT
    from normtheory.losses._disobedient import Disobedient as Disobedient
    from normtheory.losses._exponent import gradient_norms as gradient_norms
    from normtheory.losses._exponent import norm_exponent as norm_exponent

# Plain JAX, which is loaded when it is used.
_HOME = {
    "DISOBEDIENT": "_disobedient",
    "Disobedient": "_disobedient",
    "gradient_norms": "_exponent",
    "norm_exponent": "_exponent",
}

__all__ = [
    "DISOBEDIENT",
    "LOSSES",
    "REQUIRED",
    "Cloud",
    "Disobedient",
    "Loss",
    "Namespace",
    "Option",
    "Rows",
    "Slope",
    "by_rows",
    "gradient_norms",
    "norm_exponent",
]
__all__ += [name for loss in LOSSES for name in (loss, f"{loss}_gradient")]


def __getattr__(name: str) -> Any:
    """A loss by its name, or its gradient by ``NAME_gradient``."""
    if name in LOSSES:
        return LOSSES[name]
    if name.removesuffix("_gradient") in LOSSES:
        return LOSSES[name.removesuffix("_gradient")].gradient
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
