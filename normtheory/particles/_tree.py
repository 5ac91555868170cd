"""Frozen dataclasses as JAX trees: numbers are leaves, structure is static.

A setting that is a leaf can change without compiling anew and can be swept by ``jax.vmap``; a
static one is part of what is compiled. ``jax.tree_util.register_dataclass`` calls the constructor
whenever JAX rebuilds a tree, with tracers or placeholders inside; here it is called by people only,
so that ``__post_init__`` may check what they pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, dataclass_transform

import jax

T = TypeVar("T")


def static(*, default: Any = dataclasses.MISSING) -> Any:
    """A field that is part of the structure: hashable, and compiled in."""
    return dataclasses.field(default=default, metadata={"static": True})


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, static))
def tree(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass and a JAX tree whose leaves are its fields but static ones.

    The class has identity equality; two of them are compared by their leaves and structure.
    """
    made: Any = dataclasses.dataclass(frozen=True, eq=False)(cls)
    fixed = [f.name for f in dataclasses.fields(made) if f.metadata.get("static")]
    moving = [f.name for f in dataclasses.fields(made) if not f.metadata.get("static")]

    def structure(x: Any) -> tuple[Any, ...]:
        return tuple(getattr(x, name) for name in fixed)

    def flatten(x: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(x, name) for name in moving), structure(x)

    def with_keys(x: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        keys = ((jax.tree_util.GetAttrKey(name), getattr(x, name)) for name in moving)
        return tuple(keys), structure(x)

    def unflatten(structure: tuple[Any, ...], leaves: Iterable[Any]) -> Any:
        x = object.__new__(made)
        for name, value in zip(fixed, structure, strict=True):
            object.__setattr__(x, name, value)
        for name, value in zip(moving, leaves, strict=True):
            object.__setattr__(x, name, value)
        return x

    jax.tree_util.register_pytree_with_keys(made, with_keys, unflatten, flatten)
    return made


def map_numbers(function: Callable[[Any], Any], x: T) -> T:
    """Apply a function to the leaves of a tree that are real numbers, not labels or counts."""

    def one(leaf: Any) -> Any:
        real = isinstance(leaf, float) or (
            hasattr(leaf, "dtype") and jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating)
        )
        return function(leaf) if real else leaf

    return jax.tree.map(one, x)
