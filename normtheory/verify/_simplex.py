"""Equiangular clouds under contrastive losses: pulls and counts of steps, by autodiff."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.claims.simplex_steps import KINDS
from normtheory.verify import _clouds as clouds
from normtheory.verify import _definitions as definitions
from normtheory.verify._equiangular import family, rotation
from normtheory.verify._plain_losses import PLAIN
from normtheory.verify._sample import Sample, column, joined


def _gradient(kind: str, z: Any, b: Any) -> Any:
    """∇ of one cloud (n, d) of a loss; a second cloud lies on the first and is as it is."""
    other = jax.lax.stop_gradient(z)
    losses = {
        "info_nce": lambda z: PLAIN["info_nce"](z, z, temperature=1 / b),
        "info_nce_two": lambda z: PLAIN["info_nce"](z, other, temperature=1 / b),
        "clip_two": lambda z: PLAIN["clip"](z, other, temperature=1 / b),
        "nt_xent": lambda z: PLAIN["nt_xent"](z, other, temperature=1 / b),
        "decoupled": lambda z: PLAIN["decoupled"](z, other, temperature=1 / b),
        "uniformity": lambda z: PLAIN["uniformity"](z, sharpness=b),
    }
    return jax.grad(losses[kind])(z)


@functools.partial(brief, static_argnames=("kind", "n"))
@functools.partial(jax.vmap, in_axes=(None, 0, 0, 0, 0, None))
def _slope(kind: str, m: Any, turn: Any, norm: Any, b: Any, n: int) -> Any:
    z = norm * family(m, n, turn)
    gradient = _gradient(kind, z, b)
    # ∇_k = (w/ρ)(S − m û_k), S the sum of the directions: its part along S is (w/ρ) m (n − m).
    total = jnp.sum(z, axis=0) / norm
    return norm * jnp.sum(gradient[0] * total) / (m * (n - m))


def simplex_slope(d: int, points: int, rng: np.random.Generator) -> Sample:
    """∂L/∂c of one pair of an equiangular cloud under six losses, from the gradient of a point."""
    rows: list[dict[str, np.ndarray]] = []
    labels: list[str] = []
    for k, kind in enumerate(KINDS):
        for n in (3, 5):
            m = n * rng.uniform(0.1, 0.9, points)
            norm = clouds.log_uniform(rng, 1e-2, 1e2, points)
            b = clouds.log_uniform(rng, 0.5, 10.0, points)
            turns = np.stack([rotation(rng, d) for _ in range(points)])
            found = _slope(kind, m, turns, norm[:, 0], b[:, 0], n)
            y = (1 - (m - 1) / (n - 1))[:, None]
            rows.append(
                {
                    "cosine": 1 - y,
                    "n": np.full((points, 1), float(n)),
                    "b": b,
                    "kind": np.full((points, 1), float(k)),
                    "slope": column(found),
                    # The pull that a wrong key has may be much smaller than what it is the rest of.
                    "ease": (1 + b) * (1 + np.exp(b * y) / (n - 1)),
                }
            )
            labels += [f"{kind}, n={n}, d={d}"] * points
    inputs = joined(rows)
    values = {key: inputs.pop(key) for key in ("slope", "ease")}
    return Sample(inputs, values, tuple(labels))


@functools.partial(brief, static_argnames=("kind",))
@functools.partial(jax.vmap, in_axes=(None, 0, 0, 0, None))
def _count(kind: str, z: Any, rate: Any, b: Any, last: Any) -> Any:
    """Steps until the cosine is at most ``last``, with the share of the last step it took."""

    def cosine(z: Any) -> Any:
        return definitions.cosine(z[0], z[1])

    def step(state: Any) -> Any:
        z, count, _ = state
        new = z - rate * _gradient(kind, z, b)
        return new, count + 1, cosine(z)

    def running(state: Any) -> Any:
        return cosine(state[0]) > last

    z, count, before = jax.lax.while_loop(running, step, (z, 0.0, cosine(z)))
    return count - 1 + (before - last) / (before - cosine(z))


def simplex_count(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Steps of four points from a cosine of 0.9 to −0.3, at n|a| of about 0.01 and half of it."""
    del points
    n, first, last, b = 4, 0.9, -0.3, 4.0
    m = 1 + (n - 1) * first
    norms = np.array([1.0, 3.0])
    start = np.asarray(brief(family, static_argnames="n")(m, n, rotation(rng, d)))
    z = norms[:, None, None] * start
    rows, counts = [], []
    for k, kind in enumerate(KINDS):
        # The steepest slope on the way decides: that of the uniformity and the decoupled loss.
        slope = {"uniformity": 4 * b, "decoupled": b}.get(kind, 2 * b * (n - 1) / n)
        rate = 0.01 * norms**2 * (n - 1) / slope
        b_all = np.full(2, b)
        counts.append([_count(kind, z, rate / half, b_all, last) for half in (1, 2)])
        for norm, r in zip(norms, rate, strict=True):
            rows.append((first, last, n, b, k, norm, r))
    table = np.array(rows, dtype=float)
    names = ("cosine", "last", "n", "b", "kind", "norm", "learning_rate")
    inputs = {name: table[:, [i]] for i, name in enumerate(names)}
    whole = np.concatenate([np.asarray(pair[0]) for pair in counts])
    halved = np.concatenate([np.asarray(pair[1]) for pair in counts])
    # Steps × rate has an error of first order in the rate.
    values = {"steps": column(whole), "steps_extrapolated": column(halved - whole)}
    labels = tuple(f"{kind}, norm {r:g}, d={d}" for kind in KINDS for r in norms)
    return Sample(inputs, values, labels)
