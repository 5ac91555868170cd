"""Which arrays of a tree are its last layer, for cut-initialisation."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, TypeVar

import jax
import numpy as np

Key = TypeVar("Key", bound=Hashable)


def last_layer(parameters: dict[Key, tuple[Any, Any]]) -> set[Key]:
    """Which are the last matrix (or kernel) and the vectors that share its node.

    Args:
        parameters: under any key the path, of JAX's tree keys, and the array.

    Returns:
        Keys of the last layer.

    Raises:
        ValueError: it can't be told.
    """
    matrices = [i for i, (_, leaf) in parameters.items() if leaf.ndim >= 2]
    if not matrices:
        raise ValueError("model: expected a weight with two or more axes, got none")
    last = _last({i: parameters[i][0] for i in matrices})
    node = parameters[last][0][:-1]
    siblings = [i for i, (path, _) in parameters.items() if path[:-1] == node]
    if sum(i in matrices for i in siblings) == 1:
        return set(siblings)
    if all(i in matrices for i in siblings):
        return {last}
    raise ValueError(
        "model: can't tell which vectors belong to the last layer, since one node holds several "
        "matrices and vectors; give every layer a node of its own, [(W1, b1), (W2, b2)]"
    )


def _last(paths: dict[Key, tuple[Any, ...]], depth: int = 0) -> Key:
    """Key of the last of several leaves.

    The items of a list and the fields of a module have an order. The keys of a dict have one where
    they are numbered, such as Dense_0 to Dense_10; JAX itself takes them by the alphabet.
    """
    if len(paths) == 1:
        return next(iter(paths))
    keys = list(dict.fromkeys(path[depth] for path in paths.values()))
    key = keys[-1]
    if len(keys) > 1 and isinstance(key, jax.tree_util.DictKey):
        names = [str(k.key) for k in keys]
        numbered = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
        if None in numbered or len({m[1] for m in numbered if m}) > 1:
            raise ValueError(
                f"model: can't tell which of {', '.join(map(repr, names))} comes last, since a "
                "dict has no order; cut the one you mean by itself"
            )
        key = keys[int(np.argmax([int(m[2]) for m in numbered if m]))]
    return _last({i: path for i, path in paths.items() if path[depth] == key}, depth + 1)
