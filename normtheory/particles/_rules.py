"""What rules need beside optax: row-wise Adagrad, Muon of clouds, a memory for every row."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from normtheory._types import Array

# Of Newton-Schulz iterations x(a + bx² + cx⁴): those of Muon, which stop near 1, and those that
# converge to 1 from below, from a ten-thousandth in twenty.
_QUICK = ((3.4445, -4.7750, 2.0315),) * 5
_POLAR = ((15 / 8, -10 / 8, 3 / 8),) * 24


class Squares(NamedTuple):
    """The memory of row-wise Adagrad: sums of mean squares, one a row, each (n, 1)."""

    sums: Any


def scale_by_rowwise_adagrad(start: Array, eps: Array) -> optax.GradientTransformation:
    """g/(√G + ε) with G' = G + mean g² over the row; 0 for a row that never had a gradient."""

    def init(params: Any) -> Squares:
        return Squares(jax.tree.map(lambda z: jnp.full((*z.shape[:-1], 1), start, z.dtype), params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Squares]:
        del params
        sums = jax.tree.map(
            lambda g, total: total + jnp.mean(g * g, axis=-1, keepdims=True), updates, state.sums
        )

        def one(g: Array, total: Array) -> Array:
            return jnp.where(total > 0, g / (jnp.sqrt(total) + jnp.asarray(eps, g.dtype)), 0)

        return jax.tree.map(one, updates, sums), Squares(sums)

    return optax.GradientTransformation(init, update)


def scale_by_muon(
    beta: Array, eps: Array, nesterov: bool, polar: bool
) -> optax.GradientTransformation:
    """optax's, of every cloud as one matrix."""

    def whole(params: Any) -> Any:
        return jax.tree.map(lambda _: optax.contrib.MuonDimensionNumbers(), params)

    coefficients = _POLAR if polar else _QUICK
    return optax.contrib.scale_by_muon(
        coefficients,
        len(coefficients),
        beta,
        eps,
        nesterov=nesterov,
        weight_dimension_numbers=whole,
    )


def by_rows(rule: optax.GradientTransformation) -> optax.GradientTransformation:
    """A rule applied to every row of every cloud by itself, its counts too; memory by cloud."""

    def init(params: Any) -> tuple[Any, ...]:
        return tuple(jax.vmap(rule.init)(z) for z in params)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, tuple[Any, ...]]:
        clouds = updates if params is None else params
        found = [jax.vmap(rule.update)(*x) for x in zip(updates, state, clouds, strict=True)]
        return tuple(u for u, _ in found), tuple(memory for _, memory in found)

    return optax.GradientTransformation(init, update)


def kept(
    rule: optax.GradientTransformation, rows: bool, masks: tuple[Array, ...], new: Any, old: Any
) -> Any:
    """The memory after a step in which some rows took no part: theirs is as it was.

    Args:
        rule: whose memory it is.
        rows: whether it is :func:`by_rows`.
        masks: rows that took part, of every cloud, bool (n, 1).
        new: memory after the step.
        old: before it.
    """
    if rows:
        return tuple(
            jax.tree.map(
                lambda x, y, mask=mask: jnp.where(mask.reshape(-1, *[1] * (x.ndim - 1)), x, y),
                *both,
            )
            for mask, *both in zip(masks, new, old, strict=True)
        )
    where = optax.tree_utils.tree_map_params(
        rule, lambda _, mask: mask, new, masks, transform_non_params=lambda _: True
    )
    return jax.tree.map(
        lambda mask, new, old: new if mask is True else jnp.where(mask, new, old),
        where,
        new,
        old,
    )
