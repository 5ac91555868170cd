"""Many SGD steps of single pairs, and one step of a batch of pairs, by autodiff in d dimensions."""

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
from normtheory.verify._sample import Sample, column, joined
from normtheory.verify._steps import sgd_pair

STEPS = 40
#: GradScale power, repulsion and stop-gradient of the runs.
KINDS = ((0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0), (1.5, 1, 1), (2, 0, 0))


def _state(z: Any, y: Any) -> Any:
    return jnp.stack([definitions.angle(z, y), definitions.norm(z), definitions.norm(y)])


@brief
@jax.vmap
def _run(z: Any, y: Any, setting: dict[str, Any]) -> Any:
    def step(pair: Any, _: Any) -> Any:
        return sgd_pair(pair[0], pair[1], setting), None

    return _state(*jax.lax.scan(step, (z, y), None, length=STEPS)[0])


def pair_run(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Angle and norms of pairs after 40 steps with decay, at effective rates of up to 0.2.

    Args:
        d: Dimension.
        points: Half of the number of pairs of every kind.
        rng: Source of randomness.
    """
    many = max(points // 2, 2)
    n = many * len(KINDS)
    kind = np.repeat(np.array(KINDS, dtype=float), many, axis=0)
    setting = {
        "learning_rate": np.full(n, 0.05),
        "gradscale": kind[:, 0],
        "weight_decay": np.full(n, 0.4),
        "repel": kind[:, 1],
        "one_sided": kind[:, 2],
    }
    norm_i, norm_j = (clouds.log_uniform(rng, 0.5, 5.0, n) for _ in range(2))
    angle = rng.uniform(0.1, 3.0, (n, 1))
    u = uniform(rng, n, d)
    z, y = norm_i * u, norm_j * clouds.at_angle(rng, u, angle)
    end = np.asarray(_run(z, y, setting))
    inputs = {
        "z": z,
        "y": y,
        "angle": clouds.measure_angle(z, y).angle,
        "norm_i": clouds.norms(z),
        "norm_j": clouds.norms(y),
        "steps": np.full((n, 1), float(STEPS)),
    }
    inputs |= {key: value[:, None] for key, value in setting.items()}
    labels = tuple(
        f"p={p:g}{', repelled' * int(r)}{', one-sided' * int(o)}, d={d}" for p, r, o in kind
    )
    return Sample(inputs, {"state": end}, labels)


@functools.partial(brief, static_argnames="mean")
def _batch(z: Any, y: Any, rate: Any, decay: Any, mean: bool) -> Any:
    """One step of the optimizer on a loss over all pairs."""
    reduce = jnp.mean if mean else jnp.sum

    def loss(z: Any, y: Any) -> Any:
        return -reduce(jax.vmap(definitions.cosine)(z, y))

    slopes = jax.grad(loss, (0, 1))(z, y)
    moved = [x - rate * (slope + decay * x) for x, slope in zip((z, y), slopes, strict=True)]
    return jax.vmap(_state)(*moved)


def batch_step(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Pairs after a step on the mean or the sum of their losses, with the optimizer's decay."""
    del points
    rows: list[dict[str, np.ndarray]] = []
    labels: list[str] = []
    for n, mean in ((3, True), (3, False), (8, True)):
        norm_i, norm_j = (clouds.log_uniform(rng, 0.5, 5.0, n) for _ in range(2))
        u = uniform(rng, n, d)
        z, y = norm_i * u, norm_j * clouds.at_angle(rng, u, rng.uniform(0.1, 3.0, (n, 1)))
        share = n if mean else 1
        rate, decay = 0.1 * share * rng.uniform(0.5, 1), 0.3 / share
        rows.append(
            {
                "angle": clouds.measure_angle(z, y).angle,
                "norm_i": clouds.norms(z),
                "norm_j": clouds.norms(y),
                "learning_rate": np.full((n, 1), rate),
                "weight_decay": np.full((n, 1), decay),
                "n": np.full((n, 1), float(n)),
                "is_mean": column([mean] * n),
                "state": np.asarray(_batch(z, y, rate, decay, mean)),
            }
        )
        labels += [f"{'mean' if mean else 'sum'} over {n} pairs, d={d}"] * n
    inputs = joined(rows)
    return Sample(inputs, {"state": inputs.pop("state")}, tuple(labels))
