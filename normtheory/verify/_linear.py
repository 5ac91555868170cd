"""Linear layers over a population of inputs, tables under Muon, and norms against frequency."""

from __future__ import annotations

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.sphere import uniform
from normtheory.verify import _clouds as clouds
from normtheory.verify import _definitions as definitions
from normtheory.verify._sample import Sample, column

_WIDTH, _POPULATION, _BATCH = 6, 48, 4
_ROWS = 9
_HITS = 5


@brief
@jax.vmap
def _layer(weights: Any, x: Any, y: Any, population: Any, rate: Any, decay: Any) -> Any:
    """Mean square outputs over the population before and after a step, and the gradient's norm."""
    loss = lambda w: definitions.many_point_loss(x @ w, y @ w)  # noqa: E731
    slope = jax.grad(loss)(weights)
    new = (1 - rate * decay) * weights - rate * slope
    mean = lambda w: jnp.mean(jnp.sum((population @ w) ** 2, axis=1))  # noqa: E731
    return mean(weights), mean(new), jnp.sqrt(jnp.sum(slope * slope)), jnp.sum(weights * weights)


def linear_layer(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    decayed: bool = False,
    alternate: bool = False,
) -> Sample:
    """A step of a layer on a batch of its own, judged by a population.

    Args:
        d: Dimension of the outputs.
        points: Number of layers.
        rng: Source of randomness.
        decayed: With weight decay.
        alternate: Every other population, the first too, is correlated. Otherwise all are white.
    """
    n = points
    base = clouds.log_uniform(rng, 1e-3, 1e3, n)
    weights = base[..., None] * rng.standard_normal((n, _WIDTH, d))
    x, y = rng.standard_normal((2, n, _BATCH, _WIDTH))
    white = np.linalg.qr(rng.standard_normal((n, _POPULATION, _WIDTH)))[0] * np.sqrt(_POPULATION)
    mixed = white @ rng.standard_normal((n, _WIDTH, _WIDTH))
    square = lambda inputs: np.mean(np.sum((inputs @ weights) ** 2, axis=2), axis=1)  # noqa: E731
    mixed = mixed * np.sqrt(square(white) / square(mixed))[:, None, None]
    correlated = np.arange(n) % 2 == 0 if alternate else np.zeros(n, bool)
    rate = clouds.log_uniform(rng, 0.1, 10, n) * base**2
    decay = rng.uniform(0.05, 0.6, (n, 1)) / rate * decayed
    setting = (rate[:, 0], decay[:, 0])
    population = np.where(correlated[:, None, None], mixed, white)
    before, after, size, norm = map(column, _layer(weights, x, y, population, *setting))
    other = column(_layer(weights, x, y, mixed, *setting)[1])
    inputs = {
        "mean_square": before,
        "gradient_norm": size,
        "learning_rate": rate,
        "weight_decay": decay,
        "of_correlated": other,
        "correlated": column(correlated),
    }
    values = {
        "next_mean_square": after,
        "size": (np.sqrt(norm) + rate * size) ** 2,
        "law": (1 - rate * decay) ** 2 * before + rate**2 * size**2,
    }
    labels = tuple(f"{'correlated' if c else 'white'} inputs, d={d}" for c in correlated)
    return Sample(inputs, values, labels)


@brief
@jax.vmap
def _polar(table: Any, targets: Any) -> Any:
    """Gradient and its polar factor by Newton-Schulz steps; how much of each is along the table."""
    slope = jax.grad(definitions.many_point_loss)(table, targets)
    unit = slope / jnp.sqrt(jnp.sum(slope * slope))
    factor = jax.lax.fori_loop(0, 40, lambda _, x: 1.5 * x - 0.5 * x @ (x.T @ x), unit)
    length = jnp.sqrt(jnp.sum(table * table))

    def along(step: Any) -> Any:
        return jnp.abs(jnp.sum(step * table)) / length / jnp.sqrt(jnp.sum(step * step))

    return slope, factor, along(slope), along(factor)


def polar_step(d: int, points: int, rng: np.random.Generator) -> Sample:
    """The polar factor of the gradient of a table of embeddings; a row is a row of a table.

    Every other table, the first too, is judged by Muon's step, the others by SGD's: ``along``.
    """
    n = points
    base = clouds.log_uniform(rng, 1e-3, 1e3, n)[..., None]
    table = base * rng.standard_normal((n, _ROWS, d))
    targets = uniform(rng, n * _ROWS, d).reshape(n, _ROWS, d)
    slope, factor, plain, muon = (np.asarray(a) for a in _polar(table, targets))
    is_muon = np.arange(n) % 2 == 0
    gram = np.einsum("nki,nkj->nij", slope, slope)
    inputs = {
        "gradient": slope.reshape(-1, d),
        "inverse_gram": np.repeat(np.linalg.inv(gram), _ROWS, axis=0),
        "muon": column(np.repeat(is_muon, _ROWS)),
    }
    values = {
        "squared_row_step": column(np.sum(factor**2, axis=2)),
        "along": column(np.repeat(np.where(is_muon, muon, plain), _ROWS)),
        "condition": column(np.repeat(np.linalg.cond(gram), _ROWS)),
    }
    return Sample(inputs, values, (f"tables of {_ROWS} rows, d={d}",) * (n * _ROWS))


