"""Two clouds of partners that contrast each other: what their losses share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from normtheory.losses._core import (
    Array,
    Slope,
    check_paired,
    check_temperature,
    of_similarities,
    product,
)

Side = Callable[[Array], tuple[Array, Array]]
"""Logits (n, n), whose diagonal are the positives -> the loss of the rows, ∂loss/∂logits."""


def two_views(z_1: Array, z_2: Array, temperature: Any) -> dict[str, Array]:
    """Check two clouds of partners and a temperature, and name the clouds."""
    check_paired(2, z_1=z_1, z_2=z_2)
    check_temperature(temperature)
    return {"z_1": z_1, "z_2": z_2}


def slope_of_sides(
    side: Side, u: Array, v: Array, *, temperature: Array, rows: float, columns: float
) -> Slope:
    """``rows`` times the loss of u against v, plus ``columns`` times that of v against u."""
    similarity = product(u, v.T)
    loss, weights = side(similarity / temperature)
    loss, weights = rows * loss, rows * weights
    if columns:  # left out, not multiplied by 0: a NaN in the columns must not reach the rows
        of_columns, column_weights = side(similarity.T / temperature)
        loss, weights = loss + columns * of_columns, weights + columns * column_weights.T
    weights = weights / temperature
    return of_similarities(
        loss, weights, u, v, temperature=-jnp.sum(weights * similarity) / temperature
    )
