"""SigLIP: every pair of the batch is a yes-or-no question of its own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from normtheory._arrays import check_values
from normtheory.losses import _core
from normtheory.losses._core import Array, Slope, of_similarities, product
from normtheory.losses._registry import Loss, clouds


def _slope(u: Array, v: Array, *, temperature: Array, bias: Array) -> Slope:
    n = u.shape[0]
    similarity = product(u, v.T)
    sign = jnp.where(jnp.eye(n, dtype=bool), 1, -1).astype(u.dtype)
    wrong = -sign * (similarity / temperature + bias)
    value = jnp.sum(jnp.logaddexp(wrong, 0)) / n
    by_logit = -sign * jax.nn.sigmoid(wrong) / n
    weights = by_logit / temperature
    return of_similarities(
        value,
        weights,
        u,
        v,
        temperature=-jnp.sum(weights * similarity) / temperature,
        bias=jnp.sum(by_logit),
    )


def _arguments(z_1: Array, z_2: Array, temperature: Any, bias: Any) -> dict[str, Array]:
    _core.check_paired(z_1=z_1, z_2=z_2)
    _core.check_temperature(temperature)
    check_values("bias", jnp.asarray(bias))
    return {"z_1": z_1, "z_2": z_2}


def siglip(z_1: Array, z_2: Array, *, temperature: Any = 0.1, bias: Any = -10.0) -> Array:
    """SigLIP: (1/n) Σ_ab log(1 + exp(-y_ab (ẑ_1a·ẑ_2b/τ + β))), y = 1 for partners, else -1.

    Args:
        z_1: embeddings of one modality, shape (n, d), nonzero rows.
        z_2: their partners in the other, shape (n, d).
        temperature: τ > 0, the inverse of the source's t; differentiable.
        bias: β; differentiable.

    Returns:
        The loss, a scalar.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named), temperature
            <= 0.

    Reference:
        Zhai et al. 2023, section 3.2.
    """
    return _core.value(
        _slope, _arguments(z_1, z_2, temperature, bias), temperature=temperature, bias=bias
    )


def siglip_gradient(
    z_1: Array, z_2: Array, *, temperature: Any = 0.1, bias: Any = -10.0
) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`siglip` with respect to both clouds, each (n, d)."""
    g_1, g_2 = _core.gradient(
        _slope, _arguments(z_1, z_2, temperature, bias), temperature=temperature, bias=bias
    )
    return g_1, g_2


LOSSES = (
    Loss(
        "siglip",
        siglip,
        siglip_gradient,
        "Zhai et al. 2023, sec. 3.2",
        (0, 1),
        clouds(2, temperature=0.2, bias=-2.0),
    ),
)
