"""SimSiam and BYOL: predict the other view's embedding, through which no gradient flows."""

from __future__ import annotations

import jax.numpy as jnp

from normtheory.losses import _core
from normtheory.losses._core import Array, Slope
from normtheory.losses._registry import Loss, clouds


def _slope(p_1: Array, p_2: Array, z_1: Array, z_2: Array, *, scale: Array, shift: Array) -> Slope:
    n = p_1.shape[0]
    # 2 - 2 cos from the chords, so that the loss of a predictor that is right keeps its digits
    squares = jnp.sum((p_1 - z_2) ** 2) + jnp.sum((p_2 - z_1) ** 2)
    value = shift + scale * squares / (2 * n)
    return Slope(value, (-scale * z_2 / n, -scale * z_1 / n, None, None), {})


def _arguments(p_1: Array, p_2: Array, z_1: Array, z_2: Array) -> dict[str, Array]:
    arguments = {"p_1": p_1, "p_2": p_2, "z_1": z_1, "z_2": z_2}
    _core.check_paired(1, **arguments)
    return arguments


def simsiam(p_1: Array, p_2: Array, z_1: Array, z_2: Array) -> Array:
    """SimSiam: minus the mean of cos(p_1, z_2) and cos(p_2, z_1), the z held constant.

    Args:
        p_1: predictions from the first view, shape (n, d), nonzero rows.
        p_2: predictions from the second view.
        z_1: embeddings of the first view; constants (stop-gradient).
        z_2: embeddings of the second view; constants.

    Returns:
        The loss in [-1, 1], a scalar. ``jax.grad`` gives 0 for z_1 and z_2, so that a finite
        difference in them disagrees, as it should.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named).

    Reference:
        Chen and He 2021, equation 4.
    """
    return _core.value(_slope, _arguments(p_1, p_2, z_1, z_2), scale=0.5, shift=-1.0)


def simsiam_gradient(p_1: Array, p_2: Array, z_1: Array, z_2: Array) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`simsiam` with respect to the predictions, each (n, d)."""
    g_1, g_2 = _core.gradient(_slope, _arguments(p_1, p_2, z_1, z_2), scale=0.5, shift=-1.0)
    return g_1, g_2


def byol(p_1: Array, p_2: Array, z_1: Array, z_2: Array) -> Array:
    """BYOL: mean of ‖p̂_1 - ẑ_2‖² + ‖p̂_2 - ẑ_1‖², the targets z held constant.

    Args:
        p_1: online predictions from the first view, shape (n, d), nonzero rows.
        p_2: online predictions from the second view.
        z_1: target projections of the first view; constants (stop-gradient).
        z_2: target projections of the second view; constants.

    Returns:
        The loss in [0, 8], a scalar; 4 + 4·SimSiam of the same arguments.

    Raises:
        TypeError, ValueError: clouds that don't fit, zero or non-finite rows (named).

    Reference:
        Grill et al. 2020, equation 2, made symmetric.
    """
    return _core.value(_slope, _arguments(p_1, p_2, z_1, z_2), scale=2.0, shift=0.0)


def byol_gradient(p_1: Array, p_2: Array, z_1: Array, z_2: Array) -> tuple[Array, Array]:
    """Closed-form gradient of :func:`byol` with respect to the predictions, each (n, d)."""
    g_1, g_2 = _core.gradient(_slope, _arguments(p_1, p_2, z_1, z_2), scale=2.0, shift=0.0)
    return g_1, g_2


LOSSES = (
    Loss(
        "simsiam",
        simsiam,
        simsiam_gradient,
        "Chen and He 2021, eq. 4",
        (0, 1),
        clouds(4),
        stop_gradient=True,
    ),
    Loss(
        "byol",
        byol,
        byol_gradient,
        "Grill et al. 2020, eq. 2",
        (0, 1),
        clouds(4),
        stop_gradient=True,
    ),
)
