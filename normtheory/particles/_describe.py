"""Settings as plain numbers and words, for the attributes of a result."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from normtheory._arrays import concrete
from normtheory.losses import Loss


def described(x: Any) -> dict[str, Any]:
    """Numbers of a tree by their path, and its structure in words."""
    paths, _ = jax.tree_util.tree_flatten_with_path(x)
    numbers = {jax.tree_util.keystr(path).lstrip("."): _shown(leaf) for path, leaf in paths}
    return {"numbers": numbers, "structure": _structure(x)}


def _shown(x: Any) -> Any:
    values = concrete(x) if hasattr(x, "dtype") else x
    if not hasattr(values, "shape"):
        return values
    values = np.asarray(values)
    return values.item() if values.ndim == 0 else f"{values.dtype} {values.shape}"


def _structure(x: Any) -> Any:
    """The static part of a tree in words."""
    if x is None or isinstance(x, bool | int | float | str):
        return x
    if isinstance(x, Loss):
        return x.name
    if callable(x) and not hasattr(x, "__dataclass_fields__"):
        return f"{getattr(x, '__module__', '')}.{getattr(x, '__name__', type(x).__name__)}"
    if isinstance(x, dict):
        return {name: _structure(y) for name, y in x.items()}
    if isinstance(x, tuple):
        return [_structure(y) for y in x]
    if hasattr(x, "__dataclass_fields__"):
        found: dict[str, Any] = {"kind": type(x).__name__}
        for name, field in x.__dataclass_fields__.items():
            value = getattr(x, name)
            several = list(value.values()) if isinstance(value, dict) else value
            inside = several[0] if isinstance(several, list | tuple) and several else value
            if field.metadata.get("static") or hasattr(inside, "__dataclass_fields__"):
                found[name] = _structure(value)
        return found
    return repr(x)
