"""Contrastive losses of two clouds against their alignment."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.sphere import uniform
from normtheory.verify import _clouds as clouds
from normtheory.verify._equiangular import rotation, simplex
from normtheory.verify._plain_losses import PLAIN
from normtheory.verify._sample import Sample, column, joined


@brief
@functools.partial(jax.vmap, in_axes=(0, 0, 0))
def _losses(u: Any, v: Any, b: Any) -> Any:
    first, second, views = (
        PLAIN[name](u, x, temperature=1 / b)
        for name, x in (("info_nce", v), ("clip", v), ("nt_xent", u))
    )
    return jnp.stack([first, second, views])


def alignment(d: int, points: int, rng: np.random.Generator, *, attained: bool = False) -> Sample:
    """Losses of pairs that are aligned more or less, InfoNCE and CLIP in turn.

    Args:
        d: Dimension, at least 6.
        points: Batches of every size.
        rng: Source of randomness.
        attained: A simplex with a gap, instead of random pairs; NT-Xent of the simplex alone.
    """
    rows: list[dict[str, np.ndarray]] = []
    labels: list[str] = []
    for n in (2, 3, 5):
        u = uniform(rng, points * n, d).reshape(points, n, d)
        noise = clouds.log_uniform(rng, 1e-2, 3.0, points)[..., None]
        v = u + noise * rng.standard_normal(u.shape)
        if attained:
            s = rng.uniform(-0.9, 0.9, (points, 1, 1))
            turns = np.stack([rotation(rng, d) for _ in range(points)])
            flat = np.stack([simplex(n) @ turn[:, : n - 1].T for turn in turns])
            gap = np.sqrt((1 - s) / 2) * turns[:, :, n - 1][:, None]
            u = np.sqrt((1 + s) / 2) * flat + gap
            v = u - 2 * gap
        v = v / np.linalg.norm(v, axis=-1, keepdims=True)
        b = clouds.log_uniform(rng, 0.5, 20.0, points)
        found = np.asarray(_losses(u, v, b[:, 0]))
        views = np.asarray(_losses(flat, flat, b[:, 0]))[:, 2] if attained else found[:, 2]
        inner = np.einsum("mad,mbd->mab", u, v)
        own = np.trace(inner, axis1=1, axis2=2)
        apart = u - v
        spread = ((apart[:, :, None] - apart[:, None]) ** 2).sum((1, 2, 3)) / 2
        which = np.arange(points) % 2
        rows.append(
            {
                "alignment": column(own / n),
                "n": np.full((points, 1), float(n)),
                "b": b,
                "total": column(((u + v).sum(1) ** 2).sum(-1)),
                "spread": column(spread),
                "wrong_cosine": column((inner.sum((1, 2)) - own) / (n * (n - 1))),
                "loss": column(found[np.arange(points), which]),
                "nt_xent": column(views),
            }
        )
        labels += [f"{n} pairs, d={d}"] * points
    inputs = joined(rows)
    values = {key: inputs.pop(key) for key in ("wrong_cosine", "loss", "nt_xent")}
    inputs["loss"] = values["loss"]  # the floor is stated about it
    return Sample(inputs, values, tuple(labels))
