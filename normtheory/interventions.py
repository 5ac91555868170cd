"""What one can do about the norm effect: GradScale and cut-initialisation.

Claims :mod:`normtheory.claims.gradscale` and :mod:`normtheory.claims.cut_init`.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_option, check_rows

Model = TypeVar("Model")


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _grad_scale(z: jax.Array, power: float) -> jax.Array:
    return z


def _forward(z: jax.Array, power: float) -> tuple[jax.Array, jax.Array]:
    return z, z


def _backward(power: float, z: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    return (cotangent * jnp.linalg.norm(z, axis=-1, keepdims=True) ** power,)


_grad_scale.defvjp(_forward, _backward)


def grad_scale(z: jax.Array, power: float) -> jax.Array:
    """GradScale: the identity, whose gradient is multiplied by each embedding's norm to a power.

    Put it between embeddings and loss. The effective learning rate of a loss of directions becomes
    γρ^(p-2), so that the steps to converge grow as ρ^(2-p): not at all for p = 2.

    Args:
        z: embeddings, shape (..., d), a JAX array.
        power: p, a number; 0 changes nothing.

    Returns:
        z itself. In reverse mode the gradient arrives multiplied by ‖z‖^p; there is no forward
        mode.

    Raises:
        TypeError: not a JAX array, or a power that isn't a number.
        ValueError: a zero or non-finite row, which is named.

    Reference:
        Draganov et al. 2025 (GradScale).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> loss = lambda z: grad_scale(z, 1.0).sum()
        >>> jax.grad(loss)(jnp.array([3.0, 4.0]))
        Array([5., 5.], dtype=float32)
    """
    if not isinstance(z, jax.Array):
        raise TypeError(f"z: expected a JAX array, got {type(z).__name__}")
    if z.ndim == 0 or not jnp.issubdtype(z.dtype, jnp.floating):
        raise TypeError(
            f"z: expected floating-point embeddings (..., d), got {z.dtype} of shape {z.shape}"
        )
    check_rows("z", z)
    return _grad_scale(z, check_option("power", power))


def cut_init(model: Model, factor: float, *, part: Literal["all", "last"] = "all") -> Model:
    """Cut-initialisation: divide the parameters of a new model by a factor c.

    Smaller embeddings turn faster. For a bias-free ReLU network all of it is the same, exactly, as
    a learning rate of c²γ and a weight decay of λ/c² on the uncut model, so tune the rate before
    believing in the cut.

    Args:
        model: a pytree of arrays, such as nested lists and dicts or an equinox module. Its
            floating-point arrays are parameters; all else is left as it is.
        factor: c > 0; the paper's are 3 for contrastive and 9 for non-contrastive losses.
        part: "all" parameters, biases and gains of normalisation too, as in the paper; or the
            "last" layer: the last array of the tree with two or more axes, and its bias, which is
            what else its node holds. Keys of a dict must be numbered then.

    Returns:
        The model with the divided parameters.

    Raises:
        TypeError: a factor that isn't a number, or a model without floating-point arrays.
        ValueError: a factor <= 0, another part, or a tree from which the last layer can't be told.

    Reference:
        Draganov et al. 2025 (cut-initialisation).

    Example:
        >>> import jax.numpy as jnp
        >>> first, last = {"weight": jnp.ones((2, 3))}, {"weight": jnp.ones((1, 2))}
        >>> model = [first, last | {"bias": jnp.ones(1)}]
        >>> _, last = cut_init(model, 2.0, part="last")
        >>> last
        {'bias': Array([0.5], dtype=float32), 'weight': Array([[0.5, 0.5]], dtype=float32)}
    """
    c = check_option("factor", factor)
    if c <= 0:
        raise ValueError(f"factor: expected a finite number > 0, got {factor!r}")
    if part not in ("all", "last"):
        raise ValueError(f"part: expected 'all' or 'last', got {part!r}")
    found, tree = jax.tree_util.tree_flatten_with_path(model)
    parameters = {i: (path, leaf) for i, (path, leaf) in enumerate(found) if _is_parameter(leaf)}
    if not parameters:
        raise TypeError(
            f"model: expected a pytree with floating-point arrays, got {type(model).__name__}"
        )
    chosen = set(parameters) if part == "all" else _last_layer(parameters)
    leaves = [leaf / c if i in chosen else leaf for i, (_, leaf) in enumerate(found)]
    return jax.tree_util.tree_unflatten(tree, leaves)


def _is_parameter(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray) and jnp.issubdtype(leaf.dtype, jnp.floating)


def _last_layer(parameters: dict[int, tuple[Any, Any]]) -> set[int]:
    """Indices of the last matrix (or kernel) and of the vectors that share its node."""
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


def _last(paths: dict[int, tuple[Any, ...]], depth: int = 0) -> int:
    """Index of the last of several leaves.

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
