"""What one can do about the norm effect: GradScale.

Claim :mod:`normtheory.claims.gradscale`.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from normtheory._arrays import check_option, check_rows


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
