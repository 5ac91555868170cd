"""Derivatives by temperature and bias, and the best ones, by autodiff and bisection."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.sphere import uniform
from normtheory.verify import _clouds as clouds
from normtheory.verify import _definitions as definitions
from normtheory.verify._sample import Sample, column

KEYS = 6


@brief
@functools.partial(jax.vmap, in_axes=(0, 0))
def _by_scale(z: Any, keys: Any) -> Any:
    """Derivatives of an anchor's loss by ln b and by the norm of a free anchor b long."""

    def of_scale(s: Any) -> Any:
        cosines = jax.vmap(lambda key: definitions.cosine(z, key))(keys)
        return jax.nn.logsumexp(jnp.exp(s) * cosines) - jnp.exp(s) * cosines[0]

    def of_norm(s: Any) -> Any:
        anchor = jnp.exp(s) * z / definitions.norm(z)
        logits = keys @ anchor
        return jax.nn.logsumexp(logits) - logits[0]

    start = jnp.log(definitions.norm(z))
    return jax.grad(of_scale)(start), jax.grad(of_norm)(start)


def scale_gradient(d: int, points: int, rng: np.random.Generator) -> Sample:
    """One anchor, whose norm serves as the scale, against six unit keys; the first is its own."""
    n = 4 * points
    b = clouds.log_uniform(rng, 0.1, 50.0, n)
    z = b * uniform(rng, n, d)
    keys = uniform(rng, n * KEYS, d).reshape(n, KEYS, d)
    by_scale, by_norm = _by_scale(z, keys)
    cosines = np.einsum("nd,nkd->nk", z / b, keys)
    weights = np.exp(b * (cosines - cosines.max(axis=1, keepdims=True)))
    inputs = {
        "own": cosines[:, :1],
        "cosines": cosines,
        "share": weights / weights.sum(axis=1, keepdims=True),
        "b": b,
        "by_log_scale": column(by_scale),
    }
    values = {"by_log_scale": column(by_scale), "by_log_norm": column(by_norm)}
    return Sample(inputs, values, (f"{KEYS} keys, d={d}",) * n)


def _root(slope: Any, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where an increasing function of each row changes sign."""
    for _ in range(70):
        middle = (low + high) / 2
        above = np.asarray(slope(middle)) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def noisy_scale(
    d: int, points: int, rng: np.random.Generator, *, too_noisy: bool = False
) -> Sample:
    """The scale at which the expected cross-entropy with wrong labels is least.

    Args:
        d: Not used: a margin is a number.
        points: Number of settings.
        rng: Source of randomness.
        too_noisy: Rates of wrong labels up to 1; the first row has n = 4 and a rate of 0.8.
    """
    del d
    n = rng.integers(2, 12, points).astype(float)
    wrong = rng.uniform(0.02, 0.98, points) * (n - 1) / n
    if too_noisy:
        wrong = rng.uniform(0.02, 0.98, points)
        n[0], wrong[0] = 4.0, 0.8
    margin = rng.uniform(0.1, 2.0, points)

    @brief
    @jax.vmap
    @jax.value_and_grad
    def expected(b: Any, n: Any, wrong: Any, margin: Any) -> Any:
        # One own logit b·margin above n − 1 others: cross-entropies of a right and a wrong label.
        total = jnp.log(jnp.exp(b * margin) + n - 1)
        return (1 - wrong) * (total - b * margin) + wrong * total

    def slope(b: Any) -> Any:
        return expected(b, n, wrong, margin)[1]

    best = _root(slope, np.zeros(points), np.full(points, 300.0))
    inputs = {"n": column(n), "wrong": column(wrong), "margin": column(margin)}
    values = {
        "best_scale": column(best),
        "least_loss": column(expected(best, n, wrong, margin)[0]),
        "slope_at_zero": column(slope(np.zeros(points))),
    }
    return Sample(inputs, values, ("wrong labels",) * points)


def siglip_bias(d: int, points: int, rng: np.random.Generator) -> Sample:
    """The bias at which SigLIP's loss of equal cosines is least."""
    del d
    n = rng.integers(2, 30, points).astype(float)
    b, cosine = clouds.log_uniform(rng, 0.5, 20.0, points)[:, 0], rng.uniform(-0.9, 0.9, points)

    def loss(bias: Any) -> Any:
        logit = b * cosine + bias
        softplus = jax.nn.softplus
        return jnp.sum(n * softplus(-logit) + n * (n - 1) * softplus(logit))

    best = _root(brief(jax.grad(loss)), np.full(points, -60.0), np.full(points, 60.0))
    inputs = {"n": column(n), "b": column(b), "cosine": column(cosine)}
    return Sample(inputs, {"best_bias": column(best)}, ("equal cosines",) * points)
