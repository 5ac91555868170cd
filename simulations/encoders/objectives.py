"""Any loss of the library on the embeddings of a network.

A loss says by the names of its arguments what it wants: views ``z_1, z_2``, predictions ``p_1,
p_2`` of the other view, labels, prototypes, and so on. What counts as a constant there comes from
the target network: the network itself (SimSiam), or a moving average of it (BYOL, MoCo, DINO).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from normtheory import grad_scale
from normtheory.losses import LOSSES
from simulations.encoders.models import BATCH


class Learner(eqx.Module):
    """What is trained.

    Attributes:
        encoder: from one item to its embedding.
        predictor: from an embedding to the prediction of another, for SimSiam and BYOL.
        prototypes: shape (k, d), for losses with class weights or prototypes.
    """

    encoder: Any
    predictor: Any = None
    prototypes: jax.Array | None = None


@dataclass(frozen=True)
class NewLearner:
    """How to make a learner: call it with a generator.

    Attributes:
        encoder: a generator -> an encoder.
        predictor: likewise, or None.
        prototypes: their number and dimension, or None.
    """

    encoder: Callable[[np.random.Generator], Any]
    predictor: Callable[[np.random.Generator], Any] | None = None
    prototypes: tuple[int, int] | None = None

    def __call__(self, rng: np.random.Generator) -> Learner:
        """A new learner."""
        encoder = self.encoder(rng)
        predictor = None if self.predictor is None else self.predictor(rng)
        if self.prototypes is None:
            return Learner(encoder, predictor)
        prototypes = rng.standard_normal(self.prototypes).astype(np.float32)
        return Learner(encoder, predictor, jnp.asarray(prototypes))


class Batch(NamedTuple):
    """Two views of the same items, and the labels of the items.

    Attributes:
        view_1: shape (n, ...).
        view_2: same shape; rows are partners.
        labels: integers (n,), seen only by losses that ask for them.
    """

    view_1: jax.Array
    view_2: jax.Array
    labels: jax.Array


@dataclass(frozen=True)
class Objective:
    """A loss of :data:`normtheory.losses.LOSSES`, by name, on a batch.

    Attributes:
        loss: its name.
        options: its options, as pairs of a name and a number.
        gradscale: power p of GradScale on all that the loss differentiates.
    """

    loss: str = "nt_xent"
    options: tuple[tuple[str, float], ...] = ()
    gradscale: float = 0.0

    def __post_init__(self) -> None:
        """Refuse unknown losses."""
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")

    @property
    def wants(self) -> tuple[str, ...]:
        """The names of what the loss is a function of."""
        parameters = inspect.signature(LOSSES[self.loss].value).parameters.values()
        arguments = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        return tuple(arguments + [name for name in keywords if name == "labels"])

    def __call__(self, learner: Learner, target: Learner | None, batch: Batch) -> jax.Array:
        """The loss; gradients reach the learner alone.

        Args:
            learner: what is trained.
            target: the network whose outputs count as constants; None for the learner itself.
            batch: at least four items where the loss is moco.

        Raises:
            ValueError: the loss needs a predictor or prototypes, and the learner has none.
        """
        wants = self.wants
        given = _given(wants, learner, target, batch)
        trained = {wants[i] for i in LOSSES[self.loss].trained}
        if self.gradscale:
            for name in trained - {"weights", "prototypes"}:
                given[name] = grad_scale(given[name], self.gradscale)
        return LOSSES[self.loss].value(**given, **dict(self.options))


def _given(
    wants: tuple[str, ...], learner: Learner, target: Learner | None, batch: Batch
) -> dict[str, jax.Array]:
    """What a loss wants, by name."""
    u, v = _views(learner, batch)
    t_1, t_2 = jax.lax.stop_gradient((u, v))
    if target is not None and {"target", "keys", "codes", "p_1"} & set(wants):
        t_1, t_2 = _views(jax.lax.stop_gradient(target), batch)
    constant = learner if target is None else target
    if wants == ("z",):  # uniformity: all views
        return {"z": jnp.concatenate([u, v])}
    if "p_1" in wants:
        if learner.predictor is None:
            raise ValueError("this loss needs a learner with a predictor")
        predict = jax.vmap(learner.predictor, axis_name=BATCH)
        return {"p_1": predict(u), "p_2": predict(v), "z_1": t_1, "z_2": t_2}
    if "queue" in wants:  # the keys of the other half of the batch
        half = len(u) // 2
        return {"queries": u[:half], "keys": t_2[:half], "queue": t_2[half:]}
    if "anchor" in wants:
        return {"anchor": u, "positive": v, "negative": jnp.roll(v, 1, axis=0)}
    if "labels" in wants:
        found = {"z": jnp.concatenate([u, v]), "labels": jnp.tile(batch.labels, 2)}
        return found | ({"weights": _prototypes(learner)} if "weights" in wants else {})
    if "codes" in wants:
        return {
            "z": u,
            "prototypes": _prototypes(learner),
            "codes": codes(t_2, _prototypes(constant)),
        }
    if "target" in wants:
        return {
            "z": u,
            "target": t_2,
            "prototypes": _prototypes(learner),
            "target_prototypes": jax.lax.stop_gradient(_prototypes(constant)),
        }
    return {"z_1": u, "z_2": v}


def _views(learner: Learner, batch: Batch) -> tuple[jax.Array, jax.Array]:
    """Embeddings of both views, from one pass, which halves what there is to compile."""
    encode = jax.vmap(learner.encoder, axis_name=BATCH)
    both = encode(jnp.concatenate([batch.view_1, batch.view_2]))
    u, v = jnp.split(both, 2)
    return u, v


def _prototypes(learner: Learner) -> jax.Array:
    if learner.prototypes is None:
        raise ValueError("this loss needs a learner with prototypes")
    return learner.prototypes


def codes(z: jax.Array, prototypes: Any, *, sharpness: float = 20.0, rounds: int = 3) -> jax.Array:
    """Codes of SwAV: rows that sum to 1, spread evenly over prototypes (Caron et al. 2020, eq. 3).

    Args:
        z: embeddings, shape (n, d).
        prototypes: shape (k, d).
        sharpness: 1/ε of the entropy.
        rounds: of Sinkhorn's iteration.

    Returns:
        Shape (n, k).
    """
    similarity = _unit(z) @ _unit(jax.lax.stop_gradient(prototypes)).T
    scores = sharpness * similarity
    for _ in range(rounds):
        scores = jax.nn.log_softmax(scores, axis=0)
        scores = jax.nn.log_softmax(scores, axis=1)
    return jax.lax.stop_gradient(jnp.exp(scores))


def _unit(z: jax.Array) -> jax.Array:
    return z / jnp.linalg.norm(z, axis=-1, keepdims=True)