def _next(z: Any, rate: Any, angle: Any, key: Any) -> Any:
    """A step towards a partner at a given angle, in a direction of its own."""
    fixed = jax.lax.stop_gradient(z)
    unit = fixed / definitions.norm(fixed)
    across = key - jnp.sum(key * unit) * unit
    partner = jnp.cos(angle) * unit + jnp.sin(angle) * across / definitions.norm(across)
    return z - rate * jax.grad(lambda z: -definitions.cosine(z, partner))(z)


@brief
@jax.vmap
def _map(norm: Any, unit: Any, rate: Any, angle: Any, key: Any) -> Any:
    """How the squared norm after a step goes with the norm before."""

    def after(norm: Any) -> Any:
        new = _next(norm * unit, rate, angle, key)
        return jnp.sum(new * new)

    return jax.grad(after)(norm)


def norm_map(d: int, points: int, rng: np.random.Generator) -> Sample:
    """The derivative of the squared norm after a step by the norm before, by autodiff."""
    n = 2 * points
    norm = clouds.log_uniform(rng, 1e-3, 1e3, n)
    rate = clouds.log_uniform(rng, 0.01, 100, n) * norm**2
    angle = rng.uniform(0.2, 2.9, (n, 1))
    keys = rng.standard_normal((n, d))
    found = _map(norm[:, 0], uniform(rng, n, d), rate[:, 0], angle[:, 0], keys)
    inputs = {"norm": norm, "push": rate * np.sin(angle)}
    return Sample(inputs, {"slope_of_square": column(found)}, (f"fresh partner, d={d}",) * n)


@brief
def _paths(start: Any, rates: Any, angles: Any, keys: Any, hits: Any) -> Any:
    """Norms after all steps, (n, paths), where each path takes some of the steps."""

    def run(z: Any, rates: Any, angles: Any, keys: Any, hits: Any) -> Any:
        def step(z: Any, now: Any) -> Any:
            rate, angle, key, hit = now
            return jnp.where(hit, _next(z, rate, angle, key), z), None

        return definitions.norm(jax.lax.scan(step, z, (rates, angles, keys, hits))[0])

    over_paths = jax.vmap(run, in_axes=(None, None, None, None, 0))
    return jax.vmap(over_paths, in_axes=(0, 0, 0, 0, None))(start, rates, angles, keys, hits)


def frequency_growth(d: int, points: int, rng: np.random.Generator) -> Sample:
    """The mean norm after five steps, each taken with probability p, over all of the 32 paths.

    ``least_rise`` is the smallest rise between neighbours of a grid of p, in units of ρ₀. The first
    embedding is pushed by γs = 4ρ₀², then by 100ρ₀², then hardly; of the others every other one by
    at most 0.95ρ₀².
    """
    n = 2 * points
    norm = clouds.log_uniform(rng, 1e-3, 1e3, n)
    push = np.where(
        np.arange(n)[:, None] % 2 == 0,
        clouds.log_uniform(rng, 0.3, 100, n * _HITS).reshape(n, _HITS),
        rng.uniform(0.05, 0.95, (n, _HITS)),
    )
    # Not far beyond: the mean norm falls with p near p = 1.
    push[2::4, 0], push[2::4, 1] = 2, rng.uniform(3.2, 6, len(push[2::4]))
    push[2::4, 2:] = 0.01
    push[0] = [4, 100, *[0.01] * (_HITS - 2)]
    angles = rng.uniform(0.3, 2.8, (n, _HITS))
    hits = np.array(list(product((False, True), repeat=_HITS)))
    keys = rng.standard_normal((n, _HITS, d))
    rates = push * norm**2 / np.sin(angles)
    norms = np.asarray(_paths(norm * uniform(rng, n, d), rates, angles, keys, hits)) / norm
    p, taken = np.linspace(0, 1, 41), hits.sum(axis=1)
    weights = p[:, None] ** taken * (1 - p[:, None]) ** (_HITS - taken)
    rise = np.diff(norms @ weights.T, axis=1)
    inputs = {"largest_push": column(push.max(axis=1))}
    return Sample(inputs, {"least_rise": column(rise.min(axis=1))}, (f"5 steps, d={d}",) * n)
