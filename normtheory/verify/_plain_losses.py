"""Plain definitions of the losses, each written from its source, to differentiate by autodiff.

Nothing here comes from the library: the embeddings are divided by their norm, the softmax is a sum
of exponentials, and what a source holds constant is wrapped in ``stop_gradient``. Good for moderate
temperatures and norms only; the stability tests have references of their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from normtheory._types import Array, Embeddings, Labels, OtherEmbeddings, Scalar


def _unit(z: Embeddings) -> Embeddings:
    """Rows divided by their norms."""
    return z / jnp.sqrt(jnp.sum(z**2, axis=-1, keepdims=True))


def _cosines(z: Embeddings, y: OtherEmbeddings) -> Array:
    """Cosine similarities of the rows of one cloud with the rows of another."""
    return jnp.einsum("ad,bd->ab", _unit(z), _unit(y))


def attraction(z_1: Embeddings, z_2: Embeddings) -> Scalar:
    """Minus the mean cosine of partners."""
    return -jnp.mean(jnp.diag(_cosines(z_1, z_2)))


def repulsion(z_1: Embeddings, z_2: Embeddings) -> Scalar:
    """The mean cosine of partners."""
    return jnp.mean(jnp.diag(_cosines(z_1, z_2)))


def alignment(z_1: Embeddings, z_2: Embeddings, *, power: Array) -> Scalar:
    """Wang and Isola 2020, equation 1: E ‖f(x) - f(y)‖^α."""
    return jnp.mean(jnp.linalg.norm(_unit(z_1) - _unit(z_2), axis=-1) ** power)


def uniformity(z: Embeddings, *, sharpness: Array) -> Scalar:
    """Wang and Isola 2020, section 4.1.2: log E exp(-t ‖f(x) - f(y)‖²) over different points."""
    first, second = jnp.triu_indices(z.shape[0], 1)
    square = jnp.sum((_unit(z)[first] - _unit(z)[second]) ** 2, axis=-1)
    return jnp.log(jnp.mean(jnp.exp(-sharpness * square)))


def _pick(logits: Array, chosen: Array, allowed: Array) -> Array:
    """-log of the share of the chosen entry of every row in Σ exp over the allowed ones."""
    powers = jnp.exp(logits)
    own = jnp.take_along_axis(powers, chosen[:, None], axis=1)[:, 0]
    return -jnp.log(own / jnp.sum(jnp.where(allowed, powers, 0.0), axis=1))


def info_nce(
    z_1: Embeddings, z_2: Embeddings, *, temperature: Array = 0.1, symmetric: bool = False
) -> Scalar:
    """Van den Oord et al. 2018, equation 4, with f = exp(cos/τ)."""
    logits = _cosines(z_1, z_2) / temperature
    index, everything = jnp.arange(z_1.shape[0]), jnp.ones(logits.shape, bool)
    loss = jnp.mean(_pick(logits, index, everything))
    return loss + jnp.mean(_pick(logits.T, index, everything)) if symmetric else loss


def clip(z_1: Embeddings, z_2: Embeddings, *, temperature: Array = 0.07) -> Scalar:
    """Radford et al. 2021, figure 3: (loss_i + loss_t) / 2."""
    logits = _cosines(z_1, z_2) / temperature
    images = -jnp.mean(jnp.diag(jax.nn.log_softmax(logits, axis=0)))
    texts = -jnp.mean(jnp.diag(jax.nn.log_softmax(logits, axis=1)))
    return (images + texts) / 2


def nt_xent(z_1: Embeddings, z_2: Embeddings, *, temperature: Array = 0.5) -> Scalar:
    """Chen et al. 2020, equation 1: over 2n views interleaved as in algorithm 1, k ≠ i."""
    n = z_1.shape[0]
    views = jnp.stack([z_1, z_2], axis=1).reshape(2 * n, -1)  # x_1, x_1', x_2, x_2', …
    index = jnp.arange(2 * n)
    return jnp.mean(
        _pick(_cosines(views, views) / temperature, index ^ 1, ~jnp.eye(2 * n, dtype=bool))
    )


def decoupled(
    z_1: Embeddings, z_2: Embeddings, *, temperature: Array = 0.1, symmetric: bool = False
) -> Scalar:
    """Yeh et al. 2022, equation 6: the positive is left out of the denominator."""
    logits = _cosines(z_1, z_2) / temperature
    index, others = jnp.arange(z_1.shape[0]), ~jnp.eye(z_1.shape[0], dtype=bool)
    loss = jnp.mean(_pick(logits, index, others))
    return loss + jnp.mean(_pick(logits.T, index, others)) if symmetric else loss


def supcon(z: Embeddings, labels: Labels, *, temperature: Array = 0.1) -> Scalar:
    """Khosla et al. 2020, equation 2; the mean over the anchors that have a positive."""
    n = z.shape[0]
    others = ~jnp.eye(n, dtype=bool)
    powers = jnp.where(others, jnp.exp(_cosines(z, z) / temperature), 0.0)
    log_share = jnp.log(jnp.where(others, powers, 1.0)) - jnp.log(jnp.sum(powers, axis=1))[:, None]
    positive = (labels[:, None] == labels[None, :]) & others
    size = jnp.sum(positive, axis=1).astype(z.dtype)
    inner = -jnp.sum(jnp.where(positive, log_share, 0.0), axis=1) / jnp.where(size > 0, size, 1)
    return jnp.sum(jnp.where(size > 0, inner, 0.0)) / jnp.sum(size > 0).astype(z.dtype)


def siglip(
    z_1: Embeddings, z_2: Embeddings, *, temperature: Array = 0.1, bias: Array = -10.0
) -> Scalar:
    """Zhai et al. 2023, section 3.2: -(1/n) Σ_ij log sigmoid(z_ij (t x_i·y_j + b)), t = 1/τ."""
    sign = 2 * jnp.eye(z_1.shape[0]) - 1
    return (
        -jnp.sum(jnp.log(jax.nn.sigmoid(sign * (_cosines(z_1, z_2) / temperature + bias))))
        / (z_1.shape[0])
    )


def simsiam(p_1: Embeddings, p_2: Embeddings, z_1: Embeddings, z_2: Embeddings) -> Scalar:
    """Chen and He 2021, equation 4: D(p_1, stopgrad(z_2))/2 + D(p_2, stopgrad(z_1))/2."""
    first = -jnp.mean(jnp.diag(_cosines(p_1, stop_gradient(z_2))))
    second = -jnp.mean(jnp.diag(_cosines(p_2, stop_gradient(z_1))))
    return first / 2 + second / 2


def byol(p_1: Embeddings, p_2: Embeddings, z_1: Embeddings, z_2: Embeddings) -> Scalar:
    """Grill et al. 2020, equation 2: ‖q̄ - z̄'‖² for either view."""
    first = jnp.sum((_unit(p_1) - stop_gradient(_unit(z_2))) ** 2, axis=-1)
    second = jnp.sum((_unit(p_2) - stop_gradient(_unit(z_1))) ** 2, axis=-1)
    return jnp.mean(first + second)


