"""Contrastive losses of batches of partners, differentiated by jax.grad."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from scipy.special import softmax

from normtheory._program import brief
from normtheory.losses import LOSSES
from normtheory.sphere import uniform, von_mises_fisher
from normtheory.verify import _clouds as clouds
from normtheory.verify._plain_losses import PLAIN
from normtheory.verify._sample import Sample

#: Pairs of a batch.
PAIRS = 5


@functools.cache
def _gradient(kind: str) -> Callable[..., Any]:
    """Value and ∇ of the plain definition for a stack of batches: (m, n, d), (m, n, d), (m,)."""
    loss = PLAIN[kind]
    of_batch = jax.value_and_grad(lambda z, temperature: loss(*z, temperature=temperature))
    return brief(jax.vmap(of_batch))


def _library(
    kind: str, halves: tuple[np.ndarray, np.ndarray], temperature: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The library's values and closed forms for the same stack, both halves in one: (m, 2n, d)."""
    loss, values, gradients = LOSSES[kind], [], []
    for *points, tau in zip(*halves, temperature, strict=True):
        values.append(loss(*points, temperature=float(tau)))
        gradients.append(np.concatenate(loss.gradient(*points, temperature=float(tau))))
    return np.array(values), np.array(gradients)


def _directions(
    rng: np.random.Generator, batches: int, d: int, opposed: bool
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Unit anchors and keys (m, n, d), and the kind of every batch."""
    u, v, labels = [], [], []
    for batch in range(batches):
        kind = ("opposed",) if opposed else ("uniform", "von Mises-Fisher", "solved", "antipodal")
        kind = kind[batch % len(kind)]
        anchors = uniform(rng, PAIRS, d)
        keys = uniform(rng, PAIRS, d)
        if kind == "von Mises-Fisher":
            anchors, keys = von_mises_fisher(rng, 2 * PAIRS, anchors[0], d).reshape(2, PAIRS, d)
        elif kind in ("solved", "antipodal"):
            near = clouds.at_angle(rng, anchors, clouds.log_uniform(rng, 1e-8, 0.1, PAIRS))
            keys = near if kind == "solved" else -near
        elif kind == "opposed":
            # The first anchor is orthogonal to its key, and all wrong keys are opposite to that.
            own = clouds.at_angle(rng, anchors[:1], np.full((1, 1), np.pi / 2))
            keys = np.concatenate([own, np.repeat(-own, PAIRS - 1, axis=0)])
        u.append(anchors)
        v.append(keys)
        labels.append(f"{kind}, d={d}")
    return np.array(u), np.array(v), tuple(labels)


def _others(array: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """For every point (second axis) the entries (third axis) that ``keep`` (k, k) marks."""
    m, k = array.shape[:2]
    return array[:, keep].reshape(m, k, -1, *array.shape[3:])


def contrastive(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    kind: str,
    role: str,
    temperature: float | None = None,
    opposed: bool = False,
) -> Sample:
    """Gradients of a contrastive loss for batches of five pairs, norms 1e-3 to 1e3.

    Args:
        d: Dimension.
        points: Number of batches.
        rng: Source of randomness.
        kind: The loss: info_nce, clip, nt_xent or decoupled.
        role: Which points: "anchors", "keys", or any other word for all.
        temperature: τ; log-uniform in 0.05 to 1 by default.
        opposed: Only the first anchor of batches in which it is orthogonal to its key and all wrong
            keys are opposite to that.
    """
    u, v, names = _directions(rng, points, d, opposed)
    norm = clouds.log_uniform(rng, 1e-3, 1e3, points * 2 * PAIRS).reshape(points, 2 * PAIRS, 1)
    tau = clouds.log_uniform(rng, 0.05, 1.0, points)[:, 0]
    tau = tau if temperature is None else np.full(points, temperature)
    z = np.concatenate([u, v], axis=1) * norm
    halves = (z[:, :PAIRS], z[:, PAIRS:])
    value, gradient = _gradient(kind)(halves, tau)
    library_value, library = _library(kind, halves, tau)
    gradient = np.concatenate(gradient, axis=1)
    # Everything below is per point: 2n of them a batch, first the anchors.
    unit = z / clouds.norms(z)
    own = np.roll(unit, PAIRS, axis=1)
    logits = np.einsum("mad,mbd->mab", unit, unit) / tau[:, None, None]
    index = np.arange(2 * PAIRS)
    partner = index[:, None] == np.roll(index, PAIRS)[None, :]
    compared = (index[:, None] < PAIRS) != (index[None, :] < PAIRS)
    if kind == "nt_xent":
        compared = index[:, None] != index[None, :]
    wrong = compared & ~partner
    allowed = wrong if kind == "decoupled" else compared
    shares = softmax(np.where(allowed, logits, -np.inf), axis=-1)
    back = np.swapaxes(shares, 1, 2)
    if kind in ("info_nce", "decoupled"):  # one-sided: a key sees a column of the anchors' softmax
        shares[:, PAIRS:] = back[:, PAIRS:]
    missing = (softmax(np.where(compared, logits, -np.inf), axis=-1) * wrong).sum(-1, keepdims=True)
    every = np.broadcast_to(unit[:, None], (points, 2 * PAIRS, 2 * PAIRS, d))
    kept = {"anchors": index < PAIRS, "keys": index >= PAIRS}.get(role, index >= 0)
    kept = index == 0 if opposed else kept

    def rows(array: np.ndarray) -> np.ndarray:
        return array[:, kept].reshape(-1, *array.shape[2:])

    inputs = {
        "z": rows(z),
        "norm": rows(clouds.norms(z)),
        "own": rows(own),
        "others": rows(_others(every, allowed)),
        "share": rows(_others(shares, allowed))[..., None],
        "share_back": rows(_others(back, allowed))[..., None],
        "wrong": rows(_others(every, wrong)),
        "weights": rows(_others(softmax(np.where(wrong, logits, -np.inf), axis=-1), wrong))[
            ..., None
        ],
        "missing": rows(missing),
        "library": rows(library),
        "library_value": np.repeat(library_value, kept.sum())[:, None],
        "temperature": np.repeat(tau, kept.sum())[:, None],
        "count": np.full((points * int(kept.sum()), 1), float(PAIRS)),
    }
    if kind == "info_nce":
        decoupled = np.concatenate(_gradient("decoupled")(halves, tau)[1], axis=1)
        inputs["decoupled"] = rows(decoupled)
    values = {
        "gradient": rows(gradient),
        "value": np.repeat(np.asarray(value), kept.sum())[:, None],
        "gradient_norm": clouds.norms(rows(gradient)),
        "gradient_square": clouds.norms(rows(gradient)) ** 2,
    }
    labels = tuple(name for name in names for _ in range(int(kept.sum())))
    return Sample(inputs, values, labels)
