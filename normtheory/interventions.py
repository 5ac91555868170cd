"""What one can do about the norm effect: GradScale and cut-initialisation.

Claims :mod:`normtheory.claims.gradscale` and :mod:`normtheory.claims.cut_init`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_fits, check_option, check_rows, is_tensor, is_torch_module
from normtheory._last_layer import last_layer
from normtheory._range import quiet
from normtheory.sphere import lifted_and_scaled

__all__ = ["cut_init", "grad_scale"]

Model = TypeVar("Model")


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _grad_scale(z: jax.Array, power: float) -> jax.Array:
    return z


def _forward(z: jax.Array, power: float) -> tuple[jax.Array, jax.Array]:
    return z, z


def _backward(power: float, z: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    # Half precision has no room for squares.
    dtype = z.dtype if jnp.finfo(z.dtype).bits >= 32 else jnp.float32
    wide, cotangent = z.astype(dtype), cotangent.astype(dtype)
    near, unit = lifted_and_scaled(jnp, wide)
    rest = jnp.linalg.norm(near, axis=-1, keepdims=True)
    # Half of the power before and half after: what stands between is then the geometric mean of
    # what comes in and what goes out, and overflows only where one of them does.
    half = unit ** (power / 2)
    return (((cotangent * half) * rest**power * half).astype(z.dtype),)


_grad_scale.defvjp(_forward, _backward)


def grad_scale(z: Any, power: float) -> Any:
    """GradScale: the identity, whose gradient is multiplied by each embedding's norm to a power.

    Put it between embeddings and loss. The effective learning rate of a loss of directions becomes
    γρ^(p-2), so that the steps to converge grow as ρ^(2-p): not at all for p = 2.

    Args:
        z: embeddings, shape (..., d): a JAX array or a PyTorch tensor of floating-point numbers.
            Norms may lie anywhere in the range of the dtype. Half precision is computed in float32
            and given back in its own dtype.
        power: p, a number; 0 changes nothing.

    Returns:
        z itself. In reverse mode the gradient arrives multiplied by ‖z‖^p; there is no forward
        mode. A second derivative is that of the gradient so multiplied. In PyTorch it works under
        ``torch.compile``, ``torch.autocast`` and ``torch.func`` too.

    Raises:
        TypeError: neither a JAX array nor a PyTorch tensor, or a power that isn't a number.
        ValueError: a zero or non-finite row, which is named; no components. Traced or compiled
            values can't be inspected.

    Reference:
        Draganov et al. 2025 (GradScale).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> loss = lambda z: grad_scale(z, 1.0).sum()
        >>> jax.grad(loss)(jnp.array([3.0, 4.0]))
        Array([5., 5.], dtype=float32)
    """
    power = check_option("power", power)
    if is_tensor(z):
        from normtheory import _interventions_torch

        return _interventions_torch.grad_scale(z, power)
    if not isinstance(z, jax.Array):
        raise TypeError(f"z: expected a JAX array or a PyTorch tensor, got {type(z).__name__}")
    if z.ndim == 0 or z.shape[-1] == 0 or not jnp.issubdtype(z.dtype, jnp.floating):
        raise TypeError(
            f"z: expected floating-point embeddings (..., d), got {z.dtype} of shape {z.shape}"
        )
    check_rows("z", z)
    return _grad_scale(z, power)


@quiet
def cut_init(model: Model, factor: float, *, part: Literal["all", "last"] = "all") -> Model:
    """Cut-initialisation: divide the parameters of a new model by a factor c.

    Smaller embeddings turn faster. For a bias-free ReLU network all of it is the same, exactly, as
    a learning rate of c²γ and a weight decay of λ/c² on the uncut model, so tune the rate before
    believing in the cut.

    Args:
        model: a pytree of arrays, such as nested lists and dicts or an equinox module, whose
            floating-point arrays are parameters; or a PyTorch ``nn.Module``, whose parameters are
            divided **in place**, as ``.half()`` and ``nn.init`` work, so that an optimizer made
            before keeps them; or a PyTorch state dict. All else is left as it is. In PyTorch tied
            parameters are divided once and buffers not at all; a state dict does not say what a
            buffer is, and BatchNorm's running statistics are known there by their names only.
        factor: c > 0; the paper's are 3 for contrastive and 9 for non-contrastive losses.
        part: "all" parameters, biases and gains of normalisation too, as in the paper; or the
            "last" layer: the last array of the tree with two or more axes, and its bias, which is
            what else its node holds. Keys of a dict must be numbered then. In PyTorch the order is
            that in which modules were registered; a state dict has it where it comes straight
            from ``state_dict()``, and counts as any other dict where it doesn't.

    Returns:
        The model with the divided parameters: a new tree or state dict; an ``nn.Module`` itself.

    Raises:
        TypeError: a factor that isn't a number, or a model without floating-point arrays.
        ValueError: a factor <= 0 or out of the range of the parameters' dtype, another part, or a
            tree from which the last layer can't be told; PyTorch parameters without values (on the
            meta device, or lazy).

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
    if is_torch_module(model):
        from normtheory import _interventions_torch

        _interventions_torch.cut_module(model, c, part)
        return model
    if isinstance(model, Mapping) and any(is_tensor(x) for x in model.values()):
        from normtheory import _interventions_torch

        return _interventions_torch.cut_state_dict(model, c, part)
    found, tree = jax.tree_util.tree_flatten_with_path(model)
    parameters = {i: (path, leaf) for i, (path, leaf) in enumerate(found) if _is_parameter(leaf)}
    if not parameters:
        raise TypeError(
            "model: expected a pytree with floating-point arrays, or a PyTorch module or state "
            f"dict, got {type(model).__name__}"
        )
    chosen = set(parameters) if part == "all" else last_layer(parameters)
    for i in chosen:
        check_fits("factor", c, jnp.finfo(found[i][1].dtype))
    leaves = [leaf / c if i in chosen else leaf for i, (_, leaf) in enumerate(found)]
    return jax.tree_util.tree_unflatten(tree, leaves)


def _is_parameter(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray) and jnp.issubdtype(leaf.dtype, jnp.floating)