def moco(
    queries: Embeddings, keys: Embeddings, queue: OtherEmbeddings, *, temperature: Array = 0.07
) -> Scalar:
    """He et al. 2020, equation 1 and algorithm 1: the own key first, then the queue."""
    own = jnp.diag(_cosines(queries, stop_gradient(keys)))[:, None]
    logits = jnp.concatenate([own, _cosines(queries, stop_gradient(queue))], axis=1) / temperature
    return jnp.mean(_pick(logits, jnp.zeros(queries.shape[0], int), jnp.ones(logits.shape, bool)))


def triplet(
    anchor: Embeddings, positive: Embeddings, negative: Embeddings, *, margin: Array = 0.2
) -> Scalar:
    """Schroff et al. 2015, equation 1; on unit vectors ‖a - p‖²/2 = 1 - cos."""
    near = jnp.sum((_unit(anchor) - _unit(positive)) ** 2, axis=-1) / 2
    far = jnp.sum((_unit(anchor) - _unit(negative)) ** 2, axis=-1) / 2
    return jnp.mean(jax.nn.relu(near - far + margin))


def _classify(cosine: Array, own: Array, labels: Labels, scale: Array) -> Array:
    right = labels[:, None] == jnp.arange(cosine.shape[1], dtype=labels.dtype)[None, :]
    logits = scale * jnp.where(right, own[:, None], cosine)
    return jnp.mean(_pick(logits, labels, jnp.ones(logits.shape, bool)))


def _own(cosine: Array, labels: Labels) -> Array:
    return jnp.take_along_axis(cosine, labels[:, None], axis=1)[:, 0]


def normface(
    z: Embeddings, weights: OtherEmbeddings, labels: Labels, *, scale: Array = 16.0
) -> Scalar:
    """Wang et al. 2017, equation 6."""
    cosine = _cosines(z, weights)
    return _classify(cosine, _own(cosine, labels), labels, scale)


def cosface(
    z: Embeddings,
    weights: OtherEmbeddings,
    labels: Labels,
    *,
    scale: Array = 16.0,
    margin: Array = 0.35,
) -> Scalar:
    """Wang et al. 2018, equation 4."""
    cosine = _cosines(z, weights)
    return _classify(cosine, _own(cosine, labels) - margin, labels, scale)


def arcface(
    z: Embeddings,
    weights: OtherEmbeddings,
    labels: Labels,
    *,
    scale: Array = 16.0,
    margin: Array = 0.5,
) -> Scalar:
    """Deng et al. 2019, equation 3; the angle by arctan of the half chords, good near 0 and π."""
    u, w = _unit(z), _unit(weights)[labels]
    angle = 2 * jnp.arctan2(jnp.linalg.norm(u - w, axis=-1), jnp.linalg.norm(u + w, axis=-1))
    return _classify(_cosines(z, weights), jnp.cos(angle + margin), labels, scale)


def swav(
    z: Embeddings, prototypes: OtherEmbeddings, codes: Array, *, temperature: Array = 0.1
) -> Scalar:
    """Caron et al. 2020, equation 2: -Σ_k q_k log p_k."""
    powers = jnp.exp(_cosines(z, prototypes) / temperature)
    shares = powers / jnp.sum(powers, axis=1, keepdims=True)
    return -jnp.mean(jnp.sum(stop_gradient(codes) * jnp.log(shares), axis=1))


def dino(
    z: Embeddings,
    target: Embeddings,
    prototypes: OtherEmbeddings,
    target_prototypes: OtherEmbeddings,
    *,
    centre: Array,
    temperature: Array = 0.1,
    target_temperature: Array = 0.04,
) -> Scalar:
    """Caron et al. 2021, equations 1 and 2 and algorithm 1: H(t, s), t centred and sharpened."""
    logits = _cosines(target, target_prototypes) - jnp.reshape(centre, (1, -1))
    powers = jnp.exp(logits / target_temperature)
    teacher = stop_gradient(powers / jnp.sum(powers, axis=1, keepdims=True))
    return swav(z, prototypes, teacher, temperature=temperature)


PLAIN: dict[str, Callable[..., Scalar]] = {
    name: found
    for name, found in list(globals().items())
    if inspect.isfunction(found) and found.__module__ == __name__ and not name.startswith("_")
}
"""The definition of every loss, by its name: each public function above."""
